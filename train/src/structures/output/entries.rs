//! What is written of a structure beside its atoms, positions and cell: named values, in one order.

use std::collections::BTreeMap;

use genesis_data::formats::raw_frame::{Column, RawFrame, Value, Values};
use genesis_data::structures::ingest::{UNITS, UNITS_KEY};
use genesis_schema::atoms::{Matrix, Vector};

use super::Written;

/// Something that was computed for a structure, under its name.
#[derive(Debug, Clone, PartialEq)]
pub enum Named {
    /// A number of the structure.
    Number(String, f64),
    /// A whole number of the structure.
    Count(String, u64),
    /// Nine numbers of the structure.
    Tensor(String, Matrix),
    /// Three numbers of each atom.
    Vectors(String, Vec<Vector>),
}

impl Named {
    fn entry(&self) -> Entry {
        let (name, of_atoms, width, numbers) = match self {
            Self::Count(name, count) => {
                let values = Values::Integer(vec![i64::try_from(*count).unwrap_or(i64::MAX)]);
                let column = Column { width: 1, values };
                return Entry { name: name.clone(), of_atoms: false, column, spelled: None };
            }
            Self::Number(name, number) => (name, false, 1, vec![*number]),
            Self::Tensor(name, rows) => (name, false, 9, rows.as_flattened().to_vec()),
            Self::Vectors(name, rows) => (name, true, 3, rows.as_flattened().to_vec()),
        };
        let column = Column { width, values: Values::Real(numbers) };
        Entry { name: name.clone(), of_atoms, column, spelled: None }
    }
}

/// A named value of a structure or of each of its atoms.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    /// Its key.
    pub(super) name: String,
    /// Each atom has `width` values, or the structure has.
    pub(super) of_atoms: bool,
    /// The values.
    pub(super) column: Column,
    /// How a text file spells it.
    pub(super) spelled: Option<String>,
}

impl Entry {
    fn of_info(name: &str, value: &Value) -> Self {
        let (values, spelled) = match value {
            Value::Numbers(numbers) => (Values::Real(numbers.clone()), None),
            Value::Truths(truths) => (Values::Truth(truths.clone()), None),
            Value::Text(text) => (typed(text), Some(text.clone())),
        };
        let column = Column { width: values.len(), values };
        Self { name: name.to_owned(), of_atoms: false, column, spelled }
    }

    fn of_columns(name: &str, column: Column) -> Self {
        Self { name: name.to_owned(), of_atoms: true, column, spelled: None }
    }
}

/// Everything in its order: what came in by name, then results, then the units.
pub(super) fn entries(written: &Written<'_>) -> Vec<Entry> {
    let results: Vec<Entry> = written.results.iter().map(Named::entry).collect();
    let replaced = |name: &str| results.iter().any(|entry| entry.name == name);
    let outdated = |name: &str| written.outdated.contains(&name) || name == UNITS_KEY;
    let mut all: BTreeMap<&str, Entry> = BTreeMap::new();
    let RawFrame { info, vectors, columns, .. } = written.raw;
    for (name, value) in info {
        all.insert(name, Entry::of_info(name, value));
    }
    for (name, column) in columns {
        all.insert(name, Entry::of_columns(name, column.clone()));
    }
    for (name, rows) in vectors.iter().filter(|(name, _)| !is_tensor(name, info)) {
        let values = Values::Real(rows.as_flattened().to_vec());
        all.insert(name, Entry::of_columns(name, Column { width: 3, values }));
    }
    let chosen = Value::Text(written.frame.head.clone());
    if !written.frame.head.is_empty() && !info.contains_key("head") {
        all.insert("head", Entry::of_info("head", &chosen));
    }
    let kept = all.into_values().filter(|it| !outdated(&it.name) && !replaced(&it.name));
    let mut kept: Vec<Entry> = kept.collect();
    kept.extend(results);
    kept.push(Entry::of_info(UNITS_KEY, &Value::Text(UNITS.to_owned())));
    kept
}

/// Nine numbers of three atoms may be a tensor: its name tells.
fn is_tensor(name: &str, info: &BTreeMap<String, Value>) -> bool {
    let name_of_tensor = ["stress", "virial"].iter().any(|it| name.to_lowercase().contains(it));
    name_of_tensor && info.contains_key(name)
}

/// Numbers and truths of a text. A number that would not be spelled so again, such as `007`, is a
/// name and stays text.
fn typed(text: &str) -> Values {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let leads_with_zero = |word: &&str| {
        let digits = word.trim_start_matches(['-', '+']);
        digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.")
    };
    if words.is_empty() || words.iter().any(leads_with_zero) {
        return Values::Text(vec![text.to_owned()]);
    }
    // Beyond 2^53 tables round what JSON keeps.
    let whole = |word: &&str| word.parse::<i64>().ok().filter(|x| x.abs() < 1 << 53);
    if let Some(numbers) = words.iter().map(whole).collect() {
        return Values::Integer(numbers);
    }
    let truth = |word: &&str| match *word {
        "T" | "True" | "true" => Some(true),
        "F" | "False" | "false" => Some(false),
        _ => None,
    };
    if let Some(truths) = words.iter().map(truth).collect() {
        return Values::Truth(truths);
    }
    let number = |word: &&str| {
        let begins = word.trim_start_matches(['-', '+']).starts_with(|c: char| c.is_ascii_digit());
        word.parse::<f64>().ok().filter(|x| begins && x.is_finite())
    };
    let exact = words.iter().all(|word| word.len() <= 24 && word.parse::<i64>().is_err());
    match words.iter().map(number).collect() {
        Some(numbers) if exact || words.len() > 1 => Values::Real(numbers),
        _ => match Value::Text(text.to_owned()).numbers() {
            Some(numbers) if text.starts_with(['[', '{', '(']) => Values::Real(numbers),
            _ => Values::Text(vec![text.to_owned()]),
        },
    }
}
