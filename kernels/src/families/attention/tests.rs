//! Attention against plain loops, and what packing, caching and sharing heads must not change.

use burn::tensor::{DType, Tensor};
use proptest::prelude::*;

use super::{AttentionProblem, reference};
use crate::families::attention;
use crate::families::refusals_tests::Refusal;
use crate::oracle::{Oracle, assert_matches};
use crate::testing::{
    Case, Real, assert_both, cast, check_gradient, flat, host, numbers, registered_gradient, values,
};
use crate::{Autodiff, Cpu, Kernels, Precision};

pub(super) struct Attention {
    pub(super) problem: AttentionProblem,
    /// H, G, D
    pub(super) sizes: [usize; 3],
}

impl Attention {
    pub(super) fn packed(starts: &[u32], causal: bool, sizes: [usize; 3]) -> Self {
        Self { problem: AttentionProblem::packed(starts, causal, 0.6, Precision::Full), sizes }
    }

    pub(super) fn rows(&self) -> [usize; 2] {
        [&self.problem.query_starts, &self.problem.key_starts]
            .map(|starts| *starts.last().expect("starts are not empty") as usize)
    }

    pub(super) fn inputs(&self) -> Vec<Vec<f64>> {
        let ([n, m], [h, g, d]) = (self.rows(), self.sizes);
        let scaled = |values: Vec<f64>| values.iter().map(|x| 2.0 * x).collect();
        vec![scaled(numbers(n * h * d, 1)), scaled(numbers(m * g * d, 2)), numbers(m * g * d, 3)]
    }

    pub(super) fn arguments<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> [Tensor<B, 3>; 3] {
        let ([n, m], [h, g, d]) = (self.rows(), self.sizes);
        let shapes = [[n, h, d], [m, g, d], [m, g, d]];
        [0, 1, 2].map(|at| inputs[at].clone().reshape(shapes[at]))
    }

    /// Keys that query `row` sees.
    fn visible(&self, row: usize) -> std::ops::Range<usize> {
        let problem = &self.problem;
        let starts = &problem.query_starts;
        let segment = (1..starts.len()).find(|&s| row < starts[s] as usize).expect("a segment") - 1;
        let [first, last] = [segment, segment + 1].map(|s| problem.key_starts[s] as usize);
        let to_the_end = starts[segment + 1] as usize - row;
        first..if problem.causal { last + 1 - to_the_end } else { last }
    }

    /// `[output, lse]`: the softmax without any shift, which small scores allow.
    fn plain<T: Real>(&self) -> Vec<T> {
        let [heads, shared, width] = self.sizes;
        let [q, k, v] = [0, 1, 2].map(|at| cast::<T>(&self.inputs()[at]));
        let (mut output, mut lses) = (vec![], vec![]);
        for row in 0..self.rows()[0] {
            for head in 0..heads {
                let key = |j: usize, c: usize| (j * shared + head * shared / heads) * width + c;
                let query = (row * heads + head) * width;
                let dot = |j| -> T { (0..width).map(|c| q[query + c] * k[key(j, c)]).sum() };
                let weight = |j| (dot(j) * T::of(self.problem.scale)).exp();
                let total: T = self.visible(row).map(weight).sum();
                for c in 0..width {
                    let sum: T = self.visible(row).map(|j| weight(j) * v[key(j, c)]).sum();
                    output.push(sum / total);
                }
                lses.push(total.ln());
            }
        }
        [output, lses].concat()
    }
}

impl Case for Attention {
    fn kernel<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let [q, k, v] = self.arguments(inputs);
        attention::attention(q, k, v, &self.problem).0.flatten(0, 2)
    }

    fn reference<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let [q, k, v] = self.arguments(inputs);
        reference::forward(q, k, v, &self.problem).0.flatten(0, 2)
    }
}

/// Output and log-sum-exp.
struct WithNormaliser<'a>(&'a Attention);

impl Case for WithNormaliser<'_> {
    fn kernel<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let [q, k, v] = self.0.arguments(inputs);
        let (output, lse) = attention::attention(q, k, v, &self.0.problem);
        Tensor::cat(vec![output.flatten(0, 2), lse.flatten(0, 1)], 0)
    }

    fn reference<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        self.kernel(inputs)
    }
}

/// One segment, equal segments, ragged segments out of order of length, single tokens.
const STARTS: [&[u32]; 5] = [&[0, 5], &[0, 3, 6], &[0, 4, 5, 9, 11], &[0, 1], &[0, 1, 2, 3]];

