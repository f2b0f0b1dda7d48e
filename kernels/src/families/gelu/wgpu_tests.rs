//! Both forms on an adapter against the reference in f64.

use burn::tensor::{Device, Tensor};

use super::tests::{Gelu, KINDS};
use super::{GeluKind, reference};
use crate::families::gelu;
use crate::machine::wgpu::testing::{
    DIVISION_ULPS, Operation, adapter_is_missing, check_gradients, check_values, exp_ulps, values,
};
use crate::testing::numbers;
use crate::{Kernels, Wgpu};

/// An exponential and a quotient. The error of exp(-a) grows by two ulp with a, but its value falls
/// faster: that of its argument 1 is the largest on the scale of the gate.
fn looser_ulps() -> f64 {
    exp_ulps(1.0) + DIVISION_ULPS
}

struct Backward {
    kind: GeluKind,
}

impl Operation for Backward {
    fn kernel<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Vec<Tensor<B, 1>> {
        let [x, grad] = [0, 1].map(|at| inputs[at].clone().unsqueeze());
        vec![gelu::gelu_backward(grad, x, self.kind).flatten(0, 1)]
    }

    fn reference<B: Kernels>(&self, inputs: &[Tensor<B, 1>]) -> Vec<Tensor<B, 1>> {
        let [x, grad] = [0, 1].map(|at| inputs[at].clone().unsqueeze());
        vec![reference::backward(grad, x, self.kind).flatten(0, 1)]
    }
}

#[test]
fn values_and_gradients_on_an_adapter_are_those_of_the_reference() {
    if adapter_is_missing() {
        return;
    }
    for kind in KINDS {
        for count in [3, 256, 257, 5000] {
            let x: Vec<f64> = numbers(count, 1).iter().map(|x| 4.0 * x).collect();
            check_values(&Gelu { kind }, std::slice::from_ref(&x), looser_ulps());
            check_values(&Backward { kind }, &[x, numbers(count, 2)], looser_ulps());
        }
        check_gradients(&Gelu { kind }, &[numbers(300, 1)], looser_ulps());
    }
}

#[test]
fn far_from_zero_the_gate_is_open_or_closed_and_nan_stays_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    let x = vec![-1e30, -30.0, 0.0, 30.0, 1e30, f64::NAN];
    for kind in KINDS {
        let y = values(&Gelu { kind }, std::slice::from_ref(&x)).concat();
        let large = f64::from(1e30_f32);
        assert_eq!(y[..5], [0.0, 0.0, 0.0, 30.0, large], "{kind:?}");
        assert!(y[5].is_nan());
        let slope = values(&Backward { kind }, &[x.clone(), vec![1.0; 6]]).concat();
        assert_eq!(slope[..5], [0.0, 0.0, 0.5, 1.0, 1.0], "{kind:?}");
        assert!(slope[5].is_nan());
    }
}

#[test]
fn nothing_gives_nothing_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    let [x, grad] = [0; 2].map(|_| Tensor::<Wgpu, 2>::zeros([0, 3], &Device::<Wgpu>::default()));
    for kind in KINDS {
        let y = gelu::gelu(x.clone(), kind);
        assert_eq!(y.into_data().num_elements(), 0);
        let dx = gelu::gelu_backward(grad.clone(), x.clone(), kind);
        assert_eq!(dx.dims(), [0, 3]);
    }
}
