//! Where the structures of a file begin and end.
//!
//! A line of one word cannot describe an atom, which takes a symbol and three numbers, so it is
//! the count of the next structure. By that a wrong count is found where it stands, and reading
//! goes on with the next structure.

use crate::error::Result;
use crate::formats::Refusal;
use crate::formats::lines::{Line, Lines};

/// The lines of one structure, not yet understood.
#[derive(Debug)]
pub(super) struct Scanned {
    /// Line of the count, from 1.
    pub(super) line: u64,
    pub(super) text: std::result::Result<FrameText, Refusal>,
}

/// Bytes of the comment line, of the lines of atoms, and of the lines `VEC1 ..` below them.
#[derive(Debug, Default)]
pub(super) struct FrameText {
    pub(super) comment: Vec<u8>,
    pub(super) body: Vec<u8>,
    pub(super) vectors: Vec<u8>,
}

/// Three lines of lattice vectors are far shorter.
const LONGEST_VECTORS: usize = 4096;

pub(super) struct Scanner {
    lines: Lines,
    buffer: Vec<u8>,
    /// The buffer holds a line that was looked at and not used.
    held: bool,
    ended: bool,
}

impl Scanner {
    pub(super) fn new(lines: Lines) -> Self {
        Self { lines, buffer: Vec::new(), held: false, ended: false }
    }

    /// The next structure; `None` at the end of the file.
    pub(super) fn next(&mut self) -> Result<Option<Scanned>> {
        while self.advance()? && words(&self.buffer) == 0 {
            self.held = false;
        }
        if self.ended {
            return Ok(None);
        }
        self.held = false;
        let line = self.lines.line();
        let count = std::str::from_utf8(self.buffer.trim_ascii()).ok();
        let Some(count) = count.and_then(|text| text.parse::<usize>().ok()) else {
            let shown = String::from_utf8_lossy(&self.buffer[..self.buffer.len().min(40)]);
            let problem =
                format!("a structure begins with its number of atoms, not `{}`", shown.trim_end());
            self.skip_structure()?;
            return Ok(Some(Scanned { line, text: Err(Refusal::new("no_count", problem)) }));
        };
        let text = self.structure(count)?;
        Ok(Some(Scanned { line, text }))
    }

    fn structure(&mut self, count: usize) -> Result<std::result::Result<FrameText, Refusal>> {
        let mut text = FrameText::default();
        if !self.advance()? {
            return Ok(Err(short(count, 0)));
        }
        self.held = false;
        let mut bytes = self.buffer.len() as u64;
        text.comment.extend_from_slice(&self.buffer);
        for found in 0..count {
            if !self.advance()? || words(&self.buffer) < 2 {
                return Ok(Err(short(count, found)));
            }
            self.held = false;
            bytes += self.buffer.len() as u64;
            if bytes <= self.lines.limit() {
                text.body.extend_from_slice(&self.buffer);
                // The last line of a file may lack its end.
                if !text.body.ends_with(b"\n") {
                    text.body.push(b'\n');
                }
            } else {
                (text.comment, text.body) = (Vec::new(), Vec::new());
            }
        }
        while text.vectors.len() < LONGEST_VECTORS
            && self.advance()?
            && self.buffer.trim_ascii_start().starts_with(b"VEC")
        {
            self.held = false;
            text.vectors.extend_from_slice(self.buffer.trim_ascii());
            text.vectors.push(b'\n');
        }
        let extra = self.skip_structure()?;
        if extra > 0 {
            let problem = format!("the count is {count}, but {extra} more lines of atoms follow");
            return Ok(Err(Refusal::new("wrong_count", problem)));
        }
        if bytes > self.lines.limit() {
            return Ok(Err(Refusal::too_long(bytes, self.lines.limit())));
        }
        Ok(Ok(text))
    }

    /// Skips lines up to the next count or blank line; how many there were.
    fn skip_structure(&mut self) -> Result<u64> {
        let mut skipped = 0;
        while self.advance()? && words(&self.buffer) > 1 {
            self.held = false;
            skipped += 1;
        }
        Ok(skipped)
    }

    /// Puts the next line into the buffer unless one is held; whether there is one.
    fn advance(&mut self) -> Result<bool> {
        if !self.held && !self.ended {
            match self.lines.next(&mut self.buffer)? {
                Line::End => self.ended = true,
                // Longer than any structure may be: it counts as text that fits nowhere.
                Line::TooLong(_) => self.buffer = b"(a line too long)\n".to_vec(),
                Line::Text => {}
            }
        }
        self.held = !self.ended;
        Ok(!self.ended)
    }
}

fn short(count: usize, found: usize) -> Refusal {
    let problem = format!("the count is {count}, but {found} lines of atoms follow");
    Refusal::new("wrong_count", problem)
}

/// Words of a line: none, one, or 2 for more.
fn words(line: &[u8]) -> usize {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).take(2).count()
}
