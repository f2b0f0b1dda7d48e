//! One process that measures something and prints a JSON object.
//!
//! Programs print warnings and progress too, so the last line of standard output that is an object
//! is the result. A program that fails is reported with its command and the end of what it said.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::case::Fields;

/// Lines of standard error that a message quotes.
const QUOTED_LINES: usize = 12;

/// What to start.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Program {
    /// The executable.
    pub path: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Variables added to its environment.
    pub env: Vec<(String, String)>,
}

/// Why a program gave no figures.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// It did not start.
    #[error("cannot start `{command}`: {because}")]
    Start {
        /// The command line.
        command: String,
        /// What the system said.
        because: String,
    },
    /// It ended with an error.
    #[error("`{command}` ended with {status}; the last it said:\n{said}")]
    Failed {
        /// The command line.
        command: String,
        /// Its exit status.
        status: String,
        /// The end of its standard error.
        said: String,
    },
    /// It printed no JSON object.
    #[error("`{command}` printed no JSON object; its output ends with:\n{said}")]
    NoResult {
        /// The command line.
        command: String,
        /// The end of its standard output.
        said: String,
    },
    /// The object lacks a figure.
    #[error("`{command}` printed no number called `{field}`")]
    NoField {
        /// The command line.
        command: String,
        /// What was looked for.
        field: String,
    },
}

impl Program {
    /// The command line as a person would type it.
    pub fn command_line(&self) -> String {
        let environment = self.env.iter().map(|(name, value)| format!("{name}={value}"));
        let path = std::iter::once(self.path.display().to_string());
        let args = self.args.iter().map(|arg| quoted(&arg.to_string_lossy()));
        environment.chain(path).chain(args).collect::<Vec<_>>().join(" ")
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// [`ProgramError`] with the command line and the end of what the program said.
    pub fn run(&self) -> Result<Fields, ProgramError> {
        let command = || self.command_line();
        let output = Command::new(&self.path)
            .args(&self.args)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .output()
            .map_err(|error| ProgramError::Start {
                command: command(),
                because: error.to_string(),
            })?;
        let said = |bytes: &[u8]| last_lines(&String::from_utf8_lossy(bytes));
        if !output.status.success() {
            let (status, said) = (output.status.to_string(), said(&output.stderr));
            return Err(ProgramError::Failed { command: command(), status, said });
        }
        result_in(&String::from_utf8_lossy(&output.stdout)).ok_or_else(|| ProgramError::NoResult {
            command: command(),
            said: said(&output.stdout),
        })
    }
}

/// The object on the last line that is one.
fn result_in(stdout: &str) -> Option<Fields> {
    let object = |line: &str| serde_json::from_str::<Fields>(line.trim()).ok();
    stdout.lines().rev().filter(|line| line.trim_start().starts_with('{')).find_map(object)
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(QUOTED_LINES)..].join("\n")
}

fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=+,:".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        argument.to_owned()
    } else {
        format!("'{}'", argument.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Program {
        let args = ["-c", script].map(OsString::from).to_vec();
        Program { path: "sh".into(), args, env: vec![("GREETING".into(), "hi".into())] }
    }

    #[test]
    fn the_result_is_the_last_object_whatever_is_printed_around_it() {
        let script = "echo loading; echo '{\"a\": 1}'; echo \"{\\\"said\\\": \\\"$GREETING\\\"}\"; \
                      echo '{broken'; echo bye";
        let fields = shell(script).run().unwrap();
        assert_eq!(fields["said"], "hi");
        assert!(!fields.contains_key("a"));
    }

    #[test]
    fn a_failure_names_the_command_and_the_last_lines_of_its_errors() {
        let script = "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13; do echo line $i >&2; done; exit 3";
        let message = shell(script).run().unwrap_err().to_string();
        assert!(message.contains("GREETING=hi sh -c 'for i in"), "{message}");
        assert!(message.contains("exit status: 3"), "{message}");
        assert!(message.contains("line 13") && !message.contains("line 1\n"), "{message}");
    }

    #[test]
    fn a_program_that_is_missing_or_silent_is_an_error() {
        let missing = Program { path: "no-such-program-anywhere".into(), ..Program::default() };
        assert!(matches!(missing.run(), Err(ProgramError::Start { .. })));
        assert!(matches!(shell("echo done").run(), Err(ProgramError::NoResult { .. })));
    }
}
