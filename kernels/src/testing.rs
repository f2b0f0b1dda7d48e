//! What the tests of all families share: numbers, plain arithmetic in two precisions, and the
//! checks of a gradient against differences, against autodiff, and once more differentiated.

use std::ops::{Add, Div, Mul, Neg, Sub};

use burn::tensor::{DType, Int, Tensor, TensorData};

use crate::oracle::{Oracle, assert_within, ulp};
use crate::{Autodiff, Cpu, Kernels};

/// f32 and f64 as the plain oracles see them.
pub(crate) trait Real:
    Copy
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + std::iter::Sum
{
    fn of(x: f64) -> Self;
    fn wide(self) -> f64;
    fn exp(self) -> Self;
    fn ln(self) -> Self;
    fn sqrt(self) -> Self;
    fn tanh(self) -> Self;
}

macro_rules! real {
    ($name:ident) => {
        impl Real for $name {
            #[expect(clippy::allow_attributes, reason = "one of the two casts does nothing")]
            #[allow(clippy::cast_possible_truncation, reason = "f32 is one of the two precisions")]
            fn of(x: f64) -> Self {
                x as $name
            }
            fn wide(self) -> f64 {
                f64::from(self)
            }
            fn exp(self) -> Self {
                $name::exp(self)
            }
            fn ln(self) -> Self {
                $name::ln(self)
            }
            fn sqrt(self) -> Self {
                $name::sqrt(self)
            }
            fn tanh(self) -> Self {
                $name::tanh(self)
            }
        }
    };
}
real!(f32);
real!(f64);

/// `count` numbers in [-1, 1) that f32 holds exactly, a function of `seed`.
pub(crate) fn numbers(count: usize, seed: u64) -> Vec<f64> {
    let number = |lane| {
        let word = crate::families::dropout::philox4x32(seed, lane, 0)[0] >> 8;
        f64::from(word) / f64::from(1 << 23) - 1.0
    };
    (0..count as u64).map(number).collect()
}

/// The numbers in the precision of an oracle.
pub(crate) fn cast<T: Real>(values: &[f64]) -> Vec<T> {
    values.iter().map(|&x| T::of(x)).collect()
}

/// The numbers of an oracle in f64.
pub(crate) fn wide<T: Real>(values: &[T]) -> Vec<f64> {
    values.iter().map(|x| x.wide()).collect()
}

/// A flat tensor.
pub(crate) fn flat<B: Kernels>(values: &[f64], dtype: DType) -> Tensor<B, 1> {
    let data = TensorData::new(values.to_vec(), [values.len()]);
    Tensor::from_data(data, (&B::Device::default(), dtype))
}

/// A tensor of this shape.
pub(crate) fn shaped<B: Kernels, const D: usize>(
    values: &[f64],
    shape: [usize; D],
    dtype: DType,
) -> Tensor<B, D> {
    flat::<B>(values, dtype).reshape(shape)
}

/// Integers on the device.
pub(crate) fn ints<B: Kernels>(values: &[i32]) -> Tensor<B, 1, Int> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), &B::Device::default())
}

/// The values on the host.
pub(crate) fn host<B: Kernels, const D: usize>(x: Tensor<B, D>) -> Vec<f64> {
    x.into_data().iter::<f64>().collect()
}

/// A differentiable computation on flat tensors, written once for every backend.
pub(crate) trait Case {
    /// Through the trait, so through the registered node where there is one.
    fn kernel<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1>;
    /// Through the reference, whatever the backend registers.
    fn reference<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1>;
}

/// Through the trait or past it.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Path {
    Kernel,
    Reference,
}

fn output<B: Kernels>(case: &impl Case, path: Path, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
    match path {
        Path::Kernel => case.kernel(inputs),
        Path::Reference => case.reference(inputs),
    }
}

/// Flat tensors of the inputs.
pub(crate) fn tensors<B: Kernels>(inputs: &[Vec<f64>], dtype: DType) -> Vec<Tensor<B, 1>> {
    inputs.iter().map(|values| flat(values, dtype)).collect()
}

/// The weighted sum of the outputs, whose gradient is checked.
fn objective<B: Kernels>(case: &impl Case, path: Path, inputs: &[Tensor<B, 1>]) -> Tensor<B, 1> {
    let y = output(case, path, inputs);
    let weights = flat::<B>(&numbers(y.dims()[0], 77), y.dtype());
    y.mul(weights).sum()
}

fn gradient(case: &impl Case, path: Path, inputs: &[Vec<f64>], dtype: DType) -> Vec<f64> {
    gradients_on::<Cpu>(case, path, inputs, dtype).concat()
}

