//! Attention on GPUs by plain multiplications, tile by tile: in CUDA f32 and f64 to head widths of 256, in WGSL
//! f32. The gradient takes row statistics, then a pass for the queries and one for the keys, so that every sum
//! has one owner. What tensor cores compute is in `cuda_mma.rs`.

use burn::tensor::Tensor;

use super::work::{ITEM, Of, items};
use super::{AttentionProblem, Sizes};
use crate::Precision;
use crate::machine::{
    Array, ArrayOf, Element, Gpu, Language, Launch, Machine, Number, Source, Tensors,
};

static FORWARD: Source = Source::both(
    ["families/attention/attention.cu", include_str!("attention.cu")],
    [
        "families/attention/attention_online_softmax.wgsl",
        include_str!("attention_online_softmax.wgsl"),
    ],
);
static BACKWARD: Source = Source::both(
    ["families/attention/attention.cu", include_str!("attention.cu")],
    ["families/attention/attention_backward.wgsl", include_str!("attention_backward.wgsl")],
);
/// In WGSL, before both.
const TILES: &str = include_str!("tiles.wgsl");

/// The widest head that a block of CUDA can hold the sums of.
const MOST_WIDTH: usize = 256;
/// Threads of a block of `attention_delta`: in CUDA a row and head for a warp, in WGSL for a thread.
const DELTA_THREADS: u32 = 128;
const DELTA_ROWS: usize = 4;
/// Queries or keys of a tile in WGSL, whose workgroups share: two slices of 32 rows of 17 numbers, and tiles of
/// scores, padded.
const TILE: usize = 32;
const SLICES_BYTES: u32 = 2 * 32 * 17 * 4;
const SCORES_BYTES: u32 = 32 * 33 * 4;

/// What a call is about: queries, keys and values, and their shapes `[N, H, D]` and `[M, G, D]`.
#[derive(Debug)]
pub(crate) struct Inputs<'a, A> {
    pub(crate) q: &'a A,
    pub(crate) k: &'a A,
    pub(crate) v: &'a A,
    pub(crate) query_shape: [usize; 3],
    pub(crate) key_shape: [usize; 3],
    pub(crate) problem: &'a AttentionProblem,
}

/// What the backward gets besides the inputs: `grad` and `output [N, H, D]`, `log_sum_exp [N, H]`.
#[derive(Debug)]
pub(crate) struct Known<'a, A> {
    pub(crate) grad: &'a A,
    pub(crate) output: &'a A,
    pub(crate) log_sum_exp: &'a A,
}

impl<A: Array> Inputs<'_, A> {
    pub(super) fn sizes(&self) -> Sizes {
        Sizes::of(self.query_shape, self.key_shape)
    }

    pub(super) fn element(&self) -> Element {
        self.q.element()
    }

    pub(super) fn queries(&self) -> usize {
        self.query_shape[0]
    }

    /// Whether there is nothing to compute.
    pub(super) fn is_empty(&self) -> bool {
        self.q.len() == 0 || self.k.len() == 0
    }

    /// The work list for blocks of so many rows, and the number of its items.
    pub(super) fn work<M: Machine<Array = A>>(
        &self,
        machine: &M,
        of: Of,
        rows: usize,
    ) -> (A, usize) {
        let items = items(self.problem, of, rows);
        (machine.upload(&items), items.len() / ITEM)
    }

    /// Room for output and log-sum-exp.
    pub(super) fn room<M: Machine<Array = A>>(&self, machine: &M) -> [A; 2] {
        let rows = self.queries() * self.sizes().query_heads;
        [self.q.len(), rows].map(|len| machine.array(self.element(), len))
    }
}

/// How the kernels are compiled for a call; in CUDA its choices are the variants in their header.
struct Variant {
    element: Element,
    head_width: usize,
    /// Rows of a tile.
    block: usize,
    rounded: bool,
}

impl Variant {
    fn of<M: Machine>(inputs: &Inputs<'_, M::Array>) -> Self {
        let (element, head_width) = (inputs.element(), inputs.sizes().width);
        let rounded = inputs.problem.precision == Precision::Bf16Mixed;
        let block = match M::LANGUAGE {
            Language::Wgsl => TILE,
            Language::Cuda if element == Element::F32 && head_width <= 128 => 64,
            Language::Cuda => 32,
        };
        assert!(
            M::LANGUAGE == Language::Wgsl || head_width <= MOST_WIDTH,
            "attention: heads of {head_width} numbers, but kernels for CUDA hold at most {MOST_WIDTH}"
        );
        Self { element, head_width, block, rounded }
    }

