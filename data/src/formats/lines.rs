//! Lines of a file, none of which is stored beyond a limit.
//!
//! They end in `\n` or `\r\n`; where a file has `\r` alone, as some exports of tables do, in `\r`.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use super::open::unreadable;
use crate::error::Result;

/// What [`Lines::next`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    /// It is in the buffer, with its line end.
    Text,
    /// It has this many bytes and was skipped.
    TooLong(u64),
    /// There is no more.
    End,
}

pub(crate) struct Lines {
    input: Box<dyn BufRead + Send>,
    path: PathBuf,
    limit: u64,
    line: u64,
    /// The byte that ends lines, once something was read.
    end: Option<u8>,
    /// A part of the line was given.
    inside: bool,
    /// That part was blank.
    blank: bool,
}

impl Lines {
    pub(crate) fn new(input: Box<dyn BufRead + Send>, path: &Path, limit: u64) -> Self {
        Self {
            input,
            path: path.to_path_buf(),
            limit,
            line: 0,
            end: None,
            inside: false,
            blank: false,
        }
    }

    /// The byte that ends lines: `\n` also of those that end in `\r\n`.
    pub(crate) fn end(&mut self) -> Result<u8> {
        if let Some(end) = self.end {
            return Ok(end);
        }
        let ready = self.fill()?;
        let has = |byte| memchr::memchr(byte, ready).is_some();
        let end = if has(b'\r') && !has(b'\n') { b'\r' } else { b'\n' };
        self.end = Some(end);
        Ok(end)
    }

    /// Number of the line that [`Lines::next`] gave last, from 1.
    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    /// Longest record that may be stored.
    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes that lie ready; none means the end of the file. For readers that count lines
    /// themselves.
    pub(crate) fn fill(&mut self) -> Result<&[u8]> {
        let path = &self.path;
        self.input.fill_buf().map_err(|e| unreadable(path, e))
    }

    pub(crate) fn consume(&mut self, bytes: usize) {
        self.input.consume(bytes);
    }

    /// The next byte; `None` at the end of the file.
    pub(crate) fn peek(&mut self) -> Result<Option<u8>> {
        Ok(self.fill()?.first().copied())
    }

    /// Whether the next byte begins a line, or only blanks of its line were given.
    pub(crate) fn at_start(&self) -> bool {
        !self.inside || self.blank
    }

    /// Gives the next part of a line to `to`, at most `most` bytes and without its end; true if the
    /// line ended.
    pub(crate) fn part(&mut self, most: u64, to: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let line_end = self.end()?;
        let ready = self.fill()?;
        let room = usize::try_from(most).unwrap_or(usize::MAX).min(ready.len());
        let end = memchr::memchr(line_end, &ready[..room]);
        let given = without_end(&ready[..end.unwrap_or(room)]);
        let blank = given.trim_ascii().is_empty();
        to(given);
        let ended = end.is_some() || room == 0;
        self.consume(end.map_or(room, |at| at + 1));
        self.line += u64::from(!self.inside);
        self.blank = blank && (!self.inside || self.blank);
        self.inside = !ended;
        Ok(ended)
    }

    /// Puts the next line, or the rest of one of which parts were given, into `buffer`, which is cleared first.
    pub(crate) fn next(&mut self, buffer: &mut Vec<u8>) -> Result<Line> {
        buffer.clear();
        let line_end = self.end()?;
        let mut length = 0u64;
        loop {
            let ready = self.input.fill_buf().map_err(|e| unreadable(&self.path, e))?;
            if ready.is_empty() {
                break;
            }
            let end = memchr::memchr(line_end, ready).map(|at| at + 1);
            let part = &ready[..end.unwrap_or(ready.len())];
            length += part.len() as u64;
            if length <= self.limit {
                buffer.extend_from_slice(part);
            } else if buffer.capacity() > 0 {
                *buffer = Vec::new();
            }
            let taken = part.len();
            self.input.consume(taken);
            if end.is_some() {
                break;
            }
        }
        if length == 0 {
            return Ok(Line::End);
        }
        self.line += u64::from(!self.inside);
        self.inside = false;
        Ok(if length > self.limit { Line::TooLong(length) } else { Line::Text })
    }
}

/// A line without its end, `\n`, `\r\n` or `\r`.
pub(crate) fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}
