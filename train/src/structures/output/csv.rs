//! Structures as CSV: a row each; what is more than one value is a JSON list in its cell.

use super::Written;
use super::columns::columns;
use super::json_lines::{structure, values};
use serde_json::Value;

/// The whole table.
pub(super) fn table(all: &[Written<'_>]) -> String {
    let own: Vec<&str> = all
        .first()
        .map(|first| structure(first).map(|(name, _)| name).to_vec())
        .unwrap_or_default();
    let columns = columns(all, &own);
    let mut names = own.clone();
    names.extend(columns.iter().map(|column| column.name.as_str()));
    let mut out = String::new();
    row(&mut out, names.iter().map(|&name| field(name)));
    for (at, written) in all.iter().enumerate() {
        let own = structure(written).map(|(_, value)| shown(&value));
        let rest = columns.iter().map(|column| {
            let cell = column.cells[at].as_ref();
            cell.map_or_else(String::new, |cell| shown(&values(cell, column.of_atoms)))
        });
        row(&mut out, own.into_iter().chain(rest).map(|value| field(&value)));
    }
    out
}

fn row(out: &mut String, fields: impl Iterator<Item = String>) {
    out.push_str(&fields.collect::<Vec<_>>().join(","));
    out.push('\n');
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text.to_owned()
}
