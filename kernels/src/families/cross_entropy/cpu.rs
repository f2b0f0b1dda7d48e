//! Linear cross entropy on the CPU: a chunk of logits at a time, from product to gradient.
//!
//! Where gradients are wanted, the logits of a chunk become theirs while they are at hand, so
//! they are computed once. The chunk lies in memory that a thread keeps between calls.

use std::borrow::Cow;
use std::mem::MaybeUninit;
use std::ops::Range;

use burn::backend::Flex;
use burn::tensor::{ElementConversion, Int, Tensor};

use super::softmax::{Row, for_rows_of};
use super::{IGNORED_LABEL, LossAndGradients, MAX_LOGITS, MIN_ROWS};
use crate::Precision;
use crate::cpu::matmul::{Finish, Form, Matrix, Mixed, Plainly, Target, product};
use crate::cpu::{Element, Scratch, input, is_f64, output};
use crate::families::embedding::reference::host_ids;
use crate::shape::assert_ids;

/// What a call is about.
pub(crate) struct Inputs {
    pub(crate) hidden: Tensor<Flex, 2>,
    pub(crate) weight: Tensor<Flex, 2>,
    pub(crate) bias: Option<Tensor<Flex, 1>>,
    pub(crate) labels: Tensor<Flex, 1, Int>,
    pub(crate) precision: Precision,
}

/// [`linear_cross_entropy`](fn@crate::families::cross_entropy::linear_cross_entropy).
pub(crate) fn forward(inputs: Inputs) -> (Tensor<Flex, 1>, Tensor<Flex, 1>) {
    let found = inputs.run(false);
    (found.loss, found.log_sum_exp)
}

/// [`linear_cross_entropy_gradients`](fn@crate::families::cross_entropy::linear_cross_entropy_gradients).
pub(crate) fn with_gradients(inputs: Inputs) -> LossAndGradients<Flex> {
    inputs.run(true)
}

/// [`scale_by`](fn@crate::families::cross_entropy::scale_by).
pub(crate) fn scale_by<const D: usize>(
    x: Tensor<Flex, D>,
    factor: Tensor<Flex, 1>,
) -> Tensor<Flex, D> {
    let factor: f64 = factor.into_scalar().elem();
    x.mul_scalar(factor)
}

impl Inputs {
    fn run(self, gradients: bool) -> LossAndGradients<Flex> {
        let mut dtypes = vec![self.hidden.dtype(), self.weight.dtype()];
        dtypes.extend(self.bias.as_ref().map(Tensor::dtype));
        match (is_f64("linear_cross_entropy", &dtypes), self.precision) {
            (false, Precision::Full) => self.run_as::<Plainly<f32>>(gradients),
            (false, Precision::Bf16Mixed) => self.run_as::<Mixed<f32>>(gradients),
            (true, Precision::Full) => self.run_as::<Plainly<f64>>(gradients),
            (true, Precision::Bf16Mixed) => self.run_as::<Mixed<f64>>(gradients),
        }
    }

    fn run_as<F: Form>(self, gradients: bool) -> LossAndGradients<Flex> {
        let ([tokens, width], [vocabulary, _]) = (self.hidden.dims(), self.weight.dims());
        let labels = self.known_labels();
        let (hidden, weight, bias) = (input(self.hidden), input(self.weight), self.bias.map(input));
        let rows: Vec<usize> = (0..tokens).filter(|&row| labels[row] != IGNORED_LABEL).collect();
        let labelled = |row: &usize| usize::try_from(labels[*row]).unwrap_or_default();
        let call = Call::<F> {
            hidden: taken(F::Number::view(&hidden), &rows, tokens, width),
            weight: F::Number::view(&weight),
            bias: bias.as_ref().map(F::Number::view),
            labels: rows.iter().map(labelled).collect(),
            sizes: [width, vocabulary],
        };
        let mut found = Found::new(rows.len(), call.sizes, gradients, bias.is_some());
        let chunk = (MAX_LOGITS / vocabulary.max(1)).max(MIN_ROWS);
        let mut logits = Scratch::take();
        for start in (0..rows.len()).step_by(chunk) {
            call.chunk(start..rows.len().min(start + chunk), &mut logits, &mut found);
        }
        found.finish(&rows, tokens, [width, vocabulary])
    }

    /// The labels, after they were checked.
    fn known_labels(&self) -> Vec<i64> {
        let [vocabulary, _] = self.weight.dims();
        let labels = host_ids(&self.labels);
        let known = |&label: &i64| if label == IGNORED_LABEL { 0 } else { label };
        let known: Vec<i64> = labels.iter().map(known).collect();
        assert_ids("linear_cross_entropy", "labels", &known, vocabulary, "the vocabulary");
        labels
    }
}

/// The rows with a label, one behind the other.
fn taken<'a, T: Element>(x: &'a [T], rows: &[usize], tokens: usize, width: usize) -> Cow<'a, [T]> {
    if rows.len() == tokens {
        return Cow::Borrowed(x);
    }
    Cow::Owned(rows.iter().flat_map(|row| &x[row * width..(row + 1) * width]).copied().collect())
}

/// A call on the rows with a label.
struct Call<'a, F: Form> {
    /// `[L, C]`
    hidden: Cow<'a, [F::Number]>,
    weight: &'a [F::Number],
    bias: Option<&'a [F::Number]>,
    labels: Vec<usize>,
    /// C, V
    sizes: [usize; 2],
}

/// What was found so far; gradients are empty unless they are wanted.
struct Found<T> {
    gradients: bool,
    loss: f64,
    log_sum_exp: Vec<T>,
    hidden: Vec<T>,
    weight: Vec<T>,
    bias: Option<Vec<T>>,
}

