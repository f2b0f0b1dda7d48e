//! Linear cross entropy on CUDA: chunk by chunk a product, the softmax of its rows, and two products.
//!
//! Operands of the products are bf16 if f32 is mixed. Rows without a label take part as zeros, so that
//! the host need not know where they are.

use std::ops::Range;

use super::MIN_ROWS;
use crate::Precision;
use crate::machine::cuda::product::{Matrices, Product};
use crate::machine::cuda::rounding::{round_to_bf16, to_bf16};
use crate::machine::cuda::{Array, CudaMachine, Element, Launch, Source};
use crate::machine::launch::Number;

static SOURCE: Source =
    Source::of("families/cross_entropy/cross_entropy.cu", include_str!("cross_entropy.cu"));

/// Logits of a chunk, in elements: 512 MiB in f32. Each chunk reads and writes the gradient of the
/// weight once, so chunks are larger here than where memory is scarce.
const MOST_LOGITS: usize = 1 << 27;
/// Rows of logits start on 16 bytes, also in bf16: tensor cores read no others at full speed.
const STRIDE: usize = 8;
/// Wider vocabularies have a block of threads per row instead of a warp.
const MOST_WARP_WIDTH: usize = 1024;
const THREADS: usize = 256;
/// Columns of a block of the sums of the bias, and rows of a part of them.
const SUM_COLUMNS: usize = 32;
const SUM_ROWS: usize = 256;

/// What a call is about: `hidden [N, C]`, `weight [V, C]`, `bias [V]`, `labels [N]`.
#[derive(Debug)]
pub(crate) struct Inputs<'a, A> {
    pub(crate) hidden: &'a A,
    pub(crate) weight: &'a A,
    pub(crate) bias: Option<&'a A>,
    pub(crate) labels: &'a A,
    /// C and V
    pub(crate) sizes: [usize; 2],
    pub(crate) precision: Precision,
}

/// Gradients of hidden states, weight and bias.
#[derive(Debug)]
pub(crate) struct Gradients<A> {
    pub(crate) hidden: A,
    pub(crate) weight: A,
    pub(crate) bias: Option<A>,
}

/// `(loss [1], log_sum_exp [N])`.
pub(crate) fn forward<M: CudaMachine>(
    machine: &M,
    inputs: &Inputs<'_, M::Array>,
) -> (M::Array, M::Array) {
    let (loss, log_sum_exp, _) = run(machine, inputs, rows_per_chunk(inputs.sizes[1]), false);
    (loss, log_sum_exp)
}

/// The same with the gradients of the loss.
pub(crate) fn with_gradients<M: CudaMachine>(
    machine: &M,
    inputs: &Inputs<'_, M::Array>,
) -> (M::Array, M::Array, Gradients<M::Array>) {
    run(machine, inputs, rows_per_chunk(inputs.sizes[1]), true)
}

fn rows_per_chunk(vocabulary: usize) -> usize {
    (MOST_LOGITS / vocabulary.max(1)).max(MIN_ROWS)
}

fn run<M: CudaMachine>(
    machine: &M,
    inputs: &Inputs<'_, M::Array>,
    chunk: usize,
    gradients: bool,
) -> (M::Array, M::Array, Gradients<M::Array>) {
    let call = Call::new(machine, inputs, chunk, gradients);
    let tokens = call.tokens;
    for start in (0..tokens).step_by(chunk) {
        call.chunk(start..tokens.min(start + chunk));
    }
    call.sum_losses();
    (call.loss, call.log_sum_exp, call.gradients)
}

/// The arrays of a call.
struct Call<'a, M: CudaMachine> {
    machine: &'a M,
    inputs: &'a Inputs<'a, M::Array>,
    /// Type of the numbers, and of the operands of products.
    element: Element,
    operands: Element,
    tokens: usize,
    stride: usize,
    hidden: M::Array,
    /// Rounded, where operands are.
    weight: Option<M::Array>,
    logits: M::Array,
    slopes: M::Array,
    loss: M::Array,
    losses: M::Array,
    log_sum_exp: M::Array,
    wants_gradients: bool,
    gradients: Gradients<M::Array>,
}

impl<'a, M: CudaMachine> Call<'a, M> {
    fn new(
        machine: &'a M,
        inputs: &'a Inputs<'a, M::Array>,
        chunk: usize,
        wants_gradients: bool,
    ) -> Self {
        let [width, vocabulary] = inputs.sizes;
        let (element, tokens) = (inputs.hidden.element(), inputs.labels.len());
        let mixed = inputs.precision == Precision::Bf16Mixed;
        let operands = if mixed && element == Element::F32 { Element::Bf16 } else { element };
        let stride = vocabulary.next_multiple_of(STRIDE);
        let logits = tokens.min(chunk) * stride;
        let wanted = |count: usize| if wants_gradients { count } else { 0 };
        let zeros = |count| machine.zeros(element, wanted(count));
        let gradients = Gradients {
            hidden: machine.array(element, wanted(tokens * width)),
            // Without a token nothing is written to them.
            weight: zeros(vocabulary * width),
            bias: inputs.bias.map(|_| zeros(vocabulary)),
        };
        let weight = mixed.then(|| match operands {
            Element::Bf16 => to_bf16(machine, inputs.weight),
            _ => round_to_bf16(machine, inputs.weight),
        });
        Self {
            machine,
            inputs,
            element,
            operands,
            tokens,
            stride,
            hidden: machine.array(operands, tokens * width),
            weight,
            logits: machine.array(element, logits),
            slopes: machine.array(operands, wanted(logits)),
            loss: machine.zeros(element, 1),
            losses: machine.array(element, tokens),
            log_sum_exp: machine.array(element, tokens),
            wants_gradients,
            gradients,
        }
        .with_operand()
    }

