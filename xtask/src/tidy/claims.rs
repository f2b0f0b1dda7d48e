//! Names that pages quote: a test named as the guard of an invariant exists, so does every path, and
//! no page was left with a hole to be filled.

use std::collections::BTreeSet;

use crate::finding::Finding;
use crate::rust_text::{functions, mask};
use crate::tree::Tree;

/// Whose backticked names of three or more words are tests.
const PAGE: &str = "ARCHITECTURE.md";
/// Pages that tell of the past, when other paths were there.
const HISTORY: [&str; 2] = ["CHANGELOG.md", "benches/records/"];
const WORDS_OF_A_TEST_NAME: usize = 3;

/// Tests and paths that pages name and nobody wrote; holes such as `@BUILD@` in any page.
pub(crate) fn findings(tree: &Tree) -> Vec<Finding> {
    let mut found = unknown_tests(tree);
    found.extend(unknown_paths(tree));
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

/// Paths in backticks that start with a folder of the project, and those of the map's list, where a
/// line that starts with `src/` belongs to the folder named last at the margin.
fn unknown_paths(tree: &Tree) -> Vec<Finding> {
    let is_history = |page: &str| HISTORY.iter().any(|start| page.starts_with(start));
    let pages = tree.markdown().filter(|(page, _)| !is_history(page));
    pages.flat_map(|(page, text)| paths_of(tree, page, text)).collect()
}

fn paths_of(tree: &Tree, page: &str, text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut folder = "";
    for (index, line) in text.lines().enumerate() {
        let margin = line.split(' ').next().unwrap_or_default();
        folder = if margin.ends_with('/') { margin } else { folder };
        let listed = line.split("  ").map(str::trim).filter(|word| word.starts_with("src/"));
        let listed = listed.map(|word| format!("{folder}{word}"));
        let quoted = line.split('`').skip(1).step_by(2);
        let quoted = quoted.map(|word| word.split("::").next().unwrap_or_default().to_owned());
        let is_path = |path: &String| {
            !path.contains([' ', '<', '*'])
                && path.split_once('/').is_some_and(|(first, _)| tree.has(first))
        };
        for path in listed.chain(quoted).filter(is_path).filter(|path| !tree.has(path)) {
            found.push(Finding::error(page, Some(index + 1), format!("there is no `{path}`")));
        }
    }
    found
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
    fn a_path_of_the_map_that_is_not_there_is_an_error() {
        let page = "```text\ndata/      raw files\n  src/a.rs  src/b/    what\n  src/gone.rs         what\n\
                    ```\nSee `data/src/b/`, `data/src/lost.rs::f`, `other/x`, `mod.rs` and `data/<any>`.\n";
        let files = [("ARCHITECTURE.md", page), ("data/src/a.rs", ""), ("data/src/b/c.rs", "")];
        let found = findings(&Tree::of(&files));
        let told: Vec<_> = found.iter().map(|f| (f.line, f.message.as_str())).collect();
        let want = [(4, "there is no `data/src/gone.rs`"), (6, "there is no `data/src/lost.rs`")];
        assert_eq!(told, want.map(|(line, message)| (Some(line), message)));
    }

    #[test]
    fn a_hole_in_a_page_is_an_error_and_an_address_is_not() {
        let tree = Tree::of(&[("README.md", "took @BUILD@.\nwrite to me@x.org or you@y.org\n")]);
        let found = findings(&tree);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, Some(1));
    }
}
