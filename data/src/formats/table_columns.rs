//! Which column of a table holds the text, and which what else is asked for.

use super::LabelColumns;
use crate::error::{DataError, Result};

/// Columns that hold names where none was asked for.
const NAMES: [&str; 4] = ["id", "name", "accession", "header"];
/// The column that holds measured values where none was asked for.
const MEASURED: [&str; 1] = ["measured"];

/// Places of names and of measured values among the columns; `None` where a table has none.
pub(crate) fn label_columns(
    file: &str,
    names: &[String],
    text: usize,
    asked: LabelColumns<'_>,
) -> Result<[Option<usize>; 2]> {
    let place = |asked: Option<&str>, usual: &[&str]| match asked {
        Some(_) => choose_column(file, names, asked).map(Some),
        None => Ok(usual.iter().find_map(|usual| {
            let found = names.iter().position(|name| name.eq_ignore_ascii_case(usual));
            found.filter(|&at| at != text)
        })),
    };
    Ok([place(asked.name, &NAMES)?, place(asked.measured, &MEASURED)?])
}

/// The column to read: the one asked for, else the only one, else one with a telling name.
pub(crate) fn choose_column(file: &str, names: &[String], asked: Option<&str>) -> Result<usize> {
    const TELLING: [&str; 5] = ["text", "sequence", "seq", "smiles", "content"];
    let place = |wanted: &str| names.iter().position(|name| name.eq_ignore_ascii_case(wanted));
    let found = match asked {
        Some(asked) => names.iter().position(|name| name == asked),
        None if names.len() == 1 => Some(0),
        None => TELLING.into_iter().find_map(place),
    };
    found.ok_or_else(|| {
        let shown: Vec<&str> = names.iter().take(30).map(String::as_str).collect();
        let problem = match asked {
            Some(asked) => format!("there is no column `{asked}`"),
            None => "it is not clear which column holds the text".to_owned(),
        };
        DataError::Input {
            path: file.into(),
            place: String::new(),
            problem,
            fix: format!("set `column` to one of: {}", shown.join(", ")),
        }
    })
}
