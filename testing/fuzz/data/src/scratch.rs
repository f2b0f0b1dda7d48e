//! A folder of this process, in memory where the system has such a place.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() };
    let folder = place.join(format!("genesis-fuzz-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a scratch folder");
    folder
});

/// A path in the folder.
pub fn path(name: &str) -> PathBuf {
    FOLDER.join(name)
}

/// A file in the folder that holds `bytes`.
pub fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = path(name);
    fs::write(&path, bytes).expect("room for an input");
    path
}

/// An empty folder in the folder.
pub fn folder(name: &str) -> PathBuf {
    let path = path(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("room for a folder");
    path
}
