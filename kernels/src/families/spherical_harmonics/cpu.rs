//! The harmonics on the CPU, a pack of edges at a time, forward, backward, and both along a
//! direction: the last is the same recursion run on numbers that carry their derivative.

use burn::backend::Flex;
use burn::tensor::Tensor;
use rayon::prelude::*;

use super::recursion::steps;
use super::{MAX_DEGREE, degree_of};
use crate::cpu::{
    Element, Job, Lanes, MOST_LANES, Moving, Number, Set, input, is_f64, make_rows, output, run,
    span,
};

/// `(MAX_DEGREE + 1)^2`.
const MOST: usize = (MAX_DEGREE + 1) * (MAX_DEGREE + 1);

/// Packs of edges a task takes at least, some ten microseconds of work.
const PACKS_PER_TASK: usize = 8;

/// [`spherical_harmonics`](fn@crate::families::spherical_harmonics::spherical_harmonics).
pub(crate) fn forward(vectors: Tensor<Flex, 2>, max_degree: usize) -> Tensor<Flex, 2> {
    let edges = vectors.dims()[0];
    let double = is_f64("spherical_harmonics", &[vectors.dtype()]);
    let shape = [edges, (max_degree + 1) * (max_degree + 1)];
    let vectors = input(vectors);
    if double {
        output(values(f64::view(&vectors), max_degree), shape)
    } else {
        output(values(f32::view(&vectors), max_degree), shape)
    }
}

/// [`spherical_harmonics_backward`](fn@crate::families::spherical_harmonics::spherical_harmonics_backward).
pub(crate) fn backward(grad: Tensor<Flex, 2>, vectors: Tensor<Flex, 2>) -> Tensor<Flex, 2> {
    let name = "spherical_harmonics_backward";
    let edges = vectors.dims()[0];
    let max_degree = degree_of(name, grad.dims()[1]);
    let double = is_f64(name, &[grad.dtype(), vectors.dtype()]);
    let (grad, vectors) = (input(grad), input(vectors));
    if double {
        output(gradients(f64::view(&grad), f64::view(&vectors), max_degree), [edges, 3])
    } else {
        output(gradients(f32::view(&grad), f32::view(&vectors), max_degree), [edges, 3])
    }
}

/// [`spherical_harmonics_second`](fn@crate::families::spherical_harmonics::spherical_harmonics_second).
pub(crate) fn second(
    along: Tensor<Flex, 2>,
    grad: Tensor<Flex, 2>,
    vectors: Tensor<Flex, 2>,
) -> (Tensor<Flex, 2>, Tensor<Flex, 2>) {
    let name = "spherical_harmonics_second";
    let edges = vectors.dims()[0];
    let columns = grad.dims()[1];
    let max_degree = degree_of(name, columns);
    let double = is_f64(name, &[along.dtype(), grad.dtype(), vectors.dtype()]);
    let (along, grad, vectors) = (input(along), input(grad), input(vectors));
    if double {
        let (along, grad) = (f64::view(&along), f64::view(&grad));
        let (slopes, bends) = changes(along, grad, f64::view(&vectors), max_degree);
        (output(slopes, [edges, columns]), output(bends, [edges, 3]))
    } else {
        let (along, grad) = (f32::view(&along), f32::view(&grad));
        let (slopes, bends) = changes(along, grad, f32::view(&vectors), max_degree);
        (output(slopes, [edges, columns]), output(bends, [edges, 3]))
    }
}

fn values<T: Element>(vectors: &[T], max_degree: usize) -> Vec<T> {
    let columns = (max_degree + 1) * (max_degree + 1);
    let lanes = MOST_LANES;
    make_rows(
        vectors.len() / 3 * columns,
        lanes * columns,
        PACKS_PER_TASK,
        || (),
        |(), pack, out| {
            let vectors = &vectors[span(pack * lanes * 3, lanes * 3, vectors.len())];
            run(Values { vectors, max_degree, out });
        },
    )
}

fn gradients<T: Element>(grad: &[T], vectors: &[T], max_degree: usize) -> Vec<T> {
    let columns = (max_degree + 1) * (max_degree + 1);
    let lanes = MOST_LANES;
    make_rows(
        vectors.len(),
        lanes * 3,
        PACKS_PER_TASK,
        || (),
        |(), pack, out| {
            let vectors = &vectors[span(pack * lanes * 3, lanes * 3, vectors.len())];
            let grad = &grad[span(pack * lanes * columns, lanes * columns, grad.len())];
            run(Gradients { vectors, grad, max_degree, out });
        },
    )
}

