//! Proves a dataset offline: every byte of every listed file, and every count in the card.
//!
//! The chain of digests: `dataset.json.sha256` covers `dataset.json`, which lists the SHA-256 of
//! every other file. Beyond digests, the contents of the shards are read and counted again, and
//! every token must be inside the vocabulary. Damage is collected, not stopped at.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::dataset::card::{CARD_DIGEST_FILE, CARD_FILE, FileCard};
use crate::dataset::{DatasetKind, Split, kind_of};
use crate::error::{DataError, Result};
use crate::files::sha256_of_file;
use crate::sequences::SequencesDataset;
use crate::sequences::card::{SequencesCard, ShardCard, SplitCard, Splits};
use crate::sequences::shards::ShardReader;

/// Outcome of [`verify`].
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

/// Bytes that [`verify`] will read: the total for a progress bar.
pub fn bytes_to_verify(card: &SequencesCard) -> u64 {
    let files = card.files.iter().map(|f| f.bytes);
    files.chain(card.shards.iter().map(|s| s.bytes)).fold(0, u64::saturating_add)
}

/// Checks the dataset in `root`; `progress` hears of bytes as they are hashed.
///
/// # Errors
/// [`DataError::NotADataset`] when there is no card. Everything else is in the report.
pub fn verify(root: &Path, progress: &mut dyn FnMut(u64)) -> Result<VerifyReport> {
    if matches!(kind_of(root), Ok(DatasetKind::Structures)) {
        return crate::structures::verify::verify(root, progress);
    }
    let mut report = VerifyReport::default();
    let (card, digest) = match SequencesCard::load(root) {
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
    let mut counted = Counted::new(&card);
    for shard in &card.shards {
        check_shard(root, &card, shard, (&mut counted, &mut report), progress);
    }
    if report.is_whole() {
        report.note(SequencesDataset::open(root));
        check_counts(root, &card, &counted, &mut report);
    }
    report.unlisted = unlisted(root, &card.files, card.shards.iter().map(|shard| &shard.file))?;
    Ok(report)
}

pub(crate) fn check_digest(
    root: &Path,
    file: &FileCard,
    report: &mut VerifyReport,
    progress: &mut dyn FnMut(u64),
) -> bool {
    let path = root.join(&file.file);
    let Some((bytes, sha256)) = report.note(sha256_of_file(&path, progress)) else {
        return false;
    };
    report.files += 1;
    report.bytes += bytes;
    if (bytes, &sha256) == (file.bytes, &file.sha256) {
        return true;
    }
    let problem = format!(
        "it has {bytes} bytes with SHA-256 {sha256}, dataset.json says {} bytes with {}",
        file.bytes, file.sha256
    );
    report.problems.push(DataError::corrupt(&path, "", problem).to_string());
    false
}

/// Batches are visited even when the file's digest is wrong: they say where the damage is.
fn check_shard(
    root: &Path,
    card: &SequencesCard,
    shard: &ShardCard,
    (counted, report): (&mut Counted, &mut VerifyReport),
    progress: &mut dyn FnMut(u64),
) {
    let file =
        FileCard { file: shard.file.clone(), bytes: shard.bytes, sha256: shard.sha256.clone() };
    check_digest(root, &file, report, progress);
    let Some(reader) = report.note(ShardReader::open(root, shard, card.token_type)) else {
        return;
    };
    for index in 0..shard.batches.len() {
        let outcome = counted.add_batch(root, &reader, index, card);
        report.note(outcome);
    }
    report.documents = counted.splits.train.documents + counted.splits.validation.documents;
    report.tokens = counted.splits.train.tokens + counted.splits.validation.tokens;
}

/// What the shards really hold.
struct Counted {
    splits: Splits,
}

impl Counted {
    fn new(card: &SequencesCard) -> Self {
        // As long as the card's own lists, which are bounded by the size of the file.
        let empty = |split: Split| SplitCard {
            token_counts: vec![0; card.splits.get(split).token_counts.len()],
            ..SplitCard::default()
        };
        Self { splits: Splits { train: empty(Split::Train), validation: empty(Split::Validation) } }
    }

    fn add_batch(
        &mut self,
        root: &Path,
        reader: &ShardReader,
        index: usize,
        card: &SequencesCard,
    ) -> Result<()> {
        let batch = reader.batch(index)?;
        let shard = reader.card();
        let counts = match shard.split {
            Split::Train => &mut self.splits.train,
            Split::Validation | Split::Test => &mut self.splits.validation,
        };
        let place = |row: usize| {
            let offset = shard.batches[index].offset;
            format!(" batch {index} at byte {offset}, document {row} of the batch")
        };
        for row in 0..batch.document_ids.len() {
            let tokens = batch.document(row).to_vec();
            let known = counts.token_counts.len();
            if let Some(token) = tokens.iter().find(|&&token| token as usize >= known) {
                let problem = format!("token {token} is outside the vocabulary of {known}");
                return Err(DataError::corrupt(&root.join(&shard.file), place(row), problem));
            }
            if batch.sources[row] as usize >= card.sources.len() {
                let (source, sources) = (batch.sources[row], card.sources.len());
                let problem = format!("source {source} is not among the {sources} of the card");
                return Err(DataError::corrupt(&root.join(&shard.file), place(row), problem));
            }
            counts.count(tokens.into_iter(), 0);
        }
        Ok(())
    }
}

fn check_counts(root: &Path, card: &SequencesCard, counted: &Counted, report: &mut VerifyReport) {
    for split in [Split::Train, Split::Validation] {
        let stated = card.splits.get(split);
        let mut found = counted.splits.get(split).clone();
        found.source_bytes = stated.source_bytes;
        if found != *stated {
            let problem = format!(
                "its {} counts ({} documents, {} tokens, longest {}) or their statistics are not \
                 those of the shards ({} documents, {} tokens, longest {})",
                split.name(),
                stated.documents,
                stated.tokens,
                stated.longest,
                found.documents,
                found.tokens,
                found.longest
            );
            report
                .problems
                .push(DataError::corrupt(&root.join(CARD_FILE), "", problem).to_string());
        }
    }
}

pub(crate) fn unlisted<'s>(
    root: &Path,
    files: &'s [FileCard],
    shards: impl Iterator<Item = &'s String>,
) -> Result<Vec<String>> {
    let files = files.iter().map(|file| file.file.as_str());
    let shards = shards.map(String::as_str);
    let listed: BTreeSet<&str> = files.chain(shards).chain([CARD_FILE, CARD_DIGEST_FILE]).collect();
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
