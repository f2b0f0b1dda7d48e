//! Segments of equal (query, key) length form one batched product.
//!
//! Grouping keeps packed batches of many short, ragged documents from becoming one matrix
//! product each, and never forms a score between two documents. A group is cut where its scores
//! would exceed a bound on memory.

use std::collections::BTreeMap;

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};

use super::AttentionProblem;

/// Scores of one batched product, in elements: 64 MiB in f32.
const MAX_SCORES: usize = 1 << 24;

/// Segments computed together.
#[derive(Debug)]
pub(super) struct Batch {
    /// Number of segments.
    pub(super) segments: usize,
    /// Queries of each.
    pub(super) queries: usize,
    /// Keys of each.
    pub(super) keys: usize,
    /// Rows of `q` they own, segment by segment.
    pub(super) query_rows: Rows,
    /// Rows of `k` and `v` they own.
    pub(super) key_rows: Rows,
}

/// Rows of a packed tensor.
#[derive(Debug)]
pub(super) enum Rows {
    /// Consecutive rows.
    Span { start: usize, length: usize },
    /// Any rows, in this order.
    Listed(Vec<i32>),
}

impl Batch {
    /// The batches of a problem with `query_heads` heads, shortest segments first.
    pub(super) fn all(problem: &AttentionProblem, query_heads: usize) -> Vec<Self> {
        let mut groups = BTreeMap::<(usize, usize), Vec<usize>>::new();
        for (segment, lengths) in problem.lengths().enumerate() {
            groups.entry(lengths).or_default().push(segment);
        }
        let batches = groups.into_iter().flat_map(|((queries, keys), members)| {
            let fit = (MAX_SCORES / (query_heads * queries * keys)).max(1);
            let cut: Vec<Vec<usize>> = members.chunks(fit).map(<[usize]>::to_vec).collect();
            cut.into_iter().map(move |members| (queries, keys, members))
        });
        batches
            .map(|(queries, keys, members)| Self {
                segments: members.len(),
                queries,
                keys,
                query_rows: Rows::of(&problem.query_starts, &members, queries),
                key_rows: Rows::of(&problem.key_starts, &members, keys),
            })
            .collect()
    }
}

impl Rows {
    fn of(starts: &[u32], members: &[usize], length: usize) -> Self {
        let consecutive = members.windows(2).all(|pair| pair[1] == pair[0] + 1);
        if consecutive {
            let start = members.first().map_or(0, |&first| starts[first] as usize);
            return Self::Span { start, length: members.len() * length };
        }
        let rows = members.iter().flat_map(|&segment| {
            let start = starts[segment];
            (start..).take(length).map(|row| i32::try_from(row).expect("row ids fit i32"))
        });
        Self::Listed(rows.collect())
    }

    /// These rows of `x`.
    pub(super) fn take<B: Backend, const D: usize>(&self, x: &Tensor<B, D>) -> Tensor<B, D> {
        match self {
            Self::Span { start, length } if *start == 0 && *length == x.dims()[0] => x.clone(),
            Self::Span { start, length } => x.clone().narrow(0, *start, *length),
            Self::Listed(rows) => x.clone().select(0, ids::<B>(rows.clone(), &x.device())),
        }
    }

    fn list(&self) -> Vec<i32> {
        match self {
            Self::Span { start, length } => (*start..start + length)
                .map(|row| i32::try_from(row).expect("row ids fit i32"))
                .collect(),
            Self::Listed(rows) => rows.clone(),
        }
    }
}

/// Puts the parts of the batches back in the order of the packed rows.
pub(super) fn restore<'a, B: Backend, const D: usize>(
    mut parts: Vec<Tensor<B, D>>,
    rows: impl Iterator<Item = &'a Rows>,
) -> Tensor<B, D> {
    if parts.len() == 1 {
        let only = parts.remove(0);
        // One batch holds every segment, hence every row in order.
        return only;
    }
    let order: Vec<i32> = rows.flat_map(Rows::list).collect();
    let joined = Tensor::cat(parts, 0);
    if order.is_sorted() {
        return joined;
    }
    let mut place = vec![0_i32; order.len()];
    for (at, &row) in (0_i32..).zip(&order) {
        place[usize::try_from(row).expect("rows are not negative")] = at;
    }
    let device = joined.device();
    joined.select(0, ids::<B>(place, &device))
}

fn ids<B: Backend>(rows: Vec<i32>, device: &B::Device) -> Tensor<B, 1, Int> {
    let count = rows.len();
    Tensor::from_data(TensorData::new(rows, [count]), device)
}
