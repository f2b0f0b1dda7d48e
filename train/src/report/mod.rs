//! What a run leaves behind for people: events, TensorBoard files, samples, one HTML page.
//!
//! Reading order: [`figure`] (what a family declares), [`record`] (what the loop tells an
//! [`Observer`]), [`log`] (the observer that writes the run folder), [`events`] (`events.jsonl`),
//! [`audit`] (which samples were delivered), [`sessions`] (which processes wrote it), [`folder_lock`] (one at a time), [`tensorboard`], [`summary`] (a run folder read back), [`chart`], [`parity`] and [`section`]
//! (its parts), [`html`] (`report.html`), [`comparison`] (runs side by side). Nothing here prints, and nothing knows a family.

pub mod audit;
pub mod chart;
pub mod comparison;
pub mod events;
pub mod figure;
pub mod folder_lock;
pub mod html;
pub mod log;
pub mod parity;
pub mod record;
pub mod section;
pub mod sessions;
pub mod summary;
pub mod tensorboard;

mod checksum;
mod faults;
mod moment;
mod number;
#[cfg(test)]
mod tests;

pub(crate) use number::{grouped, scaled};

pub use events::{Event, read_events};
pub use figure::{Amount, Better, Brief, Declaration, Digits, Figure, Figures, Role};
pub use folder_lock::{FolderLock, host};
pub use html::{write_html, write_html_to};
pub use log::RunLog;
pub use record::{
    CheckpointRecord, EvaluationRecord, FaultRecord, Observer, SampleRecord, Silent, StepRecord,
};
pub use section::Section;
pub use sessions::{End, How};
pub use summary::{RunSummary, read_samples};

use std::path::{Path, PathBuf};

/// A report could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The operating system refused.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What was tried, e.g. `write`.
        action: &'static str,
        /// Its reason.
        source: std::io::Error,
    },
    /// A line of an events file, other than a torn last one, is not an event.
    #[error(
        "{}: line {line} is not an event: {reason}; remove the line, or the file if it is not \
         one of this program", path.display()
    )]
    Corrupt {
        /// The events file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What the parser said.
        reason: String,
    },
    /// There is nothing to compare.
    #[error(
        "{}: there is no audit of samples; runs write one with `report.audit = true` in their run file",
        path.display()
    )]
    NoAudit {
        /// The folder that would hold it.
        path: PathBuf,
    },
    /// A new run was to start in the folder of another one.
    #[error(
        "{}: already holds the events of a run; continue it with --resume, or choose another \
         folder with --set run.dir=...", path.display()
    )]
    Occupied {
        /// The events file.
        path: PathBuf,
    },
    /// Another process writes the folder.
    #[error(
        "{}: {holder} trains in it; wait for its end, or choose another folder with \
         --set run.dir=...", path.display()
    )]
    Held {
        /// The run folder.
        path: PathBuf,
        /// Who, where, since when.
        holder: String,
    },
}

impl ReportError {
    /// Turns an I/O error at `path` into one that names the path and what was tried.
    pub(crate) fn io(path: &Path, action: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), action, source }
    }
}
