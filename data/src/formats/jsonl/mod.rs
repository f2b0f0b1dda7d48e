//! JSON lines: one object a line, a document under a field name or a whole structure.

mod structure;

use serde_json::Value;

use super::lines::{Line, Lines};
use super::{
    Format, Labels, Opened, ReadOptions, Reader, Record, Refusal, Text, not_utf8, open_lines,
};
use crate::error::Result;

pub(super) static FORMAT: Format = Format {
    name: "jsonl",
    about: "One JSON object a line",
    extensions: &["jsonl", "ndjson"],
    takes: &["column"],
    documents: Some(|path, options| {
        let (lines, tally) = open_lines(path, options)?;
        Ok(Opened::new(JsonlReader::new(lines, options), tally))
    }),
    structures: Some(|path, options| {
        let (lines, tally) = open_lines(path, options)?;
        Ok(Opened::new(structure::Structures::new(lines), tally))
    }),
};

const DEFAULT_FIELD: &str = "text";

struct JsonlReader {
    lines: Lines,
    field: String,
    /// Fields of the name and of the measured value, if they are asked for.
    labels: Option<[String; 2]>,
    buffer: Vec<u8>,
}

impl JsonlReader {
    fn new(lines: Lines, options: &ReadOptions<'_>) -> Self {
        let field = options.column.unwrap_or(DEFAULT_FIELD).to_owned();
        let labels = options.labels.map(|asked| {
            [asked.name.unwrap_or("id").to_owned(), asked.measured.unwrap_or("measured").to_owned()]
        });
        Self { lines, field, labels, buffer: Vec::new() }
    }

    fn text(&self) -> Result<(Text, Option<Labels>), Refusal> {
        if let Err(e) = std::str::from_utf8(&self.buffer) {
            return Err(not_utf8(&e));
        }
        let mut object: Value = serde_json::from_slice(&self.buffer)
            .map_err(|e| Refusal::new("not_json", format!("not JSON: {e}")))?;
        let mut label = |field: &str| match look_up(&mut object, field)? {
            Value::String(text) => Some(text.clone()),
            Value::Null => None,
            other => Some(other.to_string()),
        };
        let labels = self
            .labels
            .as_ref()
            .map(|[name, measured]| Labels { name: label(name), measured: label(measured) });
        let Some(value) = look_up(&mut object, &self.field) else {
            let problem = format!("the object has no field `{}`", self.field);
            return Err(Refusal::new("no_field", problem));
        };
        match value.take() {
            Value::String(text) => Ok((text.into_bytes(), labels)),
            other => Err(Refusal::new(
                "not_text",
                format!("field `{}` is {}, not a string", self.field, kind(&other)),
            )),
        }
    }
}

impl Reader<Text> for JsonlReader {
    fn next_record(&mut self) -> Result<Option<Record<Text>>> {
        loop {
            let content = match self.lines.next(&mut self.buffer)? {
                Line::End => return Ok(None),
                Line::TooLong(bytes) => Err(Refusal::too_long(bytes, self.lines.limit())),
                Line::Text if self.buffer.trim_ascii().is_empty() => continue,
                Line::Text => self.text(),
            };
            let line = self.lines.line();
            return Ok(Some(match content {
                Ok((text, labels)) => Record::new(line, Ok(text)).labelled(labels),
                Err(refusal) => Record::new(line, Err(refusal)),
            }));
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
