//! Gradients: scores are computed again, block by block, and used while they are in the cache.
//!
//! ```text
//! layout  rows of queries are lanes, as in the forward; gradients of keys and values [keys, D]
//! order   blocks of queries, in each the blocks of keys; every gradient sums in that order,
//!         whichever of them a task wants
//! ```

use std::ops::Range;

use super::Call;
use super::numerics::Numerics;
use super::pack::{Delta, PackRows, PackTurned, turn_back};
use super::panel::{Forms, Panel};
use super::product::{Left, Product, Start};
use super::scatter::Scatter;
use super::segments::{KEYS, QueryBlock, Rows, Stair, landings, strips, whole_units};
use super::softmax::{Differentiate, Seen};
use super::tasks::{Part, Task};
use crate::cpu::{Element, Scratch};

/// What the backward reads besides the inputs.
#[derive(Clone, Copy)]
pub(super) struct Known<'a, T> {
    pub(super) grad: &'a [T],
    pub(super) output: &'a [T],
    pub(super) log_sum_exp: &'a [T],
}

/// Memory of a task.
struct Memory<N: Numerics> {
    keys: Panel<N::Number>,
    values: Panel<N::Number>,
    /// Queries and gradients of outputs, as columns and as rows.
    turned_queries: Panel<N::Number>,
    turned_grads: Panel<N::Number>,
    queries: Panel<N::Number>,
    grads: Panel<N::Number>,
    probabilities: Panel<N::Number>,
    score_slopes: Panel<N::Number>,
    /// `[keys, lanes]` of a block, and rows on their way in or out.
    scores: Scratch<N::Number>,
    /// `[keys, lanes]`: gradients of the probabilities.
    slopes: Scratch<N::Number>,
    log_sum_exp: Scratch<N::Number>,
    delta: Scratch<N::Number>,
    /// `[D, lanes]`.
    query_sums: Scratch<N::Number>,
    /// `[keys of the task, D]`, rows filled up to cache lines.
    key_sums: Scratch<N::Number>,
    value_sums: Scratch<N::Number>,
}

/// What a task computes.
struct Wanted {
    blocks: Vec<Range<usize>>,
    keys: Range<usize>,
    of_queries: bool,
    of_keys: bool,
}

impl Wanted {
    fn new<T>(task: &Task) -> Self {
        let segment = &task.segment;
        let all = segment.blocks::<T>();
        let last_seen =
            |blocks: &[Range<usize>]| blocks.last().map_or(0, |rows| segment.visible(rows.end - 1));
        match &task.part {
            Part::All => {
                Self { keys: 0..segment.keys, blocks: all, of_queries: true, of_keys: true }
            }
            Part::Queries(part) => {
                let blocks = all[part.clone()].to_vec();
                Self { keys: 0..last_seen(&blocks), blocks, of_queries: true, of_keys: false }
            }
            Part::Keys(keys) => {
                let sees = |rows: &Range<usize>| segment.visible(rows.end - 1) > keys.start;
                let blocks = all.into_iter().filter(sees).collect();
                Self { keys: keys.clone(), blocks, of_queries: false, of_keys: true }
            }
        }
    }
}

