//! What a dataset of structures is proven to hold: its structures and their atoms.

use crate::dataset::Split;
use crate::dataset::verify::{Contents, Shard, VerifyReport};
use crate::structures::card::StructuresPart;

impl Contents for StructuresPart {
    /// Structures and atoms of each split.
    type Counted = [(u64, u64); 3];

    fn nothing(&self) -> Self::Counted {
        Self::Counted::default()
    }

    fn count(of: &Shard<'_, Self>, counted: &mut Self::Counted, report: &mut VerifyReport) {
        let counts = &mut counted[of.card.split as usize];
        for (batch, card) in of.card.batches.iter().enumerate() {
            for row in 0..usize::try_from(card.rows).unwrap_or(0) {
                let Some(stored) = report.note(of.opened.frame(batch, row)) else { break };
                counts.0 += 1;
                counts.1 += stored.frame.atomic_numbers.len() as u64;
                let place = || format!(" batch {batch}, structure {row}");
                report.note(of.check_source(stored.source, place));
            }
        }
    }

    fn totals(counted: &Self::Counted) -> (u64, u64) {
        counted.iter().fold((0, 0), |sum, counts| (sum.0 + counts.0, sum.1 + counts.1))
    }

    fn differences(&self, counted: &Self::Counted) -> Vec<String> {
        let found = Split::ALL.into_iter().zip(counted);
        let differs = |(split, (frames, atoms)): (Split, &(u64, u64))| {
            let stated = self.splits.get(split);
            ((stated.frames, stated.atoms) != (*frames, *atoms)).then(|| {
                format!(
                    "its {} counts ({} structures, {} atoms) are not those of the shards ({frames} \
                     structures, {atoms} atoms)",
                    split.name(),
                    stated.frames,
                    stated.atoms
                )
            })
        };
        found.filter_map(differs).collect()
    }
}
