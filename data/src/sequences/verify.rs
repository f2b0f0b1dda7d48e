//! What a dataset of tokens is proven to hold: its documents, every token inside the vocabulary.

use std::path::Path;

use crate::dataset::Split;
use crate::dataset::card::{CARD_FILE, FileCard};
use crate::dataset::verify::{Contents, VerifyReport};
use crate::error::{DataError, Result};
use crate::sequences::SequencesDataset;
use crate::sequences::card::{SequencesCard, SplitCard, Splits};
use crate::sequences::shards::ShardReader;

impl Contents for SequencesCard {
    type Counted = Counted;

    fn load(root: &Path) -> Result<(Self, String)> {
        Self::load(root)
    }

    fn files(&self) -> &[FileCard] {
        &self.files
    }

    fn shards(&self) -> Vec<FileCard> {
        let file = |shard: &crate::sequences::card::ShardCard| FileCard {
            file: shard.file.clone(),
            bytes: shard.bytes,
            sha256: shard.sha256.clone(),
        };
        self.shards.iter().map(file).collect()
    }

    fn nothing(&self) -> Counted {
        Counted::new(self)
    }

    fn count(&self, root: &Path, index: usize, counted: &mut Counted, report: &mut VerifyReport) {
        let shard = &self.shards[index];
        let Some(reader) = report.note(ShardReader::open(root, shard, self.token_type)) else {
            return;
        };
        for batch in 0..shard.batches.len() {
            let outcome = counted.add_batch(root, &reader, batch, self);
            report.note(outcome);
        }
    }

    fn totals(Counted { splits }: &Counted) -> (u64, u64) {
        let Splits { train, validation } = splits;
        (train.documents + validation.documents, train.tokens + validation.tokens)
    }

    fn compare(&self, root: &Path, counted: &Counted, report: &mut VerifyReport) {
        report.note(SequencesDataset::open(root));
        check_counts(root, self, counted, report);
    }
}

/// What the shards really hold.
pub(crate) struct Counted {
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
