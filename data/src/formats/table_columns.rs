//! Which column of a table holds the text.

use crate::error::{DataError, Result};

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
