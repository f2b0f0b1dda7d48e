//! JSON lines: one object a line, the text under a field name.

pub(crate) mod structure;

use serde_json::Value;

use crate::error::Result;
use crate::formats::lines::{Line, Lines};
use crate::formats::{Record, RecordReader};
use crate::ingest::rejects::Refusal;

const DEFAULT_FIELD: &str = "text";

pub(crate) struct JsonlReader {
    lines: Lines,
    field: String,
    buffer: Vec<u8>,
}

impl JsonlReader {
    pub(crate) fn new(lines: Lines, field: Option<&str>) -> Self {
        Self { lines, field: field.unwrap_or(DEFAULT_FIELD).to_owned(), buffer: Vec::new() }
    }

    fn text(&self) -> Result<Vec<u8>, Refusal> {
        if let Err(e) = std::str::from_utf8(&self.buffer) {
            return Err(crate::formats::not_utf8(&e));
        }
        let mut object: Value = serde_json::from_slice(&self.buffer)
            .map_err(|e| Refusal::new("not_json", format!("not JSON: {e}")))?;
        let Some(value) = look_up(&mut object, &self.field) else {
            let problem = format!("the object has no field `{}`", self.field);
            return Err(Refusal::new("no_field", problem));
        };
        match value.take() {
            Value::String(text) => Ok(text.into_bytes()),
            other => Err(Refusal::new(
                "not_text",
                format!("field `{}` is {}, not a string", self.field, kind(&other)),
            )),
        }
    }
}

impl RecordReader for JsonlReader {
    fn next_record(&mut self) -> Result<Option<Record>> {
        loop {
            let text = match self.lines.next(&mut self.buffer)? {
                Line::End => return Ok(None),
                Line::TooLong(bytes) => Err(Refusal::too_long(bytes, self.lines.limit())),
                Line::Text if self.buffer.trim_ascii().is_empty() => continue,
                Line::Text => self.text(),
            };
            return Ok(Some(Record { line: self.lines.line(), text }));
        }
    }
}

/// A field by its whole name, else by its dotted path.
fn look_up<'v>(value: &'v mut Value, path: &str) -> Option<&'v mut Value> {
    if value.get(path).is_some() {
        return value.get_mut(path);
    }
    path.split('.').try_fold(value, |inner, key| inner.get_mut(key))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
