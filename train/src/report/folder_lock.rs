//! One process at a time writes a run folder.
//!
//! The lock is the operating system's and ends with the process that holds it, however it ends, so
//! none is ever stale. The file says who holds it; what it says after its holder ended without a word
//! tells that the holder was killed.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::{ReportError, moment};

/// The file that is locked.
pub const LOCK_FILE: &str = "run.lock";

/// Held while a process writes a run folder.
#[derive(Debug)]
pub struct FolderLock {
    file: File,
    /// What the file system or the process before left to say.
    pub notes: Vec<String>,
}

impl FolderLock {
    /// Locks `run_dir`, which is made if it is not there.
    ///
    /// # Errors
    /// [`ReportError::Held`] with who holds it; the folder cannot be written.
    pub fn take(run_dir: &Path) -> Result<Self, ReportError> {
        fs::create_dir_all(run_dir).map_err(ReportError::io(run_dir, "create"))?;
        let path = run_dir.join(LOCK_FILE);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(ReportError::io(&path, "open"))?;
        let mut notes = Vec::new();
        match file.try_lock() {
            Ok(()) => {
                let before = content(&mut file);
                if !before.is_empty() {
                    let why = "it was killed, or this folder is a copy";
                    notes.push(format!("{before} ended without a word: {why}"));
                }
            }
            Err(TryLockError::WouldBlock) => {
                let holder = content(&mut file);
                return Err(ReportError::Held { path: run_dir.to_owned(), holder });
            }
            Err(TryLockError::Error(error)) => notes.push(format!(
                "{} cannot be locked here ({error}): see yourself that no other process trains in it",
                run_dir.display()
            )),
        }
        let mut lock = Self { file, notes };
        lock.say(&this_process()).map_err(ReportError::io(&path, "write"))?;
        Ok(lock)
    }

    fn say(&mut self, text: &str) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(text.as_bytes())
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // At worst the next process takes this one for killed.
        let _ = self.say("");
    }
}

/// Whether some process holds the lock of `run_dir` now.
pub(super) fn is_held(run_dir: &Path) -> bool {
    let path: PathBuf = run_dir.join(LOCK_FILE);
    let Ok(file) = OpenOptions::new().read(true).write(true).open(path) else { return false };
    matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}

fn content(file: &mut File) -> String {
    let mut text = String::new();
    // A holder that cannot be read is one without a name.
    let _ = file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_string(&mut text));
    text.trim().to_owned()
}

fn this_process() -> String {
    format!("process {} on {} since {}", std::process::id(), host(), moment::now())
}

/// The name of this machine.
pub fn host() -> String {
    let names = ["/proc/sys/kernel/hostname", "/etc/hostname"];
    let found = names.iter().find_map(|path| fs::read_to_string(path).ok());
    let name = found.unwrap_or_default().trim().to_owned();
    if name.is_empty() { "this machine".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_process_is_told_who_holds_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let lock = FolderLock::take(folder.path()).unwrap();
        assert!(lock.notes.is_empty() && is_held(folder.path()));
        let error = FolderLock::take(folder.path()).unwrap_err().to_string();
        let holder = format!("process {} on ", std::process::id());
        assert!(error.contains(&holder) && error.contains("run.dir"), "{error}");
        drop(lock);
        assert!(FolderLock::take(folder.path()).unwrap().notes.is_empty(), "it ended by itself");
    }

    #[test]
    fn the_lock_of_a_killed_process_is_taken_and_its_end_is_told() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(LOCK_FILE), "process 7 on node3 since yesterday").unwrap();
        assert!(!is_held(folder.path()), "what the file says holds nothing");
        let lock = FolderLock::take(folder.path()).unwrap();
        assert!(lock.notes[0].contains("process 7 on node3") && lock.notes[0].contains("killed"));
    }
}
