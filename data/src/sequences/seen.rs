//! How many documents of one dataset are among the training documents of another.
//!
//! By the digest of their tokens, as duplicates are found while ingesting: upper or lower case, gaps that
//! were left out, `U` for `T` make no other document. The two must have one tokenizer.

use std::collections::HashMap;

use crate::dataset::Split;
use crate::error::Result;
use crate::sequences::dataset::SequencesDataset;
use crate::sequences::ingest::identity;

/// What was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// Documents that were looked for.
    pub documents: u64,
    /// Those that are training documents of the other dataset.
    pub seen: u64,
}

/// Looks for the documents of a split of `measured` among the training documents of `trained`. `go_on` hears of
/// every document that was read; once it says no, nothing is found.
///
/// # Errors
/// A shard that is damaged.
pub fn seen_in_training(
    trained: &SequencesDataset,
    (measured, split): (&SequencesDataset, Split),
    go_on: &mut dyn FnMut() -> bool,
) -> Result<Option<Seen>> {
    // Only asked and counted, never walked: its order reaches no result.
    let mut wanted: HashMap<u128, u64> = HashMap::new();
    let all = each(measured, split, &mut |identity| {
        *wanted.entry(identity).or_default() += 1;
        go_on()
    })?;
    let mut seen = 0;
    let all = all
        && each(trained, Split::Train, &mut |identity| {
            seen += wanted.remove(&identity).unwrap_or(0);
            go_on()
        })?;
    Ok(all.then(|| Seen { documents: measured.num_documents(split), seen }))
}

/// Whether all documents were taken.
fn each(
    dataset: &SequencesDataset,
    split: Split,
    take: &mut dyn FnMut(u128) -> bool,
) -> Result<bool> {
    for index in 0..dataset.num_documents(split) {
        if !take(identity(&dataset.document(split, index)?.tokens.to_vec())) {
            return Ok(false);
        }
    }
    Ok(true)
}
