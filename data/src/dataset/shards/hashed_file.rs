//! An Arrow file being written, hashed as its bytes pass.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_ipc::MetadataVersion;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions};
use arrow_schema::Schema;
use sha2::{Digest, Sha256};
use xxhash_rust::xxh3::Xxh3;

use super::format::ALIGNMENT;
use crate::error::{DataError, Result};
use crate::files::hexadecimal;

/// A new file; it is never one that exists.
pub(crate) struct HashedFile {
    pub(crate) name: String,
    path: PathBuf,
    writer: FileWriter<Hashing>,
}

/// Where a written batch lies, and its digest.
pub(crate) struct WrittenBatch {
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
    pub(crate) xxh3: String,
}

impl HashedFile {
    pub(crate) fn create(root: &Path, name: String, schema: &Schema) -> Result<Self> {
        let path = root.join(&name);
        let file = File::create_new(&path).map_err(DataError::io("create", &path))?;
        let writer = IpcWriteOptions::try_new(ALIGNMENT, false, MetadataVersion::V5)
            .and_then(|options| {
                FileWriter::try_new_with_options(Hashing::new(file), schema, options)
            })
            .map_err(|e| DataError::arrow(&path, e))?;
        Ok(Self { name, path, writer })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<WrittenBatch> {
        let offset = self.writer.get_mut().begin_batch();
        self.writer.write(batch).map_err(|e| DataError::arrow(&self.path, e))?;
        let file = self.writer.get_ref();
        let xxh3 = format!("{:016x}", file.batch.digest());
        Ok(WrittenBatch { offset, bytes: file.position - offset, xxh3 })
    }

    /// Ends the file durably; its size and SHA-256.
    pub(crate) fn finish(self) -> Result<(u64, String)> {
        let path = self.path;
        let hashing = self.writer.into_inner().map_err(|e| DataError::arrow(&path, e))?;
        hashing.finish().map_err(DataError::io("write", &path))
    }
}

/// Hashes what passes through: SHA-256 of the file, xxh3 since the last batch began.
struct Hashing {
    file: BufWriter<File>,
    sha256: Sha256,
    batch: Xxh3,
    position: u64,
}

impl Hashing {
    fn new(file: File) -> Self {
        let file = BufWriter::with_capacity(1 << 16, file);
        Self { file, sha256: Sha256::new(), batch: Xxh3::new(), position: 0 }
    }

    fn begin_batch(&mut self) -> u64 {
        self.batch.reset();
        self.position
    }

    fn finish(self) -> io::Result<(u64, String)> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        Ok((self.position, hexadecimal(&self.sha256.finalize())))
    }
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.sha256.update(&bytes[..written]);
        self.batch.update(&bytes[..written]);
        self.position += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
