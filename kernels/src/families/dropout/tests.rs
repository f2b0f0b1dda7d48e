//! The generator against published answers, the mask against its statistics.

use burn::tensor::Tensor;

use super::philox::first_words;
use super::{DropoutMask, philox4x32, reference};
use crate::Kernels;
use crate::families::dropout;
use crate::families::refusals_tests::Refusal;
use crate::testing::{Case, check_gradient, numbers, reference_values, values};

pub(super) struct Dropout {
    pub(super) mask: DropoutMask,
    pub(super) sizes: [usize; 2],
}

impl Case for Dropout {
    fn kernel<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        dropout::dropout(inputs[0].clone().reshape(self.sizes), &self.mask).flatten(0, 1)
    }

    fn reference<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        reference::forward(inputs[0].clone().reshape(self.sizes), &self.mask).flatten(0, 1)
    }
}

pub(super) const MASK: DropoutMask =
    DropoutMask { rate: 0.25, key: 0x0123_4567_89ab_cdef, index: 3 };

/// Known-answer vectors published with the authors' Random123 library.
#[test]
fn philox_matches_the_published_known_answers() {
    let pair = |low: u32, high: u32| u64::from(low) | (u64::from(high) << 32);
    let answer = philox4x32(0, 0, 0);
    assert_eq!(answer, [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
    let answer = philox4x32(u64::MAX, u64::MAX, u64::MAX);
    assert_eq!(answer, [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
    let answer = philox4x32(
        pair(0xa409_3822, 0x299f_31d0),
        pair(0x243f_6a88, 0x85a3_08d3),
        pair(0x1319_8a2e, 0x0370_7344),
    );
    assert_eq!(answer, [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]);
}

#[test]
fn kept_elements_are_scaled_and_the_share_kept_is_the_rate() {
    let count = 40_000;
    let case = Dropout { mask: MASK, sizes: [200, 200] };
    let (got, _) = values(&case, &[vec![3.0; count]]);
    assert!(got.iter().all(|&y| y.to_bits() == 0 || y.to_bits() == 4.0f64.to_bits()));
    let dropped = got.iter().filter(|y| y.to_bits() == 0).count() as f64;
    let (mean, variance) = (0.25 * count as f64, 0.25 * 0.75 * count as f64);
    // Four standard deviations of a binomial.
    assert!((dropped - mean).abs() < 4.0 * variance.sqrt(), "{dropped} of {count}");
}

#[test]
fn many_counters_side_by_side_give_the_words_of_each() {
    for (lane, count) in [(0, 16), (5, 3), (u64::from(u32::MAX) - 4, 8), (u64::MAX - 2, 16)] {
        let got = first_words(MASK.key, lane, MASK.index, count);
        for (at, &word) in got.iter().enumerate().take(count) {
            let lane = lane.wrapping_add(at as u64);
            assert_eq!(word, philox4x32(MASK.key, lane, MASK.index)[0], "{lane}");
        }
    }
}

#[test]
fn the_kernel_drops_what_the_reference_drops_on_ragged_shapes() {
    for sizes in [[1, 1], [3, 7], [150, 129], [300, 200]] {
        let case = Dropout { mask: MASK, sizes };
        let inputs = [numbers(sizes[0] * sizes[1], 1)];
        assert_eq!(values(&case, &inputs), reference_values(&case, &inputs));
    }
    assert!(values(&Dropout { mask: MASK, sizes: [0, 3] }, &[vec![]]).0.is_empty());
}

#[test]
fn the_backward_draws_the_same_mask() {
    check_gradient(&Dropout { mask: MASK, sizes: [4, 5] }, &[numbers(20, 1)]);
}

#[test]
fn another_index_or_key_drops_other_elements_and_the_same_repeats() {
    let drawn = |mask| values(&Dropout { mask, sizes: [10, 10] }, &[vec![1.0; 100]]).0;
    assert_eq!(drawn(MASK), drawn(MASK));
    assert_ne!(drawn(MASK), drawn(DropoutMask { index: 4, ..MASK }));
    assert_ne!(drawn(MASK), drawn(DropoutMask { key: 1, ..MASK }));
}

#[test]
fn a_rate_of_zero_changes_nothing_and_nan_is_never_hidden() {
    let x = vec![1.5, f64::NAN, -2.0];
    let keep = Dropout { mask: DropoutMask { rate: 0.0, ..MASK }, sizes: [1, 3] };
    let (got, _) = values(&keep, &[x]);
    assert_eq!((got[0].to_bits(), got[2].to_bits()), (1.5f64.to_bits(), (-2.0f64).to_bits()));
    let most = Dropout { mask: DropoutMask { rate: 0.99, ..MASK }, sizes: [1, 50] };
    assert!(values(&most, &[vec![f64::NAN; 50]]).0.iter().all(|y| y.is_nan()));
}

#[test]
#[should_panic(expected = "dropout: the rate is 1 but must be in 0..1")]
fn a_rate_of_one_is_refused() {
    values(&Dropout { mask: DropoutMask { rate: 1.0, ..MASK }, sizes: [1, 1] }, &[vec![1.0]]);
}

/// A wrong shape for every operation.
pub(crate) fn refusals() -> Vec<Refusal> {
    use crate::families::refusals_tests::any_shape;
    vec![any_shape("dropout")]
}
