//! Everything a change must pass, cheapest first; stops at the first failure, which is printed last.
//!
//! CI runs exactly this. Tools that are optional (`cargo-nextest`, `cargo-deny`) are used when they
//! are installed; what did not run is printed as `SKIPPED: …` and counted at the end.

use std::path::Path;

use anyhow::Result;

use crate::stage::{Stages, cargo, has_subcommand, must_succeed};
use crate::{layers, nvrtc, test_run, tidy};

/// The whole check.
pub(crate) fn run(root: &Path) -> Result<()> {
    let mut stages = Stages::default();
    let mut skipped = Vec::new();

    stages.run("format", || must_succeed(cargo(root, &["fmt", "--all", "--check"])))?;
    stages.run("tidy", || tidy::run(root))?;
    stages.run("layers", || layers::run(root))?;
    stages.run("CUDA kernels", || nvrtc::check(root, None, false, &mut skipped))?;
    stages.run("lints", || lints(root, &["--workspace"]))?;
    let tests = stages.run("tests", || test_run::run(root))?;
    stages.run("doctests", || must_succeed(cargo(root, &["test", "--workspace", "--doc"])))?;
    stages.run("documentation", || documentation(root))?;
    stages.run("dependencies", || dependencies(root, &mut skipped))?;

    stages.print_times();
    skipped.extend(tests.skipped);
    println!("\n{} tests passed, {} SKIPPED", tests.num_passed, skipped.len());
    for line in &skipped {
        println!("  {line}");
    }
    Ok(())
}

/// Clippy on every target of the given packages; a warning is an error.
pub(crate) fn lints(root: &Path, packages: &[&str]) -> Result<()> {
    let arguments = [&["clippy"], packages, &["--all-targets", "--", "-D", "warnings"]].concat();
    must_succeed(cargo(root, &arguments))
}

fn documentation(root: &Path) -> Result<()> {
    let mut command = cargo(root, &["doc", "--no-deps", "--workspace"]);
    command.env("RUSTDOCFLAGS", "-D rustdoc::broken_intra_doc_links -D rustdoc::invalid_html_tags");
    must_succeed(command)
}

fn dependencies(root: &Path, skipped: &mut Vec<String>) -> Result<()> {
    if has_subcommand(root, "deny") {
        return must_succeed(cargo(root, &["deny", "--workspace", "check"]));
    }
    let line = "SKIPPED: cargo-deny is not installed".to_owned();
    println!("{line}");
    skipped.push(line);
    Ok(())
}
