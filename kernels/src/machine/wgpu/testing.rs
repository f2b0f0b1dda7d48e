//! Checks of a kernel on an adapter, in f32, against the reference on the CPU in f64.
//!
//! Mesa's software Vulkan is an adapter like any other, so these run without a GPU.

use std::cell::RefCell;

use burn::tensor::{DType, Tensor};

use super::Shader;
use crate::machine::{Array, Element, Language, Launch, Machine};
use crate::oracle::{Oracle, assert_within, ulp};
use crate::testing::{Case, FEW_VALUES_SLACK, Path, gradients_on, host, tensors};
use crate::{Cpu, Kernels, Wgpu};

/// Whether there is no adapter to test on, said as a line that `check` counts. A test begins with
/// `if adapter_is_missing() { return; }`.
///
/// # Panics
/// When the environment requires one: `REQUIRE_DEVICE` contains `wgpu`.
pub(crate) fn adapter_is_missing() -> bool {
    if super::default_adapter().is_some() {
        return false;
    }
    #[expect(clippy::disallowed_methods, reason = "tests are asked this way")]
    let required = std::env::var("REQUIRE_DEVICE").unwrap_or_default();
    assert!(
        !required.split(',').any(|device| device == "wgpu"),
        "REQUIRE_DEVICE is {required} but there is no wgpu adapter"
    );
    println!("SKIPPED: no wgpu adapter");
    true
}

/// Error that WGSL allows a quotient, in ulp. This and the following:
/// <https://www.w3.org/TR/WGSL/#concrete-float-accuracy>.
pub(crate) const DIVISION_ULPS: f64 = 2.5;

/// A reciprocal root.
pub(crate) const INVERSE_SQRT_ULPS: f64 = 2.0;

/// A root, which is the quotient of 1 by a reciprocal root.
pub(crate) const SQRT_ULPS: f64 = INVERSE_SQRT_ULPS + DIVISION_ULPS;

/// A logarithm: 3 ulp, or an absolute error of 2^-21 between 1/2 and 2, which are 4 ulp of 1.
pub(crate) const LOG_ULPS: f64 = 4.0;

/// An exponential of a number of at most this size.
pub(crate) fn exp_ulps(size: f64) -> f64 {
    3.0 + 2.0 * size
}

/// A machine that runs nothing and keeps the kernels that it is given.
#[derive(Default)]
pub(crate) struct Recorder(RefCell<Vec<Shader>>);

impl Recorder {
    /// An array of so many numbers.
    pub(crate) fn numbers(&self, len: usize) -> Blank {
        self.array(Element::F32, len)
    }
}

/// The kernels that are launched.
pub(crate) fn recorded(launches: impl FnOnce(&Recorder)) -> Vec<Shader> {
    let recorder = Recorder::default();
    launches(&recorder);
    recorder.0.into_inner()
}

/// An array of which its length is known.
#[derive(Clone)]
pub(crate) struct Blank(Element, usize);

impl Array for Blank {
    fn element(&self) -> Element {
        self.0
    }

    fn len(&self) -> usize {
        self.1
    }
}

impl Machine for Recorder {
    type Array = Blank;
    const LANGUAGE: Language = Language::Wgsl;

    fn array(&self, element: Element, len: usize) -> Blank {
        Blank(element, len)
    }

    fn zeros(&self, element: Element, len: usize) -> Blank {
        Blank(element, len)
    }

    fn upload(&self, values: &[u32]) -> Blank {
        Blank(Element::U32, values.len())
    }

    fn launch(&self, launch: Launch<'_, Blank>) {
        self.0.borrow_mut().push(Shader::of(&launch).0);
    }
}

/// A computation with several results, each compared on its own.
pub(crate) trait Operation {
    /// Through the trait.
    fn kernel<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Vec<Tensor<B, 1>>;
    /// Through the reference.
    fn reference<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Vec<Tensor<B, 1>>;
}

impl<C: Case> Operation for C {
    fn kernel<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Vec<Tensor<B, 1>> {
        vec![Case::kernel(self, inputs)]
    }

    fn reference<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Vec<Tensor<B, 1>> {
        vec![Case::reference(self, inputs)]
    }
}

fn host_all<B: Kernels>(outputs: Vec<Tensor<B, 1>>) -> Vec<Vec<f64>> {
    outputs.into_iter().map(host).collect()
}

/// Values on the adapter.
pub(crate) fn values(case: &impl Operation, inputs: &[Vec<f64>]) -> Vec<Vec<f64>> {
    host_all(case.kernel(&tensors::<Wgpu>(inputs, DType::F32)))
}

/// Values of the reference on the CPU, in f64 and in f32.
fn reference_values(case: &impl Operation, inputs: &[Vec<f64>]) -> [Vec<Vec<f64>>; 2] {
    [DType::F64, DType::F32].map(|dtype| host_all(case.reference(&tensors::<Cpu>(inputs, dtype))))
}

/// Compares the kernel on the adapter with the reference in f64.
///
/// `looser_ulps`: what WGSL allows its functions beyond what the CPU takes, carried through the
/// formula to the result, in units of the last place of the largest result.
#[track_caller]
pub(crate) fn check_values(case: &impl Operation, inputs: &[Vec<f64>], looser_ulps: f64) {
    let [exact, plain] = reference_values(case, inputs);
    assert_all(&values(case, inputs), &exact, &plain, looser_ulps);
}

/// Compares gradients through `Autodiff` on the adapter with those of the reference in f64.
#[track_caller]
pub(crate) fn check_gradients(case: &impl Case, inputs: &[Vec<f64>], looser_ulps: f64) {
    let got = gradients_on::<Wgpu>(case, Path::Kernel, inputs, DType::F32);
    let [exact, plain] = [DType::F64, DType::F32]
        .map(|dtype| gradients_on::<Cpu>(case, Path::Reference, inputs, dtype));
    assert_all(&got, &exact, &plain, looser_ulps);
}

#[track_caller]
fn assert_all(got: &[Vec<f64>], exact: &[Vec<f64>], plain: &[Vec<f64>], looser_ulps: f64) {
    assert_eq!(got.len(), exact.len());
    for ((got, exact), plain) in got.iter().zip(exact).zip(plain) {
        let allowed = allowed(exact, plain, looser_ulps);
        assert_within(got, exact, |_| allowed);
    }
}

/// The error of the plain computation in f32 times the slack between two orders of the same sums,
/// at least half a spacing each, one rounding, and what WGSL's functions add.
fn allowed(exact: &[f64], plain: &[f64], looser_ulps: f64) -> f64 {
    let finite = exact.iter().filter(|x| x.is_finite());
    let spacing = ulp(finite.fold(0.0, |m: f64, x| m.max(x.abs())), f64::from(f32::EPSILON));
    let oracle = Oracle { exact, same_precision: plain, epsilon: f64::from(f32::EPSILON) };
    FEW_VALUES_SLACK * oracle.natural_error().max(0.5 * spacing) + (1.0 + looser_ulps) * spacing
}
