//! Dot products and multiples against plain loops; that values follow their number by the slope.

use burn::tensor::{DType, Device, Tensor};

use super::{Half, reference};
use crate::families::refusals_tests::Refusal;
use crate::families::slope;
use crate::testing::{
    Case, Real, assert_both, cast, check_gradient, check_values, flat, host, numbers, shaped,
    values, values_with_threads,
};
use crate::{Autodiff, Cpu, Kernels};

pub(super) struct Dot {
    pub(super) width: usize,
}

pub(super) struct Scale {
    pub(super) width: usize,
}

fn rows<B: Kernels>(x: &Tensor<B, 1>, width: usize) -> Tensor<B, 2> {
    x.clone().reshape([x.dims()[0] / width, width])
}

impl Case for Dot {
    fn kernel<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let [a, b] = [0, 1].map(|at: usize| rows(&inputs[at], self.width));
        slope::dot_rows(a, b).flatten(0, 1)
    }

    fn reference<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let [a, b] = [0, 1].map(|at: usize| rows(&inputs[at], self.width));
        reference::dot(a, b).flatten(0, 1)
    }
}

impl Case for Scale {
    fn kernel<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        slope::scale_rows(rows(&inputs[0], 1), rows(&inputs[1], self.width)).flatten(0, 1)
    }

    fn reference<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        reference::scale(rows(&inputs[0], 1), rows(&inputs[1], self.width)).flatten(0, 1)
    }
}

fn plain_dots<T: Real>(inputs: &[Vec<f64>], width: usize) -> Vec<T> {
    let [a, b] = [0, 1].map(|at| cast::<T>(&inputs[at]));
    let dot = |(a, b): (&[T], &[T])| a.iter().zip(b).map(|(&a, &b)| a * b).sum();
    a.chunks(width).zip(b.chunks(width)).map(dot).collect()
}

#[test]
fn dot_products_match_plain_loops_for_whole_and_ragged_packs() {
    for (num_rows, width) in [(1, 1), (3, 16), (5, 37), (2000, 19)] {
        let inputs = [numbers(num_rows * width, 1), numbers(num_rows * width, 2)];
        let (got32, got64) = values(&Dot { width }, &inputs);
        let (plain32, plain64) = (plain_dots(&inputs, width), plain_dots(&inputs, width));
        assert_both(&got32, &got64, &plain32, &plain64);
        check_values(&Dot { width }, &inputs);
    }
}

#[test]
fn multiples_are_single_products() {
    for (num_rows, width) in [(1, 1), (3, 16), (5, 37)] {
        let inputs = [numbers(num_rows, 1), numbers(num_rows * width, 2)];
        let multiple = |(row, s): (usize, &f64)| -> Vec<f64> {
            inputs[1][row * width..(row + 1) * width].iter().map(|a| s * a).collect()
        };
        let want: Vec<f64> = inputs[0].iter().enumerate().flat_map(multiple).collect();
        assert_eq!(values(&Scale { width }, &inputs).1, want);
        check_values(&Scale { width }, &inputs);
    }
}

struct Of(Half);

struct From(Half);

impl Case for Of {
    fn kernel<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        slope::half(inputs[0].clone().reshape([2, inputs[0].dims()[0] / 6, 3]), self.0)
            .flatten(0, 1)
    }

    fn reference<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let curve = inputs[0].clone().reshape([2, inputs[0].dims()[0] / 6, 3]);
        reference::half(&curve, self.0).flatten(0, 1)
    }
}

impl Case for From {
    fn kernel<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        slope::from_half(rows(&inputs[0], 3), self.0).flatten(0, 2)
    }

    fn reference<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        reference::from_half(rows(&inputs[0], 3), self.0).flatten(0, 2)
    }
}

#[test]
fn halves_of_a_curve_are_its_values_and_its_slopes() {
    let (curve, zeros) = (numbers(12, 1), vec![0.0; 6]);
    let (first, second) = curve.split_at(6);
    assert_eq!(values(&Of(Half::Values), std::slice::from_ref(&curve)).1, first);
    assert_eq!(values(&Of(Half::Slopes), std::slice::from_ref(&curve)).1, second);
    let beside = |half| values(&From(half), &[first.to_vec()]).1;
    assert_eq!(beside(Half::Values), [first, &zeros].concat());
    assert_eq!(beside(Half::Slopes), [&zeros, first].concat());
    for half in [Half::Values, Half::Slopes] {
        check_values(&Of(half), std::slice::from_ref(&curve));
        check_values(&From(half), &[first.to_vec()]);
        check_gradient(&Of(half), std::slice::from_ref(&curve));
        check_gradient(&From(half), &[first.to_vec()]);
    }
}

