//! Everything a change must pass, cheapest first; stops at the first failure, which is printed last.
//!
//! Everything is built, linted and tested with the GPU backends, and with MPI where it is installed, in one set of
//! features; the default build, without them, is linted only. CI runs exactly this. Tools that are optional (`cargo-nextest`,
//! `cargo-deny`, NVRTC) are used when they are installed; what did not run is printed as `SKIPPED: …` and
//! counted at the end.

use std::path::Path;

use anyhow::Result;

use crate::stage::{Stages, cargo, has_mpi, has_subcommand, must_succeed, with_all};
use crate::{layers, nvrtc, test_run, tidy};

/// The whole check.
pub(crate) fn run(root: &Path) -> Result<()> {
    let mut stages = Stages::default();
    let mut skipped = Vec::new();

    stages.run("format", || must_succeed(cargo(root, &["fmt", "--all", "--check"])))?;
    stages.run("tidy", || tidy::run(root))?;
    stages.run("layers", || layers::run(root))?;
    stages.run("CUDA kernels", || nvrtc::check(root, None, false, &mut skipped))?;
    stages.run("default build", || default_build(root))?;
    if !has_mpi() {
        let line = "SKIPPED: mpicc is not installed: ranks over MPI".to_owned();
        println!("{line}");
        skipped.push(line);
    }
    stages.run("lints", || {
        lints(root, &[&["--workspace", "--all-targets"][..], &with_all()].concat())
    })?;
    let tests = stages.run("tests", || test_run::run(root))?;
    stages.run("doctests", || doctests(root))?;
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

/// Clippy with the given choice of packages, targets and features; a warning is an error.
pub(crate) fn lints(root: &Path, of: &[&str]) -> Result<()> {
    must_succeed(cargo(root, &[&["clippy"], of, &["--", "-D", "warnings"]].concat()))
}

/// What users build when they choose no feature. Crates without features are linted with the rest.
fn default_build(root: &Path) -> Result<()> {
    const FEATURED: [&str; 6] = [
        "genesis",
        "genesis-benches",
        "genesis-train",
        "genesis-model",
        "genesis-kernels",
        "genesis-backends",
    ];
    let packages: Vec<&str> = FEATURED.iter().flat_map(|name| ["--package", *name]).collect();
    lints(root, &packages)
}

fn doctests(root: &Path) -> Result<()> {
    let arguments = [&["test", "--workspace", "--doc"][..], &with_all()].concat();
    must_succeed(cargo(root, &arguments))
}

fn documentation(root: &Path) -> Result<()> {
    let arguments = [&["doc", "--no-deps", "--workspace"][..], &with_all()].concat();
    let mut command = cargo(root, &arguments);
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
