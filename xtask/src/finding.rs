//! What a check found: a place, what is wrong, and whether that fails the check.

use std::fmt;

use anyhow::{Result, bail};

/// A place that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Relative to the workspace root.
    pub(crate) path: String,
    /// One-based, when the rule is about a line.
    pub(crate) line: Option<usize>,
    /// What is wrong and what would fix it.
    pub(crate) message: String,
    /// Fails the check; otherwise it is only listed.
    pub(crate) is_error: bool,
}

impl Finding {
    /// A finding that fails the check.
    pub(crate) fn error(path: &str, line: Option<usize>, message: String) -> Self {
        Self { path: path.to_owned(), line, message, is_error: true }
    }

    /// A finding that is listed for a reviewer.
    pub(crate) fn warning(path: &str, line: Option<usize>, message: String) -> Self {
        Self { path: path.to_owned(), line, message, is_error: false }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = if self.is_error { "error" } else { "warning" };
        match self.line {
            Some(line) => write!(f, "{level}: {}:{line}: {}", self.path, self.message),
            None => write!(f, "{level}: {}: {}", self.path, self.message),
        }
    }
}

/// Prints warnings, then errors; fails when there is an error.
pub(crate) fn report(task: &str, found: &[Finding]) -> Result<()> {
    let (errors, warnings): (Vec<_>, Vec<_>) = found.iter().partition(|finding| finding.is_error);
    warnings.iter().chain(&errors).for_each(|finding| println!("{finding}"));
    if !errors.is_empty() {
        bail!("{task}: {} errors, {} warnings", errors.len(), warnings.len());
    }
    println!("{task}: no errors, {} warnings", warnings.len());
    Ok(())
}

/// Is the whole file test code: `tests.rs`, `…_tests.rs`, or anything in a folder called `tests`?
pub(crate) fn is_test_file(path: &str) -> bool {
    ["/tests.rs", "_tests.rs", "/testing.rs"].iter().any(|end| path.ends_with(end))
        || path.split('/').any(|part| part == "tests")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_pass_and_errors_fail() {
        assert!(report("tidy", &[Finding::warning("a.rs", None, "long".into())]).is_ok());
        let found = [Finding::error("a.rs", Some(3), "no header".into())];
        assert!(report("tidy", &found).unwrap_err().to_string().contains("1 errors"));
        assert_eq!(found[0].to_string(), "error: a.rs:3: no header");
    }

    #[test]
    fn test_files_are_told_by_their_place() {
        assert!(is_test_file("kernels/src/families/norm/tests.rs"));
        assert!(is_test_file("train/tests/resume/support.rs"));
        assert!(!is_test_file("schema/src/tests_of_life.rs"));
    }
}
