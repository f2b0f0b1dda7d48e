//! Opens a file, hashing and counting its bytes as they pass, and unpacks gzip.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};

use crate::error::{DataError, Result};
use crate::files::hexadecimal;

const BUFFER_BYTES: usize = 1 << 18;
const GZIP_MAGIC: [u8; 2] = [0x1F, 0x8B];
const BYTE_ORDER_MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// Bytes of a file that were read, and their digest.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    bytes: AtomicU64,
    hash: Mutex<Sha256>,
    /// Set when the digest was made otherwise.
    digest: Option<String>,
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
    let failed = |e| DataError::io("read", path)(e);
    let file = File::open(path).map_err(DataError::io("open", path))?;
    let tally = Arc::new(Tally::default());
    let metered = Metered { file, tally: Arc::clone(&tally) };
    let mut raw = BufReader::with_capacity(BUFFER_BYTES, metered);
    let packed = raw.fill_buf().map_err(failed)?.starts_with(&GZIP_MAGIC);
    let mut text: Box<dyn BufRead + Send> = if packed {
        Box::new(BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(raw)))
    } else {
        Box::new(raw)
    };
    if text.fill_buf().map_err(failed)?.starts_with(&BYTE_ORDER_MARK) {
        text.consume(BYTE_ORDER_MARK.len());
    }
    Ok((text, tally))
}