    /// A launch whose workgroups share so many bytes in WGSL.
    fn launch<'a, A>(
        &self,
        source: &'a Source,
        entry: &'static str,
        shared_bytes: u32,
    ) -> Launch<'a, A> {
        let launch = Launch::of(source, entry).define("Real", self.element.real());
        let launch = launch.in_cuda("WIDTH", self.head_width.next_power_of_two().max(32));
        let launch = launch.in_cuda("BLOCK", self.block).in_wgsl("WIDTH", self.head_width);
        let launch = launch.define("ROUNDED", u32::from(self.rounded)).block(256);
        #[cfg(feature = "wgpu")]
        let launch = launch.behind(crate::machine::wgpu::BF16, 0);
        launch.behind(TILES, shared_bytes)
    }
}

/// The numbers that end every kernel but `attention_delta`, and its grid. WGSL, whose head width is a constant,
/// is told instead how many numbers a gradient of keys has.
fn ended<'a, M: Machine>(
    launch: Launch<'a, M::Array>,
    inputs: &Inputs<'_, M::Array>,
    grid: [usize; 2],
) -> Launch<'a, M::Array> {
    let Sizes { query_heads, key_heads, width } = inputs.sizes();
    let launch = launch.count("heads", query_heads).count("sharing", query_heads / key_heads);
    let launch = match M::LANGUAGE {
        Language::Cuda => launch.count("width", width),
        Language::Wgsl => launch.count("of_keys", inputs.k.len()),
    };
    let launch = launch.named("scale", Number::Real(inputs.problem.scale));
    launch.count("causal", usize::from(inputs.problem.causal)).grid3([grid[0], grid[1], 1])
}

/// `[output [N, H, D], log_sum_exp [N, H]]`.
pub(super) fn forward<M: Machine>(machine: &M, inputs: &Inputs<'_, M::Array>) -> [M::Array; 2] {
    let [output, log_sum_exp] = inputs.room(machine);
    if inputs.is_empty() {
        return [output, log_sum_exp];
    }
    let variant = Variant::of::<M>(inputs);
    let (work, items) = inputs.work(machine, Of::Queries, variant.block);
    // Scores, a number per thread, three per row.
    let bytes = SLICES_BYTES + SCORES_BYTES + (256 + 3 * 32) * 4;
    let launch = variant.launch(&FORWARD, "attention_forward", bytes);
    let launch = launch.input(inputs.q).input(inputs.k).input(inputs.v);
    let launch = launch.input(&work).output(&output).output(&log_sum_exp);
    machine.launch(ended::<M>(launch, inputs, [items, inputs.sizes().query_heads]));
    [output, log_sum_exp]
}

/// Gradients of queries, keys and values; in WGSL, which binds few arrays, those of keys and values in one.
pub(super) fn backward<M: Machine>(
    machine: &M,
    inputs: &Inputs<'_, M::Array>,
    known: &Known<'_, M::Array>,
) -> Vec<M::Array> {
    let (queries, keys) = (inputs.q.len(), inputs.k.len());
    let lens = match M::LANGUAGE {
        Language::Cuda => vec![queries, keys, keys],
        Language::Wgsl => vec![queries, 2 * keys],
    };
    let gradients: Vec<_> =
        lens.into_iter().map(|len| machine.array(inputs.element(), len)).collect();
    if inputs.is_empty() {
        return gradients;
    }
    let (variant, sizes) = (Variant::of::<M>(inputs), inputs.sizes());
    let statistics = row_statistics(machine, inputs, known, &variant);
    let begun = |entry| {
        let launch = variant.launch(&BACKWARD, entry, SLICES_BYTES + 2 * SCORES_BYTES);
        let launch = launch.input(known.grad).input(inputs.q).input(inputs.k).input(inputs.v);
        statistics.iter().fold(launch, Launch::input)
    };
    let (work, items) = inputs.work(machine, Of::Queries, variant.block);
    let launch = begun("attention_query_gradient").input(&work).output(&gradients[0]);
    machine.launch(ended::<M>(launch, inputs, [items, sizes.query_heads]));
    let (work, items) = inputs.work(machine, Of::Keys, variant.block);
    let launch = begun("attention_key_gradient").input(&work);
    let launch = gradients[1..].iter().fold(launch, Launch::output);
    machine.launch(ended::<M>(launch, inputs, [items, sizes.key_heads]));
    gradients
}

