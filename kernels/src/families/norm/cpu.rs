//! Both normalisations on the CPU: rows in blocks, one pass over memory each way.
//!
//! A row is read from memory once and stays in the first cache for its sums. Gradients of weight
//! and bias are summed over the rows of a block, then over the blocks in order.

use std::mem::MaybeUninit;
use std::ops::Range;

use burn::backend::Flex;
use burn::tensor::Tensor;

use crate::cpu::{
    Element, Job, Lanes, MOST_LANES, Set, filled, for_blocks, input, is_f64, output,
    rows_per_block, run, span,
};

/// [`rms_norm`](fn@crate::families::norm::rms_norm).
pub(crate) fn rms_norm(
    x: Tensor<Flex, 2>,
    weight: Tensor<Flex, 1>,
    epsilon: f64,
) -> Tensor<Flex, 2> {
    let double = check("rms_norm", &x, &[&weight]);
    if double {
        forward::<f64>(x, weight, None, epsilon)
    } else {
        forward::<f32>(x, weight, None, epsilon)
    }
}

/// [`layer_norm`](fn@crate::families::norm::layer_norm).
pub(crate) fn layer_norm(
    x: Tensor<Flex, 2>,
    weight: Tensor<Flex, 1>,
    bias: Tensor<Flex, 1>,
    epsilon: f64,
) -> Tensor<Flex, 2> {
    let double = check("layer_norm", &x, &[&weight, &bias]);
    if double {
        forward::<f64>(x, weight, Some(bias), epsilon)
    } else {
        forward::<f32>(x, weight, Some(bias), epsilon)
    }
}

/// [`rms_norm_backward`](fn@crate::families::norm::rms_norm_backward).
pub(crate) fn rms_norm_backward(
    grad: Tensor<Flex, 2>,
    x: Tensor<Flex, 2>,
    weight: Tensor<Flex, 1>,
    epsilon: f64,
) -> (Tensor<Flex, 2>, Tensor<Flex, 1>) {
    let double = check_gradient("rms_norm_backward", &grad, &x, &weight);
    let (dx, [dweight, _]) = if double {
        backward::<f64>(grad, x, weight, epsilon, false)
    } else {
        backward::<f32>(grad, x, weight, epsilon, false)
    };
    (dx, dweight)
}

/// [`layer_norm_backward`](fn@crate::families::norm::layer_norm_backward).
pub(crate) fn layer_norm_backward(
    grad: Tensor<Flex, 2>,
    x: Tensor<Flex, 2>,
    weight: Tensor<Flex, 1>,
    epsilon: f64,
) -> (Tensor<Flex, 2>, Tensor<Flex, 1>, Tensor<Flex, 1>) {
    let double = check_gradient("layer_norm_backward", &grad, &x, &weight);
    let (dx, [dweight, dbias]) = if double {
        backward::<f64>(grad, x, weight, epsilon, true)
    } else {
        backward::<f32>(grad, x, weight, epsilon, true)
    };
    (dx, dweight, dbias)
}

/// Asserts dtypes; whether the dtype is f64.
fn check(operation: &str, x: &Tensor<Flex, 2>, parameters: &[&Tensor<Flex, 1>]) -> bool {
    let dtypes = parameters.iter().map(|parameter| parameter.dtype());
    is_f64(operation, &std::iter::once(x.dtype()).chain(dtypes).collect::<Vec<_>>())
}

fn check_gradient(
    operation: &str,
    grad: &Tensor<Flex, 2>,
    x: &Tensor<Flex, 2>,
    weight: &Tensor<Flex, 1>,
) -> bool {
    is_f64(operation, &[grad.dtype(), x.dtype()]);
    check(operation, x, &[weight])
}

