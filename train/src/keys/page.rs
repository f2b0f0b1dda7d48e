//! The page of every key, written from the documentation of the structs that read them.
//!
//! A schema of a run file becomes Markdown: a heading a table, a row a key. Tables that are the same
//! in every family stand once. Not here: which families there are.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::Value;

use super::schema::{Node, Shape};

/// Head of the page; what follows is made from the structs.
const HEAD: &str = "\
# Every key of a run file

Written by `genesis plan --keys page` from the structs that read the file. How a run file is read,
with examples: [Configuration](../guides/configuration.md).

A key without a default is required; `none` means that it may be left out. In `${NAME}` paths take a
variable of the environment.
";

/// The page of a schema of run files.
pub fn page(schema: &Value) -> String {
    let files = Node::alternatives(schema);
    let tables: Vec<Vec<String>> = files.iter().map(tables).collect();
    let (shared, own): (Vec<&String>, Vec<&String>) =
        tables.iter().flatten().partition(|text| tables.iter().all(|tables| tables.contains(text)));
    let mut written = BTreeSet::new();
    let mut out = format!("{HEAD}\n## Of every run\n");
    shared.iter().filter(|text| written.insert(**text)).for_each(|text| out.push_str(text));
    for (file, tables) in files.iter().zip(&tables) {
        let _ = writeln!(out, "\n## Of runs with `model.kind` = {}", kinds_of_models(file));
        tables.iter().filter(|text| own.contains(text)).for_each(|text| out.push_str(text));
    }
    out + &resuming(&files)
}

/// Every table of a run file as its part of the page.
fn tables(file: &Node<'_>) -> Vec<String> {
    file.keys().iter().map(|(name, table)| table_text(name, table)).collect()
}

fn kinds_of_models(file: &Node<'_>) -> String {
    let model = file.keys().into_iter().find(|(name, _)| *name == "model");
    let kinds = match model.map(|(_, model)| model.shape()) {
        Some(Shape::Kinds(_, kinds)) => kinds,
        _ => Vec::new(),
    };
    kinds.iter().map(|(kind, _)| format!("`\"{kind}\"`")).collect::<Vec<_>>().join(", ")
}

fn table_text(name: &str, table: &Node<'_>) -> String {
    let mut out = format!("\n### `[{name}]`\n\n{}{}", heading(table), resume(table));
    match (table.shape(), table.default()) {
        (Shape::Kinds(..), Some(default)) => {
            let _ = write!(out, " Without the table: `{}`.", toml(default));
        }
        _ if !table.required => out.push_str(" The table may be left out."),
        _ => {}
    }
    out.push('\n');
    match table.shape() {
        Shape::Kinds(tag, kinds) => {
            for (kind, variant) in kinds {
                let _ = write!(out, "\n#### `{tag} = \"{kind}\"`\n\n{}\n", variant.meaning());
                out.push_str(&rows_text(&variant, tag));
            }
        }
        _ => out.push_str(&rows_text(table, "")),
    }
    out
}

/// The words of the place and those of the type, unless they are the same.
fn heading(table: &Node<'_>) -> String {
    let (meaning, details) = (table.meaning(), table.details());
    let is_more = !details.is_empty() && !meaning.eq_ignore_ascii_case(&details);
    if !is_more {
        return meaning;
    }
    let mut letters = details.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    format!("{meaning} {}{}", first.unwrap_or_default(), letters.as_str())
}

/// A table of Markdown; nothing for a table without keys.
fn rows_text(table: &Node<'_>, tag: &str) -> String {
    let mut rows = Vec::new();
    keys(table, "", tag, &mut rows);
    if rows.is_empty() {
        return String::new();
    }
    let head = "\n| key | type | default | meaning |\n|---|---|---|---|\n";
    rows.into_iter().fold(head.to_owned(), |text, row| text + &row)
}

