//! Once per clone: git runs `scripts/hooks/pre-commit`, which runs `cargo xtask fast`.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::stage::must_succeed;

/// Points this clone at the hooks of the project.
pub(crate) fn run(root: &Path) -> Result<()> {
    let mut command = Command::new("git");
    command.args(["config", "core.hooksPath", "scripts/hooks"]).current_dir(root);
    must_succeed(command)?;
    println!("git runs scripts/hooks from now on; `git config --unset core.hooksPath` undoes it");
    Ok(())
}