#[test]
fn curves_without_rows_have_halves_without_rows() {
    let none = || Tensor::<Cpu, 3>::zeros([2, 0, 3], &Device::<Cpu>::default());
    assert_eq!(slope::half(none(), Half::Slopes).dims(), [0, 3]);
    assert_eq!(reference::half(&none(), Half::Slopes).dims(), [0, 3]);
    let empty = || Tensor::<Cpu, 2>::zeros([0, 3], &Device::<Cpu>::default());
    assert_eq!(slope::from_half(empty(), Half::Values).dims(), [2, 0, 3]);
    assert_eq!(reference::from_half(empty(), Half::Values).dims(), [2, 0, 3]);
}

#[test]
fn each_is_differentiated_by_the_other() {
    check_gradient(&Dot { width: 3 }, &[numbers(6, 1), numbers(6, 2)]);
    check_gradient(&Scale { width: 3 }, &[numbers(2, 1), numbers(6, 2)]);
}

/// Values `sin(x w_k)` with slopes `w_k cos(x w_k)`; the gradient by x and what it gives to w.
#[test]
fn values_follow_their_number_by_the_slope_and_the_slope_reaches_the_parameters() {
    type Once = Autodiff<Cpu>;
    let (x, g) = (numbers(4, 1), numbers(12, 2));
    let weights = numbers(3, 3);
    let tensor = |values: &[f64], width| {
        shaped::<Once, 2>(values, [values.len() / width, width], DType::F64)
    };
    let parameters = flat::<Once>(&weights, DType::F64).require_grad();
    let phases = tensor(&x, 1).mul(parameters.clone().unsqueeze());
    let slopes = phases.clone().cos().mul(parameters.clone().unsqueeze());
    let upper = Tensor::<Autodiff<Once>, 2>::from_inner(tensor(&x, 1)).require_grad();
    let [v, d] = [phases.sin(), slopes].map(Tensor::from_inner);
    let y = slope::follow(upper.clone(), v, d);
    let grads = y.mul(Tensor::from_inner(tensor(&g, 3))).sum().backward();
    let dx = upper.grad(&grads).expect("the values follow x");
    let grads = dx.clone().sum().backward();
    let dw = host(parameters.grad(&grads).expect("slopes contain the parameters"));
    let mut want_x = vec![0.0; 4];
    let mut want_w = vec![0.0; 3];
    for (at, x) in x.iter().enumerate() {
        for (k, w) in weights.iter().enumerate() {
            want_x[at] += g[3 * at + k] * w * (x * w).cos();
            want_w[k] += g[3 * at + k] * ((x * w).cos() - w * x * (x * w).sin());
        }
    }
    for (got, want) in host(dx).iter().zip(&want_x).chain(dw.iter().zip(&want_w)) {
        assert!((got - want).abs() < 1e-14, "{got} is not {want}");
    }
}

#[test]
fn no_rows_and_no_columns_are_valid() {
    assert!(values(&Dot { width: 3 }, &[vec![], vec![]]).0.is_empty());
    assert!(values(&Scale { width: 3 }, &[vec![], vec![]]).0.is_empty());
    let none = || Tensor::<Cpu, 2>::zeros([2, 0], &Device::<Cpu>::default());
    assert_eq!(host(slope::dot_rows(none(), none())), [0.0; 2]);
}

#[test]
fn a_nan_spoils_its_own_row_only() {
    let mut a = numbers(6, 1);
    a[3] = f64::NAN;
    let got = values(&Dot { width: 2 }, &[a, numbers(6, 2)]).0;
    assert_eq!(got.iter().map(|x| x.is_nan()).collect::<Vec<_>>(), [false, true, false]);
}

#[test]
fn the_number_of_threads_does_not_change_the_bits() {
    let inputs = [numbers(64_000, 1), numbers(64_000, 2)];
    let one = values_with_threads(&Dot { width: 32 }, &inputs, 1);
    assert_eq!(one, values_with_threads(&Dot { width: 32 }, &inputs, 3));
}

/// A wrong shape for every operation.
pub(crate) fn refusals() -> Vec<Refusal> {
    use crate::families::refusals_tests::{any_shape, refusal, zeros};
    vec![
        refusal("half: `curve` is [3, 2, 2] but must be [2, 2, 2]", || {
            slope::half(zeros([3, 2, 2]), Half::Values)
        }),
        refusal("follow: `x` is [2, 2] but must be [2, 1]", || {
            slope::follow(zeros([2, 2]), zeros([2, 3]), zeros([2, 3]))
        }),
        refusal("dot_rows: `b` is [2, 2] but must be [2, 3]", || {
            slope::dot_rows(zeros([2, 3]), zeros([2, 2]))
        }),
        refusal("scale_rows: `scales` is [3, 1] but must be [2, 1]", || {
            slope::scale_rows(zeros([3, 1]), zeros([2, 3]))
        }),
        any_shape("from_half"),
    ]
}
