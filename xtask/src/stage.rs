//! One step of a task: announced, timed, and named again when it fails.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

/// What is checked is built with both GPU backends, which need no toolkit, and with MPI where the machine has
/// one: one set of features is one build.
pub(crate) fn with_all() -> [&'static str; 2] {
    ["--features", if has_mpi() { "cuda,wgpu,mpi" } else { "cuda,wgpu" }]
}

/// Whether MPI is there to build with.
pub(crate) fn has_mpi() -> bool {
    Command::new("mpicc").arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Runs stages and remembers how long each took.
#[derive(Debug, Default)]
pub(crate) struct Stages {
    taken_s: Vec<(String, f64)>,
}

impl Stages {
    /// Runs `work` under a heading. A failure comes back with the stage's name and time.
    pub(crate) fn run<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        println!("\n== {name}");
        let start = Instant::now();
        let result = work();
        let seconds = start.elapsed().as_secs_f64();
        self.taken_s.push((name.to_owned(), seconds));
        if result.is_ok() {
            println!("== {name}: {seconds:.1} s");
        }
        result.with_context(|| format!("{name}, after {seconds:.1} s"))
    }

    /// Prints one line per stage and their sum.
    pub(crate) fn print_times(&self) {
        println!("\ntimes");
        for (name, seconds) in &self.taken_s {
            println!("  {seconds:>8.1} s  {name}");
        }
        println!("  {:>8.1} s  together", self.taken_s.iter().map(|(_, s)| s).sum::<f64>());
    }
}

/// A cargo command in the workspace, with the cargo that runs this tool.
pub(crate) fn cargo(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root);
    command
}

/// Runs `command`; its output goes where ours goes.
pub(crate) fn must_succeed(mut command: Command) -> Result<()> {
    let shown = shown(&command);
    let status = command.status().with_context(|| format!("cannot run `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` ended with {status}");
    }
    Ok(())
}

/// Is `cargo <subcommand>` installed?
pub(crate) fn has_subcommand(root: &Path, subcommand: &str) -> bool {
    cargo(root, &[subcommand, "--version"]).output().is_ok_and(|output| output.status.success())
}

/// The command as a reader would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    std::iter::once(program)
        .chain(command.get_args())
        .map(|part| part.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_stage_is_named_in_its_error() {
        let mut stages = Stages::default();
        let error = stages.run("lints", || -> Result<()> { bail!("two warnings") }).unwrap_err();
        let text = format!("{error:#}");
        assert!(text.starts_with("lints, after ") && text.ends_with(": two warnings"), "{text}");
    }

    #[test]
    fn a_command_is_shown_without_the_path_of_its_program() {
        let mut command = Command::new("/usr/bin/cargo");
        command.args(["fmt", "--check"]);
        assert_eq!(shown(&command), "cargo fmt --check");
    }
}
