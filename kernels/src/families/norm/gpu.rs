//! Both normalisations on GPUs: which variant of `norm.cu` a width takes, grids and scratch; in WGSL a workgroup
//! has a row.
//!
//! Gradients of weight and bias are partial sums by block of rows, then their sum, so that the order of
//! additions depends on the shape alone. In CUDA the partial sums come with the gradient of x, in WGSL after it.

use burn::tensor::Tensor;

use crate::families::reduce::gpu::column_sums;
use crate::machine::{Array, Element, Gpu, Language, Launch, Machine, Number, Source, Tensors};

static SOURCE: Source = Source::both(
    ["families/norm/norm.cu", include_str!("norm.cu")],
    ["families/norm/norm.wgsl", include_str!("norm.wgsl")],
);
const THREADS: usize = 256;
const WARP: usize = 32;
/// Rows of partial sums at most: a few blocks for each processor of the largest devices (132), while the
/// second pass stays small beside the first.
const MOST_BLOCKS: usize = 512;
/// In WGSL, rows whose share of the weight's gradient one thread sums.
const ROWS: usize = 64;

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

impl Rows {
    fn of<B: Gpu>(x: &Tensor<B, 2>, epsilon: f64) -> Self {
        let [count, width] = x.dims();
        Self { count, width, epsilon }
    }

    /// The numbers that begin those of every kernel.
    fn given<'a, A>(&self, launch: Launch<'a, A>) -> Launch<'a, A> {
        let launch = launch.count("rows", self.count).count("width", self.width);
        launch.named("epsilon", Number::Real(self.epsilon))
    }
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
        launch.in_cuda("TEAM", self.team).in_cuda("PACKS", self.packs).block(256)
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
    let launch = variant.launch(entry, x.element()).input(x).input(weight);
    let launch = bias.into_iter().fold(launch, Launch::input).output(&y);
    let launch = of.given(launch).groups(of.count).group_sums(256);
    machine.launch(launch.grid(of.count.div_ceil(variant.teams())));
    y
}

/// Gradients of x, of the weight, and of the layer norm's bias: `P` sums over rows.
fn backward<M: Machine, const P: usize>(
    machine: &M,
    [grad, x, weight]: [&M::Array; 3],
    of: Rows,
) -> (M::Array, [M::Array; P]) {
    let element = x.element();
    let dx = machine.array(element, of.count * of.width);
    if of.count * of.width == 0 {
        return (dx, std::array::from_fn(|_| machine.zeros(element, of.width)));
    }
    let (blocks, partials) = match M::LANGUAGE {
        Language::Cuda => together(machine, [grad, x, weight], &dx, of),
        Language::Wgsl => apart(machine, [grad, x, weight], &dx, of),
    };
    (dx, partials.map(|partial| column_sums(machine, &partial, [blocks, of.width])))
}

/// Writes the gradient of x; the number of blocks of rows, and for each the partial sums.
fn together<M: Machine, const P: usize>(
    machine: &M,
    [grad, x, weight]: [&M::Array; 3],
    dx: &M::Array,
    of: Rows,
) -> (usize, [M::Array; P]) {
    let element = x.element();
    let variant = Variant::of(of.width, element, BACKWARD_REGISTERS);
    let blocks = of.count.div_ceil(variant.teams()).min(MOST_BLOCKS);
    let rows_per_block = of.count.div_ceil(blocks);
    let blocks = of.count.div_ceil(rows_per_block);
    let partials: [_; P] = std::array::from_fn(|_| machine.array(element, blocks * of.width));
    let entry = if P == 1 { "rms_norm_backward" } else { "layer_norm_backward" };
    let launch = variant.launch(entry, element).input(grad).input(x).input(weight).output(dx);
    let launch = of.given(partials.iter().fold(launch, Launch::output));
    machine.launch(launch.count("rows_per_block", rows_per_block).grid(blocks));
    (blocks, partials)
}

