//! The harmonics, their gradient and its derivative along a direction, in Burn operations.
//!
//! Written once for a tensor and for a tensor with its derivative: the latter run through the
//! forward and the backward gives what the backward's own backward needs.

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use super::degree_of;
use super::recursion::steps;

/// `Y`, `[E, (L + 1)^2]`.
pub fn forward<B: Backend>(vectors: Tensor<B, 2>, max_degree: usize) -> Tensor<B, 2> {
    let (unit, _) = direction(vectors);
    Tensor::cat(degrees(&unit, max_degree), 1)
}

/// `dv`, `[E, 3]`.
pub fn backward<B: Backend>(grad: &Tensor<B, 2>, vectors: Tensor<B, 2>) -> Tensor<B, 2> {
    let max_degree = degree_of("spherical_harmonics_backward", grad.dims()[1]);
    let (unit, reciprocal) = direction(vectors);
    let grads = (0..=max_degree).map(|l| grad.clone().narrow(1, l * l, 2 * l + 1)).collect();
    pull_back(&unit, &reciprocal, &degrees(&unit, max_degree), grads)
}

/// Along `w`: the change of `Y`, `[E, (L + 1)^2]`, and the change of `dv`, `[E, 3]`.
pub fn second<B: Backend>(
    along: Tensor<B, 2>,
    grad: &Tensor<B, 2>,
    vectors: Tensor<B, 2>,
) -> (Tensor<B, 2>, Tensor<B, 2>) {
    let max_degree = degree_of("spherical_harmonics_second", grad.dims()[1]);
    let (unit, reciprocal) = moving_direction(vectors, along);
    let values = degrees(&unit, max_degree);
    let slopes = Tensor::cat(values.iter().map(|y| y.slope.clone()).collect(), 1);
    let constant = |l: usize| {
        let value = grad.clone().narrow(1, l * l, 2 * l + 1);
        Moving { slope: value.zeros_like(), value }
    };
    let grads = (0..=max_degree).map(constant).collect();
    (slopes, pull_back(&unit, &reciprocal, &values, grads).slope)
}

/// What the recursion is made of: sums, and products through some bilinear function.
trait Quantity<B: Backend>: Clone {
    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
    fn product(
        &self,
        other: &Self,
        bilinear: impl Fn(Tensor<B, 2>, Tensor<B, 2>) -> Tensor<B, 2>,
    ) -> Self;
    /// One column of ones.
    fn one(&self) -> Self;
}

impl<B: Backend> Quantity<B> for Tensor<B, 2> {
    fn plus(self, other: Self) -> Self {
        self.add(other)
    }

    fn minus(self, other: Self) -> Self {
        self.sub(other)
    }

    fn product(&self, other: &Self, bilinear: impl Fn(Self, Self) -> Self) -> Self {
        bilinear(self.clone(), other.clone())
    }

    fn one(&self) -> Self {
        Tensor::ones([self.dims()[0], 1], (&self.device(), self.dtype()))
    }
}

/// A value and its derivative along a direction.
#[derive(Clone)]
struct Moving<B: Backend> {
    value: Tensor<B, 2>,
    slope: Tensor<B, 2>,
}

impl<B: Backend> Quantity<B> for Moving<B> {
    fn plus(self, other: Self) -> Self {
        Self { value: self.value.add(other.value), slope: self.slope.add(other.slope) }
    }

    fn minus(self, other: Self) -> Self {
        Self { value: self.value.sub(other.value), slope: self.slope.sub(other.slope) }
    }

    fn product(
        &self,
        other: &Self,
        bilinear: impl Fn(Tensor<B, 2>, Tensor<B, 2>) -> Tensor<B, 2>,
    ) -> Self {
        let first = bilinear(self.slope.clone(), other.value.clone());
        let slope = first.add(bilinear(self.value.clone(), other.slope.clone()));
        Self { value: bilinear(self.value.clone(), other.value.clone()), slope }
    }

    fn one(&self) -> Self {
        let value = self.value.one();
        Self { slope: value.zeros_like(), value }
    }
}

