//! Files as a dataset needs them: digests of whole files, and writes that survive a crash.
//!
//! Not here: shards, which are hashed while they are written (`shards::writer`).

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::{DataError, Result};

/// Lower-case hexadecimal SHA-256 of `bytes`.
pub fn sha256_of_bytes(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// Size and SHA-256 of a file, read in pieces; `progress` hears the bytes of each piece.
pub fn sha256_of_file(path: &Path, mut progress: impl FnMut(u64)) -> Result<(u64, String)> {
    let mut file = File::open(path).map_err(DataError::io("open", path))?;
    let mut hash = Sha256::new();
    let mut piece = vec![0u8; 1 << 20];
    let mut bytes = 0;
    loop {
        let n = file.read(&mut piece).map_err(DataError::io("read", path))?;
        if n == 0 {
            return Ok((bytes, hexadecimal(&hash.finalize())));
        }
        hash.update(&piece[..n]);
        bytes += n as u64;
        progress(n as u64);
    }
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Writes `root/name` so that after a crash it is either absent or whole.
pub fn write_durably(root: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let path = root.join(name);
    let mut file = tempfile::NamedTempFile::new_in(root).map_err(DataError::io("write", &path))?;
    file.write_all(bytes).map_err(DataError::io("write", &path))?;
    file.as_file().sync_all().map_err(DataError::io("write", &path))?;
    make_readable(file.as_file()).map_err(DataError::io("write", &path))?;
    file.persist(&path).map_err(|e| DataError::io("write", &path)(e.error))?;
    sync_folder(root)
}

/// Temporary files are private; a dataset is shared within a group.
#[cfg(unix)]
fn make_readable(file: &File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_readable(_file: &File) -> std::io::Result<()> {
    Ok(())
}

/// Makes the entries of a folder durable; a no-op where folders cannot be opened.
pub fn sync_folder(root: &Path) -> Result<()> {
    if cfg!(unix) {
        let folder = File::open(root).map_err(DataError::io("open", root))?;
        folder.sync_all().map_err(DataError::io("sync", root))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_digest_of_abc_is_reproduced() {
        // FIPS 180-2, appendix B.1.
        let published = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256_of_bytes(b"abc"), published);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        std::fs::write(&path, b"abc").unwrap();
        assert_eq!(sha256_of_file(&path, |_| ()).unwrap(), (3, published.to_owned()));
    }
}
