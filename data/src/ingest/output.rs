//! A dataset folder that appears whole or not at all.
//!
//! Everything is written to `<output>.tmp`, made durable, and renamed. The temporary folder is
//! removed on any error; one left behind by a killed process is cleared by the next ingest,
//! unless a living one holds its lock.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use super::inputs::total_bytes;
use super::plan::Asked;
use super::{IngestError, Request};
use crate::dataset::card::{CARD_FILE, SourceCard};
use crate::dataset::card_file::CardFile;
use crate::error::{DataError, Result};
use crate::files::sync_folder;

/// Proves that a temporary folder is ours, and is locked while an ingest lives.
const LOCK_FILE: &str = ".genesis-ingest";

/// What lies in the output folder before an ingest.
pub(crate) enum Existing {
    /// Nothing, or an empty folder.
    Nothing,
    /// A dataset with this digest.
    Dataset { digest: String },
    /// A dataset whose card cannot be read; only `overwrite` gets past it.
    Damaged,
}

/// What cards of any kind say of how they were made.
#[derive(serde::Deserialize)]
struct Origin {
    sources: Vec<SourceCard>,
    options: serde_json::Value,
}

/// Refuses early what the end could not replace.
pub(crate) fn look(request: &Request<'_>) -> std::result::Result<Existing, IngestError> {
    let Asked { output: path, overwrite, .. } = request.asked;
    if !path.exists() {
        return Ok(Existing::Nothing);
    }
    let mut entries = fs::read_dir(path).map_err(DataError::io("read", path))?;
    if entries.next().is_none() {
        return Ok(Existing::Nothing);
    }
    if !path.join(CARD_FILE).exists() {
        let problem = "the folder holds something that is not a dataset; it is left alone";
        return Err(refused(path, problem, "choose another output folder"));
    }
    match origin(path) {
        Err(_) if overwrite => Ok(Existing::Damaged),
        Err(e) => Err(e.into()),
        Ok((_, digest)) if overwrite => Ok(Existing::Dataset { digest }),
        Ok((origin, digest)) => {
            let bytes: u64 = origin.sources.iter().map(|source| source.bytes).sum();
            let generated = request.sources.iter().any(|source| source.format.is_none());
            let same_size = generated || total_bytes(request.sources) == bytes;
            if same_size && origin.options == request.options {
                return Ok(Existing::Dataset { digest });
            }
            Err(differs(path))
        }
    }
}

fn origin(path: &Path) -> Result<(Origin, String)> {
    let file = CardFile::read(path)?;
    Ok((file.parse()?, file.digest))
}

fn differs(path: &Path) -> IngestError {
    refused(
        path,
        "the folder already holds a dataset made from other inputs or with other options",
        "choose another output folder, or set overwrite to replace it",
    )
}

fn refused(path: &Path, problem: &str, fix: &str) -> IngestError {
    IngestError::Output { path: path.to_path_buf(), problem: problem.into(), fix: fix.into() }
}

/// `<output>.tmp`; removed when dropped before [`TemporaryFolder::commit`].
pub(crate) struct TemporaryFolder {
    path: PathBuf,
    output: PathBuf,
    _lock: File,
    finished: bool,
}

impl TemporaryFolder {
    pub(crate) fn create(output: &Path) -> std::result::Result<Self, IngestError> {
        let path = with_suffix(output, ".tmp");
        let lock_path = path.join(LOCK_FILE);
        if path.exists() && !lock_path.exists() {
            let problem = "the ingest needs this name for its temporary folder, but it is taken";
            return Err(refused(&path, problem, "move it away, or choose another output"));
        }
        fs::create_dir_all(&path).map_err(DataError::io("create", &path))?;
        let lock = match File::create(&lock_path) {
            Ok(lock) => lock,
            Err(e) => {
                let _ = fs::remove_dir(&path);
                return Err(DataError::io("create", &lock_path)(e).into());
            }
        };
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let problem = "another ingest is writing this dataset right now";
                return Err(refused(&path, problem, "wait for it, or choose another output"));
            }
            Err(TryLockError::Error(e)) => return Err(DataError::io("lock", &lock_path)(e).into()),
        }
        let folder = Self { path, output: output.to_path_buf(), _lock: lock, finished: false };
        folder.clear()?;
        Ok(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes what a killed ingest left.
    fn clear(&self) -> Result<()> {
        let failed = |e| DataError::io("clear", &self.path)(e);
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name() != LOCK_FILE {
                fs::remove_file(entry.path()).map_err(DataError::io("remove", &entry.path()))?;
            }
        }
        Ok(())
    }

    /// Puts the folder in its place, unless the dataset with `digest` is there already: then that
    /// stays, and the answer is yes.
    pub(crate) fn settle(
        self,
        existing: &Existing,
        digest: &str,
        overwrite: bool,
    ) -> std::result::Result<bool, IngestError> {
        if matches!(existing, Existing::Dataset { digest: old } if old == digest) {
            self.discard()?;
            return Ok(true);
        }
        self.commit(existing, overwrite)?;
        Ok(false)
    }

    fn commit(
        mut self,
        existing: &Existing,
        overwrite: bool,
    ) -> std::result::Result<(), IngestError> {
        if matches!(existing, Existing::Dataset { .. } | Existing::Damaged) && !overwrite {
            return Err(differs(&self.output));
        }
        let lock_path = self.path.join(LOCK_FILE);
        fs::remove_file(&lock_path).map_err(DataError::io("remove", &lock_path))?;
        sync_folder(&self.path)?;
        let replaced = self.move_aside(existing)?;
        fs::rename(&self.path, &self.output).map_err(DataError::io("rename", &self.path))?;
        self.finished = true;
        sync_folder(parent(&self.output))?;
        if let Some(replaced) = replaced {
            fs::remove_dir_all(&replaced).map_err(DataError::io("remove", &replaced))?;
        }
        Ok(())
    }

    /// Makes room for the new folder; the old one is deleted only after the new one is there.
    fn move_aside(&self, existing: &Existing) -> Result<Option<PathBuf>> {
        if !self.output.exists() {
            return Ok(None);
        }
        if matches!(existing, Existing::Nothing) {
            // Only an empty folder can be removed so.
            fs::remove_dir(&self.output).map_err(DataError::io("replace", &self.output))?;
            return Ok(None);
        }
        let aside = with_suffix(&self.output, ".replaced");
        fs::rename(&self.output, &aside).map_err(DataError::io("rename", &self.output))?;
        Ok(Some(aside))
    }

    /// Removes it: the output holds the same already.
    fn discard(mut self) -> Result<()> {
        self.finished = true;
        fs::remove_dir_all(&self.path).map_err(DataError::io("remove", &self.path))
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        if !self.finished {
            // An error is already on its way to the user; the next ingest clears what is left.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    // `a/b/` and `a/b` are the same folder: components drop the final separator.
    let mut name: OsString = path.components().collect::<PathBuf>().into_os_string();
    name.push(suffix);
    PathBuf::from(name)
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