    /// Threads of a row.
    fn team(&self) -> usize {
        if self.inputs.sizes[1] <= MOST_WARP_WIDTH { 32 } else { 512 }
    }

    fn launch(&self, entry: &'static str) -> Launch<'_, M::Array> {
        let slope = if self.operands == Element::Bf16 { "u16" } else { self.operands.real() };
        let mixed = self.inputs.precision == Precision::Bf16Mixed;
        let rounded = u32::from(mixed && self.operands == Element::F64);
        let launch = Launch::of(&SOURCE, entry).define("Real", self.element.real());
        launch.define("Slope", slope).define("ROUNDED", rounded).define("TEAM", self.team())
    }

    /// Hidden states as an operand.
    fn with_operand(self) -> Self {
        let [width, _] = self.inputs.sizes;
        let count = self.tokens * width;
        if count > 0 {
            let launch = self.launch("cross_entropy_operand").input(self.inputs.hidden);
            let launch = launch.input(self.inputs.labels).output(&self.hidden);
            let launch = launch.number(Number::U64(self.tokens as u64)).size(width);
            self.machine.launch(launch.grid(count.div_ceil(THREADS)).block(256));
        }
        self
    }

    /// Takes in consecutive rows.
    fn chunk(&self, rows: Range<usize>) {
        let [width, vocabulary] = self.inputs.sizes;
        let hidden = Matrices::of(&self.hidden, [self.tokens, width]);
        let hidden = hidden.rows_from(rows.start, rows.len());
        let weight = self.weight.as_ref().unwrap_or(self.inputs.weight);
        let weight = Matrices::of(weight, [vocabulary, width]);
        let logits = self.of_chunk(&self.logits, rows.len());
        let product = Product::of(hidden, weight.transpose(), logits);
        self.machine.multiply(Product { bias: self.inputs.bias, ..product });
        self.soften(&rows);
        if !self.wants_gradients {
            return;
        }
        self.sum_bias(&rows);
        let slopes = self.of_chunk(&self.slopes, rows.len());
        let to_hidden = Matrices::of(&self.gradients.hidden, [self.tokens, width]);
        let to_hidden = to_hidden.rows_from(rows.start, rows.len());
        self.machine.multiply(Product::of(slopes, weight, to_hidden));
        let to_weight = Matrices::of(&self.gradients.weight, [vocabulary, width]);
        let product = Product::of(slopes.transpose(), hidden, to_weight);
        self.machine.multiply(Product { accumulate: rows.start > 0, ..product });
    }

    /// `[rows, V]` at the stride of the chunk.
    fn of_chunk<'b>(&self, array: &'b M::Array, rows: usize) -> Matrices<'b, M::Array> {
        let matrix = Matrices::of(array, [rows, self.inputs.sizes[1]]);
        Matrices { stride: self.stride, ..matrix }
    }

    /// Losses and log-sum-exps of the rows of a chunk, and gradients of their logits.
    fn soften(&self, rows: &Range<usize>) {
        let entry =
            if self.wants_gradients { "cross_entropy_gradient" } else { "cross_entropy_forward" };
        let launch = self.launch(entry).input(&self.logits).input(self.inputs.labels);
        let mut launch = launch.output(&self.log_sum_exp).output(&self.losses);
        if self.wants_gradients {
            launch = launch.output(&self.slopes);
        }
        let launch = launch.size(rows.len()).size(rows.start).size(self.inputs.sizes[1]);
        let (threads, teams) = if self.team() == 32 { (256, 8) } else { (512, 1) };
        let launch = launch.size(self.stride).grid(rows.len().div_ceil(teams)).block(threads);
        self.machine.launch(launch);
    }

    /// Adds the gradients of the logits of a chunk to that of the bias, before they were rounded.
    fn sum_bias(&self, rows: &Range<usize>) {
        let Some(bias) = &self.gradients.bias else { return };
        let vocabulary = self.inputs.sizes[1];
        let parts = rows.len().div_ceil(SUM_ROWS);
        let partials = self.machine.array(self.element, parts * vocabulary);
        let launch = self.launch("cross_entropy_bias_partials").input(&self.logits);
        let launch = launch.input(self.inputs.labels).input(&self.log_sum_exp).output(&partials);
        let launch = launch.size(rows.len()).size(rows.start).size(vocabulary);
        let launch = launch.size(self.stride).size(SUM_ROWS).block(256);
        self.machine.launch(launch.grid3([vocabulary.div_ceil(SUM_COLUMNS), parts, 1]));
        let launch = self.launch("cross_entropy_bias_sum").input(&partials).output(bias);
        let launch = launch.size(parts).size(vocabulary).size(usize::from(rows.start > 0));
        let blocks = vocabulary.div_ceil(THREADS);
        self.machine.launch(launch.grid(blocks).block(256));
    }

    fn sum_losses(&self) {
        if self.tokens > 0 {
            let launch = self.launch("cross_entropy_sum_losses").input(&self.losses);
            let launch = launch.output(&self.loss).size(self.tokens);
            self.machine.launch(launch.block(512));
        }
    }
}

#[cfg(all(test, unix))]
#[path = "cuda_tests.rs"]
mod tests;
