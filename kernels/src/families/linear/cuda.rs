//! Linear maps on CUDA: one matrix product each, transposes as strides; mixed precision rounds the operands
//! to bf16 first and sums in f32 on the tensor cores.
//!
//! Operands of f64 stay f64 when they are rounded: sums are kept in the type of the inputs.

use super::WeightLayout;
use crate::Precision;
use crate::machine::cuda::product::{Matrices, Product};
use crate::machine::cuda::{Array, CudaMachine, Element, rounding};

/// `[N, I, O]` and how the weight is stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// N
    pub(crate) tokens: usize,
    /// I
    pub(crate) inputs: usize,
    /// O
    pub(crate) outputs: usize,
    /// Axes of the weight.
    pub(crate) layout: WeightLayout,
    /// Of the product.
    pub(crate) precision: Precision,
}

impl Shape {
    /// The weight as `[I, O]`.
    fn weight<'a, A>(&self, array: &'a A) -> Matrices<'a, A> {
        match self.layout {
            WeightLayout::OutIn => Matrices::of(array, [self.outputs, self.inputs]).transpose(),
            WeightLayout::InOut => Matrices::of(array, [self.inputs, self.outputs]),
        }
    }
}

/// An operand of a product in this precision.
pub(crate) fn operand<M: CudaMachine>(machine: &M, x: &M::Array, precision: Precision) -> M::Array {
    match (precision, x.element()) {
        (Precision::Full, _) => x.clone(),
        (Precision::Bf16Mixed, Element::F64) => rounding::round_to_bf16(machine, x),
        (Precision::Bf16Mixed, _) => rounding::to_bf16(machine, x),
    }
}

/// `y [N, O]`, added to a residual of that shape where there is one, which takes inputs.
pub(crate) fn forward<M: CudaMachine>(
    machine: &M,
    [x, weight]: [&M::Array; 2],
    bias: Option<&M::Array>,
    residual: Option<&M::Array>,
    shape: Shape,
) -> M::Array {
    let element = x.element();
    let [x, weight] = [x, weight].map(|array| operand(machine, array, shape.precision));
    let y = machine.array(element, shape.tokens * shape.outputs);
    machine.multiply(Product {
        bias,
        onto: residual,
        ..Product::of(
            Matrices::of(&x, [shape.tokens, shape.inputs]),
            shape.weight(&weight),
            Matrices::of(&y, [shape.tokens, shape.outputs]),
        )
    });
    y
}

/// Gradient of x, `[N, I]`.
pub(crate) fn input_backward<M: CudaMachine>(
    machine: &M,
    grad: &M::Array,
    weight: &M::Array,
    shape: Shape,
) -> M::Array {
    let element = grad.element();
    let [grad, weight] = [grad, weight].map(|array| operand(machine, array, shape.precision));
    let dx = machine.array(element, shape.tokens * shape.inputs);
    machine.multiply(Product::of(
        Matrices::of(&grad, [shape.tokens, shape.outputs]),
        shape.weight(&weight).transpose(),
        Matrices::of(&dx, [shape.tokens, shape.inputs]),
    ));
    dx
}

/// Gradient of the weight, stored as the weight is.
pub(crate) fn weight_backward<M: CudaMachine>(
    machine: &M,
    grad: &M::Array,
    x: &M::Array,
    shape: Shape,
) -> M::Array {
    let element = grad.element();
    let [grad, x] = [grad, x].map(|array| operand(machine, array, shape.precision));
    let dweight = machine.array(element, shape.inputs * shape.outputs);
    let grad = Matrices::of(&grad, [shape.tokens, shape.outputs]);
    let x = Matrices::of(&x, [shape.tokens, shape.inputs]);
    machine.multiply(match shape.layout {
        WeightLayout::OutIn => {
            let out = Matrices::of(&dweight, [shape.outputs, shape.inputs]);
            Product::of(grad.transpose(), x, out)
        }
        WeightLayout::InOut => {
            let out = Matrices::of(&dweight, [shape.inputs, shape.outputs]);
            Product::of(x.transpose(), grad, out)
        }
    });
    dweight
}

#[cfg(all(test, unix))]
#[path = "cuda_tests.rs"]
mod tests;
