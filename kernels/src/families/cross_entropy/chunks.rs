//! Which rows have a label, and how many logits exist at a time.

use std::ops::Range;

use burn::tensor::{IndexingUpdateOp, Int, Tensor, TensorData};

use super::{IGNORED_LABEL, MAX_LOGITS, MIN_ROWS};
use crate::families::embedding::reference::host_ids;
use crate::families::precision::PrecisionKernels;
use crate::shape::assert_ids;

/// The labelled rows of one call.
pub(super) struct Labelled<B: PrecisionKernels> {
    num_tokens: usize,
    /// Numbers of the labelled rows; `None` when that is every row.
    rows: Option<Tensor<B, 1, Int>>,
    /// Their labels, `[L, 1]`.
    labels: Tensor<B, 2, Int>,
    count: usize,
    chunk: usize,
}

impl<B: PrecisionKernels> Labelled<B> {
    /// Reads the labels; asserts that they are rows of a weight of `vocabulary` rows.
    pub(super) fn new(labels: &Tensor<B, 1, Int>, vocabulary: usize) -> Self {
        let [tokens] = labels.dims();
        let mut host = host_ids(labels);
        let mut rows = Vec::with_capacity(tokens);
        for (row, label) in (0_i32..).zip(&mut host) {
            if *label == IGNORED_LABEL {
                *label = 0;
            } else {
                rows.push(row);
            }
        }
        assert_ids("linear_cross_entropy", "labels", &host, vocabulary, "the vocabulary");
        let count = rows.len();
        let device = labels.device();
        let all = count == tokens;
        let rows = Tensor::from_data(TensorData::new(rows, [count]), &device);
        let kept = if all { labels.clone() } else { labels.clone().select(0, rows.clone()) };
        Self {
            num_tokens: tokens,
            rows: (!all).then_some(rows),
            labels: kept.reshape([count, 1]),
            count,
            chunk: (MAX_LOGITS / vocabulary.max(1)).max(MIN_ROWS),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The labelled rows, cut into chunks.
    pub(super) fn chunks(&self) -> impl Iterator<Item = Range<usize>> {
        let (count, chunk) = (self.count, self.chunk);
        (0..count).step_by(chunk).map(move |start| start..count.min(start + chunk))
    }

    /// Labels of a chunk, `[rows, 1]`.
    pub(super) fn labels(&self, chunk: &Range<usize>) -> Tensor<B, 2, Int> {
        self.labels.clone().narrow(0, chunk.start, chunk.len())
    }

    /// The labelled rows of `x [N, ..]`.
    pub(super) fn take<const D: usize>(&self, x: Tensor<B, D>) -> Tensor<B, D> {
        match &self.rows {
            Some(rows) => x.select(0, rows.clone()),
            None => x,
        }
    }

    /// Back to all N rows, zero where there is no label.
    pub(super) fn put<const D: usize>(&self, x: Tensor<B, D>) -> Tensor<B, D> {
        let Some(rows) = &self.rows else { return x };
        let mut dims = x.dims();
        dims[0] = self.num_tokens;
        let zeros = Tensor::zeros(dims, (&x.device(), x.dtype()));
        zeros.select_assign(0, rows.clone(), x, IndexingUpdateOp::Add)
    }
}
