//! Where a model came from, and which checkpoint of a run folder is meant.

use std::path::{Path, PathBuf};

use genesis_data::dataset::card::sha256_of_bytes;
use serde::Serialize;

use super::error::ExchangeError;
use crate::checkpoint::format::{COMMITTED_FILE, MANIFEST_FILE};
use crate::checkpoint::{self, Checkpoint, CheckpointError, Latest, Rejection};

/// [`ModelSource::kind`] of a checkpoint of ours; other kinds are formats of exchange.
pub const CHECKPOINT: &str = "checkpoint";

/// Where a model came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModelSource {
    /// Kind of folder: [`CHECKPOINT`], or a format of another program.
    pub kind: &'static str,
    /// The folder that was read: the checkpoint inside a run folder.
    pub path: PathBuf,
    /// SHA-256: of manifest.json for a checkpoint, of the list of file digests otherwise.
    pub digest: String,
    /// Updates done, for a checkpoint.
    pub step: Option<u64>,
    /// Checkpoints that were passed over and why.
    pub notes: Vec<String>,
}

impl ModelSource {
    /// The source of a model of a checkpoint, with `notes` on those that were passed over.
    ///
    /// # Errors
    /// Its manifest cannot be read.
    pub fn of_checkpoint(
        checkpoint: &Checkpoint,
        notes: Vec<String>,
    ) -> Result<Self, ExchangeError> {
        let path = checkpoint.path.join(MANIFEST_FILE);
        let manifest = std::fs::read(&path).map_err(ExchangeError::io(&path, "read"))?;
        Ok(Self {
            kind: CHECKPOINT,
            path: checkpoint.path.clone(),
            digest: sha256_of_bytes(&manifest),
            step: Some(checkpoint.manifest.description.step),
            notes,
        })
    }
}

/// Whether `path` is a checkpoint, or a run folder with checkpoints.
pub fn holds_checkpoint(path: &Path) -> bool {
    [COMMITTED_FILE, MANIFEST_FILE, "checkpoints"].iter().any(|name| path.join(name).exists())
}

/// The checkpoint that `path` means to whoever uses a model: itself, or of a run folder the best by
/// validation loss, else the newest; and notes on those passed over.
///
/// # Errors
/// [`ExchangeError::NotAModel`] if there is none that is valid.
pub fn choose(path: &Path) -> Result<(Checkpoint, Vec<String>), ExchangeError> {
    let checkpoints = path.join("checkpoints");
    if !checkpoints.is_dir() {
        return Ok((checkpoint::open(path)?, Vec::new()));
    }
    let found = look(|| checkpoint::best(&checkpoints))?;
    let notes = found
        .rejections
        .iter()
        .map(|rejection| format!("passed over {}: {}", rejection.path.display(), rejection.reason));
    let notes: Vec<String> = notes.collect();
    match found.checkpoint {
        Some(checkpoint) => Ok((checkpoint, notes)),
        None if notes.is_empty() => Err(ExchangeError::NotAModel {
            path: path.to_path_buf(),
            because: "its `checkpoints` folder holds no checkpoint yet".to_owned(),
        }),
        None => Err(ExchangeError::NotAModel {
            path: path.to_path_buf(),
            because: format!("none of its checkpoints is valid: {}", notes.join("; ")),
        }),
    }
}

/// What `find` finds, asked again while a run removes the checkpoints that were listed.
fn look(
    mut find: impl FnMut() -> Result<Latest, CheckpointError>,
) -> Result<Latest, CheckpointError> {
    // A run that removes faster than this is not waited for.
    const AGAIN: usize = 20;
    for _ in 0..AGAIN {
        let found = find()?;
        let is_gone = |rejection: &Rejection| !rejection.path.exists();
        if found.checkpoint.is_some() || !found.rejections.iter().any(is_gone) {
            return Ok(found);
        }
    }
    find()
}

/// The family of the model in a checkpoint or run folder; `None` where no manifest can be read.
pub fn family_of(path: &Path) -> Option<String> {
    let manifest = match path.join("checkpoints") {
        folder if folder.is_dir() => {
            let mut listed = checkpoint::naming::list(&folder).ok()?.into_iter().rev();
            listed.find_map(|(_, path)| checkpoint::load::read_manifest(&path).ok())
        }
        _ => checkpoint::load::read_manifest(path).ok(),
    };
    manifest.map(|manifest| manifest.description.family)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejecting(path: &Path) -> Latest {
        let reason = CheckpointError::NotCommitted { path: path.to_path_buf() };
        let rejections = vec![Rejection { path: path.to_path_buf(), reason }];
        Latest { checkpoint: None, rejections }
    }

    #[test]
    fn checkpoints_that_go_while_they_are_read_are_looked_for_again_and_bad_ones_are_not() {
        let there = tempfile::tempdir().unwrap();
        let gone = there.path().join("step-00000002");
        let mut answers = vec![rejecting(there.path()), rejecting(&gone), rejecting(&gone)];
        let found = look(|| Ok(answers.pop().unwrap())).unwrap();
        assert!(answers.is_empty() && found.rejections[0].path == there.path());
        let mut looks = 0;
        look(|| {
            looks += 1;
            Ok(rejecting(&gone))
        })
        .unwrap();
        assert_eq!(looks, 21, "not for ever");
    }
}
