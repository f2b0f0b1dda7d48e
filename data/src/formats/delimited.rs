//! Rows of fields between delimiters, with or without quotes as RFC 4180 has them.
//!
//! Quotes are read strictly: one that is never closed, or closed in the middle of a field after a line
//! end, would swallow rows without a word, so both end the reading with their lines. Rows are never
//! stored beyond the limit of a record.

use super::lines::Lines;
use crate::error::{DataError, Result};

/// More fields than any table has; a binary file may well "have" more.
const MAX_COLUMNS: usize = 1 << 16;

/// What [`Rows::next`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Row {
    /// So many fields.
    Fields(usize),
    /// It has this many bytes, or more fields than can be, and was skipped.
    TooLong(u64),
    /// A quoted field goes on after its closing quote.
    Quotes,
    /// There is no more.
    End,
}

/// Where in a row the reading is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    FieldStart,
    Plain,
    Quoted,
    /// Behind a quote inside a quoted field: it ends the field, or another one follows.
    Quote,
}

pub(super) struct Rows {
    lines: Lines,
    parser: Parser,
    first_line: u64,
}

struct Parser {
    delimiter: u8,
    quotes: bool,
    line_end: u8,
    limit: u64,
    at: At,
    /// Line of the next byte, and of the last opening quote, from 1.
    line: u64,
    opened: u64,
    /// Unquoted bytes of the row, and where each field ends in them.
    row: Vec<u8>,
    ends: Vec<usize>,
    length: u64,
    broken: bool,
}

impl Rows {
    /// The rows after `skipped` lines that were taken from `lines` already.
    pub(super) fn new(mut lines: Lines, delimiter: u8, quotes: bool, skipped: u64) -> Result<Self> {
        let (line_end, limit) = (lines.end()?, lines.limit());
        let parser = Parser {
            delimiter,
            quotes,
            line_end,
            limit,
            at: At::FieldStart,
            line: skipped + 1,
            opened: 0,
            row: Vec::new(),
            ends: Vec::new(),
            length: 0,
            broken: false,
        };
        Ok(Self { lines, parser, first_line: 1 })
    }

    /// Line that the last row began on.
    pub(super) fn line(&self) -> u64 {
        self.first_line
    }

    pub(super) fn limit(&self) -> u64 {
        self.lines.limit()
    }

    /// The file's name, as messages show it.
    pub(super) fn shown(&self) -> String {
        self.lines.path().display().to_string()
    }

    pub(super) fn field(&self, i: usize) -> &[u8] {
        let Parser { row, ends, .. } = &self.parser;
        let start = if i == 0 { 0 } else { ends[i - 1] };
        &row[start..ends[i]]
    }

    /// An error of the whole file at `line`.
    pub(super) fn unreadable(&self, line: u64, problem: String, fix: String) -> DataError {
        let (path, place) = (self.lines.path().to_path_buf(), format!(":{line}"));
        DataError::Input { path, place, problem, fix }
    }

    /// Reads the next row that is not a blank line; of one beyond the limit only the length is kept.
    pub(super) fn next(&mut self) -> Result<Row> {
        loop {
            self.first_line = self.parser.line;
            self.parser.begin();
            if !self.read()? {
                return Ok(Row::End);
            }
            if !self.parser.is_blank() {
                return Ok(self.parser.found());
            }
        }
    }

    /// Reads up to the end of a row; false at the end of the file.
    fn read(&mut self) -> Result<bool> {
        let mut any = false;
        loop {
            let ready = self.lines.fill()?;
            if ready.is_empty() {
                self.parser.check_closed().map_err(|problem| self.swallowed(problem))?;
                if any {
                    self.parser.end_row();
                }
                return Ok(any);
            }
            any = true;
            let taken = self.parser.take(ready);
            let (used, ended) = taken.map_err(|problem| self.swallowed(problem))?;
            self.lines.consume(used);
            if ended {
                return Ok(true);
            }
        }
    }

    fn swallowed(&self, problem: String) -> DataError {
        self.unreadable(self.parser.opened, problem, QUOTES_FIX.to_owned())
    }
}

impl Parser {
    fn begin(&mut self) {
        self.row.clear();
        self.ends.clear();
        (self.length, self.broken, self.at) = (0, false, At::FieldStart);
    }

    /// An empty field in quotes is a row, a blank line is none.
    fn is_blank(&self) -> bool {
        self.length == 0 && self.ends.len() < 2 && self.at != At::Quote
    }

    fn found(&self) -> Row {
        if self.length > self.limit || self.ends.len() > MAX_COLUMNS {
            return Row::TooLong(self.length);
        }
        if self.broken { Row::Quotes } else { Row::Fields(self.ends.len()) }
    }

    /// Takes bytes up to the end of the row: how many, and whether it ended.
    fn take(&mut self, ready: &[u8]) -> Result<(usize, bool), String> {
        let mut used = 0;
        while let Some(&byte) = ready.get(used) {
            let plain = self.plain_bytes(&ready[used..]);
            if plain > 0 {
                self.push(&ready[used..used + plain]);
                used += plain;
                continue;
            }
            used += 1;
            if self.byte(byte)? {
                return Ok((used, true));
            }
        }
        Ok((used, false))
    }

    /// How many bytes at the start of `rest` belong to the field whatever they are.
    fn plain_bytes(&self, rest: &[u8]) -> usize {
        let special = match self.at {
            At::Quoted => memchr::memchr2(b'"', self.line_end, rest),
            At::Plain => memchr::memchr2(self.delimiter, self.line_end, rest),
            At::FieldStart | At::Quote => Some(0),
        };
        special.unwrap_or(rest.len())
    }

