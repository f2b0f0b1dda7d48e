//! The linear map against plain loops, in both layouts and precisions.

use burn::backend::flex::FlexDevice;
use burn::tensor::Tensor;
use proptest::prelude::*;

use super::{WeightLayout, reference};
use crate::families::linear;
use crate::families::precision::{round_f32, round_f64};
use crate::families::refusals_tests::Refusal;
use crate::oracle::assert_within;
use crate::testing::{
    Case, Real, assert_both, cast, check_gradient, host, numbers, registered_gradient, values,
};
use crate::{Cpu, Kernels, Precision};

struct Linear {
    sizes: [usize; 3],
    layout: WeightLayout,
    precision: Precision,
}

impl Linear {
    fn inputs(&self) -> Vec<Vec<f64>> {
        let [n, i, o] = self.sizes;
        vec![numbers(n * i, 1), numbers(i * o, 2), numbers(o, 3)]
    }

    fn arguments<B: Kernels>(
        &self,
        inputs: &[Tensor<B, 1>],
    ) -> (Tensor<B, 2>, Tensor<B, 2>, Tensor<B, 1>) {
        let [n, i, o] = self.sizes;
        let weight = match self.layout {
            WeightLayout::OutIn => [o, i],
            WeightLayout::InOut => [i, o],
        };
        let [x, w, b] = [0, 1, 2].map(|at| inputs[at].clone());
        (x.reshape([n, i]), w.reshape(weight), b)
    }

    /// `y[n, o] = b[o] + sum_i x[n, i] w[o, i]`.
    fn plain<T: Real>(&self, inputs: &[Vec<f64>]) -> Vec<T> {
        let [n, i, o] = self.sizes;
        let [x, w, b] = [0, 1, 2].map(|at| cast::<T>(&inputs[at]));
        let weight = |row: usize, column: usize| match self.layout {
            WeightLayout::OutIn => w[row * i + column],
            WeightLayout::InOut => w[column * o + row],
        };
        let value = |at: usize| {
            let (token, out) = (at / o, at % o);
            let sum: T = (0..i).map(|c| x[token * i + c] * weight(out, c)).sum();
            sum + b[out]
        };
        (0..n * o).map(value).collect()
    }
}

impl Case for Linear {
    fn kernel<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let (x, w, b) = self.arguments(inputs);
        linear::linear(x, w, Some(b), self.layout, self.precision).flatten(0, 1)
    }

    fn reference<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let (x, w, b) = self.arguments(inputs);
        reference::forward(x, w, Some(b), self.layout, self.precision).flatten(0, 1)
    }
}

/// A linear map added to a fourth input.
struct Residual(Linear);

impl Residual {
    fn inputs(&self) -> Vec<Vec<f64>> {
        let [n, _, o] = self.0.sizes;
        self.0.inputs().into_iter().chain([numbers(n * o, 4)]).collect()
    }

    fn plain<T: Real>(&self, inputs: &[Vec<f64>]) -> Vec<T> {
        let residual = cast::<T>(&inputs[3]);
        self.0.plain::<T>(inputs).into_iter().zip(residual).map(|(y, r)| y + r).collect()
    }
}

impl Case for Residual {
    fn kernel<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let Linear { sizes: [n, _, o], layout, precision } = self.0;
        let ((x, w, b), r) = (self.0.arguments(inputs), inputs[3].clone().reshape([n, o]));
        linear::linear_residual(r, x, w, Some(b), layout, precision).flatten(0, 1)
    }

    fn reference<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
        let Linear { sizes: [n, _, o], layout, precision } = self.0;
        let ((x, w, b), r) = (self.0.arguments(inputs), inputs[3].clone().reshape([n, o]));
        reference::residual(r, x, w, Some(b), layout, precision).flatten(0, 1)
    }
}

const LAYOUTS: [WeightLayout; 2] = [WeightLayout::OutIn, WeightLayout::InOut];

