//! Proves a dataset offline: every byte of every listed file, and every count in the card.
//!
//! The chain of digests: `dataset.json.sha256` covers `dataset.json`, which lists the SHA-256 of
//! every other file. Beyond digests, the contents of the shards are read and counted again. Damage
//! is collected, not stopped at. Not here: what is counted, which each kind says ([`Contents`]).

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::dataset::card::{CARD_DIGEST_FILE, CARD_FILE, Card, FileCard, Part, ShardCard};
use crate::dataset::opened::{Dataset, Readable};
use crate::error::{DataError, Result};
use crate::files::sha256_of_file;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// SHA-256 of the card: the identity of the dataset.
    pub digest: String,
    /// Files whose bytes were read.
    pub files: u64,
    /// Bytes that were read and hashed.
    pub bytes: u64,
    /// Samples that were read and counted.
    pub samples: u64,
    /// What these are made of, counted.
    pub units: u64,
    /// One message per damaged place; each names the file. Empty: the dataset is whole.
    pub problems: Vec<String>,
    /// Files in the folder that the card does not list; nothing is known about them.
    pub unlisted: Vec<String>,
}

impl VerifyReport {
    /// Whether nothing is wrong.
    pub fn is_whole(&self) -> bool {
        self.problems.is_empty()
    }

    pub(crate) fn note<T>(&mut self, outcome: Result<T>) -> Option<T> {
        outcome.map_err(|error| self.problems.push(error.to_string())).ok()
    }
}

/// A kind, and what its shards must hold.
pub(crate) trait Contents: Readable {
    /// What the shards really hold.
    type Counted;

    /// Nothing counted yet.
    fn nothing(&self) -> Self::Counted;

    /// Counts a shard, batch by batch even when the digest of its file is wrong: batches say where
    /// the damage is.
    fn count(of: &Shard<'_, Self>, counted: &mut Self::Counted, report: &mut VerifyReport);

    /// Samples, and tokens or atoms, that were counted.
    fn totals(counted: &Self::Counted) -> (u64, u64);

    /// In what the card and the shards differ.
    fn differences(&self, counted: &Self::Counted) -> Vec<String>;
}

/// A shard that can be opened.
pub(crate) struct Shard<'s, P: Readable> {
    pub(crate) path: PathBuf,
    pub(crate) card: &'s ShardCard<P>,
    pub(crate) opened: P::Shard,
    /// How many raw files the card lists.
    pub(crate) sources: usize,
}

impl<P: Readable> Shard<'_, P> {
    /// A sample of no raw file that the card lists.
    pub(crate) fn check_source(&self, source: u32, place: impl FnOnce() -> String) -> Result<()> {
        if (source as usize) < self.sources {
            return Ok(());
        }
        let problem = format!("source {source} is not among the {} of the card", self.sources);
        Err(DataError::corrupt(&self.path, place(), problem))
    }
}

/// Bytes that [`prove`] will read.
pub(crate) fn bytes_of<P: Part>(root: &Path) -> u64 {
    let listed = |card: &Card<P>| {
        let shards = card.shards.iter().map(|shard| shard.bytes);
        card.files.iter().map(|file| file.bytes).chain(shards).fold(0, u64::saturating_add)
    };
    Card::load(root).map_or(0, |(card, _)| listed(&card))
}

/// Checks the dataset in `root`; `progress` hears of bytes as they are hashed.
///
/// # Errors
/// [`DataError::NotADataset`] when there is no card. Everything else is in the report.
pub(crate) fn prove<P: Contents>(
    root: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<VerifyReport> {
    let mut report = VerifyReport::default();
    let (card, digest) = match Card::<P>::load(root) {
        Ok(loaded) => loaded,
        Err(error @ DataError::NotADataset { .. }) => return Err(error),
        Err(error) => {
            // Nothing in a damaged card can be believed, so nothing else can be judged.
            report.problems.push(error.to_string());
            return Ok(report);
        }
    };
    report.digest = digest;
    for file in &card.files {
        check_digest(root, file, &mut report, progress);
    }
    let (part, mut counted) = (&card.part, card.part.nothing());
    for shard in &card.shards {
        check_digest(root, &shard.as_file(), &mut report, progress);
        let Some(opened) = report.note(part.open_shard(root, shard)) else { continue };
        let (path, sources) = (root.join(&shard.file), card.sources.len());
        P::count(&Shard { path, card: shard, opened, sources }, &mut counted, &mut report);
    }
    (report.samples, report.units) = P::totals(&counted);
    if report.is_whole() {
        report.note(Dataset::<P>::open(root));
        let corrupt = |problem| DataError::corrupt(&root.join(CARD_FILE), "", problem).to_string();
        report.problems.extend(part.differences(&counted).into_iter().map(corrupt));
    }
    let shards = card.shards.iter().map(|shard| &shard.file);
    report.unlisted = unlisted(root, card.files.iter().map(|file| &file.file).chain(shards))?;
    Ok(report)
}

fn check_digest(
    root: &Path,
    file: &FileCard,
    report: &mut VerifyReport,
    progress: &mut dyn FnMut(u64),
) {
    let path = root.join(&file.file);
    let Some((bytes, sha256)) = report.note(sha256_of_file(&path, progress)) else {
        return;
    };
    report.files += 1;
    report.bytes += bytes;
    if (bytes, &sha256) == (file.bytes, &file.sha256) {
        return;
    }
    let problem = format!(
        "it has {bytes} bytes with SHA-256 {sha256}, dataset.json says {} bytes with {}",
        file.bytes, file.sha256
    );
    report.problems.push(DataError::corrupt(&path, "", problem).to_string());
}

fn unlisted<'s>(root: &Path, files: impl Iterator<Item = &'s String>) -> Result<Vec<String>> {
    let files = files.map(String::as_str);
    let listed: BTreeSet<&str> = files.chain([CARD_FILE, CARD_DIGEST_FILE]).collect();
    let mut names = Vec::new();
    for entry in fs::read_dir(root).map_err(DataError::io("list", root))? {
        let name = entry.map_err(DataError::io("list", root))?.file_name();
        let name = name.to_string_lossy().into_owned();
        if !listed.contains(name.as_str()) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}
