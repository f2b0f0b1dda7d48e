//! A token batch on the device, and why a batch may not fit a network.

use std::sync::Arc;

use burn::tensor::{Int, Tensor, TensorData, backend::Backend};
use genesis_schema::{IGNORE, TokenBatch};

/// Why a network cannot take an input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// A token or label has no row in the vocabulary.
    #[error("token {token} at place {at} is outside the model's vocabulary of {vocab_size}")]
    Token {
        /// Place in the batch or prompt.
        at: usize,
        /// The token or label.
        token: i64,
        /// Rows of the vocabulary.
        vocab_size: usize,
    },
    /// A position has no row in the learned position table.
    #[error(
        "position {position} of the token at place {at} is outside the {context} learned positions; \
         shorten the sequence"
    )]
    Position {
        /// Place in the batch or prompt.
        at: usize,
        /// The position.
        position: u32,
        /// Rows of the table.
        context: usize,
    },
    /// Token-by-token generation was asked of a masked model.
    #[error("a masked language model cannot generate from left to right")]
    NotCausal,
    /// There is nothing to predict from.
    #[error("the prompt is empty; give at least the token that begins a sequence")]
    EmptyPrompt,
}

/// `N` packed tokens on a device.
///
/// The host keeps its copy too: rotary tables and token dropout are made from it, and the network
/// checks it against its tables.
#[derive(Debug, Clone)]
pub struct Packed<B: Backend> {
    /// `[N]` token ids.
    pub(crate) ids: Tensor<B, 1, Int>,
    /// `[N]` positions.
    pub(crate) position_ids: Tensor<B, 1, Int>,
    /// Labels of all tokens or of the labelled ones alone.
    pub(crate) targets: Targets<B>,
    pub(crate) tokens: Vec<u32>,
    pub(crate) labels: Vec<i64>,
    pub(crate) positions: Vec<u32>,
    pub(crate) cu_seqlens: Arc<[u32]>,
    num_labels: usize,
}

/// Which rows enter the loss.
#[derive(Debug, Clone)]
pub(crate) struct Targets<B: Backend> {
    /// `[R]` rows whose logits are needed; absent means all `N`.
    pub(crate) rows: Option<Tensor<B, 1, Int>>,
    /// `[R]` or `[N]` labels, [`IGNORE`] where there is none.
    pub(crate) labels: Tensor<B, 1, Int>,
}

impl<B: Backend> Packed<B> {
    /// Copies a batch to `device`.
    ///
    /// # Panics
    /// If the batch is empty or its parts differ in length: a bug of who packed it.
    pub fn upload(batch: &TokenBatch, device: &B::Device) -> Self {
        let num_tokens = batch.num_tokens();
        assert!(num_tokens > 0, "Packed: a batch has at least one token");
        assert_eq!(num_tokens, batch.labels.len(), "Packed: one label per token");
        assert_eq!(num_tokens, batch.positions.len(), "Packed: one position per token");
        assert_boundaries(&batch.cu_seqlens, num_tokens);
        Self {
            ids: indices(batch.tokens.iter().map(|&token| i64::from(token)), device),
            position_ids: indices(batch.positions.iter().map(|&p| i64::from(p)), device),
            targets: Targets::upload(&batch.labels, device),
            tokens: batch.tokens.clone(),
            labels: batch.labels.clone(),
            positions: batch.positions.clone(),
            cu_seqlens: batch.cu_seqlens.as_slice().into(),
            num_labels: batch.num_labels(),
        }
    }

    /// Tokens, `N`.
    pub fn num_tokens(&self) -> usize {
        self.tokens.len()
    }

    /// Tokens that enter the loss.
    pub fn num_labels(&self) -> usize {
        self.num_labels
    }
}

impl<B: Backend> Targets<B> {
    /// Masked models label one token in seven: below a half, only the labelled rows go through
    /// the head, which is otherwise most of a small model's work.
    fn upload(labels: &[i64], device: &B::Device) -> Self {
        let labelled = (0..).zip(labels).filter(|(_, label)| **label != IGNORE);
        let (rows, own): (Vec<i64>, Vec<i64>) = labelled.unzip();
        if rows.is_empty() || 2 * rows.len() > labels.len() {
            return Self { rows: None, labels: indices(labels.iter().copied(), device) };
        }
        Self {
            labels: indices(own.into_iter(), device),
            rows: Some(indices(rows.into_iter(), device)),
        }
    }
}

fn assert_boundaries(cu_seqlens: &[u32], num_tokens: usize) {
    let increasing = cu_seqlens.windows(2).all(|pair| pair[0] < pair[1]);
    let ends = (cu_seqlens.first().copied(), cu_seqlens.last().map(|&end| end as usize));
    assert!(
        increasing && ends == (Some(0), Some(num_tokens)),
        "Packed: cu_seqlens rises strictly from 0 to {num_tokens}, got {cu_seqlens:?}"
    );
}

pub(crate) fn indices<B: Backend>(
    values: impl Iterator<Item = i64>,
    device: &B::Device,
) -> Tensor<B, 1, Int> {
    let values: Vec<i64> = values.collect();
    let length = values.len();
    Tensor::from_data(TensorData::new(values, [length]), device)
}
