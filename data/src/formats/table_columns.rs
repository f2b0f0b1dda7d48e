//! What the first line of a table is, which column holds the text, and which what else is asked for.
//!
//! Nothing is guessed in silence: a first line that names no usual column may be a row, and two
//! columns that could both be the text are a question to the user.

use super::LabelColumns;
use crate::error::{DataError, Result};

/// Columns that hold the text where none was asked for.
const TELLING: [&str; 5] = ["text", "sequence", "seq", "smiles", "content"];
/// Columns that hold names where none was asked for.
pub(super) const NAMES: [&str; 4] = ["id", "name", "accession", "header"];
/// The column that holds measured values where none was asked for.
const MEASURED: [&str; 1] = ["measured"];
/// Other words that names of columns are made of.
const WORDS: [&str; 34] = [
    "abstract",
    "activity",
    "class",
    "column",
    "compound",
    "description",
    "dna",
    "document",
    "fitness",
    "gene",
    "index",
    "inchi",
    "inchikey",
    "label",
    "length",
    "molecule",
    "mutant",
    "mutation",
    "peptide",
    "protein",
    "reads",
    "rna",
    "score",
    "sentence",
    "sequences",
    "species",
    "split",
    "structure",
    "target",
    "taxonomy",
    "title",
    "value",
    "variant",
    "year",
];
/// Names that a message lists.
const SHOWN: usize = 30;

/// The words of a name of a column: `canonical_smiles` has two, `ProteinSequence` as well.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for letter in name.chars() {
        if !letter.is_alphanumeric() || (letter.is_uppercase() && before.is_lowercase()) {
            words.push(String::new());
        }
        if letter.is_alphanumeric() {
            words.last_mut().expect("never empty").extend(letter.to_lowercase());
        }
        before = letter;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether it is the name of a column as people write them, and not a value.
fn is_name(name: &str) -> bool {
    let known = |word: &str| [&TELLING[..], &NAMES, &MEASURED, &WORDS].concat().contains(&word);
    let words = words(name);
    words.len() <= 3 && words.iter().any(|word| known(word))
}

/// Whether the first line of a table names its columns.
///
/// # Errors
/// Nobody said so, and nothing in it tells.
pub(crate) fn is_header(
    file: &str,
    fields: &[String],
    stated: Option<bool>,
    asked: &[Option<&str>],
) -> Result<bool> {
    if let Some(stated) = stated {
        return Ok(stated);
    }
    // Who asks for a column by name has a header line; that it names others is found later.
    if asked.iter().any(Option::is_some) || fields.iter().any(|field| is_name(field)) {
        return Ok(true);
    }
    let shown: Vec<String> = fields.iter().take(3).map(|it| format!("`{}`", shorten(it))).collect();
    Err(DataError::Input {
        path: file.into(),
        place: ":1".to_owned(),
        problem: format!(
            "the first line ({}) names no usual column, so it may be a row as the others are",
            shown.join(", ")
        ),
        fix: "set `header` to false if it is a row, or to true if it names the columns".to_owned(),
    })
}

fn shorten(field: &str) -> String {
    let start: String = field.chars().take(24).collect();
    if start.len() < field.len() { start + "…" } else { start }
}

/// Places of names and of measured values among the columns; `None` where a table has none.
pub(crate) fn label_columns(
    file: &str,
    names: &[String],
    text: usize,
    asked: LabelColumns<'_>,
) -> Result<[Option<usize>; 2]> {
    let place = |asked: Option<&str>, usual: &[&str]| match asked {
        Some(asked) => named_column(file, names, asked).map(Some),
        None => Ok(usual.iter().find_map(|usual| {
            let found = names.iter().position(|name| name.eq_ignore_ascii_case(usual));
            found.filter(|&at| at != text)
        })),
    };
    Ok([place(asked.name, &NAMES)?, place(asked.measured, &MEASURED)?])
}

/// The column to read: the one asked for, else the only one, else the one with a telling name.
pub(crate) fn choose_column(file: &str, names: &[String], asked: Option<&str>) -> Result<usize> {
    if let Some(asked) = asked {
        return named_column(file, names, asked);
    }
    if names.len() == 1 {
        return Ok(0);
    }
    let places = |tells: &dyn Fn(&str) -> bool| -> Vec<usize> {
        (0..names.len()).filter(|&at| tells(&names[at])).collect()
    };
    let mut found = places(&|name| TELLING.iter().any(|it| name.eq_ignore_ascii_case(it)));
    if found.is_empty() {
        found = places(&|name| words(name).iter().any(|word| TELLING.contains(&word.as_str())));
    }
    let problem = match found[..] {
        [only] => return Ok(only),
        [] => "it is not clear which column holds the text".to_owned(),
        _ => {
            let both: Vec<String> = found.iter().map(|&at| format!("`{}`", names[at])).collect();
            format!("{} could each be the text", both.join(" and "))
        }
    };
    Err(no_column(file, names, problem))
}

fn named_column(file: &str, names: &[String], asked: &str) -> Result<usize> {
    let mut places = (0..names.len()).filter(|&at| names[at] == asked);
    match (places.next(), places.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => {
            let number = asked.parse::<usize>().is_ok();
            let hint = if number { "; columns have numbers where `header` is false" } else { "" };
            Err(no_column(file, names, format!("there is no column `{asked}`{hint}")))
        }
        (Some(_), Some(_)) => {
            let problem = format!("there are several columns `{asked}`");
            Err(no_column(file, names, problem))
        }
    }
}

fn no_column(file: &str, names: &[String], problem: String) -> DataError {
    let shown: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
    let more = if names.len() > SHOWN { ", …" } else { "" };
    DataError::Input {
        path: file.into(),
        place: String::new(),
        problem,
        fix: format!("set `column` to one of: {}{more}", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn a_first_line_is_a_header_when_a_name_in_it_is_known_or_asked_for() {
        let header = |fields: &[&str]| is_header("a.csv", &owned(fields), None, &[None]);
        for fields in [
            &["smiles"][..],
            &["x", "Canonical_SMILES"],
            &["Entry", "ProteinSequence"],
            &["protein"],
            &["", "text"],
            &["DMS score"],
        ] {
            assert!(header(fields).unwrap(), "{fields:?}");
        }
        for fields in [&["CCO"][..], &["MKVLAA", "1.5"], &["c1ccccc1 benzene"], &["0", "1"]] {
            let error = header(fields).unwrap_err().to_string();
            assert!(error.contains(fields[0]) && error.contains("header"), "{error}");
        }
        assert!(is_header("a.csv", &owned(&["CCO"]), None, &[Some("CCO")]).unwrap());
        assert!(!is_header("a.csv", &owned(&["text"]), Some(false), &[None]).unwrap());
    }

    #[test]
    fn two_columns_that_could_be_the_text_are_a_question() {
        let choose = |names: &[&str]| choose_column("a.csv", &owned(names), None);
        assert_eq!(choose(&["id", "canonical_smiles", "y"]).unwrap(), 1);
        assert_eq!(choose(&["raw_text", "text"]).unwrap(), 1, "the whole name counts first");
        for names in
            [&["text", "sequence"][..], &["SMILES", "smiles"], &["a_seq", "b_seq"], &["a", "b"]]
        {
            let error = choose(names).unwrap_err().to_string();
            assert!(error.contains(names[0]) && error.contains(names[1]), "{error}");
        }
        let twice = choose_column("a.csv", &owned(&["x", "x"]), Some("x")).unwrap_err();
        assert!(twice.to_string().contains("several columns `x`"));
    }
}