#[test]
fn values_match_plain_loops_in_both_layouts() {
    for layout in LAYOUTS {
        for sizes in [[5, 7, 3], [1, 1, 1], [1, 33, 2]] {
            let case = Linear { sizes, layout, precision: Precision::Full };
            let (got32, got64) = values(&case, &case.inputs());
            let inputs = case.inputs();
            assert_both(&got32, &got64, &case.plain::<f32>(&inputs), &case.plain::<f64>(&inputs));
            let case = Residual(case);
            let (got32, got64) = values(&case, &case.inputs());
            let inputs = case.inputs();
            assert_both(&got32, &got64, &case.plain::<f32>(&inputs), &case.plain::<f64>(&inputs));
        }
    }
}

#[test]
fn the_backward_is_the_derivative_in_both_layouts() {
    for layout in LAYOUTS {
        for sizes in [[3, 4, 2], [1, 1, 1]] {
            let case = Linear { sizes, layout, precision: Precision::Full };
            check_gradient(&case, &case.inputs());
            let case = Residual(case);
            check_gradient(&case, &case.inputs());
        }
    }
}

#[test]
fn a_map_of_nothing_added_to_a_residual_is_the_residual_with_the_bias() {
    let none = |shape| Tensor::<Cpu, 2>::zeros(shape, &FlexDevice);
    let residual = Tensor::<Cpu, 2>::from_data([[1.0, 2.0], [3.0, 4.0]], &FlexDevice);
    let bias = Some(Tensor::<Cpu, 1>::from_data([0.5, -0.5], &FlexDevice));
    let (x, weight, layout) = (none([2, 0]), none([2, 0]), WeightLayout::OutIn);
    let y = linear::linear_residual(residual, x, weight, bias, layout, Precision::Full);
    assert_eq!(host(y), [1.5, 1.5, 3.5, 3.5]);
}

#[test]
fn mixed_precision_rounds_the_operands_and_nothing_else() {
    let case =
        Linear { sizes: [4, 9, 3], layout: WeightLayout::OutIn, precision: Precision::Bf16Mixed };
    let (got32, got64) = values(&case, &case.inputs());
    let mut rounded = case.inputs();
    for operand in &mut rounded[..2] {
        for x in operand.iter_mut() {
            *x = round_f64(*x);
        }
    }
    let (plain32, plain64) = (case.plain::<f32>(&rounded), case.plain::<f64>(&rounded));
    assert_both(&got32, &got64, &plain32, &plain64);
}

#[test]
fn mixed_precision_rounds_the_operands_of_the_backward_too() {
    let case =
        Linear { sizes: [1, 1, 1], layout: WeightLayout::OutIn, precision: Precision::Bf16Mixed };
    let got = registered_gradient(&case, &case.inputs());
    let [x, w] = [0, 1].map(|at| round_f64(case.inputs()[at][0]));
    let grad = numbers(1, 77)[0];
    // dx = g w and dw = g x of rounded operands; db is the gradient itself.
    let exact = [round_f64(grad) * w, round_f64(grad) * x, grad];
    assert_within(&got, &exact, |_| 0.0);
}

#[test]
fn a_frozen_weight_gets_no_gradient_and_the_input_still_does() {
    use crate::testing::{host, shaped};
    use burn::tensor::DType;
    type B = crate::Autodiff<crate::Cpu>;
    let x = shaped::<B, 2>(&[1.0, 2.0], [1, 2], DType::F64).require_grad();
    let w = shaped::<B, 2>(&[3.0, 5.0], [1, 2], DType::F64);
    let y = linear::linear(x.clone(), w.clone(), None, WeightLayout::OutIn, Precision::Full);
    let grads = y.sum().backward();
    assert_within(&host(x.grad(&grads).expect("tracked")), &[3.0, 5.0], |_| 0.0);
    assert!(w.grad(&grads).is_none());
}

#[test]
fn a_nan_reaches_exactly_the_outputs_of_its_token() {
    let case =
        Linear { sizes: [2, 3, 2], layout: WeightLayout::OutIn, precision: Precision::Bf16Mixed };
    let mut inputs = case.inputs();
    inputs[0][4] = f64::NAN;
    let (got, _) = values(&case, &inputs);
    let nan: Vec<bool> = got.iter().map(|x| x.is_nan()).collect();
    assert_eq!(nan, [false, false, true, true]);
}