    /// Takes one byte that may mean something; true if it ends the row.
    fn byte(&mut self, byte: u8) -> Result<bool, String> {
        let line_end = byte == self.line_end;
        match (self.at, byte) {
            (At::Quoted, b'"') => self.at = At::Quote,
            (At::Quoted, _) => self.push(&[byte]),
            (At::Quote, b'"') => {
                self.push(b"\"");
                self.at = At::Quoted;
            }
            _ if line_end => self.end_row(),
            _ if byte == self.delimiter => self.end_field(),
            (At::Quote, b'\r') => {}
            (At::Quote, _) => self.goes_on(byte)?,
            (At::FieldStart, b'"') if self.quotes => {
                (self.at, self.opened) = (At::Quoted, self.line);
            }
            _ => {
                self.at = At::Plain;
                self.push(&[byte]);
            }
        }
        self.line += u64::from(line_end);
        Ok(line_end && self.at != At::Quoted)
    }

    fn push(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        if self.length <= self.limit {
            self.row.extend_from_slice(bytes);
        } else {
            self.row = Vec::new();
        }
    }

    fn end_field(&mut self) {
        if self.ends.len() <= MAX_COLUMNS {
            self.ends.push(self.row.len());
        }
        self.at = At::FieldStart;
    }

    /// Ends the last field. The `\r` of `\r\n` is no part of it.
    fn end_row(&mut self) {
        if self.at == At::Plain && self.row.last() == Some(&b'\r') {
            self.row.pop();
            self.length -= 1;
        }
        let quoted = self.at == At::Quote;
        self.end_field();
        self.at = if quoted { At::Quote } else { At::FieldStart };
    }

    /// A quoted field goes on after its closing quote: with line ends in it, rows would be lost.
    fn goes_on(&mut self, byte: u8) -> Result<(), String> {
        if self.opened < self.line {
            return Err(format!(
                "the quote that opens on line {} is closed on line {} in the middle of a field; the \
                 lines between would be one field",
                self.opened, self.line
            ));
        }
        self.broken = true;
        self.at = At::Plain;
        self.push(&[byte]);
        Ok(())
    }

    fn check_closed(&self) -> Result<(), String> {
        if self.at != At::Quoted {
            return Ok(());
        }
        Err(format!(
            "the quote that opens on line {} is never closed; everything up to the end of the file \
             would be one field",
            self.opened
        ))
    }
}

const QUOTES_FIX: &str = "close it, and write a quote inside a field twice; where quotes are text like \
                          any other, set `quotes` to \"text\"";

#[cfg(test)]
mod tests {
    use super::*;

    /// Line and fields of every row, or what ended the reading.
    fn read(text: &str, delimiter: u8, quotes: bool) -> Vec<String> {
        let input = Box::new(std::io::Cursor::new(text.as_bytes().to_vec()));
        let lines = Lines::new(input, std::path::Path::new("a.csv"), 64);
        let mut rows = Rows::new(lines, delimiter, quotes, 0).unwrap();
        let mut all = Vec::new();
        loop {
            let row = rows.next();
            let fields = |count: usize| {
                let texts = (0..count).map(|i| String::from_utf8_lossy(rows.field(i)).into_owned());
                texts.collect::<Vec<_>>().join("|")
            };
            all.push(match row {
                Ok(Row::End) => return all,
                Ok(Row::Fields(count)) => format!("{} {}", rows.line(), fields(count)),
                Ok(other) => format!("{} {other:?}", rows.line()),
                Err(error) => {
                    all.push(error.to_string());
                    return all;
                }
            });
        }
    }

    #[test]
    fn quoted_fields_hold_delimiters_line_ends_and_doubled_quotes() {
        let text = "a,\"b, \"\"c\"\"\",d\n\n\"two\nlines\",\"\"\r\n\"\"\nlast,";
        let want = ["1 a|b, \"c\"|d", "3 two\nlines|", "5 ", "6 last|"];
        assert_eq!(read(text, b',', true), want);
    }

    #[test]
    fn line_ends_may_be_of_any_kind() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["a,b", "", "\"c\",d"].join(end);
            assert_eq!(read(&text, b',', true), ["1 a|b", "3 c|d"], "{end:?}");
        }
    }

    #[test]
    fn quotes_that_are_text_stay() {
        let text = "\"open\tx\n3\" tube\t\"y\"\n";
        assert_eq!(read(text, b'\t', false), ["1 \"open|x", "2 3\" tube|\"y\""]);
    }

    #[test]
    fn a_quote_that_would_swallow_rows_is_an_error_with_its_lines() {
        let never = read("a,b\nc,\"d\ne,f\n", b',', true);
        assert!(never[1].contains("a.csv:2") && never[1].contains("never closed"), "{never:?}");
        let late = read("a,b\nc,\"d\ne,f\ng,h \"quoted\" i\n", b',', true);
        assert!(late[1].contains("opens on line 2 is closed on line 4"), "{late:?}");
        let one = read("a,\"b\"c\nd,e\n", b',', true);
        assert_eq!(one, ["1 Quotes", "2 d|e"]);
    }

    #[test]
    fn a_row_beyond_the_limit_is_skipped_and_the_next_is_read() {
        let long = "x".repeat(100);
        let text = format!("a,b\n{long},c\n\"{long}\n{long}\",d\ne,f\n");
        let want = ["1 a|b", "2 TooLong(101)", "3 TooLong(202)", "5 e|f"];
        assert_eq!(read(&text, b',', true), want);
    }
}
