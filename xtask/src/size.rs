//! Lines per crate, and every file and function over budget.
//!
//! The budgets are soft: a list for a reviewer. Only a file above [`FILE_LIMIT`] is an error, and
//! `tidy` is what makes it one.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;

use crate::finding::{Finding, is_test_file};
use crate::rust_text::{functions, lines_without_tests, mask};
use crate::tree::Tree;

/// Lines of a file without its tests above which it is listed.
pub(crate) const FILE_BUDGET: usize = 400;
/// Lines of a file without its tests above which it is an error.
pub(crate) const FILE_LIMIT: usize = 600;
/// Lines of a function above which it is listed.
pub(crate) const FUNCTION_BUDGET: usize = 60;

/// Prints the table and the list.
pub(crate) fn run(root: &Path) -> Result<()> {
    let tree = Tree::read(root)?;
    println!("{:<10} {:>6} {:>9} {:>9}", "crate", "files", "lines", "of tests");
    for (crate_name, total) in totals(&tree) {
        println!("{crate_name:<10} {:>6} {:>9} {:>9}", total.files, total.lines, total.test_lines);
    }
    let over = findings(&tree);
    println!("\n{} over budget", over.len());
    for finding in &over {
        println!("  {finding}");
    }
    Ok(())
}

/// Files and functions over budget; an error where a file is over the limit.
pub(crate) fn findings(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, text) in tree.rust().filter(|(path, _)| !is_test_file(path)) {
        let masked = mask(text);
        let lines = lines_without_tests(&masked);
        if lines > FILE_LIMIT {
            let message = format!("{lines} lines without tests; the limit is {FILE_LIMIT}: split");
            found.push(Finding::error(path, None, message));
        } else if lines > FILE_BUDGET {
            let message = format!("{lines} lines without tests; the budget is {FILE_BUDGET}");
            found.push(Finding::warning(path, None, message));
        }
        found.extend(functions(&masked).into_iter().filter_map(|function| {
            (function.num_lines > FUNCTION_BUDGET).then(|| {
                let (name, lines) = (function.name, function.num_lines);
                let message = format!("fn {name}: {lines} lines; the budget is {FUNCTION_BUDGET}");
                Finding::warning(path, Some(function.line), message)
            })
        }));
    }
    found
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Total {
    files: usize,
    lines: usize,
    test_lines: usize,
}

fn totals(tree: &Tree) -> BTreeMap<&str, Total> {
    let mut totals: BTreeMap<&str, Total> = BTreeMap::new();
    for (path, text) in tree.rust() {
        let Some((crate_name, _)) = path.split_once('/') else { continue };
        let total = totals.entry(crate_name).or_default();
        let lines = text.lines().count();
        let plain = if is_test_file(path) { 0 } else { lines_without_tests(&mask(text)) };
        total.files += 1;
        total.lines += plain;
        total.test_lines += lines - plain;
    }
    totals
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_listed_and_a_very_long_one_is_an_error() {
        let (long, very_long) = ("\n".repeat(401), "\n".repeat(601));
        let tree = Tree::of(&[("data/src/a.rs", &long), ("data/src/b.rs", &very_long)]);
        let found = findings(&tree);
        assert_eq!(found.len(), 2);
        assert!(!found[0].is_error && found[1].is_error);
    }

    #[test]
    fn tests_do_not_count_towards_the_budget() {
        let inline = format!("fn a() {{}}\n#[cfg(test)]\nmod tests {{{}}}\n", "\n".repeat(700));
        let file = "\n".repeat(700);
        let tree = Tree::of(&[("data/src/a.rs", &inline), ("data/src/a/tests.rs", &file)]);
        assert!(findings(&tree).is_empty());
        let total = &totals(&tree)["data"];
        assert_eq!((total.files, total.lines), (2, 1));
    }
}