impl<T: Element> Found<T> {
    fn new(rows: usize, [width, vocabulary]: [usize; 2], gradients: bool, bias: bool) -> Self {
        let room = |count: usize| Vec::with_capacity(if gradients { count } else { 0 });
        let biases = || vec![T::ZERO; if gradients { vocabulary } else { 0 }];
        Self {
            gradients,
            loss: 0.0,
            log_sum_exp: vec![T::ZERO; rows],
            hidden: room(rows * width),
            weight: room(width * vocabulary),
            bias: bias.then(biases),
        }
    }

    /// All rows again, zero where there is no label.
    fn finish(
        self,
        rows: &[usize],
        tokens: usize,
        [width, vocabulary]: [usize; 2],
    ) -> LossAndGradients<Flex> {
        let (mut hidden, mut weight) = (self.hidden, self.weight);
        let (mut tokens_seen, mut classes_seen) = (0, 0);
        if self.gradients {
            (tokens_seen, classes_seen) = (tokens, vocabulary);
            hidden = spread(hidden, rows, tokens, width);
            // Without a chunk nothing was written.
            weight.resize(vocabulary * width, T::ZERO);
        }
        let with_length = |numbers: Vec<T>| {
            let count = numbers.len();
            output(numbers, [count])
        };
        LossAndGradients {
            loss: output(vec![T::of(self.loss)], [1]),
            log_sum_exp: output(spread(self.log_sum_exp, rows, tokens, 1), [tokens]),
            hidden: output(hidden, [tokens_seen, width]),
            weight: output(weight, [classes_seen, width]),
            bias: self.bias.map(with_length),
        }
    }
}

fn spread<T: Element>(numbers: Vec<T>, rows: &[usize], tokens: usize, width: usize) -> Vec<T> {
    if rows.len() == tokens {
        return numbers;
    }
    let mut all = vec![T::ZERO; tokens * width];
    for (row, numbers) in rows.iter().zip(numbers.chunks_exact(width.max(1))) {
        all[row * width..(row + 1) * width].copy_from_slice(numbers);
    }
    all
}

impl<F: Form> Call<'_, F> {
    /// Takes in consecutive rows.
    fn chunk(
        &self,
        rows: Range<usize>,
        logits: &mut Scratch<F::Number>,
        found: &mut Found<F::Number>,
    ) {
        let [width, vocabulary] = self.sizes;
        let hidden = &self.hidden[rows.start * width..rows.end * width];
        let hidden = Matrix::new(hidden, [rows.len(), width]);
        let weight = Matrix::new(self.weight, [vocabulary, width]);
        let shape = [rows.len(), vocabulary];
        let logits = logits.room(rows.len() * vocabulary);
        let finish = Finish { bias: self.bias, ..Finish::OVERWRITE };
        let mut target = Target::new(logits, shape, vocabulary);
        product::<F>(hidden, weight.transposed(), &mut target, finish);

        let (places, gradient) = (rows.clone(), found.gradients);
        let (labels, lses) = (&self.labels[places.clone()], &mut found.log_sum_exp[places]);
        let losses = for_rows_of(logits, vocabulary, labels, lses, |row, label, lse| {
            Row { numbers: row, label, gradient, log_sum_exp: lse }.run()
        });
        found.loss += losses.iter().sum::<f64>();
        if gradient {
            self.differentiate(rows.start, hidden, logits, found);
        }
    }

    /// Gradients of what made the logits, whose gradients are given.
    fn differentiate(
        &self,
        first: usize,
        hidden: Matrix<'_, F::Number>,
        slopes: &[F::Number],
        found: &mut Found<F::Number>,
    ) {
        let [width, vocabulary] = self.sizes;
        let rows = hidden.rows();
        let logits = Matrix::new(slopes, [rows, vocabulary]);
        let weight = Matrix::new(self.weight, [vocabulary, width]);
        debug_assert_eq!(found.hidden.len(), first * width, "chunks come in order");
        // SAFETY: a product that does not add writes the whole target.
        unsafe {
            extend(&mut found.hidden, rows * width, |to| {
                let mut target = Target::uninit(to, [rows, width], width);
                product::<F>(logits, weight, &mut target, Finish::OVERWRITE);
            });
        }
        if first == 0 {
            // SAFETY: as above.
            unsafe {
                extend(&mut found.weight, vocabulary * width, |to| {
                    let mut target = Target::uninit(to, [vocabulary, width], width);
                    product::<F>(logits.transposed(), hidden, &mut target, Finish::OVERWRITE);
                });
            }
        } else {
            let mut target = Target::new(&mut found.weight, [vocabulary, width], width);
            product::<F>(logits.transposed(), hidden, &mut target, Finish::ADD);
        }
        if let Some(bias) = &mut found.bias {
            for row in slopes.chunks_exact(vocabulary) {
                bias.iter_mut().zip(row).for_each(|(sum, &slope)| *sum = *sum + slope);
            }
        }
    }
}

/// Appends numbers that `write` writes into the room behind.
///
/// # Safety
/// `write` writes all of them.
unsafe fn extend<T: Element>(
    numbers: &mut Vec<T>,
    count: usize,
    write: impl FnOnce(&mut [MaybeUninit<T>]),
) {
    numbers.reserve_exact(count);
    write(&mut numbers.spare_capacity_mut()[..count]);
    // SAFETY: there is room for so many, and the caller says that all are written.
    unsafe { numbers.set_len(numbers.len() + count) };
}
