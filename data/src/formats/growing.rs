//! A record that grows line by line and is never stored beyond its limit.

use super::lines::without_end;
use super::{Record, Refusal, Text};

/// The text of a record so far.
pub(crate) struct Growing {
    text: Text,
    pub(crate) length: u64,
    limit: u64,
    pub(crate) first_line: Option<u64>,
}

impl Growing {
    pub(crate) fn new(limit: u64) -> Self {
        Self { text: Vec::new(), length: 0, limit, first_line: None }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        if self.length <= self.limit {
            self.text.extend_from_slice(bytes);
        } else {
            self.text = Vec::new();
        }
    }

    /// Counts bytes that were not even read into memory.
    pub(crate) fn skip(&mut self, bytes: u64) {
        self.length += bytes.max(self.limit + 1);
        self.text = Vec::new();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub(crate) fn is_blank(&self) -> bool {
        self.length <= self.limit && self.text.trim_ascii().is_empty()
    }

    pub(crate) fn trim_end(&mut self) {
        let kept = without_end(&self.text).len();
        self.text.truncate(kept);
    }

    pub(crate) fn into_record(self) -> Record<Text> {
        let content = if self.length > self.limit {
            Err(Refusal::too_long(self.length, self.limit))
        } else {
            Ok(self.text)
        };
        Record::new(self.first_line.unwrap_or(1), content)
    }
}
