//! `audit/rank-N.jsonl`: every sample that reached a rank, step by step, and whether two runs got the same.
//!
//! A line is a step as one rank got it. Together the files say what the step held, whatever the number of ranks.
//! What a sample held is told by a digest of it as it was delivered, so that cropping and masking count too.
//! Resuming moves later lines aside, as in `events.jsonl`. Files are read line by line: memory does not grow with the run.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use genesis_data::dataset::card::sha256_of_bytes;
use serde::{Deserialize, Serialize};

use super::ReportError;
use super::events::{JsonLines, cut_after};

/// Folder of a run that holds its audit.
pub const AUDIT_FOLDER: &str = "audit";
const PREFIX: &str = "rank-";
const ENDING: &str = ".jsonl";

/// A sample as it was delivered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Delivered {
    /// Samples that all ranks got before it since step 0.
    pub position: u64,
    /// Name of its dataset.
    pub source: String,
    /// How often its dataset was gone through before.
    pub epoch: u64,
    /// Its number in the training split.
    pub index: u64,
    /// Sixteen hexadecimal digits of the SHA-256 of what it held.
    pub content: String,
}

impl Delivered {
    /// The digest of what a sample held.
    pub fn content_of(bytes: &[u8]) -> String {
        let mut digest = sha256_of_bytes(bytes);
        digest.truncate(16);
        digest
    }
}

impl std::fmt::Display for Delivered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { position, source, epoch, index, content } = self;
        write!(f, "{position}: {source}, epoch {epoch}, sample {index}, content {content}")
    }
}

/// What a rank got in a step.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Line {
    step: u64,
    samples: Vec<Delivered>,
}

/// Writes what one rank gets.
#[derive(Debug)]
pub struct AuditFile(JsonLines);

impl AuditFile {
    /// The file of `rank` in the folder of the run, to be gone on with.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(run_dir: &Path, rank: usize) -> Result<Self, ReportError> {
        let folder = run_dir.join(AUDIT_FOLDER);
        fs::create_dir_all(&folder).map_err(ReportError::io(&folder, "create"))?;
        JsonLines::open(&folder.join(format!("{PREFIX}{rank}{ENDING}"))).map(Self)
    }

    /// Appends a step, counted from 1.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn append(&mut self, step: u64, samples: Vec<Delivered>) -> Result<(), ReportError> {
        self.0.append(&Line { step, samples })
    }
}

/// Moves what ranks got after `step` aside, in the files of all ranks that there ever were.
///
/// # Errors
/// A file that cannot be read or written.
pub fn cut_audit_after(run_dir: &Path, step: u64) -> Result<(), ReportError> {
    files(run_dir)?.iter().try_for_each(|path| cut_after(path, step))
}

/// Files of ranks; none where there is no audit.
fn files(run_dir: &Path) -> Result<Vec<PathBuf>, ReportError> {
    let folder = run_dir.join(AUDIT_FOLDER);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder).map_err(ReportError::io(&folder, "list"))? {
        let path = entry.map_err(ReportError::io(&folder, "list"))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let number = name.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(ENDING));
        if number.is_some_and(|number| number.parse::<usize>().is_ok()) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// How two runs compare.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Compared {
    /// The same samples in every step.
    Equal {
        /// Steps.
        steps: u64,
        /// Samples of all of them.
        samples: u64,
    },
    /// Another sample, or one that is missing.
    Differ {
        /// The first step that is not the same, counted from 1.
        step: u64,
        /// What the first run got in it; empty where it has no such step.
        first: Vec<Delivered>,
        /// What the second run got.
        second: Vec<Delivered>,
    },
}

/// Compares what two runs got, step by step.
///
/// # Errors
/// A folder without an audit, and a file that cannot be read.
pub fn compare_audits(a: &Path, b: &Path) -> Result<Compared, ReportError> {
    let (mut a, mut b) = (Steps::open(a)?, Steps::open(b)?);
    let (mut steps, mut samples) = (0, 0);
    loop {
        let found = match (a.next_step()?, b.next_step()?) {
            (None, None) => return Ok(Compared::Equal { steps, samples }),
            (Some(a), Some(b)) if a == b => {
                steps += 1;
                samples += a.1.len() as u64;
                continue;
            }
            (Some((at, first)), Some((other, second))) => (at.min(other), at, first, other, second),
            (Some((at, first)), None) => (at, at, first, u64::MAX, Vec::new()),
            (None, Some((other, second))) => (other, u64::MAX, Vec::new(), other, second),
        };
        let (step, at, first, other, second) = found;
        // A run that skips the step has nothing in it.
        let of = |at: u64, samples: Vec<Delivered>| if at == step { samples } else { Vec::new() };
        return Ok(Compared::Differ { step, first: of(at, first), second: of(other, second) });
    }
}

/// The steps of a run, over the files of its ranks, each of which rises.
struct Steps {
    ranks: Vec<Rank>,
    last: u64,
}

struct Rank {
    path: PathBuf,
    file: BufReader<File>,
    number: usize,
    next: Option<Line>,
}