/// `w (x - m) r + b`; the mean is taken off where there is a bias.
fn forward<T: Element>(
    x: Tensor<Flex, 2>,
    weight: Tensor<Flex, 1>,
    bias: Option<Tensor<Flex, 1>>,
    epsilon: f64,
) -> Tensor<Flex, 2> {
    let shape = x.dims();
    let (x, weight, bias) = (input(x), input(weight), bias.map(input));
    let norm = Norm { weight: T::view(&weight), centred: bias.is_some(), epsilon };
    let (x, bias) = (T::view(&x), bias.as_ref().map(T::view));
    let len = rows_per_block(shape[1]) * shape[1];
    let write = |block: usize, out: &mut [MaybeUninit<T>], _: &mut [T]| {
        run(Forward { norm, bias, x: &x[span(block * len, len, x.len())], out });
    };
    // SAFETY: every block writes every number of its rows.
    unsafe { filled(shape, |out| for_blocks((out, len), (&mut [], 0), write)) }
}

/// Gradients of `x`, and of weight and bias; the latter is empty unless `centred`.
fn backward<T: Element>(
    grad: Tensor<Flex, 2>,
    x: Tensor<Flex, 2>,
    weight: Tensor<Flex, 1>,
    epsilon: f64,
    centred: bool,
) -> (Tensor<Flex, 2>, [Tensor<Flex, 1>; 2]) {
    let shape = x.dims();
    let [rows, width] = shape;
    let (grad, x, weight) = (input(grad), input(x), input(weight));
    let norm = Norm { weight: T::view(&weight), centred, epsilon };
    let (grad, x) = (T::view(&grad), T::view(&x));
    let len = rows_per_block(width) * width;
    let sums_len = if centred { 2 * width } else { width };
    let mut sums = vec![T::ZERO; rows.div_ceil(rows_per_block(width)) * sums_len];
    let write = |block: usize, out: &mut [MaybeUninit<T>], sums: &mut [T]| {
        let numbers = span(block * len, len, x.len());
        let (weights, biases) = sums.split_at_mut(width);
        run(Backward { norm, grad: &grad[numbers.clone()], x: &x[numbers], out, weights, biases });
    };
    // SAFETY: every block writes every number of its rows.
    let dx = unsafe { filled(shape, |out| for_blocks((out, len), (&mut sums, sums_len), write)) };
    let mut total = vec![T::ZERO; sums_len];
    for of_block in sums.chunks_exact(sums_len.max(1)) {
        total.iter_mut().zip(of_block).for_each(|(total, &sum)| *total = *total + sum);
    }
    let biases = total.split_off(width);
    let count = biases.len();
    (dx, [output(total, [width]), output(biases, [count])])
}

/// What all rows of a call share.
#[derive(Clone, Copy)]
struct Norm<'a, T> {
    weight: &'a [T],
    centred: bool,
    epsilon: f64,
}

impl<T: Element> Norm<'_, T> {
    /// `t = w g`
    #[inline(always)]
    fn scaled<P: Lanes<Base = T>>(&self, grad: &[T], at: Range<usize>) -> P {
        P::load(&self.weight[at.clone()]).mul(P::load(&grad[at]))
    }

    /// Mean, zero unless it is taken off, and reciprocal root, in every lane.
    #[inline(always)]
    fn statistics<P: Lanes<Base = T>>(&self, row: &[T]) -> (P, P) {
        let count = T::of(row.len() as f64);
        let mean = if self.centred {
            total::<P>(row.len(), |at| P::load(&row[at])) / count
        } else {
            T::ZERO
        };
        let mean = P::splat(mean);
        let squares = total::<P>(row.len(), |at| {
            let distance = P::load(&row[at]).sub(mean);
            distance.mul(distance)
        });
        let root = (squares / count + T::of(self.epsilon)).root();
        (mean, P::splat(T::ONE / root))
    }
}

/// Sum of `of(places)` over the places of a row, a pack at a time; lanes behind the end do not count.
#[inline(always)]
fn total<P: Lanes>(width: usize, of: impl Fn(Range<usize>) -> P) -> P::Base {
    let whole = width - width % P::LANES;
    let mut sum = P::zero();
    for start in (0..whole).step_by(P::LANES) {
        sum = sum.add(of(start..start + P::LANES));
    }
    if whole < width {
        let mut rest = [P::Base::ZERO; MOST_LANES];
        of(whole..width).store(&mut rest[..width - whole]);
        sum = sum.add(P::load(&rest[..P::LANES]));
    }
    sum.sum()
}

