//! Lines per crate, of code, of comments and of tests, and every file and function over budget.
//!
//! A line of code has something that is not comment; a blank line counts nowhere. Of tests are all
//! lines of test files and of `#[cfg(test)]` items, but for their comments. CUDA and WGSL are apart.
//!
//! The budgets are soft: a list for a reviewer. Only a file above [`FILE_LIMIT`] is an error, and
//! `tidy` is what makes it one.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;

use crate::finding::{Finding, is_test_file};
use crate::rust_text::{functions, lines_without_tests, mask, mask_comments, test_ranges};
use crate::tree::{Tree, has_extension};

/// Lines of a file without its tests above which it is listed.
pub(crate) const FILE_BUDGET: usize = 400;
/// Lines of a file without its tests above which it is an error.
pub(crate) const FILE_LIMIT: usize = 600;
/// Lines of a function above which it is listed.
pub(crate) const FUNCTION_BUDGET: usize = 60;

/// Prints the table and the list.
pub(crate) fn run(root: &Path) -> Result<()> {
    let tree = Tree::read(root)?;
    println!("{:<16} {:>6} {:>8} {:>9} {:>8}", "crate", "files", "code", "comments", "of tests");
    let mut all = Total::default();
    for (name, total) in totals(&tree) {
        total.print(&name);
        all.add(&total);
    }
    all.print("all");
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
    code: usize,
    comments: usize,
    test_code: usize,
}

impl Total {
    fn of(path: &str, text: &str) -> Self {
        let (all, tests) = (is_test_file(path), test_ranges(&mask(text)));
        let mut total = Self { files: 1, ..Self::default() };
        let mut at = 0;
        for (line, code) in text.split_inclusive('\n').zip(mask_comments(text).lines()) {
            let is_test = all || tests.iter().any(|range| range.contains(&at));
            match (code.trim().is_empty(), line.trim().is_empty()) {
                (true, true) => {}
                (true, false) => total.comments += 1,
                (false, _) if is_test => total.test_code += 1,
                (false, _) => total.code += 1,
            }
            at += line.len();
        }
        total
    }

    fn add(&mut self, other: &Self) {
        self.files += other.files;
        self.code += other.code;
        self.comments += other.comments;
        self.test_code += other.test_code;
    }

    fn print(&self, name: &str) {
        let Self { files, code, comments, test_code } = self;
        println!("{name:<16} {files:>6} {code:>8} {comments:>9} {test_code:>8}");
    }
}

/// Of each crate, and of its kernels in other languages.
fn totals(tree: &Tree) -> BTreeMap<String, Total> {
    let mut totals: BTreeMap<String, Total> = BTreeMap::new();
    for language in ["rs", "cu", "cuh", "wgsl"] {
        for (path, text) in tree.texts(|path| has_extension(path, language)) {
            let Some((name, _)) = path.split_once('/') else { continue };
            let name = if language == "rs" { name.into() } else { format!("{name} .{language}") };
            totals.entry(name).or_default().add(&Total::of(path, text));
        }
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
        assert_eq!(totals(&tree)["data"], Total { files: 2, code: 1, comments: 0, test_code: 3 });
    }

    #[test]
    fn comments_and_blank_lines_are_not_code_and_strings_are() {
        let source = "//! X.\n\n/* a\n b */\nlet a = \"\nx // y\n\"; // z\n";
        let want = Total { files: 1, code: 3, comments: 3, test_code: 0 };
        assert_eq!(Total::of("data/src/a.rs", source), want);
    }
}
