//! The rules of STYLE.md that a machine can check, over every file of the project.
//!
//! Errors fail the check; warnings are listed for a reviewer. Each rule is a pure function from the
//! [`Tree`] to findings, so it is tested on three-line trees.

use std::path::Path;

use anyhow::Result;

use crate::finding::{Finding, report};
use crate::size;
use crate::tree::Tree;

mod artifacts;
mod claims;
mod docs;
mod families;
mod keys;
mod sources;
mod words;

/// Runs every rule on the workspace.
pub(crate) fn run(root: &Path) -> Result<()> {
    report("tidy", &findings(&Tree::read(root)?))
}

fn findings(tree: &Tree) -> Vec<Finding> {
    [
        size::findings(tree),
        sources::findings(tree),
        words::findings(tree),
        families::findings(tree),
        artifacts::findings(tree),
        docs::findings(tree),
        claims::findings(tree),
        keys::findings(tree),
    ]
    .concat()
}
