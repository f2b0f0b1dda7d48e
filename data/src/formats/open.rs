//! Opens a file, hashing and counting its bytes as they pass, and unpacks gzip.
//!
//! Other packings and UTF-16 are refused by name: what they hold would be taken for damaged text.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::gzip::{MAGIC, Members};
use crate::error::{DataError, Result};
use crate::files::hexadecimal;

const BUFFER_BYTES: usize = 1 << 18;
const BYTE_ORDER_MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// First bytes of files that are packed otherwise, the name of the packing, and what unpacks it.
const PACKED: [(&[u8], &str, &str); 6] = [
    (b"\x28\xB5\x2F\xFD", "zstd", "zstd -d"),
    (b"\xFD7zXZ\x00", "xz", "xz -d"),
    (b"BZh", "bzip2", "bzip2 -d"),
    (b"\x04\x22\x4D\x18", "lz4", "lz4 -d"),
    (b"\x1F\x9D", "compress", "uncompress"),
    (b"PK\x03\x04", "zip", "unzip"),
];

/// Bytes of a file that were read, and their digest.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    bytes: AtomicU64,
    hash: Mutex<Sha256>,
    /// Set when the digest was made otherwise.
    digest: Option<String>,
    notes: Mutex<Vec<String>>,
}

impl Tally {
    /// Of a file that was hashed before.
    pub(crate) fn known(bytes: u64, digest: String) -> Self {
        Self { bytes: bytes.into(), digest: Some(digest), ..Self::default() }
    }

    pub(crate) fn add(&self, bytes: &[u8]) {
        self.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.hash.lock().unwrap_or_else(PoisonError::into_inner).update(bytes);
    }

    /// Keeps what a user should know of how the file was read.
    pub(crate) fn note(&self, note: String) {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).push(note);
    }

    /// What was noted so far.
    pub(crate) fn notes(&self) -> Vec<String> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// SHA-256 of all bytes; call it at the end.
    pub(crate) fn digest(&self) -> String {
        self.digest.clone().unwrap_or_else(|| {
            let hash = self.hash.lock().unwrap_or_else(PoisonError::into_inner).clone();
            hexadecimal(&hash.finalize())
        })
    }
}

struct Metered {
    file: File,
    tally: Arc<Tally>,
}

impl Read for Metered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buffer)?;
        self.tally.add(&buffer[..n]);
        Ok(n)
    }
}

/// The text of a file: unpacked if it begins as gzip does, without a byte order mark.
pub(crate) fn open(path: &Path) -> Result<(Box<dyn BufRead + Send>, Arc<Tally>)> {
    let failed = |e| unreadable(path, e);
    let file = File::open(path).map_err(DataError::io("open", path))?;
    let tally = Arc::new(Tally::default());
    let metered = Metered { file, tally: Arc::clone(&tally) };
    let mut raw = BufReader::with_capacity(BUFFER_BYTES, metered);
    let packed = raw.fill_buf().map_err(failed)?.starts_with(&MAGIC);
    let mut text: Box<dyn BufRead + Send> = if packed {
        let members = Members::new(raw, Arc::clone(&tally));
        Box::new(BufReader::with_capacity(BUFFER_BYTES, members))
    } else {
        Box::new(raw)
    };
    let ready = text.fill_buf().map_err(failed)?;
    check_encoding(path, ready)?;
    if ready.starts_with(&BYTE_ORDER_MARK) {
        text.consume(BYTE_ORDER_MARK.len());
    }
    Ok((text, tally))
}

/// Refuses what is no text in UTF-8 by its first bytes.
fn check_encoding(path: &Path, ready: &[u8]) -> Result<()> {
    let refused = |problem: String, fix: String| {
        Err(DataError::Input { path: path.to_path_buf(), place: String::new(), problem, fix })
    };
    let shown = path.display();
    if let Some((_, name, command)) = PACKED.iter().find(|(magic, ..)| ready.starts_with(magic)) {
        let problem = format!("it is compressed with {name}, which is not read; gzip is");
        return refused(problem, format!("unpack it first: `{command} {shown}`"));
    }
    if ready.starts_with(b"\xFF\xFE") || ready.starts_with(b"\xFE\xFF") {
        let fix = format!("convert it: `iconv -f UTF-16 -t UTF-8 {shown}`");
        return refused("its text is in UTF-16, not in UTF-8".to_owned(), fix);
    }
    Ok(())
}

/// A broken gzip stream is the file's fault; anything else is the system's.
pub(crate) fn unreadable(path: &Path, error: io::Error) -> DataError {
    use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    if matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof) {
        return DataError::Input {
            path: path.to_path_buf(),
            place: String::new(),
            problem: format!("its gzip stream is broken or cut short ({error})"),
            fix: "fetch the file again; `gzip -t` checks it".to_owned(),
        };
    }
    DataError::io("read", path)(error)
}
