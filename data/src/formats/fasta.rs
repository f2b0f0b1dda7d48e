//! FASTA: a header line beginning with `>`, then the sequence on any number of lines.
//!
//! Also alignments in FASTA, A2M and A3M, a row a record. A record beyond the limit is cut or refused;
//! it is never stored as a whole, whatever its lines.

use super::growing::Growing;
use super::lines::{Line, Lines};
use super::{Cut, Format, Labels, LongRecords, Opened, Reader, Record, Refusal, Text, open_lines};
use crate::error::Result;

pub(super) static FORMAT: Format = Format {
    name: "fasta",
    about: "`>` headers and sequences",
    extensions: &[
        "fasta", "fa", "fna", "faa", "ffn", "frn", "fas", "fsa", "afa", "mfa", "a2m", "a3m",
    ],
    takes: &["long_records"],
    documents: Some(|path, options| {
        let (lines, tally) = open_lines(path, options)?;
        Ok(Opened::new(FastaReader::new(lines, options.labels.is_some(), options.long), tally))
    }),
    ..Format::HOLDS_NOTHING
};

struct FastaReader {
    lines: Lines,
    buffer: Vec<u8>,
    /// Line of the header that was read last, if its record is not yet given out.
    header: Option<u64>,
    /// The text of that header, where it is asked for.
    name: Option<String>,
    named: bool,
    long: LongRecords,
    /// A piece of the record was given out.
    before: bool,
    at: At,
}

/// Where in the file the reading is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Before the first header.
    Head,
    Records,
    End,
}

/// Why [`FastaReader::fill`] stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// The record ended.
    Record,
    /// The piece is as long as one may be, and more comes.
    Full,
}

impl FastaReader {
    fn new(lines: Lines, named: bool, long: LongRecords) -> Self {
        Self {
            lines,
            buffer: Vec::new(),
            header: None,
            name: None,
            named,
            long,
            before: false,
            at: At::Head,
        }
    }

    /// Reads up to the next header, the end, or the limit.
    fn fill(&mut self, sequence: &mut Growing) -> Result<Stop> {
        loop {
            match self.lines.peek()? {
                None => {
                    self.at = At::End;
                    return Ok(Stop::Record);
                }
                Some(b' ' | b'\t' | b'\r' | b'\n') => {
                    self.lines.part(1, &mut |_| ())?;
                }
                Some(b'>') if self.lines.at_start() => {
                    self.read_header()?;
                    return Ok(Stop::Record);
                }
                // Comment lines of the oldest FASTA programs; those that head an A3M.
                Some(b';') if self.lines.at_start() => self.skip_line()?,
                Some(b'#') if self.lines.at_start() && self.at == At::Head => self.skip_line()?,
                Some(_) => {
                    let room = match self.long {
                        LongRecords::Cut => self.lines.limit() - sequence.length,
                        LongRecords::Reject => u64::MAX,
                    };
                    if room == 0 {
                        return Ok(Stop::Full);
                    }
                    self.lines.part(room, &mut |letters| push(letters, sequence))?;
                }
            }
        }
    }

    fn read_header(&mut self) -> Result<()> {
        let kind = self.lines.next(&mut self.buffer)?;
        let header = if kind == Line::Text { self.buffer.trim_ascii() } else { b">" };
        let text = || String::from_utf8_lossy(header[1..].trim_ascii()).into_owned();
        self.name = self.named.then(text);
        (self.header, self.at, self.before) = (Some(self.lines.line()), At::Records, false);
        Ok(())
    }

    fn skip_line(&mut self) -> Result<()> {
        self.lines.next(&mut self.buffer).map(drop)
    }
}

/// Blanks inside are layout, such as blocks of ten.
fn push(letters: &[u8], sequence: &mut Growing) {
    if letters.iter().any(u8::is_ascii_whitespace) {
        letters.split(u8::is_ascii_whitespace).for_each(|block| sequence.push(block));
    } else {
        sequence.push(letters);
    }
}

