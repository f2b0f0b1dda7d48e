//! JSON lines: one object a line, a document under a field name or a whole structure.
//!
//! Which field holds the documents is asked for, or follows from the first object as from the header of a
//! table: two fields that could both be the text are a question.

mod structure;

use std::sync::Arc;

use serde_json::Value;

use super::lines::{Line, Lines};
use super::table_columns::{NAMES, choose_column};
use super::{
    Format, LabelColumns, Labels, Opened, ReadOptions, Reader, Record, Refusal, Tally, Text,
    not_utf8, open_lines,
};
use crate::error::{DataError, Result};

pub(super) static FORMAT: Format = Format {
    name: "jsonl",
    about: "One JSON object a line",
    extensions: &["jsonl", "ndjson"],
    takes: &["column"],
    documents: Some(|path, options| {
        let (lines, tally) = open_lines(path, options)?;
        Ok(Opened::new(JsonlReader::new(lines, options, &tally), tally))
    }),
    structures: Some(|path, options| {
        let (lines, tally) = open_lines(path, options)?;
        Ok(Opened::new(structure::Structures::new(lines), tally))
    }),
    ..Format::HOLDS_NOTHING
};

/// The field that holds documents in most files: choosing it is not worth a note.
const USUAL_FIELD: &str = "text";

struct JsonlReader {
    lines: Lines,
    /// The field that holds documents, once it is known.
    field: Option<String>,
    /// Fields of the name, the first that there is, and of the measured value, if they are asked for.
    labels: Option<(Vec<String>, String)>,
    tally: Arc<Tally>,
    buffer: Vec<u8>,
}

impl JsonlReader {
    fn new(lines: Lines, options: &ReadOptions<'_>, tally: &Arc<Tally>) -> Self {
        let labels = options.labels.map(|LabelColumns { name, measured }| {
            let usual = || NAMES.map(str::to_owned).to_vec();
            let names = name.map_or_else(usual, |name| vec![name.to_owned()]);
            (names, measured.unwrap_or("measured").to_owned())
        });
        let field = options.column.map(str::to_owned);
        Self { lines, field, labels, tally: Arc::clone(tally), buffer: Vec::new() }
    }

    /// The object of the line that was read.
    fn object(&self) -> Result<Value, Refusal> {
        if let Err(e) = std::str::from_utf8(&self.buffer) {
            return Err(not_utf8(&e));
        }
        serde_json::from_slice(&self.buffer)
            .map_err(|e| Refusal::new("not_json", format!("not JSON: {e}")))
    }

    /// The field that holds the documents, by the fields of the first object.
    fn choose(&self, object: &Value) -> Result<String> {
        let fields: Vec<(&String, &Value)> = object.as_object().into_iter().flatten().collect();
        let may_be_text = |value: &Value| value.is_string() || value.is_null();
        let names: Vec<String> = fields
            .iter()
            .filter(|(_, value)| may_be_text(value))
            .map(|(name, _)| (*name).clone())
            .collect();
        if names.is_empty() {
            let all: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
            return Err(DataError::Input {
                path: self.lines.path().to_path_buf(),
                place: format!(":{}", self.lines.line()),
                problem: format!("no field holds text; there are: {}", all.join(", ")),
                fix: "set `column` to a field of strings; dots reach into nested objects"
                    .to_owned(),
            });
        }
        let file = self.lines.path().display().to_string();
        let field = names[choose_column(&file, &names, None)?].clone();
        if field != USUAL_FIELD {
            self.tally
                .note(format!("of its {} fields `{field}` is read as the text", fields.len()));
        }
        Ok(field)
    }

    fn text(&self, mut object: Value, field: &str) -> Result<(Text, Option<Labels>), Refusal> {
        let mut label = |field: &str| match look_up(&mut object, field)? {
            Value::String(text) => Some(text.clone()),
            Value::Null => None,
            other => Some(other.to_string()),
        };
        let labels = self.labels.as_ref().map(|(names, measured)| Labels {
            name: names.iter().filter(|name| *name != field).find_map(|name| label(name)),
            measured: label(measured),
        });
        let Some(value) = look_up(&mut object, field) else {
            let problem = format!("the object has no field `{field}`");
            return Err(Refusal::new("no_field", problem));
        };
        match value.take() {
            Value::String(text) => Ok((text.into_bytes(), labels)),
            other => Err(Refusal::new(
                "not_text",
                format!("field `{field}` is {}, not a string", kind(&other)),
            )),
        }
    }

    /// The document of the line that was read.
    fn document(&mut self) -> Result<Result<(Text, Option<Labels>), Refusal>> {
        let object = match self.object() {
            Ok(object) => object,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if self.field.is_none() && object.is_object() {
            self.field = Some(self.choose(&object)?);
        }
        Ok(self.text(object, self.field.as_deref().unwrap_or(USUAL_FIELD)))
    }
}

impl Reader<Text> for JsonlReader {
    fn next_record(&mut self) -> Result<Option<Record<Text>>> {
        loop {
            let content = match self.lines.next(&mut self.buffer)? {
                Line::End => return Ok(None),
                Line::TooLong(bytes) => Err(Refusal::too_long(bytes, self.lines.limit())),
                Line::Text if self.buffer.trim_ascii().is_empty() => continue,
                Line::Text => self.document()?,
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
