//! Lines of a file, none of which is stored beyond a limit.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use crate::error::{DataError, Result};

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
}

impl Lines {
    pub(crate) fn new(input: Box<dyn BufRead + Send>, path: &Path, limit: u64) -> Self {
        Self { input, path: path.to_path_buf(), limit, line: 0 }
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

    /// Puts the next line into `buffer`, which is cleared first.
    pub(crate) fn next(&mut self, buffer: &mut Vec<u8>) -> Result<Line> {
        buffer.clear();
        let mut length = 0u64;
        loop {
            let ready = self.input.fill_buf().map_err(|e| unreadable(&self.path, e))?;
            if ready.is_empty() {
                break;
            }
            let end = memchr::memchr(b'\n', ready).map(|at| at + 1);
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
        self.line += 1;
        Ok(if length > self.limit { Line::TooLong(length) } else { Line::Text })
    }
}

/// A broken gzip stream is the file's fault; anything else is the system's.
fn unreadable(path: &Path, error: std::io::Error) -> DataError {
    use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    if matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof) {
        return DataError::Input {
            path: path.to_path_buf(),
            place: String::new(),
            problem: format!("its gzip stream is broken or cut short ({error})"),
            fix: "fetch the file again; `gzip -t` checks it".to_owned(),
        };
    }
    DataError::io("read", path)(error)
}

/// A line without its end, `\n` or `\r\n`.
pub(crate) fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}