/// Log-sum-exp and delta of every row and head; in WGSL side by side in one array.
fn row_statistics<M: Machine>(
    machine: &M,
    inputs: &Inputs<'_, M::Array>,
    known: &Known<'_, M::Array>,
    variant: &Variant,
) -> Vec<M::Array> {
    let rows = known.log_sum_exp.len();
    let launch = variant.launch(&BACKWARD, "attention_delta", 0);
    let launch = launch.input(known.grad).input(known.output);
    let finish = |launch: Launch<'_, M::Array>| {
        let launch = launch.count("rows", rows).count("width", inputs.sizes().width);
        let launch = launch.groups(rows.div_ceil(DELTA_THREADS as usize)).block(DELTA_THREADS);
        machine.launch(launch.grid(rows.div_ceil(DELTA_ROWS)));
    };
    match M::LANGUAGE {
        Language::Cuda => {
            let delta = machine.array(variant.element, rows);
            finish(launch.output(&delta));
            vec![known.log_sum_exp.clone(), delta]
        }
        Language::Wgsl => {
            let both = machine.array(variant.element, 2 * rows);
            finish(launch.input(known.log_sum_exp).output(&both));
            vec![both]
        }
    }
}

/// [`attention`](fn@super::attention) by this computation.
pub(super) fn attention_by<B: Gpu>(
    tensors: [Tensor<B, 3>; 3],
    problem: &AttentionProblem,
    compute: impl FnOnce(&B::Machine, &Inputs<'_, ArrayOf<B>>) -> [ArrayOf<B>; 2],
) -> (Tensor<B, 3>, Tensor<B, 2>) {
    with_inputs(tensors, problem, |machine, inputs| {
        let [output, log_sum_exp] = compute(machine, inputs);
        let shape @ [rows, heads, _] = inputs.query_shape;
        (machine.tensor(output, shape), machine.tensor(log_sum_exp, [rows, heads]))
    })
}

/// [`attention_backward`](fn@super::attention_backward) by this computation.
pub(super) fn backward_by<B: Gpu>(
    tensors: [Tensor<B, 3>; 3],
    [grad, output]: [Tensor<B, 3>; 2],
    log_sum_exp: Tensor<B, 2>,
    problem: &AttentionProblem,
    compute: impl FnOnce(
        &B::Machine,
        &Inputs<'_, ArrayOf<B>>,
        &Known<'_, ArrayOf<B>>,
    ) -> Vec<ArrayOf<B>>,
) -> (Tensor<B, 3>, Tensor<B, 3>, Tensor<B, 3>) {
    with_inputs(tensors, problem, |machine, inputs| {
        let [grad, output] = [grad, output].map(|x| machine.input(x));
        let log_sum_exp = machine.input(log_sum_exp);
        let known = Known { grad: &grad, output: &output, log_sum_exp: &log_sum_exp };
        let mut gradients = compute(machine, inputs, &known).into_iter();
        let mut next = |shape| gradients.next().map(|array| machine.tensor(array, shape));
        let shape @ [rows, heads, width] = inputs.key_shape;
        let dq = next(inputs.query_shape).expect("compute gives two or three arrays");
        let [dk, dv] = match B::Machine::LANGUAGE {
            Language::Cuda => [(); 2].map(|()| next(shape).expect("one of keys, one of values")),
            Language::Wgsl => {
                let both = next([2 * rows, heads, width]).expect("one of keys and values");
                // Burn cuts nothing out of nothing.
                [0, rows].map(|first| match rows {
                    0 => both.clone(),
                    _ => both.clone().narrow(0, first, rows),
                })
            }
        };
        (dq, dk, dv)
    })
}

fn with_inputs<B: Gpu, T>(
    [q, k, v]: [Tensor<B, 3>; 3],
    problem: &AttentionProblem,
    compute: impl FnOnce(&B::Machine, &Inputs<'_, ArrayOf<B>>) -> T,
) -> T {
    let (query_shape, key_shape) = (q.dims(), k.dims());
    B::on(&q.device(), |machine| {
        let [q, k, v] = [q, k, v].map(|x| machine.input(x));
        compute(machine, &Inputs { q: &q, k: &k, v: &v, query_shape, key_shape, problem })
    })
}

/// Kernels in WGSL, at head widths below, at and beyond a slice.
#[cfg(all(test, feature = "wgpu"))]
pub(crate) fn shaders() -> Vec<crate::machine::wgpu::Shader> {
    crate::machine::wgpu::testing::recorded(|machine| {
        for width in [1, 16, 17, 64, 128, 256] {
            for precision in [Precision::Full, Precision::Bf16Mixed] {
                let problem = AttentionProblem::packed(&[0, 1], true, 1.0, precision);
                let (x, shape) = (machine.numbers(width), [1, 1, width]);
                let inputs = Inputs {
                    q: &x,
                    k: &x,
                    v: &x,
                    query_shape: shape,
                    key_shape: shape,
                    problem: &problem,
                };
                let [output, log_sum_exp] = forward(machine, &inputs);
                let known = Known { grad: &x, output: &output, log_sum_exp: &log_sum_exp };
                backward(machine, &inputs, &known);
            }
        }
    })
}
