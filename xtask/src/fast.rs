//! The pre-commit hook: format, tidy, layers, and lints of the crates that changed.
//!
//! Meant to stay under twenty seconds when the build is warm; `check` is the full list.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::stage::{Stages, cargo, must_succeed};
use crate::{check, layers, tidy};

/// Runs the hook.
pub(crate) fn run(root: &Path) -> Result<()> {
    let mut stages = Stages::default();
    stages.run("format", || must_succeed(cargo(root, &["fmt", "--all", "--check"])))?;
    stages.run("tidy", || tidy::run(root))?;
    stages.run("layers", || layers::run(root))?;
    let packages = changed_packages(&changed_files(root)?);
    if packages.is_empty() {
        println!("\nno crate changed: no lints to run");
        return Ok(());
    }
    let packages = packages.iter().flat_map(|name| ["--package", *name]);
    let arguments: Vec<&str> = packages.chain(["--all-targets"]).collect();
    stages.run("lints", || check::lints(root, &arguments))
}

fn changed_files(root: &Path) -> Result<String> {
    let output = Command::new("git")
        .args(["status", "--porcelain", "--untracked-files=all"])
        .current_dir(root)
        .output()
        .context("cannot run git to see what changed")?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The packages that own the files of a `git status --porcelain` listing.
fn changed_packages(status: &str) -> BTreeSet<&'static str> {
    let files = status.lines().filter_map(|line| line.get(3..));
    let folders = files.filter_map(|file| file.trim_matches('"').split_once('/')).map(|f| f.0);
    folders.filter_map(|folder| layers::rule_of(folder).map(|rule| rule.package)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_crates_with_a_changed_file_are_linted() {
        let status = " M data/src/card.rs\n?? cli/src/exit.rs\n M docs/SUMMARY.md\n M README.md\n";
        let packages: Vec<_> = changed_packages(status).into_iter().collect();
        assert_eq!(packages, ["genesis", "genesis-data"]);
    }
}