/// A row for every key of `table` but `tag`, and for those of tables inside.
fn keys(table: &Node<'_>, path: &str, tag: &str, rows: &mut Vec<String>) {
    for (name, key) in table.keys().into_iter().filter(|(name, _)| *name != tag) {
        let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        let (meaning, resume) = (key.meaning(), resume(&key));
        let choices = choices(&key);
        rows.push(format!(
            "| `{path}` | {} | {} | {} |\n",
            kind(&key),
            default(&key),
            cell(&format!("{meaning}{choices}{resume}"))
        ));
        match key.shape() {
            Shape::Table => keys(&key, &path, "", rows),
            Shape::Kinds(tag, kinds) => keys_of_kinds(&kinds, &path, tag, rows),
            Shape::Choices(_) => {
                for (name, table) in key.tables_to_choose() {
                    keys(&table, &format!("{path}.{name}"), "", rows);
                }
            }
            Shape::Map(item) if matches!(item.shape(), Shape::Table) => {
                keys(&item, &format!("{path}.NAME"), "", rows);
            }
            Shape::List(item) if matches!(item.shape(), Shape::Table) => {
                keys(&item, &format!("{path}[]"), "", rows);
            }
            _ => {}
        }
    }
}

/// Keys of a table with kinds: a key that several kinds have in the same words is one row.
fn keys_of_kinds(kinds: &[(&str, Node<'_>)], path: &str, tag: &str, rows: &mut Vec<String>) {
    let mut found: Vec<(String, Vec<&str>)> = Vec::new();
    for (kind, variant) in kinds {
        let mut of_kind = Vec::new();
        keys(variant, path, tag, &mut of_kind);
        for row in of_kind {
            match found.iter_mut().find(|(text, _)| *text == row) {
                Some((_, kinds)) => kinds.push(kind),
                None => found.push((row, vec![kind])),
            }
        }
    }
    for (row, kinds) in found {
        let of = kinds.iter().map(|kind| format!("`{kind}`")).collect::<Vec<_>>().join(", ");
        let end = row.trim_end_matches(" |\n");
        rows.push(format!("{end} Of {of}. |\n"));
    }
}

/// What may be written.
fn kind(key: &Node<'_>) -> String {
    match key.shape() {
        Shape::Table | Shape::Kinds(..) => "table".to_owned(),
        Shape::Choices(all) if all.iter().any(|(word, _)| word.contains('{')) => {
            "word or table".to_owned()
        }
        Shape::Choices(_) => "word".to_owned(),
        Shape::List(item) => format!("list of {}s", kind(&item).trim_end_matches('s')),
        Shape::Map(value) => format!("table of {}", kind(&value)),
        Shape::Plain(kind) => match kind {
            "integer" => "whole number",
            "boolean" => "`true` or `false`",
            "string" => "text",
            other => other,
        }
        .to_owned(),
    }
}

/// The words or kinds to choose from, each with its meaning.
fn choices(key: &Node<'_>) -> String {
    let choices: Vec<(String, String)> = match key.shape() {
        Shape::Choices(all) => all,
        Shape::Kinds(tag, kinds) => {
            let kind = |(kind, node): (&str, Node<'_>)| {
                (format!("`{{ {tag} = \"{kind}\" }}`"), node.meaning())
            };
            kinds.into_iter().map(kind).collect()
        }
        Shape::List(item) => return choices(&item),
        _ => return String::new(),
    };
    let texts = choices
        .into_iter()
        .map(|(word, meaning)| format!("{word}: {}", meaning.trim_end_matches('.')));
    format!(" {}.", texts.collect::<Vec<_>>().join("; "))
}

fn default(key: &Node<'_>) -> String {
    match key.default() {
        Some(value) => format!("`{}`", cell(&toml(value))),
        None if key.required => String::new(),
        None => "none".to_owned(),
    }
}

/// A value as it is written in a run file.
fn toml(value: &Value) -> String {
    match value {
        Value::Object(values) if values.is_empty() => "{}".to_owned(),
        Value::Object(values) => {
            let pairs = values.iter().map(|(key, value)| format!("{key} = {}", toml(value)));
            format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
        }
        Value::Array(values) => {
            format!("[{}]", values.iter().map(toml).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

fn resume(node: &Node<'_>) -> String {
    node.may_change()
        .map_or_else(String::new, |reason| format!(" *May change on resuming: {reason}.*"))
}

/// Text that does not end a cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// The keys that may change, and how.
fn resuming(files: &[Node<'_>]) -> String {
    let mut out =
        "\n## What may change on resuming\n\nEverything else must be as in the checkpoint.\n\n\
                   | key | how far, and why |\n|---|---|\n"
            .to_owned();
    let all: BTreeMap<String, &str> = files.iter().flat_map(Node::keys_that_may_change).collect();
    for (key, reason) in all {
        let _ = writeln!(out, "| `{key}` | {reason} |");
    }
    out
}
