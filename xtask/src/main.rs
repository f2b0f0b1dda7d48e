//! The one menu of the project: `cargo xtask <task>`.
//!
//! Nothing to install and no second list to keep true. A task is one file; what it checks is in
//! that file's header. Not here: anything the product needs at run time.
#![expect(clippy::print_stdout, reason = "a command line tool: what it prints is its product")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};

mod check;
mod fast;
mod finding;
mod layers;
mod nvrtc;
mod rust_text;
mod setup;
mod size;
mod softcuda;
mod stage;
mod test_run;
mod tidy;
mod tree;

const MENU: &str = "\
usage: cargo xtask <task>

  check    everything a change must pass, cheapest first; what CI runs
  fast     format, tidy, layers, lints of the crates that changed; the pre-commit hook
  tidy     the rules of STYLE.md that a machine can check
  layers   which crate and which room may use which, and what each may never use
  nvrtc    every CUDA kernel through NVIDIA's compiler, with budgets of registers
  softcuda the whole of CUDA on a driver in software, with several orders of streams
  size     lines per crate, here or in a folder, and every file and function over budget
  setup    point git at scripts/hooks, once per clone";

fn main() -> ExitCode {
    let task = std::env::args().nth(1).unwrap_or_default();
    match run(&task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("\nFAILED: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: &str) -> Result<()> {
    let root = workspace_root();
    match task {
        "check" => check::run(&root),
        "fast" => fast::run(&root),
        "tidy" => tidy::run(&root),
        "layers" => layers::run(&root),
        "nvrtc" => nvrtc::run(&root, &std::env::args().skip(2).collect::<Vec<_>>()),
        "size" => size::run(&std::env::args().nth(2).map_or(root, PathBuf::from)),
        "softcuda" => softcuda::run(&root, &std::env::args().skip(2).collect::<Vec<_>>()),
        "setup" => setup::run(&root),
        "" | "help" | "--help" | "-h" => {
            println!("{MENU}");
            Ok(())
        }
        other => bail!("there is no task `{other}`\n\n{MENU}"),
    }
}

/// The folder above this crate, known since it was compiled.
fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").components().as_path().to_path_buf()
}