/// Gradients of the inputs on any backend.
pub(crate) fn gradients_on<B: Kernels>(
    case: &impl Case,
    path: Path,
    inputs: &[Vec<f64>],
    dtype: DType,
) -> Vec<Vec<f64>> {
    let inputs: Vec<Tensor<Autodiff<B>, 1>> =
        tensors(inputs, dtype).into_iter().map(Tensor::require_grad).collect();
    let grads = objective(case, path, &inputs).backward();
    let of = |x: &Tensor<Autodiff<B>, 1>| host(x.grad(&grads).expect("every input has a gradient"));
    inputs.iter().map(of).collect()
}

fn shifted(inputs: &[Vec<f64>], direction: &[f64], by: f64) -> Vec<Vec<f64>> {
    let mut at = direction.iter();
    let mut shift = |x: &f64| x + by * at.next().expect("a direction for every number");
    inputs.iter().map(|values| values.iter().map(&mut shift).collect()).collect()
}

/// Central differences of `f` at steps `h` and `h / 2`, the second with the tolerance that the
/// first implies: their distance is three times the truncation error of the second. The rounding
/// of `f`, at most `noise`, is divided by the step.
fn difference(f: impl Fn(f64) -> Vec<f64>, noise: f64) -> (Vec<f64>, Vec<f64>) {
    // Cube root of epsilon, as a power of two: balances truncation and rounding.
    const STEP: f64 = 1.0 / 65_536.0;
    let central = |h: f64| -> Vec<f64> {
        let (up, down) = (f(h), f(-h));
        up.iter().zip(&down).map(|(u, d)| (u - d) / (2.0 * h)).collect()
    };
    let (coarse, fine) = (central(16.0 * STEP), central(8.0 * STEP));
    let allowed = coarse.iter().zip(&fine).map(|(c, f)| (c - f).abs() + noise / (8.0 * STEP));
    let allowed = allowed.collect();
    (fine, allowed)
}

/// Checks the registered backward three ways, in f64.
#[track_caller]
pub(crate) fn check_gradient(case: &impl Case, inputs: &[Vec<f64>]) {
    let registered = gradient(case, Path::Kernel, inputs, DType::F64);
    check_against_reference(case, inputs, &registered);
    check_against_differences(case, inputs, &registered);
    check_second_derivative(case, inputs);
}

/// Same mathematics, other order: the error seen in f32 scales with the spacing of the numbers.
#[track_caller]
fn check_against_reference(case: &impl Case, inputs: &[Vec<f64>], registered: &[f64]) {
    let reference = gradient(case, Path::Reference, inputs, DType::F64);
    let narrow = gradient(case, Path::Kernel, inputs, DType::F32);
    assert_f64(registered, &reference, &narrow);
}

#[track_caller]
fn check_against_differences(case: &impl Case, inputs: &[Vec<f64>], registered: &[f64]) {
    let value = |inputs: &[Vec<f64>]| {
        host(objective(case, Path::Kernel, &tensors::<Cpu>(inputs, DType::F64)))
    };
    let noise = rounding_noise(case, inputs);
    for (at, exact) in registered.iter().enumerate() {
        let direction: Vec<f64> = (0..registered.len()).map(|i| f64::from(i == at)).collect();
        let (slope, allowed) = difference(|h| value(&shifted(inputs, &direction, h)), noise);
        assert_within(&[*exact], &slope, |_| allowed[0]);
    }
}

/// Hessian times a vector through two layers of autodiff, against differences of the gradient.
#[track_caller]
fn check_second_derivative(case: &impl Case, inputs: &[Vec<f64>]) {
    let count = inputs.iter().map(Vec::len).sum();
    let direction = numbers(count, 99);
    let exact = hessian_times(case, inputs, &direction);
    let first = |h: f64| gradient(case, Path::Kernel, &shifted(inputs, &direction, h), DType::F64);
    let largest = first(0.0).iter().fold(0.0, |m: f64, x| m.max(x.abs()));
    let noise =
        NOISE_ULPS * ulp(largest, f64::EPSILON).max(rounding_noise(case, inputs) / NOISE_ULPS);
    let (slope, allowed) = difference(first, noise);
    assert_within(&exact, &slope, |at| allowed[at]);
}

