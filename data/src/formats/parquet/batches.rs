//! A Parquet file through its library, which panics at some damage: here that is an error that names the file.
//!
//! Parquet pages need no checksum, so damage is only found where it makes no sense.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;

use super::broken;
use crate::error::{DataError, Result};

/// A file whose footer was read.
pub(super) type Opened = ParquetRecordBatchReaderBuilder<File>;

/// The rows of a file, batch by batch.
pub(super) struct Batches {
    path: PathBuf,
    reader: ParquetRecordBatchReader,
    rows: usize,
}

/// Reads the footer.
pub(super) fn open(path: &Path) -> Result<Opened> {
    let file = File::open(path).map_err(DataError::io("open", path))?;
    guarded(path, "", || Opened::try_new(file))
}

impl Batches {
    /// Of a file with its projection, so many rows at a time.
    pub(super) fn new(path: &Path, opened: Opened, rows: usize) -> Result<Self> {
        let reader = guarded(path, "", || opened.with_batch_size(rows).build())?;
        Ok(Self { path: path.to_path_buf(), reader, rows: 0 })
    }

    /// The next ones; after an error there are none.
    pub(super) fn next(&mut self) -> Result<Option<RecordBatch>> {
        let place = format!(" after row {}", self.rows);
        let next = || self.reader.next().transpose().map_err(ParquetError::from);
        let batch = guarded(&self.path, &place, next)?;
        self.rows += batch.as_ref().map_or(0, RecordBatch::num_rows);
        Ok(batch)
    }
}

fn guarded<T>(
    path: &Path,
    place: &str,
    read: impl FnOnce() -> std::result::Result<T, ParquetError>,
) -> Result<T> {
    // A reader that panicked is not asked again: the error ends the file.
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(read) => read.map_err(|e| broken(path, place, &e.to_string())),
        Err(_) => Err(broken(path, place, "its pages and its footer contradict each other")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
    use parquet::arrow::ArrowWriter;

    use crate::formats::{NamedOptions, read_named};

    #[test]
    fn no_damaged_byte_of_a_file_makes_reading_it_panic() {
        let text: ArrayRef = Arc::new(StringArray::from(vec!["MKT", "ACGT", "MKT"]));
        let measured: ArrayRef = Arc::new(Float64Array::from(vec![1.5, 2.5, 3.5]));
        let batch = RecordBatch::try_from_iter([("text", text), ("measured", measured)]).unwrap();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        let whole = writer.into_inner().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.parquet");
        let mut refused = 0;
        for at in 0..whole.len() {
            for bit in [0x01, 0x10, 0x80, 0xff] {
                let mut damaged = whole.clone();
                damaged[at] ^= bit;
                std::fs::write(&path, damaged).unwrap();
                refused += usize::from(read_named(&path, &NamedOptions::default()).is_err());
            }
        }
        assert!(refused > whole.len(), "{refused} of {} are refused", 4 * whole.len());
    }
}
