//! Grids of `attention.cu`: tiles by element type and head width.

use super::super::Sizes;
use super::work::Of;
use super::{Inputs, Known};
use crate::Precision;
use crate::machine::cuda::{Array, CudaMachine, Element, Launch, Source};
use crate::machine::launch::Number;

static SOURCE: Source =
    Source::of("families/attention/attention.cu", include_str!("../attention.cu"));
/// Rows and heads of a block of 128 threads of `attention_delta`, one for a warp.
const DELTA_ROWS: usize = 4;

/// How the kernels are compiled for a call; its choices are the variants in their header.
struct Variant {
    element: Element,
    width: usize,
    /// Rows of a tile.
    block: usize,
    rounded: bool,
}

impl Variant {
    fn of<A: Array>(inputs: &Inputs<'_, A>, sizes: Sizes) -> Self {
        let element = inputs.element();
        let width = sizes.width.next_power_of_two().max(32);
        let block = if element == Element::F32 && width <= 128 { 64 } else { 32 };
        Self { element, width, block, rounded: inputs.problem.precision == Precision::Bf16Mixed }
    }

    fn launch<'a, A>(&self, entry: &'static str) -> Launch<'a, A> {
        let launch = Launch::of(&SOURCE, entry).define("Real", self.element.real());
        let launch = launch.define("WIDTH", self.width).define("BLOCK", self.block);
        launch.define("ROUNDED", u32::from(self.rounded)).block(256)
    }
}

/// The parameters that end every kernel but `attention_delta`.
fn ended<'a, A>(
    launch: Launch<'a, A>,
    inputs: &Inputs<'_, A>,
    sizes: Sizes,
    grid: [usize; 2],
) -> Launch<'a, A> {
    let launch = launch.size(sizes.query_heads).size(sizes.query_heads / sizes.key_heads);
    let launch = launch.size(sizes.width).real(inputs.problem.scale);
    launch.size(usize::from(inputs.problem.causal)).grid3([grid[0], grid[1], 1])
}

pub(super) fn forward<M: CudaMachine>(
    machine: &M,
    inputs: &Inputs<'_, M::Array>,
    sizes: Sizes,
    [output, log_sum_exp]: [&M::Array; 2],
) {
    let variant = Variant::of(inputs, sizes);
    let (work, items) = inputs.work(machine, Of::Queries, variant.block);
    let launch =
        variant.launch("attention_forward").input(inputs.q).input(inputs.k).input(inputs.v);
    let launch = launch.input(&work).output(output).output(log_sum_exp);
    machine.launch(ended(launch, inputs, sizes, [items, sizes.query_heads]));
}

pub(super) fn backward<M: CudaMachine>(
    machine: &M,
    inputs: &Inputs<'_, M::Array>,
    sizes: Sizes,
    known: &Known<'_, M::Array>,
    [dq, dk, dv]: [&M::Array; 3],
) {
    let variant = Variant::of(inputs, sizes);
    let rows = inputs.queries() * sizes.query_heads;
    let delta = machine.array(variant.element, rows);
    let launch =
        variant.launch("attention_delta").input(known.grad).input(known.output).output(&delta);
    let launch = launch.number(Number::U64(rows as u64)).size(sizes.width);
    machine.launch(launch.grid(rows.div_ceil(DELTA_ROWS)).block(128));

    let begun = |entry| {
        let launch = variant.launch(entry).input(known.grad).input(inputs.q).input(inputs.k);
        launch.input(inputs.v).input(known.log_sum_exp).input(&delta)
    };
    let (work, items) = inputs.work(machine, Of::Queries, variant.block);
    let launch = begun("attention_query_gradient").input(&work).output(dq);
    machine.launch(ended(launch, inputs, sizes, [items, sizes.query_heads]));
    let (work, items) = inputs.work(machine, Of::Keys, variant.block);
    let launch = begun("attention_key_gradient").input(&work).output(dk).output(dv);
    machine.launch(ended(launch, inputs, sizes, [items, sizes.key_heads]));
}
