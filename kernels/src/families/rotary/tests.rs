//! The rotation against plain loops and against what a rotation is.

use burn::tensor::Tensor;

use super::reference;
use crate::Kernels;
use crate::families::refusals_tests::Refusal;
use crate::families::rotary;
use crate::oracle::assert_within;
use crate::testing::{Case, Real, assert_both, cast, check_gradient, flat, numbers, values};

pub(super) struct Rotary {
    pub(super) sizes: [usize; 3],
}

impl Rotary {
    fn angles(&self) -> Vec<f64> {
        let [n, _, d] = self.sizes;
        numbers(n * d / 2, 5).iter().map(|x| 3.0 * x).collect()
    }

    /// Rounded to f32, so that every precision turns by the same tables.
    fn table(&self, of: impl Fn(f64) -> f64) -> Vec<f64> {
        #[expect(clippy::cast_possible_truncation, reason = "rounding is the purpose")]
        let exact_in_f32 = |x: f64| f64::from(x as f32);
        self.angles().iter().map(|&a| exact_in_f32(of(a))).collect()
    }

    fn arguments<B: Kernels>(
        &self,
        x: &Tensor<B, 1>,
    ) -> (Tensor<B, 3>, Tensor<B, 2>, Tensor<B, 2>) {
        let [n, _, d] = self.sizes;
        let table = |of: fn(f64) -> f64| flat::<B>(&self.table(of), x.dtype()).reshape([n, d / 2]);
        (x.clone().reshape(self.sizes), table(f64::cos), table(f64::sin))
    }

    fn plain<T: Real>(&self, x: &[f64]) -> Vec<T> {
        let [_, heads, width] = self.sizes;
        let (half, x) = (width / 2, cast::<T>(x));
        let (cos, sin) = (cast::<T>(&self.table(f64::cos)), cast::<T>(&self.table(f64::sin)));
        let value = |at: usize| {
            let (token, feature) = (at / (heads * width), at % width);
            let angle = token * half + feature % half;
            if feature < half {
                x[at] * cos[angle] - x[at + half] * sin[angle]
            } else {
                x[at] * cos[angle] + x[at - half] * sin[angle]
            }
        };
        (0..x.len()).map(value).collect()
    }
}

impl Case for Rotary {
    fn kernel<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let (x, cos, sin) = self.arguments(&inputs[0]);
        rotary::rotary(x, cos, sin).flatten(0, 2)
    }

    fn reference<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let (x, cos, sin) = self.arguments(&inputs[0]);
        reference::forward(x, cos, sin).flatten(0, 2)
    }
}

#[test]
fn values_match_plain_loops() {
    for sizes in [[3, 2, 4], [1, 1, 2], [5, 3, 6], [300, 5, 34]] {
        let case = Rotary { sizes };
        let x = numbers(sizes.iter().product(), 1);
        let (got32, got64) = values(&case, std::slice::from_ref(&x));
        assert_both(&got32, &got64, &case.plain::<f32>(&x), &case.plain::<f64>(&x));
    }
}

#[test]
fn the_backward_turns_the_gradient_back() {
    for sizes in [[2, 2, 4], [1, 1, 2]] {
        check_gradient(&Rotary { sizes }, &[numbers(sizes.iter().product(), 1)]);
    }
}

#[test]
fn a_rotation_keeps_the_length_of_every_pair() {
    let case = Rotary { sizes: [4, 2, 6] };
    let x = numbers(48, 1);
    let (_, y) = values(&case, std::slice::from_ref(&x));
    let lengths = |x: &[f64]| -> Vec<f64> {
        let pair = |head: &[f64]| (0..3).map(|i| head[i].hypot(head[i + 3])).collect::<Vec<_>>();
        x.chunks(6).flat_map(pair).collect()
    };
    // cos^2 + sin^2 is 1 up to the rounding of the tables to f32, half a spacing each.
    assert_within(&lengths(&y), &lengths(&x), |_| 2.0 * f64::from(f32::EPSILON));
}

#[test]
fn a_nan_stays_in_its_pair() {
    let mut x = numbers(8, 1);
    x[1] = f64::NAN;
    let (got, _) = values(&Rotary { sizes: [1, 2, 4] }, &[x]);
    let nan: Vec<usize> = (0..8).filter(|&at| got[at].is_nan()).collect();
    assert_eq!(nan, [1, 3]);
}

/// A wrong shape for every operation.
pub(crate) fn refusals() -> Vec<Refusal> {
    use crate::families::refusals_tests::{refusal, zeros};
    vec![refusal("rotary: `sin` is [3, 1] but must be [3, 2]", || {
        rotary::rotary(zeros([3, 1, 4]), zeros([3, 2]), zeros([3, 1]))
    })]
}
