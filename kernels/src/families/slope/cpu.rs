//! Dot products and multiples of rows, and halves of curves, on the CPU, one pass each.

use burn::backend::Flex;
use burn::tensor::Tensor;

use super::Half;
use crate::cpu::{
    Element, Job, Lanes, Set, input, is_f64, make_rows, output, rows_per_copy, run, span,
};
use crate::graph::tensor;

/// [`dot_rows`](fn@crate::families::slope::dot_rows).
pub(crate) fn dot(a: Tensor<Flex, 2>, b: Tensor<Flex, 2>) -> Tensor<Flex, 2> {
    let [rows, width] = a.dims();
    let double = is_f64("dot_rows", &[a.dtype(), b.dtype()]);
    let (a, b) = (input(a), input(b));
    if double {
        output(dots(f64::view(&a), f64::view(&b), [rows, width]), [rows, 1])
    } else {
        output(dots(f32::view(&a), f32::view(&b), [rows, width]), [rows, 1])
    }
}

/// [`scale_rows`](fn@crate::families::slope::scale_rows).
pub(crate) fn scale(scales: Tensor<Flex, 2>, a: Tensor<Flex, 2>) -> Tensor<Flex, 2> {
    let shape = a.dims();
    let double = is_f64("scale_rows", &[scales.dtype(), a.dtype()]);
    let (scales, a) = (input(scales), input(a));
    if double {
        output(multiples(f64::view(&scales), f64::view(&a), shape[1]), shape)
    } else {
        output(multiples(f32::view(&scales), f32::view(&a), shape[1]), shape)
    }
}

fn dots<T: Element>(a: &[T], b: &[T], [rows, width]: [usize; 2]) -> Vec<T> {
    let rows_per_task = rows_per_copy(width);
    make_rows(
        rows,
        rows_per_task,
        1,
        || (),
        |(), task, out| {
            let part = span(task * rows_per_task * width, out.len() * width, a.len());
            run(Dots { a: &a[part.clone()], b: &b[part], width, out });
        },
    )
}

/// The dot products of some rows.
struct Dots<'a, T> {
    a: &'a [T],
    b: &'a [T],
    width: usize,
    out: &'a mut [T],
}

impl<T: Element> Job for Dots<'_, T> {
    #[inline(always)]
    fn run<S: Set>(self) {
        let lanes = T::Pack::<S>::LANES;
        for (row, out) in self.out.iter_mut().enumerate() {
            let [a, b] = [self.a, self.b].map(|x| &x[row * self.width..(row + 1) * self.width]);
            let mut sum = T::Pack::<S>::zero();
            for (a, b) in a.chunks(lanes).zip(b.chunks(lanes)) {
                sum = T::Pack::<S>::load(a).mul_add(T::Pack::<S>::load(b), sum);
            }
            *out = sum.sum();
        }
    }
}

fn multiples<T: Element>(scales: &[T], a: &[T], width: usize) -> Vec<T> {
    make_rows(
        a.len(),
        width,
        rows_per_copy(width),
        || (),
        |(), row, out| {
            let a = &a[row * width..(row + 1) * width];
            run(Multiple { scale: scales[row], a, out });
        },
    )
}

/// The multiple of one row.
struct Multiple<'a, T> {
    scale: T,
    a: &'a [T],
    out: &'a mut [T],
}

impl<T: Element> Job for Multiple<'_, T> {
    #[inline(always)]
    fn run<S: Set>(self) {
        let lanes = T::Pack::<S>::LANES;
        let scale = T::Pack::<S>::splat(self.scale);
        for (a, out) in self.a.chunks(lanes).zip(self.out.chunks_mut(lanes)) {
            T::Pack::<S>::load(a).mul(scale).store(out);
        }
    }
}

/// [`half`](fn@crate::families::slope::half), without a copy.
pub(crate) fn half(curve: Tensor<Flex, 3>, half: Half) -> Tensor<Flex, 2> {
    let [_, rows, width] = curve.dims();
    tensor(input(curve).narrow(0, half.index(), 1).reshape([rows, width].into()))
}

/// [`from_half`](fn@crate::families::slope::from_half).
pub(crate) fn from_half(x: Tensor<Flex, 2>, half: Half) -> Tensor<Flex, 3> {
    let [rows, width] = x.dims();
    let double = is_f64("from_half", &[x.dtype()]);
    let x = input(x);
    if double {
        output(beside_zeros(f64::view(&x), half), [2, rows, width])
    } else {
        output(beside_zeros(f32::view(&x), half), [2, rows, width])
    }
}

fn beside_zeros<T: Element>(x: &[T], half: Half) -> Vec<T> {
    let mut out = Vec::with_capacity(2 * x.len());
    if half == Half::Slopes {
        out.resize(x.len(), T::ZERO);
    }
    out.extend_from_slice(x);
    out.resize(2 * x.len(), T::ZERO);
    out
}
