//! Rules on Rust files: a header on every module, names that say something, no unfinished code,
//! tests named as claims.

use crate::finding::Finding;
use crate::rust_text::{functions, is_word, line_of, mask};
use crate::tree::Tree;

/// Names under which anything can hide.
const EMPTY_NAMES: [&str; 11] = [
    "utils", "util", "common", "base", "helpers", "helper", "misc", "manager", "stuff", "core",
    "lib2",
];
const UNFINISHED: [&str; 3] = ["todo!", "dbg!", "unimplemented!"];
const WORDS_OF_A_TEST_NAME: usize = 3;

/// Every finding in every Rust file.
pub(crate) fn findings(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, text) in tree.rust() {
        let masked = mask(text);
        found.extend(header(path, text));
        found.extend(empty_name(path));
        found.extend(unfinished(path, &masked));
        found.extend(test_names(path, &masked));
    }
    found
}

fn header(path: &str, text: &str) -> Option<Finding> {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let message = "starts without `//!`: say what this file is, why, and what it does not do";
    (!first.starts_with("//!")).then(|| Finding::error(path, Some(1), message.into()))
}

fn empty_name(path: &str) -> Option<Finding> {
    let mut names = path.split('/').map(|part| part.trim_end_matches(".rs"));
    let name = names.find(|name| EMPTY_NAMES.contains(name))?;
    let message = format!("`{name}` says nothing: name the file after what it holds");
    Some(Finding::error(path, None, message))
}

fn unfinished(path: &str, masked: &str) -> Vec<Finding> {
    let places = UNFINISHED.iter().flat_map(|word| masked.match_indices(word));
    places
        .filter(|(at, _)| *at == 0 || !is_word(masked.as_bytes()[at - 1]))
        .map(|(at, word)| {
            Finding::error(path, Some(line_of(masked, at)), format!("`{word}` is unfinished code"))
        })
        .collect()
}

fn test_names(path: &str, masked: &str) -> Vec<Finding> {
    let tests = functions(masked).into_iter().filter(|function| function.is_test);
    let short = tests.filter(|test| {
        test.name.split('_').filter(|word| !word.is_empty()).count() < WORDS_OF_A_TEST_NAME
    });
    short
        .map(|test| {
            let message = format!("test `{}`: a name is a claim of three words or more", test.name);
            Finding::error(path, Some(test.line), message)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(path: &str, text: &str) -> Vec<String> {
        findings(&Tree::of(&[(path, text)])).into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn a_file_without_header_is_an_error() {
        assert_eq!(messages("data/src/card.rs", "use std::fs;\n").len(), 1);
        assert!(messages("data/src/card.rs", "\n//! The card.\n").is_empty());
    }

    #[test]
    fn a_name_that_says_nothing_is_an_error() {
        assert_eq!(messages("data/src/utils.rs", "//! X.\n").len(), 1);
        assert_eq!(messages("data/src/common/a.rs", "//! X.\n").len(), 1);
        assert!(messages("data/src/database.rs", "//! X.\n").is_empty());
    }

    #[test]
    fn unfinished_code_is_found_but_not_in_text() {
        let source =
            ["//! X.\nfn f() { ", "to", "do!() }\nfn g() { \"", "to", "do!\"; }\n"].concat();
        assert_eq!(messages("data/src/a.rs", &source).len(), 1);
    }

    #[test]
    fn a_short_test_name_is_an_error() {
        let source = "//! X.\n#[test]\nfn it_works() {}\n#[test]\nfn every_byte_survives() {}\n";
        let found = messages("data/src/a.rs", source);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("it_works"));
    }
}
