//! JSON lines: one structure an object, lists nested or flat.
//!
//! Keys are those of `columns`; JSON has no NaN, so a label that is absent is left out or null.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::error::Result;
use crate::formats::lines::{Line, Lines};
use crate::formats::named_lists::{Cell, assemble};
use crate::formats::raw_frame::RawFrame;
use crate::formats::{Reader, Record, Refusal, Unparsed};

pub(super) struct Structures {
    lines: Lines,
    buffer: Vec<u8>,
}

impl Structures {
    pub(super) fn new(lines: Lines) -> Self {
        Self { lines, buffer: Vec::new() }
    }
}

impl Reader<Unparsed> for Structures {
    fn next_record(&mut self) -> Result<Option<Record<Unparsed>>> {
        loop {
            let content = match self.lines.next(&mut self.buffer)? {
                Line::End => return Ok(None),
                Line::TooLong(bytes) => Err(Refusal::too_long(bytes, self.lines.limit())),
                Line::Text if self.buffer.trim_ascii().is_empty() => continue,
                Line::Text => {
                    let line = self.buffer.clone();
                    Ok(Unparsed::new(line.len(), move || parse(&line)))
                }
            };
            return Ok(Some(Record::new(self.lines.line(), content)));
        }
    }
}

/// The structure of one line.
fn parse(line: &[u8]) -> Result<RawFrame, Refusal> {
    let object: BTreeMap<String, Json> = serde_json::from_slice(line)
        .map_err(|e| Refusal::new("not_json", format!("not a JSON object: {e}")))?;
    let mut cells = BTreeMap::new();
    for (key, value) in object {
        if value.is_null() {
            continue;
        }
        let cell = cell(&value).ok_or_else(|| {
            let problem = format!("`{key}` is neither numbers nor text, alone or in lists");
            Refusal::new("bad_value", problem)
        })?;
        cells.insert(key, cell);
    }
    assemble(cells)
}

fn cell(value: &Json) -> Option<Cell> {
    match value {
        Json::String(text) => return Some(Cell::Text(text.clone())),
        // Units by quantity, or what another program keeps: text that is carried along.
        Json::Object(_) => return Some(Cell::Text(value.to_string())),
        _ => {}
    }
    let mut flat = Flat::default();
    flat.add(value)?;
    let Flat { numbers, integers, truths, texts } = flat;
    if !integers.is_empty()
        && integers.len() == numbers.len()
        && truths.is_empty()
        && texts.is_empty()
    {
        return Some(Cell::Integers(integers));
    }
    match (numbers.is_empty(), truths.is_empty(), texts.is_empty()) {
        (_, true, true) => Some(Cell::Numbers(numbers)),
        (true, false, true) => Some(Cell::Truths(truths)),
        (true, true, false) => Some(Cell::Texts(texts)),
        _ => None,
    }
}

/// The values of nested lists, by type.
#[derive(Default)]
struct Flat {
    numbers: Vec<f64>,
    /// Those of the numbers that are whole and written so.
    integers: Vec<i64>,
    truths: Vec<bool>,
    texts: Vec<String>,
}

impl Flat {
    fn add(&mut self, value: &Json) -> Option<()> {
        match value {
            Json::Number(number) => {
                self.numbers.push(number.as_f64()?);
                self.integers.extend(number.as_i64());
            }
            Json::Bool(truth) => self.truths.push(*truth),
            Json::String(text) => self.texts.push(text.clone()),
            Json::Array(items) => items.iter().try_for_each(|item| self.add(item))?,
            Json::Null | Json::Object(_) => return None,
        }
        Some(())
    }
}
