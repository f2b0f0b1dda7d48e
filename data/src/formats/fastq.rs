//! FASTQ: four lines a record, `@` and an id, the sequence, `+`, and a quality for each letter.
//!
//! The text of a record is its sequence; qualities are checked and left out. A sequence on several
//! lines, which the oldest programs wrote, is refused: where it ends cannot be told from a damaged
//! record. After a refusal reading goes on at the next line that begins with `@`.

use super::lines::{Line, Lines, without_end};
use super::{Format, Labels, Opened, Reader, Record, Refusal, Text, open_lines};
use crate::error::Result;

pub(super) static FORMAT: Format = Format {
    name: "fastq",
    about: "Sequences with a quality for each letter",
    extensions: &["fastq", "fq"],
    takes: &[],
    documents: Some(|path, options| {
        let (lines, tally) = open_lines(path, options)?;
        Ok(Opened::new(FastqReader::new(lines, options.labels.is_some()), tally))
    }),
    ..Format::HOLDS_NOTHING
};

struct FastqReader {
    lines: Lines,
    buffer: Vec<u8>,
    /// The buffer holds a line that was looked at and not used.
    held: bool,
    named: bool,
}

/// One of the four lines.
enum Part {
    Text(Text),
    TooLong(u64),
    /// The file ended.
    Missing,
}

impl FastqReader {
    fn new(lines: Lines, named: bool) -> Self {
        Self { lines, buffer: Vec::new(), held: false, named }
    }

    fn part(&mut self) -> Result<Part> {
        if !std::mem::take(&mut self.held) {
            match self.lines.next(&mut self.buffer)? {
                Line::End => return Ok(Part::Missing),
                Line::TooLong(bytes) => {
                    self.buffer.clear();
                    return Ok(Part::TooLong(bytes));
                }
                Line::Text => {}
            }
        }
        Ok(Part::Text(without_end(&self.buffer).to_vec()))
    }

    /// The first line that is not blank.
    fn header(&mut self) -> Result<Part> {
        loop {
            match self.part()? {
                Part::Text(line) if line.trim_ascii().is_empty() => {}
                part => return Ok(part),
            }
        }
    }

    /// What follows a header line.
    fn sequence(&mut self) -> Result<Result<Text, Refusal>> {
        let sequence = self.part()?;
        match self.part()? {
            Part::Missing => return Ok(Err(truncated())),
            Part::Text(line) if line.starts_with(b"+") => {}
            _ => {
                let line = self.lines.line();
                let refusal = Refusal::new(
                    "no_plus",
                    format!(
                        "line {line} does not begin with `+`: the sequence takes one line, then \
                         `+`, then the quality"
                    ),
                );
                self.skip()?;
                return Ok(Err(refusal));
            }
        }
        let quality = self.part()?;
        Ok(match (sequence, quality) {
            (_, Part::Missing) => Err(truncated()),
            (Part::TooLong(bytes), _) | (_, Part::TooLong(bytes)) => {
                Err(Refusal::too_long(bytes, self.lines.limit()))
            }
            (Part::Missing, _) => Err(truncated()),
            (Part::Text(sequence), Part::Text(quality)) => {
                // Not a quality but the next record, whose own quality comes.
                self.held = quality.len() != sequence.len() && quality.starts_with(b"@");
                judge(sequence, &quality)
            }
        })
    }

    /// Skips to the next line that may be a header; the one in the buffer is looked at first.
    fn skip(&mut self) -> Result<()> {
        self.held = true;
        while !self.buffer.starts_with(b"@") {
            if self.lines.next(&mut self.buffer)? == Line::End {
                self.held = false;
                return Ok(());
            }
        }
        Ok(())
    }
}

impl Reader<Text> for FastqReader {
    fn next_record(&mut self) -> Result<Option<Record<Text>>> {
        let header = self.header()?;
        let line = self.lines.line();
        let labels = match &header {
            Part::Text(header) if self.named && header.starts_with(b"@") => Some(Labels {
                name: Some(String::from_utf8_lossy(header[1..].trim_ascii()).into_owned()),
                measured: None,
            }),
            _ => None,
        };
        let content = match header {
            Part::Missing => return Ok(None),
            Part::Text(header) if header.starts_with(b"@") => self.sequence()?,
            Part::Text(_) | Part::TooLong(_) => {
                self.skip()?;
                Err(Refusal::new("no_header", "a FASTQ record begins with a line of `@` and an id"))
            }
        };
        Ok(Some(Record::new(line, content).labelled(labels)))
    }
}

