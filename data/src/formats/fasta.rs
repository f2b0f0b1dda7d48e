//! FASTA: a header line beginning with `>`, then the sequence on any number of lines.

use super::growing::Growing;
use super::lines::{Line, Lines};
use super::{Format, Labels, Opened, Reader, Record, Refusal, Text, open_lines};
use crate::error::Result;

pub(super) static FORMAT: Format = Format {
    name: "fasta",
    about: "`>` headers and sequences",
    extensions: &["fasta", "fa", "fna", "faa", "ffn", "frn", "fas"],
    takes: &[],
    documents: Some(|path, options| {
        let (lines, tally) = open_lines(path, options)?;
        Ok(Opened::new(FastaReader::new(lines, options.labels.is_some()), tally))
    }),
    structures: None,
};

struct FastaReader {
    lines: Lines,
    buffer: Vec<u8>,
    /// Line of the header that was read last, if its record is not yet given out.
    header: Option<u64>,
    /// The text of that header, where it is asked for.
    name: Option<String>,
    named: bool,
    ended: bool,
}

impl FastaReader {
    fn new(lines: Lines, named: bool) -> Self {
        Self { lines, buffer: Vec::new(), header: None, name: None, named, ended: false }
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
                    [b'>', header @ ..] => {
                        self.header = Some(self.lines.line());
                        let text = || String::from_utf8_lossy(header.trim_ascii()).into_owned();
                        self.name = self.named.then(text);
                        return Ok(sequence);
                    }
                    // Comment lines of the oldest FASTA programs.
                    [b';', ..] => {}
                    // Blanks inside are layout, such as blocks of ten.
                    line if line.iter().any(u8::is_ascii_whitespace) => {
                        let letters = line.iter().filter(|byte| !byte.is_ascii_whitespace());
                        sequence.push(&letters.copied().collect::<Vec<u8>>());
                    }
                    line => sequence.push(line),
                },
            }
        }
    }
}

impl Reader<Text> for FastaReader {
    fn next_record(&mut self) -> Result<Option<Record<Text>>> {
        loop {
            if self.ended {
                return Ok(None);
            }
            let name = self.name.take();
            let sequence = self.sequence()?;
            let headed = sequence.first_line.is_some();
            let record = sequence.into_record();
            if headed || record.content != Ok(Vec::new()) {
                let labels = name.map(|name| Labels { name: Some(name), measured: None });
                return Ok(Some(judge(record, headed).labelled(labels)));
            }
        }
    }
}

fn judge(record: Record<Text>, headed: bool) -> Record<Text> {
    let content = match record.content {
        Ok(_) if !headed => Err(Refusal::new(
            "no_header",
            "sequence data before the first header line; a FASTA header begins with `>`",
        )),
        Ok(text) if text.is_empty() => {
            Err(Refusal::new("empty", "the header has no sequence after it"))
        }
        content => content,
    };
    Record { content, ..record }
}
