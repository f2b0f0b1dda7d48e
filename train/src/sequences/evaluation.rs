//! Loss on held-out data, and the figures that make it readable.
//!
//! Sequences come in a fixed order and are summed in that order, so the same parameters give the
//! same bits. Not here: when to evaluate (`trainer`), and scores of single sequences (`inference`).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use genesis_data::error::DataError;
use genesis_kernels::{Kernels, Precision};
use genesis_model::{Mode, Packed, Params, Transformer, TransformerConfig};
use genesis_schema::{IGNORE, TokenBatch};

use crate::cluster::{Cluster, ClusterError};

/// What was measured on held-out data.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Evaluation {
    /// Mean nats per label.
    pub loss: f64,
    /// Labels in the mean.
    pub num_labels: u64,
    /// Tokens that were read.
    pub num_tokens: u64,
    /// Segments that were read.
    pub num_sequences: u64,
    /// Entropy of the frequencies of these very labels, nats: the loss of the best predictor that
    /// ignores its input. A model that learned nothing but letter frequencies reaches it.
    pub unigram_entropy: f64,
}

impl Evaluation {
    /// `exp(loss)`: the number of equally likely choices with this loss.
    pub fn perplexity(&self) -> f64 {
        self.loss.exp()
    }

    /// Bits per byte of raw text, when every token is predicted (causal objectives) that is learned, of which
    /// there are so many beside so many bytes ([`genesis_data::sequences::card::SplitCard::learned`]): nats per token,
    /// times tokens per byte, over `ln 2`. `None` without raw bytes.
    pub fn bits_per_byte(&self, (tokens, bytes): (u64, u64)) -> Option<f64> {
        if bytes == 0 {
            return None;
        }
        let tokens_per_byte = tokens as f64 / bytes as f64;
        Some(self.loss * tokens_per_byte / std::f64::consts::LN_2)
    }
}

/// Evaluates `params` on `batches`. `None` when there was no label at all, or when `stop` was set
/// meanwhile: half a validation set has no comparable figure.
///
/// # Errors
/// The first batch that could not be read.
pub fn evaluate<B: Kernels>(
    config: &TransformerConfig,
    params: &Params<B>,
    batches: impl Iterator<Item = Result<TokenBatch, DataError>>,
    precision: Precision,
    device: &B::Device,
    stop: &AtomicBool,
) -> Result<Option<Evaluation>, DataError> {
    let sums = Sums::of(config, params, batches, precision, device, stop)?;
    Ok(sums.and_then(Sums::finish))
}

/// What batches add up to.
#[derive(Debug, Clone, Default)]
pub(super) struct Sums {
    /// Sum of the loss, a batch each.
    losses: Vec<f64>,
    num_tokens: u64,
    num_sequences: u64,
    label_counts: BTreeMap<i64, u64>,
}

impl Sums {
    /// Those of `batches`; `None` when `stop` was set meanwhile.
    pub(super) fn of<B: Kernels>(
        config: &TransformerConfig,
        params: &Params<B>,
        batches: impl Iterator<Item = Result<TokenBatch, DataError>>,
        precision: Precision,
        device: &B::Device,
        stop: &AtomicBool,
    ) -> Result<Option<Self>, DataError> {
        let model = Transformer::bind(config, params);
        let mut sums = Self::default();
        for batch in batches {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let batch = batch?;
            let loss_sum = if batch.num_labels() == 0 {
                0.0
            } else {
                let packed = Packed::upload(&batch, device);
                let loss_sum = model.loss_sum(&packed, &Mode::inference(precision));
                loss_sum.into_data().iter::<f64>().sum()
            };
            sums.add(&batch, loss_sum);
        }
        Ok(Some(sums))
    }

    /// Those of all ranks, batches in their order, so that any number of ranks gives the same bits. `None`
    /// when any rank has none.
    pub(super) fn over_ranks(
        mine: Option<&Self>,
        cluster: &Cluster,
    ) -> Result<Option<Self>, ClusterError> {
        let losses = mine.map(|mine| mine.losses.iter().map(|&loss| [loss]).collect::<Vec<_>>());
        let Some(losses) = cluster.in_turn(losses.as_deref())? else { return Ok(None) };
        let words = mine.map(Self::counts).unwrap_or_default();
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let ranks = cluster.gather_bytes(&bytes)?;
        let counted = Self::joined(ranks.iter().map(|bytes| Self::counted(bytes)).collect());
        Ok(Some(Self { losses: losses.into_flattened(), ..counted }))
    }

    /// Those of several sets, one after the other.
    pub(super) fn joined(sets: Vec<Self>) -> Self {
        let mut all = Self::default();
        for set in sets {
            all.losses.extend(set.losses);
            all.num_tokens += set.num_tokens;
            all.num_sequences += set.num_sequences;
            for (label, count) in set.label_counts {
                *all.label_counts.entry(label).or_default() += count;
            }
        }
        all
    }

