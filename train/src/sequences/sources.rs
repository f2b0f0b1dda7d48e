//! Several datasets of one run: whether their tokens mean the same, how long their samples are, what they hold together.
//!
//! Which letters carry a label may differ: that is a property of how each was ingested. Not here: how
//! often each is drawn from (`trainer::blend`).

use std::sync::Arc;

use genesis_data::dataset::mixture::shares::Mean;
use genesis_data::dataset::{Member, Split};
use genesis_data::error::DataError;
use genesis_data::sequences::card::{SequencesPart, SplitCard};
use genesis_data::sequences::{Rows, SequencesCard, SequencesCorpus};

use super::identity::same_tokenizer;
use super::packing::tokens_per_row;
use super::plan::tokens_per_sequence;
use super::settings::{ObjectiveConfig, SequencesConfig, SequencesWeighting};
use crate::keys::ConfigProblem;
use crate::trainer::Blend;

type Source = Member<SequencesPart>;

/// The data of the run of `config`.
///
/// # Errors
/// Datasets of two tokenizers; one without documents to learn from; weights of too many parts.
pub(super) fn blend(
    config: &SequencesConfig,
    corpus: &SequencesCorpus,
    rows: &[Arc<Rows>],
) -> Result<Blend, ConfigProblem> {
    check(corpus).map_err(|error| ConfigProblem::at("data.mixture", error.to_string()))?;
    let causal = matches!(config.objective, ObjectiveConfig::Causal { .. });
    let equal = causal && rows.is_empty();
    let by_tokens = config.data.weighting == SequencesWeighting::Tokens && !equal;
    let context = config.objective.context() as u64;
    let mean = |(place, source): (usize, &Source)| match rows.get(place) {
        Some(rows) => Mean { units: rows.num_tokens(), samples: rows.num_rows() },
        None => mean(&source.dataset.card().part.splits.train, context),
    };
    let means: Vec<Mean> = corpus.members().iter().enumerate().map(mean).collect();
    Blend::of(corpus, config.data.keys(), by_tokens.then_some(&means[..]))
}

fn check(corpus: &SequencesCorpus) -> Result<(), DataError> {
    let [first, others @ ..] = corpus.members() else { return Ok(()) };
    for other in others {
        let name =
            |it: &Source| format!("the source {} in {}", it.name, it.dataset.root().display());
        let (first, other) = ((name(first), &first.dataset), (name(other), &other.dataset));
        if let Some(problem) = same_tokenizer((&first.0, first.1), (&other.0, other.1))? {
            return Err(DataError::invalid("its datasets", problem, "or leave one of them out"));
        }
    }
    let empty = |it: &&Source| it.dataset.num_documents(Split::Train) == 0;
    match corpus.members().iter().find(empty) {
        None => Ok(()),
        Some(source) => Err(DataError::invalid(
            source.name.as_str(),
            "its training split has no documents",
            "leave it out, or hold out a smaller part of it",
        )),
    }
}

/// Tokens of whole documents, cropped to `context`. Exact where none is longer; otherwise a document
/// counts as the middle of its bin of lengths, which is within an eighth of its length.
fn mean(split: &SplitCard, context: u64) -> Mean {
    if split.longest <= context {
        return Mean { units: split.tokens, samples: split.documents };
    }
    let mut bins = split.length_histogram.keys().skip(1).copied();
    let tokens = |(&first, &count): (&u64, &u64)| {
        let end = bins.next().unwrap_or(split.longest + 1);
        // An absent bin in between would stretch this one.
        let end = end.min(first + (first.max(1) >> 2).max(1));
        count * (first + (end - 1).max(first)).div_ceil(2).min(context)
    };
    Mean { units: split.length_histogram.iter().map(tokens).sum(), samples: split.documents }
}

/// A card of all that a run begins with: counts added up, the rest that of the first.
pub(super) fn joined(corpus: &SequencesCorpus, blend: &Blend) -> SequencesCard {
    let mut card = corpus.first().card().clone();
    let vocabulary = card.part.tokenizer.vocab_size;
    let mut train = SplitCard::new(vocabulary);
    for (source, _) in blend.begins_with(corpus) {
        add(&mut train, &source.dataset.card().part.splits.train);
    }
    card.part.splits.train = train;
    card
}

fn add(sum: &mut SplitCard, split: &SplitCard) {
    sum.documents += split.documents;
    sum.tokens += split.tokens;
    sum.source_bytes += split.source_bytes;
    sum.longest = sum.longest.max(split.longest);
    for (sum, count) in sum.token_counts.iter_mut().zip(&split.token_counts) {
        *sum += count;
    }
    for (bin, count) in &split.length_histogram {
        *sum.length_histogram.entry(*bin).or_default() += count;
    }
}

/// Tokens of a step in the first stretch: of the mean sample of each source, by weights.
pub(super) fn tokens_per_step(
    config: &SequencesConfig,
    corpus: &SequencesCorpus,
    blend: &Blend,
    rows: &[Arc<Rows>],
) -> u64 {
    let (mut tokens, mut weights) = (0u128, 0u128);
    for (source, weight) in blend.begins_with(corpus) {
        let place = corpus.members().iter().position(|it| it.name == source.name);
        let each = match place.and_then(|place| rows.get(place)) {
            Some(rows) => tokens_per_row(rows),
            None => tokens_per_sequence(config, source.dataset.card()),
        };
        tokens += u128::from(weight) * u128::from(each);
        weights += u128::from(weight);
    }
    let step = tokens * config.batch.sequences as u128 / weights.max(1);
    u64::try_from(step).unwrap_or(u64::MAX)
}

/// What a run begins to learn from, counted together.
pub fn training_split(corpus: &SequencesCorpus, blend: &Blend) -> SplitCard {
    joined(corpus, blend).part.splits.train
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_is_exact_without_cropping_and_close_with_it() {
        let mut split = SplitCard::new(2);
        for length in [3usize, 10, 100, 1000] {
            split.count((0..length).map(|_| 1u32).collect::<Vec<_>>().into_iter(), 0);
        }
        assert_eq!(mean(&split, 1000), Mean { units: 1113, samples: 4 });
        let cropped = mean(&split, 50);
        // 3 + 10 + 50 + 50, where 10 lies in the bin of 10 and 11.
        assert!((112..=114).contains(&cropped.units) && cropped.samples == 4, "{cropped:?}");
    }
}
