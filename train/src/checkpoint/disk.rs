//! Every change a checkpoint makes on the disk, as durable single operations.
//!
//! A trait, because tests replace it with a disk that dies or fills up at the n-th operation.
//! Each operation returns only when its effect is on stable storage.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

/// Durable operations on files and folders, on whichever thread they are asked for.
pub trait Disk: Send {
    /// Makes a folder that must not exist yet, and its parents.
    fn create_dir(&mut self, path: &Path) -> io::Result<()>;
    /// Writes a file that must not exist yet and syncs it.
    fn write(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.write_pieces(path, &mut std::iter::once(Cow::Borrowed(bytes)))
    }
    /// Writes a file that must not exist yet, piece after piece, and syncs it.
    fn write_pieces(
        &mut self,
        path: &Path,
        pieces: &mut dyn Iterator<Item = Cow<'_, [u8]>>,
    ) -> io::Result<()>;
    /// Syncs a folder, making names in it durable.
    fn sync_dir(&mut self, path: &Path) -> io::Result<()>;
    /// Renames within one file system.
    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes one file.
    fn remove_file(&mut self, path: &Path) -> io::Result<()>;
    /// Removes a folder that is empty.
    fn remove_dir(&mut self, path: &Path) -> io::Result<()>;
}

/// The file system.
#[derive(Debug, Default, Clone, Copy)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create_dir(&mut self, path: &Path) -> io::Result<()> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::create_dir(path)
    }

    fn write_pieces(
        &mut self,
        path: &Path,
        pieces: &mut dyn Iterator<Item = Cow<'_, [u8]>>,
    ) -> io::Result<()> {
        let mut file = File::create_new(path)?;
        for piece in pieces {
            file.write_all(&piece)?;
        }
        file.sync_all()
    }

    fn sync_dir(&mut self, path: &Path) -> io::Result<()> {
        // Windows has no handle to sync a folder by; there a rename is durable by itself.
        if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&mut self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir(&mut self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }
}

/// Whether the system reported that there is no room.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
