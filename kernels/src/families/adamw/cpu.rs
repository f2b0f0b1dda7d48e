//! AdamW and AMSGrad on the CPU: one pass over parameters, gradient and moments, in place where
//! the caller gave its only copy.

use burn::backend::Flex;
use burn::tensor::Tensor;

use super::{AdamwStep, AmsgradState};
use crate::cpu::{Elementwise, Lanes, map};
use crate::graph::{primitive, tensor};

/// [`adamw`](fn@crate::families::adamw::adamw).
pub(crate) fn step(
    param: Tensor<Flex, 1>,
    grad: Tensor<Flex, 1>,
    first: Tensor<Flex, 1>,
    second: Tensor<Flex, 1>,
    step: &AdamwStep,
) -> (Tensor<Flex, 1>, Tensor<Flex, 1>, Tensor<Flex, 1>) {
    let inputs = [param, first, second, grad].map(primitive);
    let [param, first, second] = map("adamw", &Scalars::of(step), inputs);
    (tensor(param), tensor(first), tensor(second))
}

/// [`amsgrad`](fn@crate::families::adamw::amsgrad).
pub(crate) fn amsgrad(
    state: AmsgradState<Flex>,
    grad: Tensor<Flex, 1>,
    step: &AdamwStep,
) -> AmsgradState<Flex> {
    let AmsgradState { param, first, second, largest } = state;
    let inputs = [param, first, second, largest, grad].map(primitive);
    let [param, first, second, largest] = map("amsgrad", &Scalars::of(step), inputs).map(tensor);
    AmsgradState { param, first, second, largest }
}

/// The scalars of a step, each computed once.
struct Scalars {
    grad_scale: f64,
    keep: f64,
    weight_decay: f64,
    beta2: f64,
    new1: f64,
    new2: f64,
    correction: f64,
    epsilon: f64,
    size: f64,
}

impl Scalars {
    fn of(step: &AdamwStep) -> Self {
        Self {
            grad_scale: step.grad_scale,
            keep: step.keep(),
            weight_decay: step.weight_decay,
            beta2: step.beta2,
            new1: 1.0 - step.beta1,
            new2: 1.0 - step.beta2,
            correction: step.second_correction(),
            epsilon: step.epsilon,
            size: step.step_size(),
        }
    }

    /// Both moments with a gradient taken in.
    #[inline(always)]
    fn moments<P: Lanes>(&self, grad: P, first: P, second: P) -> (P, P) {
        let first = grad.sub(first).mul_add(P::of(self.new1), first);
        let square = grad.mul(grad).mul(P::of(self.new2));
        (first, second.mul_add(P::of(self.beta2), square))
    }

    /// What the parameter loses.
    #[inline(always)]
    fn change<P: Lanes>(&self, first: P, second: P) -> P {
        let root = second.sqrt().div(P::of(self.correction));
        first.div(root.add(P::of(self.epsilon))).mul(P::of(self.size))
    }
}

impl Elementwise<4, 3> for Scalars {
    #[inline(always)]
    fn apply<P: Lanes>(&self, _: usize, [param, first, second, grad]: [P; 4]) -> [P; 3] {
        let grad = grad.mul(P::of(self.grad_scale));
        let (first, second) = self.moments(grad, first, second);
        let param = param.mul(P::of(self.keep)).sub(self.change(first, second));
        [param, first, second]
    }
}

impl Elementwise<5, 4> for Scalars {
    #[inline(always)]
    fn apply<P: Lanes>(&self, _: usize, x: [P; 5]) -> [P; 4] {
        let [param, first, second, largest, grad] = x;
        let grad = grad.mul(P::of(self.grad_scale));
        let grad = match self.weight_decay {
            0.0 => grad,
            decay => param.mul_add(P::of(decay), grad),
        };
        let (first, second) = self.moments(grad, first, second);
        // A NaN in the new moment stays.
        let largest = largest.max(second);
        [param.sub(self.change(first, largest)), first, second, largest]
    }
}