#[test]
fn values_match_plain_loops_for_equal_and_ragged_segments() {
    for starts in STARTS {
        for causal in [false, true] {
            for sizes in [[2, 2, 4], [4, 2, 3], [3, 1, 2]] {
                let case = Attention::packed(starts, causal, sizes);
                let (got32, got64) = values(&WithNormaliser(&case), &case.inputs());
                assert_both(&got32, &got64, &case.plain::<f32>(), &case.plain::<f64>());
            }
        }
    }
}

#[test]
fn the_backward_is_the_derivative_for_ragged_segments_and_shared_heads() {
    for (starts, sizes) in
        [(&[0, 2, 3, 5][..], [2, 1, 2]), (&[0, 3][..], [1, 1, 2]), (&[0, 1][..], [2, 2, 1])]
    {
        for causal in [false, true] {
            let case = Attention::packed(starts, causal, sizes);
            check_gradient(&case, &case.inputs());
        }
    }
}

#[test]
fn a_packed_document_gets_what_it_gets_alone() {
    let packed = Attention::packed(&[0, 3, 4, 7, 12], true, [2, 1, 4]);
    let inputs = packed.inputs();
    let (narrow, got) = values(&packed, &inputs);
    for pair in packed.problem.query_starts.windows(2) {
        let alone = Attention::packed(&[0, pair[1] - pair[0]], true, packed.sizes);
        let rows = |x: &[f64], heads: usize| {
            x[pair[0] as usize * heads * 4..pair[1] as usize * heads * 4].to_vec()
        };
        let own = [rows(&inputs[0], 2), rows(&inputs[1], 1), rows(&inputs[2], 1)];
        let (_, exact) = values(&alone, &own);
        crate::testing::assert_f64(&rows(&got, 2), &exact, &rows(&narrow, 2));
    }
}

/// Bits of the outputs and gradients that belong to rows `from..`, in f32.
fn bits_from(case: &Attention, inputs: &[Vec<f64>], from: usize) -> Vec<u64> {
    let inputs: Vec<Tensor<Autodiff<Cpu>, 1>> =
        inputs.iter().map(|x| flat(x, DType::F32).require_grad()).collect();
    let y = case.kernel(&inputs);
    let grads = y.clone().mul(y.clone()).sum().backward();
    let mut parts = vec![(host(y), case.sizes[0])];
    for (x, heads) in inputs.iter().zip([case.sizes[0], case.sizes[1], case.sizes[1]]) {
        parts.push((host(x.grad(&grads).expect("tracked")), heads));
    }
    let tail = |(part, heads): (Vec<f64>, usize)| part[from * heads * case.sizes[2]..].to_vec();
    parts.into_iter().flat_map(tail).map(f64::to_bits).collect()
}

#[test]
fn changing_one_document_leaves_the_bits_of_another() {
    for starts in [&[0, 4, 8][..], &[0, 3, 8], &[0, 3, 5, 8]] {
        let case = Attention::packed(starts, false, [4, 2, 4]);
        let first = starts[1] as usize;
        let mut changed = case.inputs();
        for (x, heads) in changed.iter_mut().zip([4, 2, 2]) {
            x[..first * heads * 4].iter_mut().for_each(|x| *x = 1.0 - 3.0 * *x);
        }
        assert_eq!(bits_from(&case, &case.inputs(), first), bits_from(&case, &changed, first));
    }
}

#[test]
fn a_nan_stays_in_its_document() {
    let case = Attention::packed(&[0, 2, 4], false, [1, 1, 2]);
    let mut inputs = case.inputs();
    inputs[1][0] = f64::NAN;
    let (got, _) = values(&case, &inputs);
    assert!(got[..4].iter().all(|x| x.is_nan()) && got[4..].iter().all(|x| x.is_finite()));
}

#[test]
fn queries_after_a_cache_get_what_the_whole_sequence_gives_them() {
    let whole = Attention::packed(&[0, 6], true, [2, 1, 4]);
    let inputs = whole.inputs();
    let (narrow, exact) = values(&whole, &inputs);
    for fresh in [1, 2, 5] {
        let problem = AttentionProblem { query_starts: [0, fresh].into(), ..whole.problem.clone() };
        let cached = Attention { problem, sizes: whole.sizes };
        let from = (6 - fresh as usize) * 2 * 4;
        let (_, got) =
            values(&cached, &[inputs[0][from..].to_vec(), inputs[1].clone(), inputs[2].clone()]);
        crate::testing::assert_f64(&got, &exact[from..], &narrow[from..]);
    }
}