/// The same in two launches: the first leaves mean and reciprocal root of every row for the second.
fn apart<M: Machine, const P: usize>(
    machine: &M,
    [grad, x, weight]: [&M::Array; 3],
    dx: &M::Array,
    of: Rows,
) -> (usize, [M::Array; P]) {
    let element = x.element();
    let statistics = machine.array(element, 2 * of.count);
    let launch = Launch::of(&SOURCE, "norm_backward").input(x).input(weight).input(grad);
    let launch = of.given(launch.output(dx).output(&statistics)).group_sums(256);
    machine.launch(launch.in_wgsl("CENTRED", P - 1).grid(of.count).block(256));

    let blocks = of.count.div_ceil(ROWS);
    let partials: [_; P] = std::array::from_fn(|_| machine.array(element, blocks * of.width));
    let entry = if P == 1 { "rms_norm_weights" } else { "layer_norm_weights" };
    let launch = Launch::of(&SOURCE, entry).input(x).input(&statistics).input(grad);
    let launch = of.given(partials.iter().fold(launch, Launch::output)).group_threads(256);
    let launch = launch.in_wgsl("ROWS", ROWS).block(256);
    machine.launch(launch.grid3([of.width.div_ceil(THREADS), blocks, 1]));
    (blocks, partials)
}

/// [`rms_norm`](fn@super::rms_norm).
pub(crate) fn rms_norm<B: Gpu>(
    x: Tensor<B, 2>,
    weight: Tensor<B, 1>,
    epsilon: f64,
) -> Tensor<B, 2> {
    normed(x, weight, None, epsilon)
}

/// [`layer_norm`](fn@super::layer_norm).
pub(crate) fn layer_norm<B: Gpu>(
    x: Tensor<B, 2>,
    weight: Tensor<B, 1>,
    bias: Tensor<B, 1>,
    epsilon: f64,
) -> Tensor<B, 2> {
    normed(x, weight, Some(bias), epsilon)
}

fn normed<B: Gpu>(
    x: Tensor<B, 2>,
    weight: Tensor<B, 1>,
    bias: Option<Tensor<B, 1>>,
    epsilon: f64,
) -> Tensor<B, 2> {
    let of = Rows::of(&x, epsilon);
    B::on(&x.device(), |machine| {
        let (x, weight) = (machine.input(x), machine.input(weight));
        let bias = bias.map(|bias| machine.input(bias));
        machine.tensor(forward(machine, &x, &weight, bias.as_ref(), of), [of.count, of.width])
    })
}

/// [`rms_norm_backward`](fn@super::rms_norm_backward).
pub(crate) fn rms_norm_backward<B: Gpu>(
    grad: Tensor<B, 2>,
    x: Tensor<B, 2>,
    weight: Tensor<B, 1>,
    epsilon: f64,
) -> (Tensor<B, 2>, Tensor<B, 1>) {
    let (dx, [dweight]) = gradients(grad, x, weight, epsilon);
    (dx, dweight)
}

/// [`layer_norm_backward`](fn@super::layer_norm_backward).
pub(crate) fn layer_norm_backward<B: Gpu>(
    grad: Tensor<B, 2>,
    x: Tensor<B, 2>,
    weight: Tensor<B, 1>,
    epsilon: f64,
) -> (Tensor<B, 2>, Tensor<B, 1>, Tensor<B, 1>) {
    let (dx, [dweight, dbias]) = gradients(grad, x, weight, epsilon);
    (dx, dweight, dbias)
}

fn gradients<B: Gpu, const P: usize>(
    grad: Tensor<B, 2>,
    x: Tensor<B, 2>,
    weight: Tensor<B, 1>,
    epsilon: f64,
) -> (Tensor<B, 2>, [Tensor<B, 1>; P]) {
    let of = Rows::of(&x, epsilon);
    B::on(&x.device(), |machine| {
        let (grad, x, weight) = (machine.input(grad), machine.input(x), machine.input(weight));
        let (dx, sums) = backward(machine, [&grad, &x, &weight], of);
        let sums = sums.map(|sum| machine.tensor(sum, [of.width]));
        (machine.tensor(dx, [of.count, of.width]), sums)
    })
}

/// Every kernel of this family in WGSL.
#[cfg(all(test, feature = "wgpu"))]
pub(crate) fn shaders() -> Vec<crate::machine::wgpu::Shader> {
    crate::machine::wgpu::testing::recorded(|machine| {
        let (some, of) = (machine.numbers(1), Rows { count: 1, width: 1, epsilon: 0.0 });
        for bias in [None, Some(&some)] {
            forward(machine, &some, &some, bias, of);
        }
        backward::<_, 1>(machine, [&some; 3], of);
        backward::<_, 2>(machine, [&some; 3], of);
    })
}

#[cfg(all(test, unix))]
#[path = "cuda_tests.rs"]
mod tests;
