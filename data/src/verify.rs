//! The proof of a dataset of any kind: [`dataset::verify`](crate::dataset::verify) with the contents
//! that its card promises.

use std::path::Path;

pub use crate::dataset::verify::VerifyReport;
use crate::dataset::verify::{bytes_of, prove};
use crate::dataset::{DatasetKind, kind_of};
use crate::error::Result;
use crate::sequences::card::SequencesPart;
use crate::structures::card::StructuresPart;

/// Bytes that [`verify`] will read: the total for a progress bar. 0 if the card cannot be read.
pub fn bytes_to_verify(root: &Path) -> u64 {
    match kind_of(root) {
        Ok(DatasetKind::Sequences) => bytes_of::<SequencesPart>(root),
        Ok(DatasetKind::Structures) => bytes_of::<StructuresPart>(root),
        Err(_) => 0,
    }
}

/// Checks the dataset in `root`; `progress` hears of bytes as they are hashed.
///
/// # Errors
/// [`DataError::NotADataset`](crate::DataError::NotADataset) when there is no card. Everything else
/// is in the report.
pub fn verify(root: &Path, progress: &mut dyn FnMut(u64)) -> Result<VerifyReport> {
    match kind_of(root) {
        Ok(DatasetKind::Structures) => prove::<StructuresPart>(root, progress),
        // A card that cannot be read is reported as one of sequences.
        _ => prove::<SequencesPart>(root, progress),
    }
}
