//! The proof of a dataset of any kind: [`dataset::verify`](crate::dataset::verify) with the contents
//! that its card promises.

use std::path::Path;

pub use crate::dataset::verify::VerifyReport;
use crate::error::{DataError, Result};
use crate::kinds::kind_of;

/// Bytes that [`verify`] will read: the total for a progress bar. 0 if the card cannot be read.
pub fn bytes_to_verify(root: &Path) -> u64 {
    kind_of(root).map_or(0, |kind| (kind.bytes)(root))
}

/// Checks the dataset in `root`; `progress` hears of bytes as they are hashed.
///
/// # Errors
/// [`DataError::NotADataset`] when there is no card. Everything else is in the report.
pub fn verify(root: &Path, progress: &mut dyn FnMut(u64)) -> Result<VerifyReport> {
    match kind_of(root) {
        Ok(kind) => (kind.prove)(root, progress),
        Err(error @ DataError::NotADataset { .. }) => Err(error),
        // Nothing in a damaged card can be believed, so nothing else can be judged.
        Err(error) => {
            Ok(VerifyReport { problems: vec![error.to_string()], ..VerifyReport::default() })
        }
    }
}
