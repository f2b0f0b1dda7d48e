//! How the process ends: one code per kind of outcome, so that scripts and schedulers can tell
//! a typo from a full disk from a preemption. docs/guides/exit-codes.md is the user's page.

use std::fmt;

/// Exit codes of `genesis`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Code {
    /// Everything that was asked for is done.
    Done = 0,
    /// Something unexpected: a bug or the machine.
    Unexpected = 1,
    /// The command line or a configuration is wrong.
    Usage = 2,
    /// Input data, a model folder or a checkpoint is wrong or damaged.
    Data = 3,
    /// Training stopped because a loss or gradient was not finite.
    NonFinite = 4,
    /// A signal asked for a stop; the run is saved and can be resumed.
    Stopped = 5,
    /// `genesis verify` found damage.
    Damaged = 6,
    /// A simulation left the numbers that mean anything; its last good frame is written.
    Exploded = 7,
    /// `genesis audit` found a step in which two runs differ.
    Differs = 8,
}

impl Code {
    const ALL: [Self; 9] = [
        Self::Done,
        Self::Unexpected,
        Self::Usage,
        Self::Data,
        Self::NonFinite,
        Self::Stopped,
        Self::Damaged,
        Self::Exploded,
        Self::Differs,
    ];

    /// The code that a process of ours ended with.
    pub(crate) fn of(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|code| *code as i32 == number)
    }
}

/// An error that knows its exit code; anything else ends with [`Code::Unexpected`].
#[derive(Debug)]
pub(crate) struct Failure {
    code: Code,
    message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl Failure {
    /// The error that ends the process with `code`.
    pub(crate) fn error(code: Code, message: impl Into<String>) -> anyhow::Error {
        Self { code, message: message.into() }.into()
    }
}

/// Attaches an exit code to the errors of a library call.
pub(crate) trait OrExit<T> {
    fn or_exit(self, code: Code) -> anyhow::Result<T>;
}

impl<T, E: std::error::Error> OrExit<T> for Result<T, E> {
    fn or_exit(self, code: Code) -> anyhow::Result<T> {
        self.map_err(|error| Failure::error(code, full_message(&error)))
    }
}

/// The message of an error and of what caused it, skipping causes already quoted by the outer one.
fn full_message(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !message.contains(&text) {
            message.push_str(": ");
            message.push_str(&text);
        }
        source = cause.source();
    }
    message
}

/// The exit code that an error carries.
pub(crate) fn code_of(error: &anyhow::Error) -> Code {
    error.downcast_ref::<Failure>().map_or(Code::Unexpected, |failure| failure.code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_keeps_its_code_through_anyhow() {
        let error = Failure::error(Code::Data, "shard 3 is short");
        assert_eq!(code_of(&error), Code::Data);
        assert_eq!(code_of(&anyhow::anyhow!("something else")), Code::Unexpected);
    }

    /// An error that quotes its cause or leaves that to the reader.
    #[derive(Debug)]
    struct Outer(&'static str, std::io::Error);

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl std::error::Error for Outer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.1)
        }
    }

    #[test]
    fn causes_are_appended_once() {
        let full = |said| full_message(&Outer(said, std::io::Error::other("no space left")));
        assert_eq!(full("cannot write a.json"), "cannot write a.json: no space left");
        assert_eq!(full("a.json: no space left, free some"), "a.json: no space left, free some");
    }
}
