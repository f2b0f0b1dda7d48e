//! Operations whose outputs at a place depend on the inputs at that place alone: one pass over
//! all buffers, written into the buffers of inputs that nobody else holds.
#![expect(
    clippy::needless_range_loop,
    reason = "parts of iterators may stay calls without the instruction set"
)]

use std::mem::MaybeUninit;
use std::ops::Range;

use burn::backend::flex::FlexTensor;
use burn::tensor::{Shape, TensorData, TensorMetadata};
use rayon::prelude::*;

use super::storage::contiguous;
use super::{Element, Job, Lanes, Set, functions, is_f64, run};
use crate::formula::{Formula, Term};

/// `O` numbers out of `I` numbers, at every place.
pub(crate) trait Elementwise<const I: usize, const O: usize>: Sync {
    /// Outputs at the places from `at` on. Must be `#[inline(always)]`, as [`Job`] says.
    fn apply<P: Lanes>(&self, at: usize, x: [P; I]) -> [P; O];
}

impl<F: Formula<I, O>, const I: usize, const O: usize> Elementwise<I, O> for F {
    #[inline(always)]
    fn apply<P: Lanes>(&self, _: usize, x: [P; I]) -> [P; O] {
        F::apply(x)
    }
}

impl<P: Lanes> Term for P {
    #[inline(always)]
    fn of(value: f64) -> Self {
        Lanes::of(value)
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Lanes::add(self, other)
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Lanes::sub(self, other)
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Lanes::mul(self, other)
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, term: Self) -> Self {
        Lanes::mul_add(self, factor, term)
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Lanes::min(self, other)
    }

    #[inline(always)]
    fn exp(self) -> Self {
        functions::exp(self)
    }

    #[inline(always)]
    fn logistic(self) -> Self {
        functions::logistic(self)
    }

    #[inline(always)]
    fn erf(self) -> Self {
        functions::erf(self)
    }

    #[inline(always)]
    fn tanh(self) -> Self {
        functions::tanh(self)
    }

    #[inline(always)]
    fn tanh_slope(self, tanh: Self) -> Self {
        Lanes::sub(<Self as Lanes>::of(1.0), Lanes::mul(tanh, tanh))
    }
}

/// Numbers of a task. Less than two tasks stay on the calling thread: handing one over costs
/// microseconds, about as much as moving this many numbers.
const NUMBERS_PER_TASK: usize = 1 << 14;

/// The outputs of `rule`, in the shape of the first input; all inputs have as many numbers.
pub(crate) fn map<const I: usize, const O: usize>(
    operation: &str,
    rule: &impl Elementwise<I, O>,
    inputs: [FlexTensor; I],
) -> [FlexTensor; O] {
    let double = is_f64(operation, &inputs.each_ref().map(FlexTensor::dtype));
    if double { map_as::<f64, I, O>(rule, inputs) } else { map_as::<f32, I, O>(rule, inputs) }
}

fn map_as<T: Element, const I: usize, const O: usize>(
    rule: &impl Elementwise<I, O>,
    inputs: [FlexTensor; I],
) -> [FlexTensor; O] {
    let shape = inputs[0].shape();
    let len = shape.num_elements();
    let mut places = Places { from: [std::ptr::null(); I], to: [std::ptr::null_mut(); O] };
    let (mut held, mut outputs) = (Vec::with_capacity(I), Vec::with_capacity(O));
    for (at, x) in inputs.into_iter().enumerate() {
        let mut x = contiguous(x);
        assert!(x.shape().num_elements() == len, "elementwise inputs have one length");
        if outputs.len() < O && x.is_unique() {
            let numbers = T::view_mut(&mut x).as_mut_ptr();
            places.from[at] = numbers;
            places.to[outputs.len()] = numbers;
            outputs.push(Output::Reused(x));
        } else {
            places.from[at] = T::view(&x).as_ptr();
            held.push(x);
        }
    }
    while outputs.len() < O {
        let mut numbers = Vec::with_capacity(len);
        places.to[outputs.len()] = numbers.as_mut_ptr();
        outputs.push(Output::New(numbers));
    }
    run_pieces(rule, &places, len);
    // SAFETY: every piece wrote all its numbers of every output.
    let outputs: Vec<_> = outputs.into_iter().map(|y| unsafe { y.finish(&shape) }).collect();
    outputs.try_into().unwrap_or_else(|_| unreachable!("as many outputs as places for them"))
}

fn run_pieces<T: Element, const I: usize, const O: usize>(
    rule: &impl Elementwise<I, O>,
    places: &Places<T, I, O>,
    len: usize,
) {
    let tasks = len.div_ceil(NUMBERS_PER_TASK);
    let piece = |task: usize| {
        let start = task * NUMBERS_PER_TASK;
        run(Piece { rule, places, range: start..len.min(start + NUMBERS_PER_TASK) });
    };
    if tasks > 2 { (0..tasks).into_par_iter().for_each(piece) } else { (0..tasks).for_each(piece) }
}

/// An output: the buffer of an input, or a new one that is written for the first time.
enum Output<T> {
    Reused(FlexTensor),
    New(Vec<T>),
}

impl<T: Element> Output<T> {
    /// # Safety
    /// As many numbers as the shape holds were written.
    unsafe fn finish(self, shape: &Shape) -> FlexTensor {
        match self {
            Self::Reused(x) => x,
            Self::New(mut numbers) => {
                // SAFETY: that many have room, from its creation, and were written.
                unsafe { numbers.set_len(shape.num_elements()) };
                FlexTensor::from_data(TensorData::new(numbers, shape.clone()))
            }
        }
    }
}

/// Where the inputs start, and the outputs, which may be inputs too.
struct Places<T, const I: usize, const O: usize> {
    from: [*const T; I],
    to: [*mut T; O],
}

// SAFETY: threads work on ranges that do not overlap, of numbers that threads may share.
unsafe impl<T: Sync, const I: usize, const O: usize> Sync for Places<T, I, O> {}

/// A range of places for one thread.
struct Piece<'a, R, T, const I: usize, const O: usize> {
    rule: &'a R,
    places: &'a Places<T, I, O>,
    range: Range<usize>,
}

impl<T: Element, R: Elementwise<I, O>, const I: usize, const O: usize> Job
    for Piece<'_, R, T, I, O>
{
    #[inline(always)]
    fn run<S: Set>(self) {
        let lanes = T::Pack::<S>::LANES;
        let mut at = self.range.start;
        while at + lanes <= self.range.end {
            self.pack::<T::Pack<S>>(at, lanes);
            at += lanes;
        }
        if at < self.range.end {
            self.pack::<T::Pack<S>>(at, self.range.end - at);
        }
    }
}

impl<T: Element, R: Elementwise<I, O>, const I: usize, const O: usize> Piece<'_, R, T, I, O> {
    #[inline(always)]
    fn pack<P: Lanes<Base = T>>(&self, at: usize, count: usize) {
        let mut x = [P::zero(); I];
        for input in 0..I {
            let from = self.places.from[input];
            // SAFETY: inputs have at least `range.end` numbers, and nothing writes these now.
            x[input] = P::load(unsafe { std::slice::from_raw_parts(from.add(at), count) });
        }
        let y = self.rule.apply(at, x);
        for output in 0..O {
            let to = self.places.to[output];
            // SAFETY: outputs have room for `range.end` numbers, and these belong to this task.
            let to = unsafe { std::slice::from_raw_parts_mut(to.add(at).cast(), count) };
            let to: &mut [MaybeUninit<T>] = to;
            y[output].put(to);
        }
    }
}