fn truncated() -> Refusal {
    Refusal::new("truncated", "the file ends inside the record, which takes four lines")
}

fn judge(sequence: Text, quality: &[u8]) -> Result<Text, Refusal> {
    if sequence.trim_ascii().is_empty() {
        return Err(Refusal::new("empty", "the record has no sequence"));
    }
    if sequence.len() != quality.len() {
        let (letters, qualities) = (sequence.len(), quality.len());
        let problem = format!("the sequence has {letters} letters, the quality {qualities}");
        return Err(Refusal::new("quality_length", problem).of(letters as u64));
    }
    match quality.iter().position(|byte| !byte.is_ascii_graphic()) {
        None => Ok(sequence),
        Some(at) => {
            let problem =
                format!("byte {at} of the quality is {}, not one of `!` to `~`", quality[at]);
            Err(Refusal::new("bad_quality", problem).of(sequence.len() as u64))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Line and sequence, or line and reason, of every record.
    fn read(text: &[u8]) -> Vec<(u64, Result<String, &'static str>)> {
        let input = Box::new(std::io::Cursor::new(text.to_vec()));
        let mut reader =
            FastqReader::new(Lines::new(input, std::path::Path::new("reads.fastq"), 64), false);
        let mut records = Vec::new();
        while let Some(Record { line, content, .. }) = reader.next_record().unwrap() {
            let content = content.map(|text| String::from_utf8(text).unwrap());
            records.push((line, content.map_err(|refusal| refusal.reason)));
        }
        records
    }

    fn good(line: u64, sequence: &str) -> (u64, Result<String, &'static str>) {
        (line, Ok(sequence.to_owned()))
    }

    #[test]
    fn four_lines_are_a_record_whatever_ends_them_and_whatever_the_quality_begins_with() {
        let want = [good(1, "ACGT"), good(5, "GG")];
        assert_eq!(read(b"@a\nACGT\n+\n!!!!\n@b\nGG\n+b again\n@+\n"), want);
        assert_eq!(read(b"@a\r\nACGT\r\n+\r\n!!!!\r\n@b\r\nGG\r\n+\r\n@+\r\n\r\n\n"), want);
        assert_eq!(read(b"@a\nACGT\n+\n!!!!\n@b\nGG\n+\n@+"), want, "no end of the last line");
        assert_eq!(read(b""), []);
        assert_eq!(read(b"\n\r\n"), []);
    }

    #[test]
    fn a_damaged_record_is_refused_with_its_line_and_the_next_one_is_read() {
        let cases: [(&[u8], &str); 7] = [
            (b"@a\nACGT\n+\n", "quality_length"),
            (b"@a\nACGT\n+\n!!!\n", "quality_length"),
            (b"@a\nACGT\n!!!!\n", "no_plus"),
            (b"@a\nACGT\nACGT\n+\n!!!!!!!!\n", "no_plus"),
            (b"ACGT\n+\n!!!!\n", "no_header"),
            (b"@a\n\n+\n\n", "empty"),
            (b"@a\nACGT\n+\n!! !\n", "bad_quality"),
        ];
        for (damaged, reason) in cases {
            let lines = std::str::from_utf8(damaged).unwrap().lines().count() as u64;
            let text = [damaged, b"@b\nGG\n+\nII\n"].concat();
            assert_eq!(read(&text), [(1, Err(reason)), good(lines + 1, "GG")], "{reason}");
        }
    }

    #[test]
    fn a_file_that_ends_inside_a_record_loses_that_record_alone() {
        for end in ["@b", "@b\nGG", "@b\nGG\n", "@b\nGG\n+\n"] {
            let text = format!("@a\nACGT\n+\n!!!!\n{end}");
            assert_eq!(read(text.as_bytes()), [good(1, "ACGT"), (5, Err("truncated"))], "{end:?}");
        }
    }

    #[test]
    fn a_sequence_beyond_the_limit_is_refused_and_not_kept() {
        let long = "A".repeat(100);
        let text = format!("@a\n{long}\n+\n{long}\n@b\nGG\n+\nII\n");
        assert_eq!(read(text.as_bytes()), [(1, Err("too_long")), good(5, "GG")]);
    }
}