fn changes<T: Element>(
    along: &[T],
    grad: &[T],
    vectors: &[T],
    max_degree: usize,
) -> (Vec<T>, Vec<T>) {
    let columns = (max_degree + 1) * (max_degree + 1);
    let lanes = MOST_LANES;
    let (mut slopes, mut bends) = (vec![T::ZERO; grad.len()], vec![T::ZERO; vectors.len()]);
    let packs = slopes.par_chunks_mut(lanes * columns).zip(bends.par_chunks_mut(lanes * 3));
    packs.enumerate().with_min_len(PACKS_PER_TASK).for_each(|(pack, (slopes, bends))| {
        let rows = span(pack * lanes * 3, lanes * 3, vectors.len());
        let (vectors, along) = (&vectors[rows.clone()], &along[rows]);
        let grad = &grad[span(pack * lanes * columns, lanes * columns, grad.len())];
        run(Changes { vectors, along, grad, max_degree, slopes, bends });
    });
    (slopes, bends)
}

/// Harmonics of a pack of edges.
struct Values<'a, T> {
    vectors: &'a [T],
    max_degree: usize,
    out: &'a mut [T],
}

impl<T: Element> Job for Values<'_, T> {
    #[inline(always)]
    fn run<S: Set>(self) {
        let columns = (self.max_degree + 1) * (self.max_degree + 1);
        let lanes = T::Pack::<S>::LANES;
        let packs = self.vectors.chunks(lanes * 3).zip(self.out.chunks_mut(lanes * columns));
        for (vectors, out) in packs {
            let (unit, _) = direction::<T::Pack<S>>(vectors);
            scatter(&degrees(&unit, self.max_degree)[..columns], out);
        }
    }
}

/// Gradients of a pack of edges.
struct Gradients<'a, T> {
    vectors: &'a [T],
    grad: &'a [T],
    max_degree: usize,
    out: &'a mut [T],
}

impl<T: Element> Job for Gradients<'_, T> {
    #[inline(always)]
    fn run<S: Set>(self) {
        let (lanes, max_degree) = (T::Pack::<S>::LANES, self.max_degree);
        let columns = (max_degree + 1) * (max_degree + 1);
        let packs = self.vectors.chunks(lanes * 3).zip(self.grad.chunks(lanes * columns));
        for ((vectors, grad), out) in packs.zip(self.out.chunks_mut(lanes * 3)) {
            let (unit, reciprocal) = direction::<T::Pack<S>>(vectors);
            let values = degrees(&unit, max_degree);
            let grads = gather(grad, columns);
            scatter(&pull_back(&unit, reciprocal, &values, grads, max_degree), out);
        }
    }
}

/// Changes of a pack of edges.
struct Changes<'a, T> {
    vectors: &'a [T],
    along: &'a [T],
    grad: &'a [T],
    max_degree: usize,
    slopes: &'a mut [T],
    bends: &'a mut [T],
}

impl<T: Element> Job for Changes<'_, T> {
    #[inline(always)]
    fn run<S: Set>(self) {
        let (lanes, max_degree) = (T::Pack::<S>::LANES, self.max_degree);
        let columns = (max_degree + 1) * (max_degree + 1);
        let ends = self.vectors.chunks(lanes * 3).zip(self.along.chunks(lanes * 3));
        let inputs = ends.zip(self.grad.chunks(lanes * columns));
        let slopes = self.slopes.chunks_mut(lanes * columns);
        let outputs = slopes.zip(self.bends.chunks_mut(lanes * 3));
        for (((vectors, along), grad), (slopes, bends)) in inputs.zip(outputs) {
            let (unit, reciprocal) = moving_direction::<T::Pack<S>>(vectors, along);
            let values = degrees(&unit, max_degree);
            scatter(&values.map(Number::result)[..columns], slopes);
            let grads = gather::<T::Pack<S>>(grad, columns).map(Moving::constant);
            let change = pull_back(&unit, reciprocal, &values, grads, max_degree);
            scatter(&change.map(Number::result), bends);
        }
    }
}