#[test]
#[should_panic(expected = "linear: `x` is [2, 3] but must be [2, 4]: `weight` fixes I")]
fn a_wrong_width_is_named() {
    let x = Tensor::<crate::Cpu, 2>::zeros([2, 3], &burn::tensor::Device::<crate::Cpu>::default());
    let w = Tensor::zeros([5, 4], &x.device());
    let _ = linear::linear(x, w, None, WeightLayout::OutIn, Precision::Full);
}

#[test]
fn rounding_to_bf16_is_to_nearest_with_ties_to_even() {
    // bf16 holds 8 significant bits: around 1 its spacing is 2^-7, so 1 + 2^-8 is a tie.
    let (tie, spacing) = (1.0 + 2f64.powi(-8), 2f64.powi(-7));
    let above = tie + 2f64.powi(-23);
    let far_above = tie + 2f64.powi(-50);
    let cases = [
        (tie, 1.0),
        (above, 1.0 + spacing),
        (tie + spacing, 1.0 + 2.0 * spacing),
        (-above, -1.0 - spacing),
        (3.4e38, f64::INFINITY),
        (f64::NEG_INFINITY, f64::NEG_INFINITY),
        (-0.0, -0.0),
    ];
    for (x, want) in cases {
        assert_eq!(round_f64(x).to_bits(), want.to_bits(), "f64 {x}");
        #[expect(clippy::cast_possible_truncation, reason = "the case in f32")]
        let narrow = f64::from(round_f32(x as f32));
        assert_eq!(narrow.to_bits(), want.to_bits(), "f32 {x}");
    }
    // Only f64 can hold this one; rounding it to f32 first would make it a tie.
    assert_eq!(round_f64(far_above).to_bits(), (1.0 + spacing).to_bits());
    assert!(round_f64(f64::NAN).is_nan() && round_f32(f32::NAN).is_nan());
}

#[test]
fn the_backend_rounds_as_the_scalar_function_does() {
    use crate::testing::{flat, host};
    use burn::tensor::DType;
    let x: Vec<f64> = numbers(1000, 4).into_iter().chain([f64::NAN, f64::INFINITY]).collect();
    for dtype in [DType::F32, DType::F64] {
        let got = host(crate::families::precision::round_to_bf16(flat::<crate::Cpu>(&x, dtype)));
        let want: Vec<f64> = x.iter().map(|&x| round_f64(x)).collect();
        assert_within(&got, &want, |_| 0.0);
    }
}

proptest! {
    #[test]
    fn rounding_once_moves_by_at_most_half_a_spacing_and_twice_not_at_all(x in -1e30f64..1e30) {
        let once = round_f64(x);
        prop_assert!((once - x).abs() <= 0.5 * crate::oracle::ulp(x, 2f64.powi(-7)));
        prop_assert_eq!(round_f64(once).to_bits(), once.to_bits());
    }
}

/// A wrong shape for every operation.
pub(crate) fn refusals() -> Vec<Refusal> {
    use crate::families::refusals_tests::{refusal, zeros};
    const FULL: Precision = Precision::Full;
    const OUT_IN: WeightLayout = WeightLayout::OutIn;
    vec![
        refusal("linear: `x` is [2, 3] but must be [2, 4]", || {
            linear::linear(zeros([2, 3]), zeros([5, 4]), None, OUT_IN, FULL)
        }),
        refusal("linear_residual: `residual` is [2, 4] but must be [2, 5]", || {
            let (x, weight) = (zeros([2, 3]), zeros([5, 3]));
            linear::linear_residual(zeros([2, 4]), x, weight, None, OUT_IN, FULL)
        }),
        refusal("linear_input_backward: `grad` is [2, 4] but must be [2, 5]", || {
            linear::linear_input_backward(zeros([2, 4]), zeros([5, 3]), OUT_IN, FULL)
        }),
        refusal("linear_weight_backward: `x` is [3, 4] but must be [2, 4]", || {
            linear::linear_weight_backward(zeros([2, 5]), zeros([3, 4]), OUT_IN, FULL)
        }),
    ]
}