/// `u` and `1 / |v|`, both zero where `v` is.
fn direction<B: Backend>(vectors: Tensor<B, 2>) -> (Tensor<B, 2>, Tensor<B, 2>) {
    let square = dot(vectors.clone(), vectors.clone());
    let zero = square.clone().equal_elem(0.0).float().cast(vectors.dtype());
    let known = zero.clone().mul_scalar(-1.0).add_scalar(1.0);
    let reciprocal = square.add(zero).sqrt().recip().mul(known);
    (vectors.mul(reciprocal.clone()), reciprocal)
}

/// [`direction`] with its derivative: `u' = (w - u (u . w)) / |v|`, `(1/|v|)' = -(u . w) / v^2`.
fn moving_direction<B: Backend>(
    vectors: Tensor<B, 2>,
    along: Tensor<B, 2>,
) -> (Moving<B>, Moving<B>) {
    let (unit, reciprocal) = direction(vectors);
    let radial = dot(unit.clone(), along.clone());
    let across = along.sub(unit.clone().mul(radial.clone()));
    let unit = Moving { value: unit, slope: across.mul(reciprocal.clone()) };
    let slope = radial.mul(reciprocal.clone()).mul(reciprocal.clone()).mul_scalar(-1.0);
    (unit, Moving { value: reciprocal, slope })
}

/// All degrees, each `[E, 2 l + 1]`.
fn degrees<B: Backend, Q: Quantity<B>>(unit: &Q, max_degree: usize) -> Vec<Q> {
    let mut all = vec![unit.one()];
    for l in 1..=max_degree {
        let sizes = [3, 2 * l - 1, 2 * l + 1];
        let next = unit.product(&all[l - 1], |u, y| couple(u, y, l, sizes, [0, 1, 2]));
        all.push(next);
    }
    all
}

/// The recursion backwards, from the gradient of every degree to that of the vectors.
fn pull_back<B: Backend, Q: Quantity<B>>(
    unit: &Q,
    reciprocal: &Q,
    values: &[Q],
    mut grads: Vec<Q>,
) -> Q {
    let nothing = unit.clone().minus(unit.clone());
    let mut unit_grad = nothing;
    for l in (1..values.len()).rev() {
        let (axis, lower, upper) = (3, 2 * l - 1, 2 * l + 1);
        let part = values[l - 1]
            .product(&grads[l], |y, g| couple(y, g, l, [lower, upper, axis], [1, 2, 0]));
        unit_grad = unit_grad.plus(part);
        let part = unit.product(&grads[l], |u, g| couple(u, g, l, [axis, upper, lower], [0, 2, 1]));
        grads[l - 1] = grads[l - 1].clone().plus(part);
    }
    let radial = unit.product(&unit_grad, dot);
    let across = unit_grad.minus(unit.product(&radial, Tensor::mul));
    across.product(reciprocal, Tensor::mul)
}

/// `sum over a, b of A_l[..] x[a] y[b]`, where `order` says which of axis, lower and upper
/// component are `a`, `b` and the result, of these sizes.
fn couple<B: Backend>(
    x: Tensor<B, 2>,
    y: Tensor<B, 2>,
    degree: usize,
    [first, second, result]: [usize; 3],
    order: [usize; 3],
) -> Tensor<B, 2> {
    let mut matrix = vec![0.0; first * second * result];
    for step in steps(degree) {
        let components = [step.axis, step.lower, step.upper];
        let [a, b, c] = order.map(|which| components[which]);
        matrix[(a * second + b) * result + c] = step.value;
    }
    let data = TensorData::new(matrix, [first * second, result]);
    let matrix = Tensor::<B, 2>::from_data(data, (&x.device(), x.dtype()));
    let edges = x.dims()[0];
    let outer = x.reshape([edges, first, 1]).mul(y.reshape([edges, 1, second]));
    outer.reshape([edges, first * second]).matmul(matrix)
}

fn dot<B: Backend>(x: Tensor<B, 2>, y: Tensor<B, 2>) -> Tensor<B, 2> {
    x.mul(y).sum_dim(1)
}
