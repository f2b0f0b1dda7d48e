//! Both normalisations on CUDA: which variant of `norm.cu` a width takes, its grids and scratch.
//!
//! Gradients of weight and bias take two launches: partial sums by block, then their sum, so that the
//! order of additions depends on the shape alone.

use crate::machine::cuda::{Array, Element, Launch, Machine, Source};

static SOURCE: Source = Source::of("families/norm/norm.cu", include_str!("norm.cu"));
const THREADS: usize = 256;
const WARP: usize = 32;
/// Rows of partial sums at most: a few blocks for each processor of the largest devices (132), while the
/// second pass stays small beside the first.
const MOST_BLOCKS: usize = 512;
/// Columns of a block of `sum_partials`.
const SUM_COLUMNS: usize = 32;

/// Rows, columns and the small number under the root.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows {
    /// N
    pub(crate) count: usize,
    /// C
    pub(crate) width: usize,
    /// Added to the mean square.
    pub(crate) epsilon: f64,
}

/// How the threads of a block share rows.
#[derive(Clone, Copy, Debug)]
struct Variant {
    team: usize,
    packs: usize,
}

/// Registers of a thread that hold its part of a row: 32 leave room for the rest of the forward; the
/// backward holds two rows and the sums of its columns besides.
const FORWARD_REGISTERS: usize = 32;
const BACKWARD_REGISTERS: usize = 16;

impl Variant {
    /// The fewest registers that hold a row; a warp for each row as long as that is possible.
    fn of(width: usize, element: Element, registers: usize) -> Self {
        let fits = |&(team, packs): &(usize, usize)| {
            packs * 4 * team >= width && packs * element.bytes() <= registers
        };
        let warp = [2, 4, 8].map(|packs| (WARP, packs));
        let block = [1, 2, 4, 8].map(|packs| (THREADS, packs));
        let (team, packs) = warp.into_iter().chain(block).find(fits).unwrap_or((THREADS, 0));
        Self { team, packs }
    }

    /// Rows that a block works on at a time.
    fn teams(self) -> usize {
        THREADS / self.team
    }

    fn launch<'a, A>(self, entry: &'static str, element: Element) -> Launch<'a, A> {
        let launch = Launch::of(&SOURCE, entry).define("Real", element.real());
        launch.define("TEAM", self.team).define("PACKS", self.packs).block(256)
    }
}

/// `y`; with a bias it is the layer norm, without one the RMS norm.
pub(crate) fn forward<M: Machine>(
    machine: &M,
    x: &M::Array,
    weight: &M::Array,
    bias: Option<&M::Array>,
    of: Rows,
) -> M::Array {
    let y = machine.array(x.element(), of.count * of.width);
    if of.count * of.width == 0 {
        return y;
    }
    let variant = Variant::of(of.width, x.element(), FORWARD_REGISTERS);
    let entry = if bias.is_some() { "layer_norm" } else { "rms_norm" };
    let mut launch = variant.launch(entry, x.element()).input(x).input(weight);
    if let Some(bias) = bias {
        launch = launch.input(bias);
    }
    let launch = launch.output(&y).size(of.count).size(of.width).real(of.epsilon);
    machine.launch(launch.grid(of.count.div_ceil(variant.teams())));
    y
}

/// Gradients of the RMS norm: of x and of the weight.
pub(crate) fn rms_norm_backward<M: Machine>(
    machine: &M,
    [grad, x, weight]: [&M::Array; 3],
    of: Rows,
) -> (M::Array, M::Array) {
    let (dx, [dweight]) = backward(machine, "rms_norm_backward", [grad, x, weight], of);
    (dx, dweight)
}

/// Gradients of the layer norm: of x, of the weight and of the bias.
pub(crate) fn layer_norm_backward<M: Machine>(
    machine: &M,
    [grad, x, weight]: [&M::Array; 3],
    of: Rows,
) -> (M::Array, M::Array, M::Array) {
    let (dx, [dweight, dbias]) = backward(machine, "layer_norm_backward", [grad, x, weight], of);
    (dx, dweight, dbias)
}

/// The gradient of x and `P` sums over rows.
fn backward<M: Machine, const P: usize>(
    machine: &M,
    entry: &'static str,
    [grad, x, weight]: [&M::Array; 3],
    of: Rows,
) -> (M::Array, [M::Array; P]) {
    let element = x.element();
    let dx = machine.array(element, of.count * of.width);
    if of.count * of.width == 0 {
        return (dx, std::array::from_fn(|_| machine.zeros(element, of.width)));
    }
    let variant = Variant::of(of.width, element, BACKWARD_REGISTERS);
    let blocks = of.count.div_ceil(variant.teams()).min(MOST_BLOCKS);
    let rows_per_block = of.count.div_ceil(blocks);
    let blocks = of.count.div_ceil(rows_per_block);
    let partials: [_; P] = std::array::from_fn(|_| machine.array(element, blocks * of.width));
    let mut launch = variant.launch(entry, element).input(grad).input(x).input(weight).output(&dx);
    for partial in &partials {
        launch = launch.output(partial);
    }
    let launch = launch.size(of.count).size(of.width).real(of.epsilon).size(rows_per_block);
    machine.launch(launch.grid(blocks));
    let sums = partials.map(|partial| {
        let sum = machine.array(element, of.width);
        let launch = variant.launch("sum_partials", element).input(&partial).output(&sum);
        let launch = launch.size(blocks).size(of.width);
        machine.launch(launch.grid(of.width.div_ceil(SUM_COLUMNS)));
        sum
    });
    (dx, sums)
}

#[cfg(all(test, unix))]
#[path = "cuda_tests.rs"]
mod tests;
