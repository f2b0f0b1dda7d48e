//! Plain text: documents by rule.

use super::lines::{Line, Lines, without_end};
use super::{Record, RecordReader};
use crate::error::Result;
use crate::ingest::rejects::Refusal;
use crate::sequences::ingest::DocumentRule;

pub(crate) struct TextReader {
    lines: Lines,
    rule: DocumentRule,
    buffer: Vec<u8>,
}

impl TextReader {
    pub(crate) fn new(lines: Lines, rule: DocumentRule) -> Self {
        Self { lines, rule, buffer: Vec::new() }
    }

    /// Adds the line in the buffer to the document; true if that ends the document.
    fn add_line(&self, document: &mut Growing) -> bool {
        let line = self.buffer.as_slice();
        match self.rule {
            DocumentRule::Line => {
                document.push(without_end(line));
                !document.is_blank()
            }
            DocumentRule::Paragraph if line.trim_ascii().is_empty() => !document.is_empty(),
            DocumentRule::Paragraph | DocumentRule::File => {
                document.push(line);
                false
            }
            DocumentRule::Pieces { min_bytes } => {
                document.push(line);
                document.length >= min_bytes
            }
        }
    }
}

impl RecordReader for TextReader {
    fn next_record(&mut self) -> Result<Option<Record>> {
        let mut document = Growing::new(self.lines.limit());
        loop {
            let kind = self.lines.next(&mut self.buffer)?;
            let complete = match kind {
                Line::End => break,
                Line::Text => self.add_line(&mut document),
                Line::TooLong(bytes) => {
                    document.skip(bytes);
                    self.rule != DocumentRule::File && self.rule != DocumentRule::Paragraph
                }
            };
            if document.is_empty() || (self.rule == DocumentRule::Line && !complete) {
                document = Growing::new(self.lines.limit());
                continue;
            }
            document.first_line.get_or_insert(self.lines.line());
            if complete {
                break;
            }
        }
        if self.rule == DocumentRule::Paragraph {
            document.trim_end();
        }
        Ok(if document.is_empty() { None } else { Some(document.into_record()) })
    }
}

/// A document that grows line by line, up to a limit.
pub(crate) struct Growing {
    text: Vec<u8>,
    length: u64,
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

    fn is_empty(&self) -> bool {
        self.length == 0
    }

    fn is_blank(&self) -> bool {
        self.length <= self.limit && self.text.trim_ascii().is_empty()
    }

    fn trim_end(&mut self) {
        let kept = without_end(&self.text).len();
        self.text.truncate(kept);
    }

    pub(crate) fn into_record(self) -> Record {
        let text = if self.length > self.limit {
            Err(Refusal::too_long(self.length, self.limit))
        } else {
            Ok(self.text)
        };
        Record { line: self.first_line.unwrap_or(1), text }
    }
}
