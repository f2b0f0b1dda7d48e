//! Proves a dataset offline: every byte of every listed file, and every count in the card.
//!
//! The chain of digests: `dataset.json.sha256` covers `dataset.json`, which lists the SHA-256 of
//! every other file. Beyond digests, the contents of the shards are read and counted again. Damage
//! is collected, not stopped at. Not here: what is counted, which each kind says ([`Contents`]).

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::dataset::card::{CARD_DIGEST_FILE, CARD_FILE, FileCard};
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
    /// Documents (structures of atoms) that were read and counted.
    pub documents: u64,
    /// Tokens (atoms) that were read and counted.
    pub tokens: u64,
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

/// A card, and what its shards must hold.
pub(crate) trait Contents: Sized {
    /// What the shards really hold.
    type Counted;

    /// The card of a folder, and its digest.
    fn load(root: &Path) -> Result<(Self, String)>;

    /// Files that are neither shards nor the card.
    fn files(&self) -> &[FileCard];

    /// The shards, as files.
    fn shards(&self) -> Vec<FileCard>;

    /// Nothing counted yet.
    fn nothing(&self) -> Self::Counted;

    /// Reads shard `index`, batch by batch even when the digest of its file is wrong: batches say
    /// where the damage is.
    fn count(&self, root: &Path, index: usize, counted: &mut Self::Counted, to: &mut VerifyReport);

    /// Samples, and tokens or atoms, that were counted.
    fn totals(counted: &Self::Counted) -> (u64, u64);

    /// Compares what was counted with the card, and opens the dataset.
    fn compare(&self, root: &Path, counted: &Self::Counted, report: &mut VerifyReport);
}

/// Bytes that [`prove`] will read.
pub(crate) fn bytes_of<C: Contents>(root: &Path) -> u64 {
    C::load(root).map_or(0, |(card, _)| {
        let shards = card.shards();
        card.files().iter().chain(&shards).map(|file| file.bytes).fold(0, u64::saturating_add)
    })
}

/// Checks the dataset in `root`; `progress` hears of bytes as they are hashed.
///
/// # Errors
/// [`DataError::NotADataset`] when there is no card. Everything else is in the report.
pub(crate) fn prove<C: Contents>(
    root: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<VerifyReport> {
    let mut report = VerifyReport::default();
    let (card, digest) = match C::load(root) {
        Ok(loaded) => loaded,
        Err(error @ DataError::NotADataset { .. }) => return Err(error),
        Err(error) => {
            // Nothing in a damaged card can be believed, so nothing else can be judged.
            report.problems.push(error.to_string());
            return Ok(report);
        }
    };
    report.digest = digest;
    for file in card.files() {
        check_digest(root, file, &mut report, progress);
    }
    let (shards, mut counted) = (card.shards(), card.nothing());
    for (index, shard) in shards.iter().enumerate() {
        check_digest(root, shard, &mut report, progress);
        card.count(root, index, &mut counted, &mut report);
    }
    (report.documents, report.tokens) = C::totals(&counted);
    if report.is_whole() {
        card.compare(root, &counted, &mut report);
    }
    report.unlisted = unlisted(root, card.files().iter().chain(&shards))?;
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

fn unlisted<'s>(root: &Path, files: impl Iterator<Item = &'s FileCard>) -> Result<Vec<String>> {
    let files = files.map(|file| file.file.as_str());
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
