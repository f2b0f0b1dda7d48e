//! Names that pages quote: a test named as the guard of an invariant exists, and no page was left
//! with a hole to be filled.

use std::collections::BTreeSet;

use crate::finding::Finding;
use crate::rust_text::{functions, mask};
use crate::tree::Tree;

/// Whose backticked names of three or more words are tests.
const PAGE: &str = "ARCHITECTURE.md";
const WORDS_OF_A_TEST_NAME: usize = 3;

/// Tests that the map names and nobody wrote; holes such as `@BUILD@` in any page.
pub(crate) fn findings(tree: &Tree) -> Vec<Finding> {
    let mut found = unknown_tests(tree);
    for (path, text) in tree.markdown() {
        for (index, line) in text.lines().enumerate().filter(|(_, line)| has_hole(line)) {
            let message = format!("a hole to be filled: {}", line.trim());
            found.push(Finding::error(path, Some(index + 1), message));
        }
    }
    found
}

fn unknown_tests(tree: &Tree) -> Vec<Finding> {
    let Some(page) = tree.files.get(PAGE).and_then(|entry| entry.text.as_deref()) else {
        return Vec::new();
    };
    let known: BTreeSet<String> = tree
        .rust()
        .flat_map(|(_, text)| functions(&mask(text)))
        .filter(|function| function.is_test)
        .map(|function| function.name)
        .collect();
    let rows = page.lines().enumerate().filter(|(_, line)| line.starts_with('|'));
    let quoted = rows.flat_map(|(index, line)| {
        line.split('`').skip(1).step_by(2).map(move |name| (index + 1, name))
    });
    quoted
        .filter(|(_, name)| is_test_name(name) && !known.contains(*name))
        .map(|(line, name)| Finding::error(PAGE, Some(line), format!("no test is called `{name}`")))
        .collect()
}

/// Lower-case words joined by underscores, more of them than a lint has.
fn is_test_name(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && name.split('_').filter(|word| !word.is_empty()).count() >= WORDS_OF_A_TEST_NAME
}

/// A word of capitals between two `@`.
fn has_hole(line: &str) -> bool {
    line.split('@')
        .skip(1)
        .step_by(2)
        .any(|word| word.len() > 1 && word.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'))
        && line.matches('@').count() > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_test_that_nobody_wrote_is_an_error() {
        let page =
            "| a | `a_claim_that_holds` |\n| b | `a_claim_nobody_checks`, lint `print_stdout` |\n";
        let source = "//! X.\n#[test]\nfn a_claim_that_holds() {}\n";
        let found = findings(&Tree::of(&[("ARCHITECTURE.md", page), ("data/src/a.rs", source)]));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, Some(2));
    }

    #[test]
    fn a_hole_in_a_page_is_an_error_and_an_address_is_not() {
        let tree = Tree::of(&[("README.md", "took @BUILD@.\nwrite to me@x.org or you@y.org\n")]);
        let found = findings(&tree);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, Some(1));
    }
}
