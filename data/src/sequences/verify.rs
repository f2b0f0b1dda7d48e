//! What a dataset of tokens is proven to hold: its documents, every token inside the vocabulary.

use crate::dataset::Split;
use crate::dataset::verify::{Contents, Shard, VerifyReport};
use crate::error::{DataError, Result};
use crate::sequences::card::{SequencesPart, SplitCard, Splits};

impl Contents for SequencesPart {
    type Counted = Splits;

    fn nothing(&self) -> Splits {
        // As long as the card's own lists, which are bounded by the size of the file.
        let empty = |of: &SplitCard| SplitCard {
            token_counts: vec![0; of.token_counts.len()],
            ..SplitCard::default()
        };
        Splits { train: empty(&self.splits.train), validation: empty(&self.splits.validation) }
    }

    fn count(of: &Shard<'_, Self>, counted: &mut Splits, report: &mut VerifyReport) {
        let counts = match of.card.split {
            Split::Train => &mut counted.train,
            Split::Validation | Split::Test => &mut counted.validation,
        };
        for batch in 0..of.card.batches.len() {
            report.note(count_batch(of, batch, counts));
        }
    }

    fn totals(Splits { train, validation }: &Splits) -> (u64, u64) {
        (train.documents + validation.documents, train.tokens + validation.tokens)
    }

    fn differences(&self, counted: &Splits) -> Vec<String> {
        let differs = |split: Split| {
            let stated = self.splits.get(split);
            let mut found = counted.get(split).clone();
            found.source_bytes = stated.source_bytes;
            (found != *stated).then(|| {
                format!(
                    "its {} counts ({} documents, {} tokens, longest {}) or their statistics are \
                     not those of the shards ({} documents, {} tokens, longest {})",
                    split.name(),
                    stated.documents,
                    stated.tokens,
                    stated.longest,
                    found.documents,
                    found.tokens,
                    found.longest
                )
            })
        };
        [Split::Train, Split::Validation].into_iter().filter_map(differs).collect()
    }
}

fn count_batch(of: &Shard<'_, SequencesPart>, index: usize, counts: &mut SplitCard) -> Result<()> {
    let batch = of.opened.batch(index)?;
    for row in 0..batch.document_ids.len() {
        let place = || {
            let offset = of.card.batches[index].offset;
            format!(" batch {index} at byte {offset}, document {row} of the batch")
        };
        let tokens = batch.document(row).to_vec();
        let known = counts.token_counts.len();
        if let Some(token) = tokens.iter().find(|&&token| token as usize >= known) {
            let problem = format!("token {token} is outside the vocabulary of {known}");
            return Err(DataError::corrupt(&of.path, place(), problem));
        }
        of.check_source(batch.sources[row], place)?;
        counts.count(tokens.into_iter(), 0);
    }
    Ok(())
}
