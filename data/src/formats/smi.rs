//! Lists of molecules: a SMILES a line, white space, and a name that may be missing.
//!
//! A title line is known by its first word, `SMILES`. What stands between bars behind a SMILES
//! (CXSMILES) and lines that begin with `#` are no part of any molecule.

use super::lines::{Line, Lines, without_end};
use super::{Format, Labels, Opened, Reader, Record, Refusal, Text, open_lines};
use crate::error::Result;

pub(super) static FORMAT: Format = Format {
    name: "smi",
    about: "A SMILES a line, and its name after white space",
    extensions: &["smi", "smiles", "ism", "can", "cxsmiles"],
    takes: &["header"],
    documents: Some(|path, options| {
        let (lines, tally) = open_lines(path, options)?;
        let named = options.labels.is_some();
        let title =
            options.header.map_or(Title::Guess, |it| if it { Title::There } else { Title::None });
        Ok(Opened::new(SmiReader { lines, buffer: Vec::new(), named, title }, tally))
    }),
    ..Format::HOLDS_NOTHING
};

/// Whether the next line is a title.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Title {
    Guess,
    There,
    None,
}

struct SmiReader {
    lines: Lines,
    buffer: Vec<u8>,
    named: bool,
    title: Title,
}

impl SmiReader {
    /// Whether the line in the buffer is the title; only the first can be.
    fn is_title(&mut self) -> bool {
        let first = self.buffer.split(u8::is_ascii_whitespace).next().unwrap_or_default();
        match std::mem::replace(&mut self.title, Title::None) {
            Title::There => true,
            Title::Guess => first.eq_ignore_ascii_case(b"smiles"),
            Title::None => false,
        }
    }

    fn record(&self) -> Record<Text> {
        let line = without_end(&self.buffer);
        let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
        let (smiles, rest) = line.split_at(end);
        if smiles.is_empty() {
            let refusal = Refusal::new("empty", "the line has a name and no SMILES before it");
            return Record::new(self.lines.line(), Err(refusal.of(line.len() as u64)));
        }
        let name = self.named.then(|| name(rest)).flatten();
        let labels = name.map(|name| Labels { name: Some(name), measured: None });
        Record::new(self.lines.line(), Ok(smiles.to_vec())).labelled(labels)
    }
}

/// The name in what follows a SMILES: up to the next tab, without an extension between bars.
fn name(rest: &[u8]) -> Option<String> {
    let rest = String::from_utf8_lossy(rest);
    let mut rest = rest.trim();
    if let Some((_, behind)) = rest.strip_prefix('|').and_then(|it| it.split_once('|')) {
        rest = behind.trim();
    }
    let name = rest.split('\t').next().unwrap_or_default().trim();
    (!name.is_empty()).then(|| name.to_owned())
}

impl Reader<Text> for SmiReader {
    fn next_record(&mut self) -> Result<Option<Record<Text>>> {
        loop {
            match self.lines.next(&mut self.buffer)? {
                Line::End => return Ok(None),
                Line::TooLong(bytes) => {
                    let refusal = Refusal::too_long(bytes, self.lines.limit());
                    return Ok(Some(Record::new(self.lines.line(), Err(refusal))));
                }
                Line::Text if self.buffer.trim_ascii().is_empty() => {}
                Line::Text if self.buffer.starts_with(b"#") => {}
                Line::Text if self.is_title() => {}
                Line::Text => return Ok(Some(self.record())),
            }
        }
    }
}