fn hessian_times(case: &impl Case, inputs: &[Vec<f64>], direction: &[f64]) -> Vec<f64> {
    type Once = Autodiff<Cpu>;
    type Twice = Autodiff<Once>;
    let inner: Vec<Tensor<Once, 1>> =
        tensors(inputs, DType::F64).into_iter().map(Tensor::require_grad).collect();
    let outer: Vec<Tensor<Twice, 1>> =
        inner.iter().map(|x| Tensor::from_inner(x.clone()).require_grad()).collect();
    let grads = objective(case, Path::Kernel, &outer).backward();
    let first: Vec<Tensor<Once, 1>> =
        outer.iter().map(|x| x.grad(&grads).expect("every input has a gradient")).collect();
    let first = Tensor::cat(first, 0);
    let along = first.mul(flat(direction, DType::F64)).sum();
    let grads = along.backward();
    let second = |x: &Tensor<Once, 1>| x.grad(&grads).map_or_else(|| vec![0.0; x.dims()[0]], host);
    inner.iter().flat_map(second).collect()
}

/// Roundings on the longest path of the small cases: sums of at most 64 terms and a dozen
/// elementwise steps.
const NOISE_ULPS: f64 = 76.0;

/// Bound on the rounding of the objective: its terms' sizes times the roundings of one path.
fn rounding_noise(case: &impl Case, inputs: &[Vec<f64>]) -> f64 {
    let y = host(case.kernel(&tensors::<Cpu>(inputs, DType::F64)));
    let size: f64 = y.iter().map(|y| y.abs().max(1.0)).sum();
    NOISE_ULPS * f64::EPSILON * size
}

/// Slack between two independent orders of the same sums when the measured error is the maximum
/// of a few dozen numbers only: it underestimates the spread of larger samples.
pub(crate) const FEW_VALUES_SLACK: f64 = 8.0;

/// Tolerance for a few values: the plain computation may be exact by luck on so few numbers, so
/// its error counts as at least the half spacing that storing a result can always cost.
#[track_caller]
fn assert_few(got: &[f64], oracle: &Oracle<'_>) {
    let largest = oracle.exact.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
    let spacing = ulp(largest, oracle.epsilon);
    let allowed = FEW_VALUES_SLACK * oracle.natural_error().max(0.5 * spacing) + spacing;
    assert_within(got, oracle.exact, |_| allowed);
}

/// Compares two f64 computations, given the same in f32: `narrow` shows how large rounding gets.
#[track_caller]
pub(crate) fn assert_f64(got: &[f64], exact: &[f64], narrow: &[f64]) {
    let ratio = f64::EPSILON / f64::from(f32::EPSILON);
    let scaled: Vec<f64> = exact.iter().zip(narrow).map(|(e, n)| e + (n - e) * ratio).collect();
    assert_few(got, &Oracle { exact, same_precision: &scaled, epsilon: f64::EPSILON });
}

/// Compares the kernel in f32 and f64 with a plain oracle in both.
#[track_caller]
pub(crate) fn assert_both(got32: &[f64], got64: &[f64], plain32: &[f32], plain64: &[f64]) {
    let narrow = wide(plain32);
    let epsilon = f64::from(f32::EPSILON);
    assert_few(got32, &Oracle { exact: plain64, same_precision: &narrow, epsilon });
    assert_f64(got64, plain64, &narrow);
}

/// Values of a case in f32 and f64 on the CPU.
pub(crate) fn values(case: &impl Case, inputs: &[Vec<f64>]) -> (Vec<f64>, Vec<f64>) {
    let run = |dtype| host(case.kernel(&tensors::<Cpu>(inputs, dtype)));
    (run(DType::F32), run(DType::F64))
}

/// Values of the reference of a case in f32 and f64 on the CPU.
pub(crate) fn reference_values(case: &impl Case, inputs: &[Vec<f64>]) -> (Vec<f64>, Vec<f64>) {
    let run = |dtype| host(case.reference(&tensors::<Cpu>(inputs, dtype)));
    (run(DType::F32), run(DType::F64))
}

/// Compares the kernel in f32 and f64 with the reference in both.
#[track_caller]
pub(crate) fn check_values(case: &impl Case, inputs: &[Vec<f64>]) {
    let (got32, got64) = values(case, inputs);
    let (plain32, plain64) = reference_values(case, inputs);
    let plain32: Vec<f32> = plain32.iter().map(|&x| f32::of(x)).collect();
    assert_both(&got32, &got64, &plain32, &plain64);
}

/// Values in f32 with this many threads.
pub(crate) fn values_with_threads(
    case: &(impl Case + Sync),
    inputs: &[Vec<f64>],
    threads: usize,
) -> Vec<f64> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.expect("threads can be started").install(|| values(case, inputs).0)
}

/// Registered gradient in f64, all inputs one after the other.
pub(crate) fn registered_gradient(case: &impl Case, inputs: &[Vec<f64>]) -> Vec<f64> {
    gradient(case, Path::Kernel, inputs, DType::F64)
}
