//! Names of checkpoint folders: `step-00000500`, and `step-00000500.tmp` while it is unfinished.
//!
//! Only these exact forms are looked at; any other folder beside them is left alone.

use std::path::{Path, PathBuf};

use super::error::CheckpointError;

/// Ending of a folder that is being written or removed.
pub const TEMPORARY: &str = ".tmp";

/// What a folder name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FolderName {
    /// `step-00000500`
    Final(u64),
    /// `step-00000500.tmp`
    Temporary(u64),
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

/// Reads a folder name; `None` for anything this module would not have written.
pub fn parse(name: &str) -> Option<FolderName> {
    let (stem, temporary) = match name.strip_suffix(TEMPORARY) {
        Some(stem) => (stem, true),
        None => (name, false),
    };
    let step = stem.strip_prefix("step-")?.parse().ok()?;
    if stem != folder(step) {
        return None;
    }
    Some(if temporary { FolderName::Temporary(step) } else { FolderName::Final(step) })
}

/// Every checkpoint-like folder, in order of the step; empty when `checkpoints` does not exist.
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
        assert_eq!(parse("step-123456789"), Some(FolderName::Final(123_456_789)));
        for other in ["step-500", "step-+0000500", "500", "step-00000500.bak", "step-", "best"] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