/// Computes the gradients of a task into `[dq, dk, dv]`.
pub(super) fn differentiate<N: Numerics>(
    call: &Call<'_, N::Number>,
    known: &Known<'_, N::Number>,
    task: &Task,
    [dq, dk, dv]: [&Scatter<'_, N::Number>; 3],
) {
    let wanted = Wanted::new::<N::Number>(task);
    let mut memory = Memory::<N>::new();
    memory.begin(call, task, &wanted);
    for rows in &wanted.blocks {
        let block = QueryBlock::new::<N::Number>(&task.segment, rows.clone());
        memory.take_queries(call, known, task, &block);
        for keys in block.key_blocks(&wanted.keys) {
            memory.differentiate_keys(call, &wanted, &block, &keys);
        }
        if wanted.of_queries {
            memory.store_queries(call, task, &block, dq);
        }
    }
    if wanted.of_keys {
        let scale = N::Number::of(call.problem.scale);
        let places = Rows::keys(call.k, &task.segment, call.sizes);
        store_keys(&mut memory.key_sums, places, &wanted.keys, Some(scale), dk);
        store_keys(&mut memory.value_sums, places, &wanted.keys, None, dv);
    }
}

impl<N: Numerics> Memory<N> {
    fn new() -> Self {
        Self {
            keys: Panel::new(),
            values: Panel::new(),
            turned_queries: Panel::new(),
            turned_grads: Panel::new(),
            queries: Panel::new(),
            grads: Panel::new(),
            probabilities: Panel::new(),
            score_slopes: Panel::new(),
            scores: Scratch::take(),
            slopes: Scratch::take(),
            log_sum_exp: Scratch::take(),
            delta: Scratch::take(),
            query_sums: Scratch::take(),
            key_sums: Scratch::take(),
            value_sums: Scratch::take(),
        }
    }

    /// Packs the keys and values and clears their gradients.
    fn begin(&mut self, call: &Call<'_, N::Number>, task: &Task, wanted: &Wanted) {
        let source = Rows::keys(call.k, &task.segment, call.sizes);
        let forms = if wanted.of_queries { Forms::Both } else { Forms::Along };
        let rows = wanted.keys.clone();
        N::run(PackRows::<N> { source, rows, panel: &mut self.keys, forms });
        let source = Rows::keys(call.v, &task.segment, call.sizes);
        let (rows, panel) = (wanted.keys.clone(), &mut self.values);
        N::run(PackRows::<N> { source, rows, panel, forms: Forms::Along });
        if wanted.of_keys {
            let count = wanted.keys.len() * whole_units::<N::Number>(call.sizes.width);
            self.key_sums.room(count).fill(N::Number::ZERO);
            self.value_sums.room(count).fill(N::Number::ZERO);
        }
    }

    /// Packs the rows of a block and computes what their softmax needs.
    fn take_queries(
        &mut self,
        call: &Call<'_, N::Number>,
        known: &Known<'_, N::Number>,
        task: &Task,
        block: &QueryBlock,
    ) {
        let (width, lanes, rows) = (call.sizes.width, block.lanes, || block.rows.clone());
        let of = |numbers| Rows::queries(numbers, &task.segment, call.sizes);
        let (queries, grads) = (of(call.q), of(known.grad));
        for (source, turned, panel) in [
            (queries, &mut self.turned_queries, &mut self.queries),
            (grads, &mut self.turned_grads, &mut self.grads),
        ] {
            let room = self.scores.room(width * lanes);
            N::run(PackTurned::<N> { source, rows: rows(), lanes, panel: turned, turned: room });
            N::run(PackRows::<N> { source, rows: rows(), panel, forms: Forms::Across });
        }
        let (output, delta) = (of(known.output), self.delta.room(lanes));
        N::run(Delta::<N> { grad: grads, output, rows: rows(), dots: delta });
        let source = queries.of_one(known.log_sum_exp);
        let log_sum_exp = self.log_sum_exp.room(lanes);
        log_sum_exp.fill(N::Number::ZERO);
        for (lse, row) in log_sum_exp.iter_mut().zip(rows()) {
            *lse = source.row(row)[0];
        }
        self.probabilities.resize(KEYS, lanes);
        self.score_slopes.resize(KEYS, lanes);
    }

    /// Adds what a block of queries and a block of keys contribute to their gradients.
    fn differentiate_keys(
        &mut self,
        call: &Call<'_, N::Number>,
        wanted: &Wanted,
        block: &QueryBlock,
        keys: &Range<usize>,
    ) {
        let stairs = block.stairs::<N::Number>(keys);
        let (width, lanes, row) = (call.sizes.width, block.lanes, keys.start - wanted.keys.start);
        for strip in strips(&stairs) {
            let size = [strip.seen, width, strip.lanes];
            for (panel, turned, out) in [
                (&self.keys, &self.turned_queries, &mut self.scores),
                (&self.values, &self.turned_grads, &mut self.slopes),
            ] {
                N::run(Product::<N> {
                    left: (panel, Left::Along { row, depth: 0 }),
                    right: (turned, [0, strip.first_lane]),
                    out: (out.room(KEYS * lanes), lanes, [0, strip.first_lane]),
                    size,
                    start: Start::Zero,
                });
            }
        }
        N::run(Differentiate::<N> {
            seen: Seen { stairs: &stairs, visible: &block.visible, first_key: keys.start, lanes },
            scale: call.problem.scale,
            scores: self.scores.room(KEYS * lanes),
            slopes: self.slopes.room(KEYS * lanes),
            log_sum_exp: self.log_sum_exp.room(lanes),
            delta: self.delta.room(lanes),
            probabilities: &mut self.probabilities,
            score_slopes: &mut self.score_slopes,
        });
        if wanted.of_queries {
            self.sum_queries(width, lanes, keys, &stairs);
        }
        if wanted.of_keys {
            self.sum_keys(width, block, row, &stairs);
        }
    }

    /// Adds to the gradients of a block of queries.
    fn sum_queries(&mut self, width: usize, lanes: usize, keys: &Range<usize>, stairs: &[Stair]) {
        for strip in strips(stairs) {
            N::run(Product::<N> {
                left: (&self.keys, Left::Across { depth: keys.start }),
                right: (&self.score_slopes, [0, strip.first_lane]),
                out: (self.query_sums.room(width * lanes), lanes, [0, strip.first_lane]),
                size: [width, strip.seen, strip.lanes],
                // Every row sees the first key, so later blocks of keys find a sum.
                start: if keys.start == 0 { Start::Zero } else { Start::Kept },
            });
        }
    }

    /// Adds to the gradients of the keys and values from row `row` of the task on.
    fn sum_keys(&mut self, width: usize, block: &QueryBlock, row: usize, stairs: &[Stair]) {
        let step = whole_units::<N::Number>(width);
        for (keys, lane) in landings(stairs) {
            for (left, right, sums) in [
                (&self.probabilities, &self.grads, &mut self.value_sums),
                (&self.score_slopes, &self.queries, &mut self.key_sums),
            ] {
                let count = (row + keys.end) * step;
                N::run(Product::<N> {
                    left: (left, Left::Along { row: keys.start, depth: lane }),
                    right: (right, [lane, 0]),
                    out: (sums.room(count), step, [row + keys.start, 0]),
                    size: [keys.len(), block.rows.len() - lane, width],
                    start: Start::Kept,
                });
            }
        }
    }

    /// Stores the gradients of a block of queries.
    fn store_queries(
        &mut self,
        call: &Call<'_, N::Number>,
        task: &Task,
        block: &QueryBlock,
        dq: &Scatter<'_, N::Number>,
    ) {
        let (width, lanes) = (call.sizes.width, block.lanes);
        let factors = self.delta.room(lanes);
        factors.fill(N::Number::of(call.problem.scale));
        let rows = self.scores.room(lanes * width);
        turn_back(self.query_sums.room(width * lanes), lanes, factors, rows);
        let places = Rows::queries(call.q, &task.segment, call.sizes);
        for (row, numbers) in block.rows.clone().zip(rows.chunks_exact(width)) {
            // SAFETY: this row belongs to this task alone.
            unsafe { dq.put(places.place(row), numbers) };
        }
    }
}

/// Stores the gradients of the keys or values of a task, times `scale`.
fn store_keys<T: Element + crate::cpu::Plain>(
    sums: &mut Scratch<T>,
    places: Rows<'_, T>,
    keys: &Range<usize>,
    scale: Option<T>,
    out: &Scatter<'_, T>,
) {
    let (width, step) = (places.width(), whole_units::<T>(places.width()));
    for (key, numbers) in keys.clone().zip(sums.room(keys.len() * step).chunks_exact_mut(step)) {
        if let Some(scale) = scale {
            for number in numbers.iter_mut() {
                *number = *number * scale;
            }
        }
        // SAFETY: this row belongs to this task alone.
        unsafe { out.put(places.place(key), &numbers[..width]) };
    }
}
