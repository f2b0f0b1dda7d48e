//! Words that must not be in any text file: paths of one machine, hosts of package registries.
//!
//! The project is read and built on machines that share neither with ours.

use crate::finding::{Finding, is_test_file};
use crate::rust_text::{line_of, mask, test_ranges};
use crate::tree::{Tree, has_extension};

/// Written in halves, so that this file passes its own rule.
const MACHINE_PATHS: [&str; 3] =
    [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/tm", "p/")];
const REGISTRY_HOSTS: [&str; 6] = [
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("python", "hosted.org"),
    concat!("npm", "js.org"),
    concat!("npm", "js.com"),
    concat!("ana", "conda.org"),
];

/// Findings in every text file but lock files, which cargo writes.
pub(crate) fn findings(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, text) in tree.texts(|path| !path.ends_with("Cargo.lock")) {
        found.extend(machine_paths(path, text));
        for (at, host) in REGISTRY_HOSTS.iter().flat_map(|host| text.match_indices(host)) {
            let message = format!("names the registry host `{host}`");
            found.push(Finding::error(path, Some(line_of(text, at)), message));
        }
    }
    found
}

fn machine_paths(path: &str, text: &str) -> Vec<Finding> {
    let tests = if has_extension(path, "rs") { test_ranges(&mask(text)) } else { Vec::new() };
    let in_tests = |at| is_test_file(path) || tests.iter().any(|range| range.contains(&at));
    let places = MACHINE_PATHS.iter().flat_map(|machine| text.match_indices(machine));
    places
        .filter(|(at, _)| is_absolute(text, *at) && !in_tests(*at))
        .map(|(at, machine)| {
            let message = format!("`{machine}` is a path of one machine");
            Finding::error(path, Some(line_of(text, at)), message)
        })
        .collect()
}

/// Does a path start at `at`, rather than go on?
fn is_absolute(text: &str, at: usize) -> bool {
    text[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric() && !"._-}~/".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_one_machine_is_an_error_outside_tests() {
        let path = ["let p = \"", MACHINE_PATHS[2], "x\";\n"].concat();
        let source = format!("{path}#[cfg(test)]\nmod tests {{\n{path}}}\n");
        let tree = Tree::of(&[("data/src/a.rs", &source), ("data/tests/b.rs", &path)]);
        let found = findings(&tree);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].path.as_str(), found[0].line), ("data/src/a.rs", Some(1)));
    }

    #[test]
    fn a_relative_path_with_the_same_name_is_fine() {
        let tree = Tree::of(&[("a.md", concat!("see docs/wo", "rk/plan.md"))]);
        assert!(findings(&tree).is_empty());
    }

    #[test]
    fn a_registry_host_is_an_error_except_in_the_lock_file() {
        let tree = Tree::of(&[("a.md", REGISTRY_HOSTS[0]), ("Cargo.lock", REGISTRY_HOSTS[0])]);
        assert_eq!(findings(&tree).len(), 1);
    }
}
