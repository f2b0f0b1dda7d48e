//! The gradients of some rows, and of the weights by these rows.

use std::ops::Range;

use super::block::{Input, Rows, activate, blocks_of, deactivate};
use crate::cpu::matmul::{Matrix, Packed, Target};
use crate::cpu::{Arithmetic, Full, Job, Plain, Round, Set};

/// The gradients by some rows.
pub(super) struct Part<'a, T> {
    pub(super) input: Input<'a, T>,
    /// `[2, P, I_D]`
    pub(super) grad: &'a [T],
    pub(super) rows: Range<usize>,
    /// `[rows, I_0]` of values and of slopes.
    pub(super) halves: [&'a mut [T]; 2],
    /// Zero before.
    pub(super) of_weights: &'a mut [T],
}

/// Weights as both directions multiply by them.
struct Weights<S: Set, T: Round + Plain> {
    forward: Vec<Packed<Full<S, T>>>,
    backward: Vec<Packed<Full<S, T>>>,
}

/// A block at every layer.
struct Layers<T> {
    /// Before the activations of each layer.
    before: Vec<Rows<T>>,
    /// Behind them.
    behind: Vec<Rows<T>>,
    /// The gradient behind the layer at hand, and of what it multiplies.
    grad: Rows<T>,
    next: Rows<T>,
}

impl<T: Round + Plain> Job for Part<'_, T> {
    #[inline(always)]
    fn run<S: Set>(mut self) {
        let layers = self.input.network.num_layers();
        let mut backward = Vec::with_capacity(layers);
        for layer in 0..layers {
            backward.push(Packed::new(self.input.weight(layer).transposed()));
        }
        let weights = Weights::<S, T> { forward: self.input.packed::<S>(), backward };
        let room = || (0..layers).map(|_| Rows::new()).collect();
        let mut all =
            Layers { before: room(), behind: room(), grad: Rows::new(), next: Rows::new() };
        for block in blocks_of(self.rows.clone(), Full::<S, T>::ROWS) {
            self.again::<S>(&weights, &block, &mut all);
            self.start(&block, &mut all.grad);
            for layer in (0..layers).rev() {
                deactivate::<T::Pack<S>>(all.before[layer].all(), all.grad.all_mut());
                self.of_weight::<S>(layer, &block, &all);
                self.of_input::<S>(&weights.backward[layer], layer, &block, &mut all);
            }
        }
    }
}

impl<T: Round + Plain> Part<'_, T> {
    /// The forward of a block.
    #[inline(always)]
    fn again<S: Set>(&self, weights: &Weights<S, T>, block: &Range<usize>, all: &mut Layers<T>) {
        for layer in 0..self.input.network.num_layers() {
            let x = &all.behind[layer.saturating_sub(1)];
            self.input.step::<S>(&weights.forward[layer], layer, block, x, &mut all.before[layer]);
            let shape = [block.len(), self.input.network.widths()[layer + 1]];
            activate::<T::Pack<S>>(all.before[layer].all(), all.behind[layer].reshape(shape));
        }
    }

    /// The gradient behind the last layer.
    #[inline(always)]
    fn start(&self, block: &Range<usize>, grad: &mut Rows<T>) {
        let width = self.input.network.widths()[self.input.network.num_layers()];
        let (values, slopes) = grad.reshape([block.len(), width]).split_at_mut(block.len() * width);
        for (half, to) in [values, slopes].into_iter().enumerate() {
            to.copy_from_slice(self.input.rows_of(self.grad, width, half, block));
        }
    }

    /// Adds `x^T grad`.
    #[inline(always)]
    fn of_weight<S: Set>(&mut self, layer: usize, block: &Range<usize>, all: &Layers<T>) {
        let network = self.input.network;
        let shape = network.shape_of(layer);
        let mut target =
            Target::new(&mut self.of_weights[network.range_of(layer)], shape, shape[1]);
        for half in 0..2 {
            let x = self.input.left(layer, block, &all.behind[layer.saturating_sub(1)], half);
            let grad = Packed::<Full<S, T>>::new(all.grad.half(half));
            grad.multiply(x.transposed(), &mut target, true);
        }
    }

    /// The gradient of what the layer multiplies.
    #[inline(always)]
    fn of_input<S: Set>(
        &mut self,
        weight: &Packed<Full<S, T>>,
        layer: usize,
        block: &Range<usize>,
        all: &mut Layers<T>,
    ) {
        let width = self.input.network.widths()[layer];
        all.next.reshape([block.len(), width]);
        for half in 0..2 {
            let grad: Matrix<'_, T> = all.grad.half(half);
            if layer == 0 {
                let first = (block.start - self.rows.start) * width;
                let to = &mut self.halves[half][first..][..block.len() * width];
                let mut target = Target::new(to, [block.len(), width], width);
                weight.multiply(grad, &mut target, false);
            } else {
                weight.multiply(grad, &mut all.next.target(half), false);
            }
        }
        std::mem::swap(&mut all.grad, &mut all.next);
    }
}
