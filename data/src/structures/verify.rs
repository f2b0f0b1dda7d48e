//! What a dataset of structures is proven to hold: its structures and their atoms.

use std::path::Path;

use crate::dataset::Split;
use crate::dataset::card::{CARD_FILE, FileCard};
use crate::dataset::verify::{Contents, VerifyReport};
use crate::error::{DataError, Result};
use crate::structures::StructuresDataset;
use crate::structures::card::{StructuresCard, StructuresShardCard};
use crate::structures::shards::StructuresShardReader;

impl Contents for StructuresCard {
    /// Structures and atoms of each split.
    type Counted = [(u64, u64); 3];

    fn load(root: &Path) -> Result<(Self, String)> {
        Self::load(root)
    }

    fn files(&self) -> &[FileCard] {
        &self.files
    }

    fn shards(&self) -> Vec<FileCard> {
        let file = |shard: &StructuresShardCard| FileCard {
            file: shard.file.clone(),
            bytes: shard.bytes,
            sha256: shard.sha256.clone(),
        };
        self.shards.iter().map(file).collect()
    }

    fn nothing(&self) -> Self::Counted {
        Self::Counted::default()
    }

    fn count(
        &self,
        root: &Path,
        index: usize,
        counted: &mut Self::Counted,
        report: &mut VerifyReport,
    ) {
        let (shard, sources) = (&self.shards[index], self.sources.len());
        let Some(reader) = report.note(StructuresShardReader::open(root, shard)) else { return };
        let counts = &mut counted[shard.split as usize];
        for (batch, card) in shard.batches.iter().enumerate() {
            for row in 0..usize::try_from(card.rows).unwrap_or(0) {
                let Some(stored) = report.note(reader.frame(batch, row)) else { break };
                counts.0 += 1;
                counts.1 += stored.frame.atomic_numbers.len() as u64;
                if stored.source as usize >= sources {
                    report.problems.push(format!(
                        "{} batch {batch}, structure {row}: source {} is not among the {sources} \
                         of the card",
                        shard.file, stored.source
                    ));
                }
            }
        }
    }

    fn totals(counted: &Self::Counted) -> (u64, u64) {
        counted.iter().fold((0, 0), |sum, counts| (sum.0 + counts.0, sum.1 + counts.1))
    }

    fn compare(&self, root: &Path, counted: &Self::Counted, report: &mut VerifyReport) {
        report.note(StructuresDataset::open(root));
        check_counts(root, self, *counted, report);
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
