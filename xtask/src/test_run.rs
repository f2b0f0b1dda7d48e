//! Runs the tests of the workspace and counts what ran and what was skipped.
//!
//! `cargo nextest` when it is installed, since it gives every test a process of its own and a driver of graphics
//! that ends its process then fails one test; `cargo test` otherwise. A test that cannot run prints
//! a line that starts with `SKIPPED:` and passes; those lines are collected here, so that a skip
//! never looks like a pass. Doctests are another stage.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::stage::{cargo, has_subcommand, must_succeed, shown, with_all};

const MARK: &str = "SKIPPED:";

/// What a run of the tests says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct TestRun {
    /// Tests that passed.
    pub(crate) num_passed: usize,
    /// The `SKIPPED:` lines, in the order in which they came.
    pub(crate) skipped: Vec<String>,
}

/// Runs every test but the doctests.
pub(crate) fn run(root: &Path) -> Result<TestRun> {
    if has_subcommand(root, "nextest") { with_nextest(root) } else { with_cargo(root) }
}

fn with_nextest(root: &Path) -> Result<TestRun> {
    let arguments = [&["nextest", "run", "--workspace"][..], &with_all()].concat();
    must_succeed(cargo(root, &arguments))?;
    let report = root.join("target/nextest/default/junit.xml");
    let text = std::fs::read_to_string(&report).with_context(|| {
        format!("cannot read {}, which nextest.toml asks for", report.display())
    })?;
    Ok(read_junit(&text))
}

/// The report lists the tests that passed: the run has failed already when one did not.
fn read_junit(text: &str) -> TestRun {
    let skipped = text.lines().filter_map(|line| {
        let line = &line[line.find(MARK)?..];
        Some(line.split("</").next().unwrap_or(line).to_owned())
    });
    TestRun { num_passed: text.matches("<testcase ").count(), skipped: skipped.collect() }
}

fn with_cargo(root: &Path) -> Result<TestRun> {
    let tests = ["test", "--workspace", "--tests"];
    let arguments = [&tests[..], &with_all(), &["--", "--show-output"]].concat();
    let mut command = cargo(root, &arguments);
    let shown = shown(&command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run `{shown}`"))?;
    let stdout = child.stdout.take().context("the output was piped")?;
    let mut reader = Reader::default();
    for line in BufReader::new(stdout).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        if reader.take(&line) {
            println!("{line}");
        }
    }
    let status = child.wait()?;
    if !status.success() {
        let failed = reader.failed.join(", ");
        let which = if failed.is_empty() { String::new() } else { format!("; failed: {failed}") };
        bail!("`{shown}` ended with {status}{which}");
    }
    Ok(reader.run)
}

/// Follows the output of `cargo test -- --show-output`: what passing tests print is hidden,
/// except where it says that something was skipped.
#[derive(Debug, Default)]
struct Reader {
    run: TestRun,
    failed: Vec<String>,
    inside_successes: bool,
}

impl Reader {
    /// Takes one line in; says whether to show it.
    fn take(&mut self, line: &str) -> bool {
        match line {
            "successes:" => self.inside_successes = true,
            "failures:" => self.inside_successes = false,
            _ if line.starts_with("test result:") => {
                self.inside_successes = false;
                self.run.num_passed += number_before(line, " passed").unwrap_or(0);
            }
            _ => self.failed.extend(failed_test(line).map(str::to_owned)),
        }
        if let Some(at) = line.find(MARK) {
            self.run.skipped.push(line[at..].to_owned());
            return true;
        }
        !self.inside_successes
    }
}

/// The name in `test name ... FAILED`.
fn failed_test(line: &str) -> Option<&str> {
    line.strip_prefix("test ")?.strip_suffix(" ... FAILED")
}

fn number_before(line: &str, word: &str) -> Option<usize> {
    line[..line.find(word)?].rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_of_passing_tests_is_hidden_but_skips_are_shown_and_counted() {
        let output = "running 2 tests\ntest a ... ok\n\nsuccesses:\n\n---- a stdout ----\nchatter\n\
                      SKIPPED: no oracles under ../shared\n\nsuccesses:\n    a\n\n\
                      test result: ok. 2 passed; 0 failed; 0 ignored\n";
        let mut reader = Reader::default();
        let shown: Vec<_> = output.lines().filter(|line| reader.take(line)).collect();
        assert!(!shown.contains(&"chatter"));
        assert!(shown.contains(&"SKIPPED: no oracles under ../shared"));
        assert_eq!(shown.last(), Some(&"test result: ok. 2 passed; 0 failed; 0 ignored"));
        assert_eq!(reader.run.num_passed, 2);
        assert_eq!(reader.run.skipped, ["SKIPPED: no oracles under ../shared"]);
    }

    #[test]
    fn failures_are_shown_in_full_and_named() {
        let output =
            "test b ... FAILED\nsuccesses:\n    a\n\nfailures:\n\n---- b stdout ----\nleft: 1\n";
        let mut reader = Reader::default();
        let shown: Vec<_> = output.lines().filter(|line| reader.take(line)).collect();
        let after = ["test b ... FAILED", "failures:", "", "---- b stdout ----", "left: 1"];
        assert_eq!(shown, after);
        assert_eq!(reader.failed, ["b"]);
    }

    #[test]
    fn the_report_of_nextest_is_counted_like_the_output_of_cargo() {
        let report = "<testsuite>\n<testcase name=\"a\">\n<system-out>SKIPPED: no data</system-out>\n\
                      </testcase>\n<testcase name=\"b\">\n</testcase>\n</testsuite>\n";
        let run = TestRun { num_passed: 2, skipped: vec!["SKIPPED: no data".into()] };
        assert_eq!(read_junit(report), run);
    }
}
