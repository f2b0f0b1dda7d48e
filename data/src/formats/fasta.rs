//! FASTA: a header line beginning with `>`, then the sequence on any number of lines.

use super::lines::{Line, Lines};
use super::text::Growing;
use super::{Record, RecordReader};
use crate::error::Result;
use crate::ingest::rejects::Refusal;

pub(crate) struct FastaReader {
    lines: Lines,
    buffer: Vec<u8>,
    /// Line of the header that was read last, if its record is not yet given out.
    header: Option<u64>,
    ended: bool,
}

impl FastaReader {
    pub(crate) fn new(lines: Lines) -> Self {
        Self { lines, buffer: Vec::new(), header: None, ended: false }
    }

    /// Reads up to the next header or the end. What precedes the first header is headerless.
    fn sequence(&mut self) -> Result<Growing> {
        let mut sequence = Growing::new(self.lines.limit());
        sequence.first_line = self.header.take();
        loop {
            match self.lines.next(&mut self.buffer)? {
                Line::End => {
                    self.ended = true;
                    return Ok(sequence);
                }
                Line::TooLong(bytes) => sequence.skip(bytes),
                Line::Text => match self.buffer.trim_ascii() {
                    [b'>', ..] => {
                        self.header = Some(self.lines.line());
                        return Ok(sequence);
                    }
                    // Comment lines of the oldest FASTA programs.
                    [b';', ..] => {}
                    line => sequence.push(line),
                },
            }
        }
    }
}

impl RecordReader for FastaReader {
    fn next_record(&mut self) -> Result<Option<Record>> {
        loop {
            if self.ended {
                return Ok(None);
            }
            let sequence = self.sequence()?;
            let headed = sequence.first_line.is_some();
            let record = sequence.into_record();
            if headed || record.text != Ok(Vec::new()) {
                return Ok(Some(judge(record, headed)));
            }
        }
    }
}

fn judge(record: Record, headed: bool) -> Record {
    let text = match record.text {
        Ok(_) if !headed => Err(Refusal::new(
            "no_header",
            "sequence data before the first header line; a FASTA header begins with `>`",
        )),
        Ok(text) if text.is_empty() => {
            Err(Refusal::new("empty", "the header has no sequence after it"))
        }
        text => text,
    };
    Record { text, ..record }
}
