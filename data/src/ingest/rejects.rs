//! Records that were refused: all are counted, the first are listed.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::dataset::card::RejectsCard;
use crate::error::{DataError, Result};
use crate::files::write_durably;
use crate::formats::Refusal;

/// Name of the list in a dataset folder.
pub const REJECTS_FILE: &str = "rejects.jsonl";
/// Length of the list.
const MAX_LISTED: usize = 1000;

/// A refused record: one line of `rejects.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reject {
    /// The file, as given to the ingest.
    pub file: String,
    /// First line of the record (Parquet: its row), from 1.
    pub line: u64,
    /// Short name under which it was counted.
    pub reason: String,
    /// What is wrong with it.
    pub detail: String,
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.detail)
    }
}

/// Counts and lists refused records in the order of the input.
#[derive(Debug, Default)]
pub(crate) struct RejectLog {
    reasons: BTreeMap<String, u64>,
    listed: Vec<Reject>,
}

impl RejectLog {
    pub(crate) fn add(&mut self, file: &str, line: u64, refusal: Refusal) {
        *self.reasons.entry(refusal.reason.to_owned()).or_default() += 1;
        if self.listed.len() < MAX_LISTED {
            let reason = refusal.reason.to_owned();
            self.listed.push(Reject {
                file: file.to_owned(),
                line,
                reason,
                detail: refusal.detail,
            });
        }
    }

    pub(crate) fn listed(&self) -> &[Reject] {
        &self.listed
    }

    /// Writes the list, if there is any reject, and returns the counts.
    pub(crate) fn save(self, root: &Path) -> Result<(RejectsCard, Vec<Reject>)> {
        if !self.listed.is_empty() {
            let mut lines = String::new();
            for reject in &self.listed {
                let line = serde_json::to_string(reject)
                    .map_err(|e| DataError::invalid(REJECTS_FILE, e.to_string(), "report this"))?;
                lines.push_str(&line);
                lines.push('\n');
            }
            write_durably(root, REJECTS_FILE, lines.as_bytes())?;
        }
        let card = RejectsCard { reasons: self.reasons, listed: self.listed.len() as u64 };
        Ok((card, self.listed))
    }
}
