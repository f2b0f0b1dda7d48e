//! A folder that appears complete or not at all: written beside its final place, synced to disk,
//! then renamed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::error::ExchangeError;

/// A folder under construction. Dropped without [`StagedFolder::commit`], it is removed.
#[derive(Debug)]
pub struct StagedFolder {
    staging: PathBuf,
    target: PathBuf,
}

impl StagedFolder {
    /// Starts `target`, whose parent is created if need be. An existing folder is in the way,
    /// unless it is empty or holds the file `replaceable`, which proves that it is ours.
    ///
    /// # Errors
    /// [`ExchangeError::Exists`] if something is in the way; input/output errors.
    pub fn create(target: &Path, replaceable: Option<&str>) -> Result<Self, ExchangeError> {
        let ours = replaceable.is_some_and(|name| target.join(name).is_file());
        if target.exists() && !is_empty_folder(target) && !ours {
            return Err(ExchangeError::Exists { path: target.to_path_buf() });
        }
        let staging = beside(target, "tmp")?;
        if staging.exists() {
            fs::remove_dir_all(&staging).map_err(ExchangeError::io(&staging, "remove"))?;
        }
        fs::create_dir_all(&staging).map_err(ExchangeError::io(&staging, "create the folder"))?;
        Ok(Self { staging, target: target.to_path_buf() })
    }

    /// Where files are until [`StagedFolder::commit`].
    pub fn path(&self) -> &Path {
        &self.staging
    }

    /// Writes and syncs one file.
    ///
    /// # Errors
    /// Input/output errors naming the file: a full disk, above all.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), ExchangeError> {
        use std::io::Write;
        let path = self.staging.join(name);
        let mut file = File::create(&path).map_err(ExchangeError::io(&path, "create"))?;
        file.write_all(bytes).map_err(ExchangeError::io(&path, "write"))?;
        file.sync_all().map_err(ExchangeError::io(&path, "sync to disk"))
    }

    /// Moves the folder to its place.
    ///
    /// # Errors
    /// Input/output errors; the staged folder is then removed and the target is as it was.
    pub fn commit(self) -> Result<(), ExchangeError> {
        let staging = self.staging.clone();
        self.commit_inner(&staging)
    }

    /// Moves `inner`, a folder inside the staged one, to the place of the whole.
    ///
    /// # Errors
    /// As [`StagedFolder::commit`].
    pub fn commit_inner(self, inner: &Path) -> Result<(), ExchangeError> {
        sync_folder(inner)?;
        let earlier = beside(&self.target, "old")?;
        if self.target.exists() {
            fs::rename(&self.target, &earlier)
                .map_err(ExchangeError::io(&self.target, "move aside"))?;
        }
        if let Err(error) = fs::rename(inner, &self.target) {
            // Put back what was there; the first error is the one to tell.
            let _ = fs::rename(&earlier, &self.target);
            return Err(ExchangeError::io(&self.target, "rename the finished folder to")(error));
        }
        if earlier.exists() {
            fs::remove_dir_all(&earlier).map_err(ExchangeError::io(&earlier, "remove"))?;
        }
        match self.target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => sync_folder(parent),
            _ => sync_folder(Path::new(".")),
        }
    }
}

impl Drop for StagedFolder {
    fn drop(&mut self) {
        // After a commit nothing of value is left; before one, the error that led here is already
        // on its way to the user.
        let _ = fs::remove_dir_all(&self.staging);
    }
}

/// A name in the same folder as `target`, so that a rename stays on one file system.
fn beside(target: &Path, ending: &str) -> Result<PathBuf, ExchangeError> {
    let name = target.file_name().ok_or_else(|| {
        ExchangeError::unsuitable(target, "an output folder needs a name of its own")
    })?;
    let (name, process) = (name.to_string_lossy(), std::process::id());
    Ok(target.with_file_name(format!(".{name}.{process}.{ending}")))
}

fn is_empty_folder(path: &Path) -> bool {
    fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}

fn sync_folder(path: &Path) -> Result<(), ExchangeError> {
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(ExchangeError::io(path, "sync to disk"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_committed_folder_holds_what_was_written_and_nothing_is_left_beside_it() {
        let root = tempfile::tempdir().unwrap();
        let staged = StagedFolder::create(&root.path().join("a/out"), None).unwrap();
        staged.write("x", b"1").unwrap();
        staged.commit().unwrap();
        assert_eq!(fs::read(root.path().join("a/out/x")).unwrap(), b"1");
        assert_eq!(fs::read_dir(root.path().join("a")).unwrap().count(), 1);
    }

    #[test]
    fn an_abandoned_folder_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let staged = StagedFolder::create(&root.path().join("out"), None).unwrap();
        staged.write("x", b"1").unwrap();
        drop(staged);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }

    #[test]
    fn an_existing_folder_is_never_overwritten() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("mine"), b"1").unwrap();
        let error = StagedFolder::create(root.path(), Some("export.json")).unwrap_err().to_string();
        assert!(error.contains("exists already"), "{error}");
    }

    #[test]
    fn only_a_folder_with_the_proof_of_ownership_is_replaced() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("out");
        fs::create_dir(&target).unwrap();
        fs::write(target.join("export.json"), b"{}").unwrap();
        fs::write(target.join("stale"), b"1").unwrap();
        assert!(StagedFolder::create(&target, None).is_err());
        let staged = StagedFolder::create(&target, Some("export.json")).unwrap();
        staged.write("x", b"1").unwrap();
        staged.commit().unwrap();
        assert!(target.join("x").exists() && !target.join("stale").exists());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }
}
