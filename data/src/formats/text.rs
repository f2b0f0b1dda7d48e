//! Plain text: documents by rule.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::growing::Growing;
use super::lines::{Line, Lines, without_end};
use super::{Format, Opened, Reader, Record, Text, open_lines};
use crate::error::Result;

/// Pieces into which plain text is cut by default: 4 KiB, ended at the next line end.
pub const DEFAULT_PIECE_BYTES: u64 = 4096;

pub(super) static FORMAT: Format = Format {
    name: "text",
    about: "Plain text",
    extensions: &["txt", "text", "md"],
    takes: &["documents"],
    documents: Some(|path, options| {
        let (lines, tally) = open_lines(path, options)?;
        Ok(Opened::new(TextReader::new(lines, options.documents), tally))
    }),
    ..Format::HOLDS_NOTHING
};

/// What a document of plain text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DocumentRule {
    /// The whole file.
    File,
    /// A line; blank ones are skipped.
    Line,
    /// Lines up to a blank one.
    Paragraph,
    /// At least `min_bytes` bytes, ended at the next line end; together they are the file.
    Pieces {
        /// Bytes after which a piece ends with its line.
        min_bytes: u64,
    },
}

impl Default for DocumentRule {
    fn default() -> Self {
        Self::Pieces { min_bytes: DEFAULT_PIECE_BYTES }
    }
}

struct TextReader {
    lines: Lines,
    rule: DocumentRule,
    buffer: Vec<u8>,
}

impl TextReader {
    fn new(lines: Lines, rule: DocumentRule) -> Self {
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

impl Reader<Text> for TextReader {
    fn next_record(&mut self) -> Result<Option<Record<Text>>> {
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