    /// Tokens, sequences, then every label with its count.
    fn counts(&self) -> Vec<u64> {
        let counts = self.label_counts.iter().flat_map(|(label, n)| [label.cast_unsigned(), *n]);
        [self.num_tokens, self.num_sequences].into_iter().chain(counts).collect()
    }

    /// As [`Sums::counts`] tells them, without losses.
    fn counted(bytes: &[u8]) -> Self {
        let (words, _) = bytes.as_chunks();
        let words: Vec<u64> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
        let (head, counts) = words.split_at(2);
        Self {
            losses: Vec::new(),
            num_tokens: head[0],
            num_sequences: head[1],
            label_counts: counts.chunks_exact(2).map(|it| (it[0].cast_signed(), it[1])).collect(),
        }
    }

    fn add(&mut self, batch: &TokenBatch, loss_sum: f64) {
        self.losses.push(loss_sum);
        self.num_tokens += batch.num_tokens() as u64;
        self.num_sequences += batch.num_segments() as u64;
        for &label in batch.labels.iter().filter(|&&label| label != IGNORE) {
            *self.label_counts.entry(label).or_default() += 1;
        }
    }

    pub(super) fn finish(self) -> Option<Evaluation> {
        let num_labels: u64 = self.label_counts.values().sum();
        (num_labels > 0).then(|| Evaluation {
            loss: self.losses.iter().fold(0.0, |sum, loss| sum + loss) / num_labels as f64,
            num_labels,
            num_tokens: self.num_tokens,
            num_sequences: self.num_sequences,
            unigram_entropy: entropy(self.label_counts.values().copied()),
        })
    }
}

/// Entropy of the distribution proportional to `counts`, nats: `ln n - sum c ln c / n`.
pub fn entropy(counts: impl Iterator<Item = u64>) -> f64 {
    let (mut total, mut weighted) = (0.0, 0.0);
    for count in counts.filter(|&count| count > 0) {
        let count = count as f64;
        total += count;
        weighted += count * count.ln();
    }
    if total > 0.0 { total.ln() - weighted / total } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use genesis_data::sequences::card::SplitCard;

    use super::*;
    use crate::cluster::InProcess;

    #[test]
    fn sums_of_ranks_are_those_of_all_batches_in_their_order() {
        let batch = |at: u64| {
            let mut batch = TokenBatch::default();
            batch.push_segment(&[1, 2], &[2, 1 + at.cast_signed()], 0, at);
            (batch, (at as f64 * 0.37).sin() * 1e3)
        };
        let sums = |places: &mut dyn Iterator<Item = u64>| {
            let mut sums = Sums::default();
            places.map(batch).for_each(|(batch, loss)| sums.add(&batch, loss));
            sums
        };
        let whole = sums(&mut (0..7)).finish().unwrap();
        for world in [1, 2, 3, 9] {
            let of = |engine: InProcess| {
                let cluster = Cluster::of(Arc::new(engine), "n").unwrap();
                let mine = sums(&mut cluster.turns(0..7));
                Sums::over_ranks(Some(&mine), &cluster).unwrap().and_then(Sums::finish).unwrap()
            };
            let of = &of;
            let found: Vec<Evaluation> = std::thread::scope(|scope| {
                let team = InProcess::team(world).into_iter();
                let team: Vec<_> = team.map(|engine| scope.spawn(move || of(engine))).collect();
                team.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            for found in found {
                assert_eq!(found.loss.to_bits(), whole.loss.to_bits(), "{world} ranks");
                assert_eq!(found, whole);
            }
        }
    }

    #[test]
    fn entropy_of_equal_counts_is_the_logarithm_of_their_number() {
        let equal = entropy([7, 7, 7, 7].into_iter());
        assert!((equal - 4.0f64.ln()).abs() < 1e-14, "{equal}");
        assert!(entropy([5, 0].into_iter()).abs() < 1e-15);
        let skewed = entropy([3, 1].into_iter());
        let by_hand = -(0.75f64 * 0.75f64.ln() + 0.25 * 0.25f64.ln());
        assert!((skewed - by_hand).abs() < 1e-14, "{skewed} {by_hand}");
    }

    #[test]
    fn bits_per_byte_of_a_byte_model_is_its_loss_in_bits() {
        let one = Evaluation {
            loss: std::f64::consts::LN_2,
            num_labels: 1,
            num_tokens: 1,
            num_sequences: 1,
            unigram_entropy: 0.0,
        };
        let split =
            |tokens, source_bytes| SplitCard { tokens, source_bytes, ..SplitCard::default() };
        assert!((one.bits_per_byte(split(100, 100).learned(&[])).unwrap() - 1.0).abs() < 1e-15);
        assert!((one.bits_per_byte(split(100, 400).learned(&[])).unwrap() - 0.25).abs() < 1e-15);
        assert_eq!(one.bits_per_byte(split(100, 0).learned(&[])), None);
        let half = SplitCard { token_counts: vec![50, 50], ..split(100, 100) };
        assert!(
            (one.bits_per_byte(half.learned(&[1])).unwrap() - 1.0).abs() < 1e-15,
            "per base that counts"
        );
    }
}
