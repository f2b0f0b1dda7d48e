//! Attention of f32 mixed with bf16 on the tensor cores of CUDA, for head widths to 128; everything else is
//! `gpu.rs`. Grids of `attention_mma.cu`: operands staged as bf16, tiles by head width, bytes of shared memory.
//!
//! Staging writes `[heads, rows, WIDTH]`, so that rows of a head lie side by side on 16 bytes whatever
//! H and D are; the kernels then copy them to shared memory past the registers.

use super::Sizes;
use super::gpu::{self, Inputs, Known};
use super::work::Of;
use crate::Precision;
use crate::machine::cuda::{CudaMachine, Limits};
use crate::machine::{Array, Element, Launch, Source};

static SOURCE: Source =
    Source::of("families/attention/attention_mma.cu", include_str!("attention_mma.cu"));
/// Wider heads do not leave room for the sums of two products.
const MOST_WIDTH: usize = 128;
/// Warps of a block, and rows of a tile of the tensor cores.
const WARPS: usize = 4;
const TILE: usize = 16;
/// Rows and heads of a block of 256 threads of `attention_mma_delta`, one for a warp.
const DELTA_ROWS: usize = 8;
/// Numbers of a block of 256 threads of `attention_mma_stage`, 8 for a thread.
const STAGE_NUMBERS: usize = 2048;

/// How the kernels are compiled for a head width; why so, their header says.
#[derive(Clone, Copy)]
struct Tiles {
    width: usize,
    /// Tiles of 16 queries, and of keys, of a warp where these are the rows.
    queries: usize,
    keys: usize,
    /// Rows that are brought in at a time.
    stage: usize,
}

impl Tiles {
    /// Fewer queries where a block is given less shared memory than the gradient of queries takes.
    fn of(head_width: usize, limits: Limits) -> Self {
        let width = head_width.next_multiple_of(TILE);
        let (keys, stage) = if width <= 64 { (2, 64) } else { (1, 32) };
        let two = Self { width, queries: 2, keys, stage };
        let fits = two.shared(2 * two.query_rows()) <= limits.shared_bytes as usize;
        Self { queries: if fits { 2 } else { 1 }, ..two }
    }

    fn query_rows(self) -> usize {
        TILE * WARPS * self.queries
    }

    fn key_rows(self) -> usize {
        TILE * WARPS * self.keys
    }

    /// Bytes of `rows` rows that stay and of two stages of two operands; a row is followed by 16 bytes.
    fn shared(self, rows: usize) -> usize {
        (rows + 4 * self.stage) * (2 * self.width + 16)
    }

    fn launch<'a, A>(self, entry: &'static str) -> Launch<'a, A> {
        let launch = Launch::of(&SOURCE, entry).define("WIDTH", self.width);
        let launch = launch.define("QUERY_TILES", self.queries);
        launch.define("KEY_TILES", self.keys).define("STAGE", self.stage).block(128)
    }
}

/// The scale as the kernels want it: positive, and the factor of q that makes up for it. Scores are
/// the same to the bit, since the factor is -1, 0 or 1.
#[derive(Clone, Copy)]
struct Scale {
    positive: f64,
    of_queries: f64,
}

impl Scale {
    fn of(scale: f64) -> Self {
        if scale == 0.0 {
            return Self { positive: 1.0, of_queries: 0.0 };
        }
        Self { positive: scale.abs(), of_queries: scale.signum() }
    }
}

/// `x [rows, heads, D]` times `factor` as bf16 `[heads, rows, WIDTH]`.
fn staged<M: CudaMachine>(
    machine: &M,
    tiles: Tiles,
    x: &M::Array,
    [rows, heads, width]: [usize; 3],
    factor: f64,
) -> M::Array {
    let to = machine.array(Element::Bf16, rows * heads * tiles.width);
    let launch = tiles.launch("attention_mma_stage").input(x).output(&to);
    let launch = launch.size(rows).size(heads).size(width).real(factor);
    machine.launch(launch.grid(to.len().div_ceil(STAGE_NUMBERS)).block(256));
    to
}

/// The inputs as operands.
struct Staged<A> {
    tiles: Tiles,
    scale: Scale,
    q: A,
    k: A,
    v: A,
}

impl<A: Array> Staged<A> {
    fn new<M: CudaMachine<Array = A>>(machine: &M, inputs: &Inputs<'_, A>, sizes: Sizes) -> Self {
        let (tiles, scale) =
            (Tiles::of(sizes.width, machine.limits()), Scale::of(inputs.problem.scale));
        let keys = |x| staged(machine, tiles, x, inputs.key_shape, 1.0);
        let q = staged(machine, tiles, inputs.q, inputs.query_shape, scale.of_queries);
        Self { tiles, scale, q, k: keys(inputs.k), v: keys(inputs.v) }
    }