struct Forward<'a, T> {
    norm: Norm<'a, T>,
    bias: Option<&'a [T]>,
    x: &'a [T],
    out: &'a mut [MaybeUninit<T>],
}

impl<T: Element> Job for Forward<'_, T> {
    #[inline(always)]
    fn run<S: Set>(self) {
        let width = self.norm.weight.len();
        for (row, out) in self.x.chunks_exact(width).zip(self.out.chunks_exact_mut(width)) {
            let (mean, reciprocal) = self.norm.statistics::<T::Pack<S>>(row);
            for start in (0..width).step_by(T::Pack::<S>::LANES) {
                let at = span(start, T::Pack::<S>::LANES, width);
                let normal = T::Pack::<S>::load(&row[at.clone()]).sub(mean).mul(reciprocal);
                let scaled = normal.mul(T::Pack::<S>::load(&self.norm.weight[at.clone()]));
                let y = match self.bias {
                    Some(bias) => scaled.add(T::Pack::<S>::load(&bias[at.clone()])),
                    None => scaled,
                };
                y.put(&mut out[at]);
            }
        }
    }
}

struct Backward<'a, T> {
    norm: Norm<'a, T>,
    grad: &'a [T],
    x: &'a [T],
    out: &'a mut [MaybeUninit<T>],
    weights: &'a mut [T],
    /// Empty where there is no bias.
    biases: &'a mut [T],
}

impl<T: Element> Job for Backward<'_, T> {
    #[inline(always)]
    fn run<S: Set>(self) {
        let Self { norm, grad, x, out, weights, biases } = self;
        let width = norm.weight.len();
        let rows = grad.chunks_exact(width).zip(x.chunks_exact(width));
        for ((grad, x), out) in rows.zip(out.chunks_exact_mut(width)) {
            let row = Row::<T::Pack<S>>::new(&norm, grad, x);
            for start in (0..width).step_by(T::Pack::<S>::LANES) {
                let at = span(start, T::Pack::<S>::LANES, width);
                let normal = row.normal(x, at.clone());
                row.input(normal, norm.scaled(grad, at.clone())).put(&mut out[at.clone()]);
                let g = T::Pack::<S>::load(&grad[at.clone()]);
                let to = &mut weights[at.clone()];
                g.mul_add(normal, T::Pack::<S>::load(to)).store(to);
                if let Some(to) = biases.get_mut(at) {
                    g.add(T::Pack::<S>::load(to)).store(to);
                }
            }
        }
    }
}

/// What the gradient of a row needs to know of all of it.
struct Row<P> {
    mean: P,
    reciprocal: P,
    /// `mean(t)`, zero unless the mean is taken off.
    level: P,
    /// `mean(t h)`.
    along: P,
}

impl<P: Lanes> Row<P> {
    #[inline(always)]
    fn new(norm: &Norm<'_, P::Base>, grad: &[P::Base], x: &[P::Base]) -> Self {
        let (mean, reciprocal) = norm.statistics::<P>(x);
        let mut row = Self { mean, reciprocal, level: P::zero(), along: P::zero() };
        let count = P::Base::of(x.len() as f64);
        if norm.centred {
            let sum = total::<P>(x.len(), |at| norm.scaled::<P>(grad, at));
            row.level = P::splat(sum / count);
        }
        let product = |at: Range<usize>| norm.scaled::<P>(grad, at.clone()).mul(row.normal(x, at));
        row.along = P::splat(total::<P>(x.len(), product) / count);
        row
    }

    /// `h`
    #[inline(always)]
    fn normal(&self, x: &[P::Base], at: Range<usize>) -> P {
        P::load(&x[at]).sub(self.mean).mul(self.reciprocal)
    }

    /// `r (t - mean(t) - h mean(t h))`
    #[inline(always)]
    fn input(&self, normal: P, scaled: P) -> P {
        scaled.sub(self.level).sub(normal.mul(self.along)).mul(self.reciprocal)
    }
}