/// Rows of `columns` numbers, an edge each, as packs with an edge per lane; absent ones are zero.
#[inline(always)]
fn gather<P: Lanes>(rows: &[P::Base], columns: usize) -> [P; MOST] {
    let mut lanes = [P::Base::ZERO; MOST_LANES];
    let mut out = [P::zero(); MOST];
    for (column, out) in out.iter_mut().enumerate().take(columns) {
        for (lane, row) in lanes.iter_mut().zip(rows.chunks(columns)) {
            *lane = row[column];
        }
        *out = P::load(&lanes[..P::LANES]);
    }
    out
}

/// The reverse of [`gather`].
#[inline(always)]
fn scatter<P: Lanes>(packs: &[P], rows: &mut [P::Base]) {
    let mut lanes = [P::Base::ZERO; MOST_LANES];
    for (column, pack) in packs.iter().enumerate() {
        pack.store(&mut lanes[..P::LANES]);
        for (lane, row) in lanes.iter().zip(rows.chunks_mut(packs.len())) {
            row[column] = *lane;
        }
    }
}

/// `u` and `1 / |v|`, both zero where `v` is.
#[inline(always)]
fn direction<P: Lanes>(vectors: &[P::Base]) -> ([P; 3], P) {
    let all = gather::<P>(vectors, 3);
    let vector = [all[0], all[1], all[2]];
    let square = dot(&vector, &vector);
    let one = P::Base::ONE;
    let reciprocal =
        square.map(|s| if s == P::Base::ZERO { P::Base::ZERO } else { one / s.root() });
    (vector.map(|x| Lanes::mul(x, reciprocal)), reciprocal)
}

/// [`direction`] with its derivative: `u' = (w - u (u . w)) / |v|`, `(1/|v|)' = -(u . w) / v^2`.
#[inline(always)]
fn moving_direction<P: Lanes>(
    vectors: &[P::Base],
    along: &[P::Base],
) -> ([Moving<P>; 3], Moving<P>) {
    let (unit, reciprocal) = direction::<P>(vectors);
    let along = gather::<P>(along, 3);
    let radial = dot(&unit, &[along[0], along[1], along[2]]);
    let across = |axis: usize| Lanes::sub(along[axis], Lanes::mul(unit[axis], radial));
    let moving = |axis: usize| Moving::of(unit[axis], || Lanes::mul(across(axis), reciprocal));
    let shrink =
        || Lanes::mul(Lanes::mul(radial, reciprocal), reciprocal).map(|x| P::Base::ZERO - x);
    ([moving(0), moving(1), moving(2)], Moving::of(reciprocal, shrink))
}

#[inline(always)]
fn dot<N: Number>(a: &[N; 3], b: &[N; 3]) -> N {
    a[0].mul(b[0]).add(a[1].mul(b[1])).add(a[2].mul(b[2]))
}

/// A coefficient of the recursion in every lane.
#[inline(always)]
fn constant<P: Lanes>(value: f64) -> P {
    P::splat(P::Base::of(value))
}

/// All degrees, one after the other.
#[inline(always)]
fn degrees<N: Number>(unit: &[N; 3], max_degree: usize) -> [N; MOST] {
    let mut values = [N::constant(N::Plain::zero()); MOST];
    values[0] = N::constant(constant(1.0));
    for degree in 1..=max_degree {
        let (lower, upper) = ((degree - 1) * (degree - 1), degree * degree);
        for step in steps(degree) {
            let product = unit[step.axis].mul(values[lower + step.lower]);
            let to = &mut values[upper + step.upper];
            *to = to.add(product.weighted(constant(step.value)));
        }
    }
    values
}

/// The recursion backwards, from the gradient of every degree to that of the vectors.
#[inline(always)]
fn pull_back<N: Number>(
    unit: &[N; 3],
    reciprocal: N,
    values: &[N; MOST],
    mut grads: [N; MOST],
    max_degree: usize,
) -> [N; 3] {
    let mut unit_grad = [N::constant(N::Plain::zero()); 3];
    for degree in (1..=max_degree).rev() {
        let (lower, upper) = ((degree - 1) * (degree - 1), degree * degree);
        for step in steps(degree) {
            let grad = grads[upper + step.upper].weighted(constant(step.value));
            let axis = &mut unit_grad[step.axis];
            *axis = axis.add(grad.mul(values[lower + step.lower]));
            let below = &mut grads[lower + step.lower];
            *below = below.add(grad.mul(unit[step.axis]));
        }
    }
    let radial = dot(unit, &unit_grad);
    let across = |axis: usize| unit_grad[axis].sub(unit[axis].mul(radial)).mul(reciprocal);
    [across(0), across(1), across(2)]
}
