//! Names of checkpoint folders: `step-00000500`, `step-00000500.tmp` while it is unfinished, and
//! `step-00000500.replaced` while it is written anew.
//!
//! Only these exact forms are looked at; any other folder beside them is left alone.

use std::path::{Path, PathBuf};

use super::error::CheckpointError;
use super::format::COMMITTED_FILE;

/// Ending of a folder that is being written or removed.
pub const TEMPORARY: &str = ".tmp";

/// Ending of a folder that another of its step takes the place of.
pub const REPLACED: &str = ".replaced";

/// What a folder name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FolderName {
    /// `step-00000500`
    Final(u64),
    /// `step-00000500.tmp`
    Temporary(u64),
    /// `step-00000500.replaced`
    Replaced(u64),
}

impl FolderName {
    /// Its step.
    pub fn step(self) -> u64 {
        let (Self::Final(step) | Self::Temporary(step) | Self::Replaced(step)) = self;
        step
    }
}

/// `step-00000500`; longer when the step has more than eight digits.
pub fn folder(step: u64) -> String {
    format!("step-{step:08}")
}

/// The path of the checkpoint of `step`.
pub fn final_path(checkpoints: &Path, step: u64) -> PathBuf {
    checkpoints.join(folder(step))
}

/// The path where the checkpoint of `step` is put together.
pub fn temporary_path(checkpoints: &Path, step: u64) -> PathBuf {
    checkpoints.join(format!("{}{TEMPORARY}", folder(step)))
}

/// The path where the checkpoint of `step` waits while it is written anew.
pub fn replaced_path(checkpoints: &Path, step: u64) -> PathBuf {
    checkpoints.join(format!("{}{REPLACED}", folder(step)))
}

/// Whether `path` is a link, to whatever. What it leads to is not of this folder.
pub fn is_link(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.is_symlink())
}

/// Steps with a `COMMITTED` file, ascending; none when `checkpoints` cannot be listed.
pub fn committed_steps(checkpoints: &Path) -> Vec<u64> {
    let listed = list(checkpoints).unwrap_or_default().into_iter();
    let committed = listed.filter(|(name, path)| {
        matches!(name, FolderName::Final(_)) && path.join(COMMITTED_FILE).is_file()
    });
    committed.map(|(name, _)| name.step()).collect()
}

/// Reads a folder name; `None` for anything this module would not have written.
pub fn parse(name: &str) -> Option<FolderName> {
    let (stem, says): (&str, fn(u64) -> FolderName) =
        if let Some(stem) = name.strip_suffix(TEMPORARY) {
            (stem, FolderName::Temporary)
        } else if let Some(stem) = name.strip_suffix(REPLACED) {
            (stem, FolderName::Replaced)
        } else {
            (name, FolderName::Final)
        };
    let step = stem.strip_prefix("step-")?.parse().ok()?;
    if stem != folder(step) {
        return None;
    }
    Some(says(step))
}

/// Every checkpoint-like folder, finished ones first, in order of the step; empty when `checkpoints` does not exist.
pub fn list(checkpoints: &Path) -> Result<Vec<(FolderName, PathBuf)>, CheckpointError> {
    let entries = match std::fs::read_dir(checkpoints) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(CheckpointError::io("list", checkpoints)(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(CheckpointError::io("list", checkpoints))?;
        let name = entry.file_name();
        if let Some(name) = name.to_str().and_then(parse)
            && entry.path().is_dir()
        {
            found.push((name, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_we_would_write_are_recognised() {
        assert_eq!(parse("step-00000500"), Some(FolderName::Final(500)));
        assert_eq!(parse("step-00000500.tmp"), Some(FolderName::Temporary(500)));
        assert_eq!(parse("step-00000500.replaced"), Some(FolderName::Replaced(500)));
        assert_eq!(parse("step-123456789"), Some(FolderName::Final(123_456_789)));
        for other in ["step-500", "step-+0000500", "500", "step-00000500.bak", "step-", "best"] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