impl Steps {
    fn open(run_dir: &Path) -> Result<Self, ReportError> {
        let paths = files(run_dir)?;
        if paths.is_empty() {
            return Err(ReportError::NoAudit { path: run_dir.join(AUDIT_FOLDER) });
        }
        let open = |path: PathBuf| {
            let file = File::open(&path).map_err(ReportError::io(&path, "open"))?;
            let mut rank = Rank { path, file: BufReader::new(file), number: 0, next: None };
            rank.advance()?;
            Ok(rank)
        };
        Ok(Self {
            ranks: paths.into_iter().map(open).collect::<Result<_, ReportError>>()?,
            last: 0,
        })
    }

    /// The next step and what all ranks got in it, by position.
    fn next_step(&mut self) -> Result<Option<(u64, Vec<Delivered>)>, ReportError> {
        let steps = self.ranks.iter().filter_map(|rank| rank.next.as_ref().map(|line| line.step));
        let Some(step) = steps.min() else { return Ok(None) };
        let mut samples = Vec::new();
        for rank in &mut self.ranks {
            if rank.next.as_ref().is_none_or(|line| line.step != step) {
                continue;
            }
            if step <= self.last {
                return Err(rank.corrupt(format!("step {step} comes after step {}", self.last)));
            }
            samples.extend(rank.next.take().into_iter().flat_map(|line| line.samples));
            rank.advance()?;
        }
        samples.sort();
        self.last = step;
        Ok(Some((step, samples)))
    }
}

impl Rank {
    /// Reads the next line; a torn last one is none.
    fn advance(&mut self) -> Result<(), ReportError> {
        let mut text = Vec::new();
        self.file.read_until(b'\n', &mut text).map_err(ReportError::io(&self.path, "read"))?;
        self.number += 1;
        self.next = match text.strip_suffix(b"\n") {
            None => None,
            Some(line) => {
                let line = serde_json::from_slice(line);
                Some(line.map_err(|error| self.corrupt(error.to_string()))?)
            }
        };
        Ok(())
    }

    fn corrupt(&self, reason: String) -> ReportError {
        ReportError::Corrupt { path: self.path.clone(), line: self.number, reason }
    }
}

/// Samples of a step by source, for people: at most `most` of them.
pub fn shown(samples: &[Delivered], most: usize) -> Vec<String> {
    let mut lines: Vec<String> = samples.iter().take(most).map(ToString::to_string).collect();
    let mut rest = BTreeMap::new();
    for sample in samples.iter().skip(most) {
        *rest.entry(sample.source.as_str()).or_insert(0u64) += 1;
    }
    lines.extend(rest.iter().map(|(source, count)| format!("and {count} more of {source}")));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(position: u64) -> Delivered {
        Delivered {
            position,
            source: "a".to_owned(),
            epoch: 0,
            index: 7 * position,
            content: Delivered::content_of(&position.to_le_bytes()),
        }
    }

    /// A run of `steps` steps of four samples on `ranks`.
    fn run(folder: &Path, steps: std::ops::RangeInclusive<u64>, ranks: u64) {
        for rank in 0..ranks {
            let mut file = AuditFile::open(folder, usize::try_from(rank).unwrap()).unwrap();
            for step in steps.clone() {
                let first = 4 * (step - 1) + rank * (4 / ranks);
                file.append(step, (first..first + 4 / ranks).map(sample).collect()).unwrap();
            }
        }
    }

    #[test]
    fn runs_on_other_ranks_are_equal_and_a_cut_one_goes_on_exactly() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        run(&a, 1..=6, 1);
        run(&b, 1..=5, 4);
        // Killed while it wrote, resumed after step 3 on two ranks.
        let torn = b.join("audit/rank-2.jsonl");
        let text = fs::read_to_string(&torn).unwrap();
        fs::write(&torn, &text[..text.len() - 9]).unwrap();
        cut_audit_after(&b, 3).unwrap();
        run(&b, 4..=6, 2);
        assert_eq!(compare_audits(&a, &b).unwrap(), Compared::Equal { steps: 6, samples: 24 });
    }

    #[test]
    fn the_first_step_that_differs_is_told_with_both_lists() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        run(&a, 1..=6, 2);
        run(&b, 1..=3, 1);
        let found = compare_audits(&a, &b).unwrap();
        let Compared::Differ { step: 4, first, second } = found else { panic!("{found:?}") };
        assert_eq!((first.len(), second.len()), (4, 0), "the second run ends before");
        let mut other: Vec<Delivered> = (12..16).map(sample).collect();
        other[1].content = "0".repeat(16);
        AuditFile::open(&b, 0).unwrap().append(4, other.clone()).unwrap();
        let found = compare_audits(&a, &b).unwrap();
        let Compared::Differ { step: 4, first, second } = found else { panic!("{found:?}") };
        assert_eq!((first[1].position, &second), (13, &other));
        assert_eq!(shown(&second, 2)[2], "and 2 more of a");
    }

    #[test]
    fn a_run_without_an_audit_and_one_that_goes_back_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = compare_audits(folder.path(), folder.path()).unwrap_err().to_string();
        assert!(error.contains("report.audit"), "{error}");
        run(folder.path(), 1..=2, 1);
        run(folder.path(), 2..=2, 1);
        let error = compare_audits(folder.path(), folder.path()).unwrap_err().to_string();
        assert!(error.contains("line 3") && error.contains("step 2 comes after step 2"), "{error}");
    }
}