#[test]
fn cached_values_and_gradients_match_plain_loops() {
    let problem = AttentionProblem {
        query_starts: [0, 1, 3].into(),
        key_starts: [0, 3, 6].into(),
        ..Attention::packed(&[0, 1], true, [1; 3]).problem
    };
    let case = Attention { problem, sizes: [2, 1, 2] };
    let (got32, got64) = values(&WithNormaliser(&case), &case.inputs());
    assert_both(&got32, &got64, &case.plain::<f32>(), &case.plain::<f64>());
    check_gradient(&case, &case.inputs());
}

#[test]
fn mixed_precision_errs_no_more_than_its_roundings_do() {
    let full = Attention::packed(&[0, 5, 9], true, [2, 1, 8]);
    let problem = AttentionProblem { precision: Precision::Bf16Mixed, ..full.problem.clone() };
    let mixed = Attention { problem, sizes: full.sizes };
    let inputs = full.inputs();
    let (_, exact) = values(&full, &inputs);
    let (got, same_precision) = values(&mixed, &inputs);
    let epsilon = f64::from(f32::EPSILON);
    assert_matches(&got, &Oracle { exact: &exact, same_precision: &same_precision, epsilon }, 2.0);
    assert!(got != values(&full, &inputs).0, "the operands were rounded");

    let (exact, got) = (registered_gradient(&full, &inputs), registered_gradient(&mixed, &inputs));
    let largest = exact.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
    // Each of at most five rounded factors of a gradient is off by 2^-9, the gradient sums at
    // most nine products, and their sizes exceed the sum at most ninefold here.
    crate::oracle::assert_within(&got, &exact, |_| 5.0 * 9.0 * 2f64.powi(-9) * largest);
}

#[test]
fn scores_beyond_the_range_of_the_exponential_give_the_best_key() {
    let case = Attention::packed(&[0, 2], false, [1, 1, 1]);
    let (got, _) = values(&case, &[vec![1e4, 1e4], vec![1.0, -1.0], vec![3.0, 5.0]]);
    assert_eq!(got, [3.0, 3.0]);
}

#[test]
#[should_panic(expected = "attention: segment 1 has 2 queries and 1 keys")]
fn causal_queries_without_a_key_are_refused() {
    let problem = AttentionProblem {
        query_starts: [0, 1, 3].into(),
        key_starts: [0, 2, 3].into(),
        ..Attention::packed(&[0, 1], true, [1; 3]).problem
    };
    let case = Attention { problem, sizes: [1, 1, 1] };
    values(&case, &case.inputs());
}

#[test]
#[should_panic(expected = "attention: 3 query heads cannot share 2 key heads")]
fn heads_that_cannot_be_shared_are_refused() {
    let case = Attention::packed(&[0, 2], true, [3, 2, 1]);
    values(&case, &case.inputs());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_packing_matches_plain_loops(
        lengths in prop::collection::vec(1u32..6, 1..6),
        causal in any::<bool>(),
        sharing in 1usize..3,
    ) {
        let ends = lengths.iter().scan(0, |end, length| { *end += length; Some(*end) });
        let starts: Vec<u32> = std::iter::once(0).chain(ends).collect();
        let case = Attention::packed(&starts, causal, [2 * sharing, 2, 3]);
        let (got32, got64) = values(&WithNormaliser(&case), &case.inputs());
        assert_both(&got32, &got64, &case.plain::<f32>(), &case.plain::<f64>());
    }
}

/// A wrong shape for every operation.
pub(crate) fn refusals() -> Vec<Refusal> {
    use crate::families::refusals_tests::{refusal, zeros};
    let problem = || AttentionProblem::packed(&[0, 4], true, 1.0, Precision::Full);
    vec![
        refusal("attention: `k` is [4, 1, 2] but must be [4, 1, 3]", move || {
            attention::attention(zeros([4, 2, 3]), zeros([4, 1, 2]), zeros([4, 1, 2]), &problem())
        }),
        refusal("attention_backward: `grad` is [4, 2, 2] but must be [4, 2, 3]", move || {
            let (grad, q, k) = (zeros([4, 2, 2]), zeros([4, 2, 3]), zeros([4, 1, 3]));
            attention::attention_backward(
                grad,
                q.clone(),
                k.clone(),
                k,
                q,
                zeros([4, 2]),
                &problem(),
            )
        }),
    ]
}
