//! From raw files to a dataset folder: what an ingest of any kind needs.
//!
//! `inputs` (which files), `overlap` (read, work and store at once), `rejects`, [`Progress`],
//! `output` (a folder that appears whole or not at all). What becomes of the records is in
//! [`crate::sequences::ingest`] and [`crate::structures::ingest`].

mod error;
pub(crate) mod inputs;
pub(crate) mod output;
pub(crate) mod overlap;
mod progress;
pub(crate) mod rejects;

pub use error::IngestError;
pub use progress::{Progress, Silent};
pub use rejects::{REJECTS_FILE, Reject};