impl Reader<Text> for FastaReader {
    fn next_record(&mut self) -> Result<Option<Record<Text>>> {
        loop {
            if self.at == At::End {
                return Ok(None);
            }
            let mut sequence = Growing::new(self.lines.limit());
            let (name, before, headed) = (self.name.clone(), self.before, self.header.is_some());
            sequence.first_line = if before { Some(self.lines.line()) } else { self.header };
            let header = self.header.take();
            let stop = self.fill(&mut sequence)?;
            if stop == Stop::Full {
                (self.header, self.before) = (header, true);
            }
            let record = sequence.into_record();
            if headed || record.content != Ok(Vec::new()) {
                let labels = name.map(|name| Labels { name: Some(name), measured: None });
                let cut = Cut { before, after: stop == Stop::Full };
                return Ok(Some(Record { cut, ..judge(record, headed).labelled(labels) }));
            }
        }
    }
}

fn judge(record: Record<Text>, headed: bool) -> Record<Text> {
    let content = match record.content {
        Ok(text) if !headed => Err(Refusal::new(
            "no_header",
            "sequence data before the first header line; a FASTA header begins with `>`",
        )
        .of(text.len() as u64)),
        Ok(text) if text.is_empty() => {
            Err(Refusal::new("empty", "the header has no sequence after it"))
        }
        content => content,
    };
    Record { content, ..record }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Line, name and text of every record, with `-` where a piece goes on, or the reason.
    fn read(text: &str, long: LongRecords) -> Vec<String> {
        let input = Box::new(std::io::Cursor::new(text.as_bytes().to_vec()));
        let lines = Lines::new(input, std::path::Path::new("a.fa"), 8);
        let mut reader = FastaReader::new(lines, true, long);
        let mut all = Vec::new();
        while let Some(record) = reader.next_record().unwrap() {
            let name = record.labels.and_then(|it| it.name).unwrap_or_default();
            let content = match record.content {
                Ok(text) => String::from_utf8(text).unwrap(),
                Err(refusal) => format!("{} of {}", refusal.reason, refusal.bytes),
            };
            let dash = |there| if there { "-" } else { "" };
            let (before, after) = (dash(record.cut.before), dash(record.cut.after));
            all.push(format!("{} {name}: {before}{content}{after}", record.line));
        }
        all
    }

    #[test]
    fn lines_are_joined_whatever_ends_them_and_comments_are_left_out() {
        let text = "#A3M 1\n;old\n>a b\nMK L\n\n;note\nV\n>c\n>d\nAA";
        let want = ["3 a b: MKLV", "8 c: empty of 0", "9 d: AA"];
        for end in ["\n", "\r\n", "\r"] {
            assert_eq!(read(&text.replace('\n', end), LongRecords::Cut), want, "{end:?}");
        }
        assert_eq!(read("MK\n>a\nAA\n", LongRecords::Cut), ["1 : no_header of 2", "2 a: AA"]);
    }

    #[test]
    fn a_long_record_is_cut_into_pieces_that_add_up_or_refused_with_its_length() {
        let (one_line, wrapped) =
            (">a\nACGTACGTACGTACGTAC\n>b\nGG\n", ">a\nACGTA\nCGTACGTACG\nTAC\n>b\nGG\n");
        let pieces = |lines: [u64; 3]| {
            let [a, b, c] = lines;
            [format!("{a} a: ACGTACGT-"), format!("{b} a: -ACGTACGT-"), format!("{c} a: -AC")]
        };
        assert_eq!(read(one_line, LongRecords::Cut)[..3], pieces([1, 2, 2]));
        assert_eq!(read(wrapped, LongRecords::Cut)[..3], pieces([1, 3, 4]));
        for text in [one_line, wrapped] {
            assert_eq!(read(text, LongRecords::Reject)[0], "1 a: too_long of 18");
            assert!(read(text, LongRecords::Cut)[3].ends_with("b: GG"));
        }
        let exact = ">a\nACGTACGT\n\n>b\nGG\n";
        assert_eq!(read(exact, LongRecords::Cut), ["1 a: ACGTACGT", "4 b: GG"]);
    }
}