    fn launch(&self, entry: &'static str) -> Launch<'_, A> {
        self.tiles.launch(entry).input(&self.q).input(&self.k).input(&self.v)
    }
}

/// The sizes in the order in which every kernel takes them, with its number of heads.
fn sized<'a, A>(
    launch: Launch<'a, A>,
    inputs: &Inputs<'_, A>,
    sizes: Sizes,
    heads: usize,
) -> Launch<'a, A> {
    let launch = launch.size(inputs.query_shape[0]).size(inputs.key_shape[0]);
    launch.size(heads).size(sizes.query_heads / sizes.key_heads).size(sizes.width)
}

fn uses_tensor_cores<A: Array>(inputs: &Inputs<'_, A>) -> bool {
    let mixed = inputs.problem.precision == Precision::Bf16Mixed;
    mixed && inputs.element() == Element::F32 && inputs.sizes().width <= MOST_WIDTH
}

/// `[output [N, H, D], log_sum_exp [N, H]]`.
pub(crate) fn forward<M: CudaMachine>(machine: &M, inputs: &Inputs<'_, M::Array>) -> [M::Array; 2] {
    if !uses_tensor_cores(inputs) || inputs.is_empty() {
        return gpu::forward(machine, inputs);
    }
    let ([output, log_sum_exp], sizes) = (inputs.room(machine), inputs.sizes());
    let staged = Staged::new(machine, inputs, sizes);
    let (tiles, heads) = (staged.tiles, sizes.query_heads);
    let (work, items) = inputs.work(machine, Of::Queries, tiles.query_rows());
    let launch = staged.launch("attention_mma_forward").input(&work);
    let launch = sized(launch.output(&output).output(&log_sum_exp), inputs, sizes, heads);
    let launch = launch.real(staged.scale.positive).size(usize::from(inputs.problem.causal));
    let launch = launch.grid3([items, heads, 1]).shared(tiles.shared(tiles.query_rows()));
    machine.launch(launch);
    [output, log_sum_exp]
}

/// Gradients of queries, keys and values.
pub(crate) fn backward<M: CudaMachine>(
    machine: &M,
    inputs: &Inputs<'_, M::Array>,
    known: &Known<'_, M::Array>,
) -> Vec<M::Array> {
    if !uses_tensor_cores(inputs) || inputs.is_empty() {
        return gpu::backward(machine, inputs, known);
    }
    let [dq, dk, dv] = [inputs.q, inputs.k, inputs.v].map(|x| machine.array(Element::F32, x.len()));
    let sizes = inputs.sizes();
    let staged = Staged::new(machine, inputs, sizes);
    let (tiles, scale, causal) = (staged.tiles, staged.scale, usize::from(inputs.problem.causal));
    let grad = self::staged(machine, tiles, known.grad, inputs.query_shape, 1.0);
    let [delta, lse2] = row_statistics(machine, tiles, inputs, sizes, known);

    let (work, items) = inputs.work(machine, Of::Queries, tiles.query_rows());
    let launch = staged.launch("attention_mma_query_gradient").input(&grad).input(&lse2);
    let launch = launch.input(&delta).input(&work).output(&dq);
    let launch = sized(launch, inputs, sizes, sizes.query_heads).real(scale.positive);
    let launch = launch.real(inputs.problem.scale).size(causal);
    let shared = tiles.shared(2 * tiles.query_rows());
    machine.launch(launch.grid3([items, sizes.query_heads, 1]).shared(shared));

    let (work, items) = inputs.work(machine, Of::Keys, tiles.key_rows());
    let launch = staged.launch("attention_mma_key_gradient").input(&grad).input(&lse2);
    let launch = launch.input(&delta).input(&work).output(&dk).output(&dv);
    let launch = sized(launch, inputs, sizes, sizes.key_heads).real(scale.positive).size(causal);
    // Two numbers for each of two stages of queries.
    let shared = tiles.shared(2 * tiles.key_rows()) + 4 * tiles.stage * size_of::<f32>();
    machine.launch(launch.grid3([items, sizes.key_heads, 1]).shared(shared));
    vec![dq, dk, dv]
}

/// `[delta, log-sum-exp in powers of two]`, both `[H, N]`.
fn row_statistics<M: CudaMachine>(
    machine: &M,
    tiles: Tiles,
    inputs: &Inputs<'_, M::Array>,
    sizes: Sizes,
    known: &Known<'_, M::Array>,
) -> [M::Array; 2] {
    let rows = inputs.queries() * sizes.query_heads;
    let [delta, lse2] = [0, 1].map(|_| machine.array(Element::F32, rows));
    let launch = tiles.launch("attention_mma_delta").input(known.grad).input(known.output);
    let launch = launch.input(known.log_sum_exp).output(&delta).output(&lse2);
    let launch = launch.size(inputs.queries()).size(sizes.query_heads).size(sizes.width);
    machine.launch(launch.grid(rows.div_ceil(DELTA_ROWS)).block(256));
    [delta, lse2]
}

#[cfg(all(test, unix))]
#[path = "cuda_tests.rs"]
mod tests;
