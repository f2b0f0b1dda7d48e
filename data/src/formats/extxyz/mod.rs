//! Extended XYZ, read strictly: a count, a line of `key=value`, one line an atom.
//!
//! `scan` finds where structures begin and end, in order; `comment`, `head` and `parse` take one
//! structure apart, in parallel. Source of the grammar: github.com/libAtoms/extxyz, README; beyond it
//! what writers of the field do: ASE, OVITO, plain xyz.

pub(super) mod comment;
mod head;
mod parse;
mod scan;

use super::{Format, Opened, Reader, Record, Unparsed, open_lines};
use crate::error::Result;
use parse::parse;
use scan::{Scanned, Scanner};

pub(super) static FORMAT: Format = Format {
    name: "extxyz",
    about: "Extended XYZ",
    extensions: &["xyz", "extxyz"],
    takes: &[],
    structures: Some(|path, options| {
        let (lines, tally) = open_lines(path, options)?;
        Ok(Opened::new(Scanner::new(lines), tally))
    }),
    ..Format::HOLDS_NOTHING
};

impl Reader<Unparsed> for Scanner {
    fn next_record(&mut self) -> Result<Option<Record<Unparsed>>> {
        let Some(Scanned { line, text }) = self.next()? else { return Ok(None) };
        let content = text.map(|text| {
            let bytes = text.comment.len() + text.body.len() + text.vectors.len();
            Unparsed::new(bytes, move || parse(&text, line))
        });
        Ok(Some(Record::new(line, content)))
    }
}
