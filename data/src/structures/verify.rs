//! The same proof for datasets of structures: digests, contents, counts.

use std::path::Path;

use crate::dataset::Split;
use crate::dataset::card::{CARD_FILE, FileCard};
use crate::dataset::verify::{VerifyReport, check_digest, unlisted};
use crate::error::{DataError, Result};
use crate::structures::StructuresDataset;
use crate::structures::card::{StructuresCard, StructuresShardCard};
use crate::structures::shards::StructuresShardReader;

/// Checks the dataset of structures in `root`.
pub(crate) fn verify(root: &Path, progress: &mut dyn FnMut(u64)) -> Result<VerifyReport> {
    let mut report = VerifyReport::default();
    let Some((card, digest)) = report.note(StructuresCard::load(root)) else { return Ok(report) };
    report.digest = digest;
    for file in &card.files {
        check_digest(root, file, &mut report, progress);
    }
    let mut counted = [(0u64, 0u64); 3];
    for shard in &card.shards {
        let file =
            FileCard { file: shard.file.clone(), bytes: shard.bytes, sha256: shard.sha256.clone() };
        check_digest(root, &file, &mut report, progress);
        if let Some(reader) = report.note(StructuresShardReader::open(root, shard)) {
            count(&reader, shard, card.sources.len(), (&mut counted, &mut report));
        }
    }
    report.documents = counted.iter().map(|counts| counts.0).sum();
    report.tokens = counted.iter().map(|counts| counts.1).sum();
    if report.is_whole() {
        report.note(StructuresDataset::open(root));
        check_counts(root, &card, counted, &mut report);
    }
    report.unlisted = unlisted(root, &card.files, card.shards.iter().map(|shard| &shard.file))?;
    Ok(report)
}

/// Batches are visited even when the file's digest is wrong: they say where the damage is.
fn count(
    reader: &StructuresShardReader,
    shard: &StructuresShardCard,
    sources: usize,
    (counted, report): (&mut [(u64, u64); 3], &mut VerifyReport),
) {
    let counts = &mut counted[shard.split as usize];
    for (batch, card) in shard.batches.iter().enumerate() {
        for row in 0..usize::try_from(card.rows).unwrap_or(0) {
            let Some(stored) = report.note(reader.frame(batch, row)) else { break };
            counts.0 += 1;
            counts.1 += stored.frame.atomic_numbers.len() as u64;
            if stored.source as usize >= sources {
                let problem = format!(
                    "{} batch {batch}, structure {row}: source {} is not among the {sources} of \
                     the card",
                    shard.file, stored.source
                );
                report.problems.push(problem);
            }
        }
    }
}

fn check_counts(
    root: &Path,
    card: &StructuresCard,
    counted: [(u64, u64); 3],
    report: &mut VerifyReport,
) {
    for (split, (frames, atoms)) in Split::ALL.into_iter().zip(counted) {
        let stated = card.splits.get(split);
        if (stated.frames, stated.atoms) != (frames, atoms) {
            let problem = format!(
                "its {} counts ({} structures, {} atoms) are not those of the shards ({frames} \
                 structures, {atoms} atoms)",
                split.name(),
                stated.frames,
                stated.atoms
            );
            let error = DataError::corrupt(&root.join(CARD_FILE), "", problem);
            report.problems.push(error.to_string());
        }
    }
}
