//! A structure as extended XYZ: the comment line, then one line an atom.

use std::fmt::Write as _;

use genesis_data::formats::raw_frame::Values;
use genesis_schema::atoms::Matrix;
use genesis_schema::elements::symbol;

use super::Written;
use super::entries::{Entry, entries};

/// Appends a structure.
pub(super) fn append(out: &mut String, written: &Written<'_>) {
    let frame = written.frame;
    let (columns, info): (Vec<Entry>, Vec<Entry>) =
        entries(written).into_iter().partition(|entry| entry.of_atoms);
    let _ = writeln!(out, "{}", frame.atomic_numbers.len());
    comment(out, written, &columns, &info);
    for (atom, (&number, position)) in frame.atomic_numbers.iter().zip(&frame.positions).enumerate()
    {
        out.push_str(symbol(number));
        for value in position {
            let _ = write!(out, " {value}");
        }
        for Entry { column, .. } in &columns {
            for at in column.width * atom..column.width * (atom + 1) {
                let _ = write!(out, " {}", word(&column.values, at));
            }
        }
        out.push('\n');
    }
}

fn comment(out: &mut String, written: &Written<'_>, columns: &[Entry], info: &[Entry]) {
    let frame = written.frame;
    // A cell that is not repeated is still the cell that came in.
    if frame.periodic != [false; 3] || frame.cell != [[0.0; 3]; 3] {
        let _ = write!(out, "Lattice=\"{}\" ", joined(&frame.cell));
    }
    let mut properties = "species:S:1:pos:R:3".to_owned();
    for Entry { name, column, .. } in columns {
        let letter = match column.values {
            Values::Real(_) => 'R',
            Values::Integer(_) => 'I',
            Values::Truth(_) => 'L',
            Values::Text(_) => 'S',
        };
        let _ = write!(properties, ":{}:{letter}:{}", name.replace(':', "_"), column.width);
    }
    let _ = write!(
        out,
        "Properties={}",
        if plain(&properties) { properties } else { quoted(&properties) }
    );
    for entry in info {
        let _ = write!(out, " {}={}", quoted(&entry.name), value(entry));
    }
    let [a, b, c] = frame.periodic.map(|on| if on { 'T' } else { 'F' });
    let _ = writeln!(out, " pbc=\"{a} {b} {c}\"");
}

fn joined(matrix: &Matrix) -> String {
    let numbers: Vec<String> = matrix.iter().flatten().map(ToString::to_string).collect();
    numbers.join(" ")
}

fn word(values: &Values, at: usize) -> String {
    match values {
        Values::Real(all) => all[at].to_string(),
        Values::Integer(all) => all[at].to_string(),
        Values::Truth(all) => if all[at] { "T" } else { "F" }.to_owned(),
        Values::Text(all) => all[at].clone(),
    }
}

/// A value of the comment line; a text as it was spelled.
fn value(entry: &Entry) -> String {
    match &entry.spelled {
        Some(text) if is_list(text) => text.clone(),
        Some(text) => quoted(text),
        None => {
            let values = &entry.column.values;
            let words: Vec<String> = (0..values.len()).map(|at| word(values, at)).collect();
            quoted(&words.join(" "))
        }
    }
}

/// Whether brackets enclose the whole text, so that it stands for itself.
fn is_list(text: &str) -> bool {
    let mut depth = 0i64;
    let closed_early = text.char_indices().any(|(at, c)| {
        depth += match c {
            '[' | '{' => 1,
            ']' | '}' => -1,
            _ => 0,
        };
        depth <= 0 && at + c.len_utf8() < text.len()
    });
    depth == 0 && !closed_early && text.len() > 1 && !text.contains(['"', '\'', '\\'])
}

fn plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-.+:".contains(c))
}

/// A word, or a text in quotes; quotes, backslashes and line ends inside are escaped.
fn quoted(text: &str) -> String {
    if plain(text) {
        return text.to_owned();
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}
