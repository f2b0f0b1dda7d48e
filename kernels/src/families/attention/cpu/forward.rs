//! Outputs and log-sum-exp: blocks of queries against blocks of keys, with a running maximum.
//!
//! ```text
//! layout  rows of queries are lanes: scores [keys, lanes], output [D, lanes] until it is stored
//! blocks  up to 96 rows in f32 and 48 in f64, 64 keys
//! ```

use super::Call;
use super::numerics::Numerics;
use super::pack::{PackRows, PackTurned, turn_back};
use super::panel::{Forms, Panel};
use super::product::{Left, Product, Start};
use super::scatter::Scatter;
use super::segments::{KEYS, QueryBlock, Rows, strips};
use super::softmax::{Seen, Soften};
use super::tasks::{Part, Task};
use crate::cpu::{Element, Scratch};

/// Memory of a task.
struct Memory<N: Numerics> {
    keys: Panel<N::Number>,
    values: Panel<N::Number>,
    queries: Panel<N::Number>,
    weights: Panel<N::Number>,
    /// `[keys, lanes]` of a block, and rows on their way in or out.
    scores: Scratch<N::Number>,
    /// `[D, lanes]`.
    output: Scratch<N::Number>,
    largest: Scratch<N::Number>,
    total: Scratch<N::Number>,
    fade: Scratch<N::Number>,
}

/// Computes the blocks of queries of a task.
pub(super) fn attend<N: Numerics>(
    call: &Call<'_, N::Number>,
    task: &Task,
    output: &Scatter<'_, N::Number>,
    log_sum_exp: &Scatter<'_, N::Number>,
) {
    let segment = &task.segment;
    let mut blocks = segment.blocks::<N::Number>();
    if let Part::Queries(part) = &task.part {
        blocks = blocks[part.clone()].to_vec();
    }
    let Some(last) = blocks.last() else { return };
    let mut memory = Memory::<N>::new();
    let seen = 0..segment.visible(last.end - 1);
    let source = Rows::keys(call.k, segment, call.sizes);
    let (rows, panel) = (seen.clone(), &mut memory.keys);
    N::run(PackRows::<N> { source, rows, panel, forms: Forms::Along });
    let source = Rows::keys(call.v, segment, call.sizes);
    let (rows, panel) = (seen, &mut memory.values);
    N::run(PackRows::<N> { source, rows, panel, forms: Forms::Across });
    for rows in blocks {
        let block = QueryBlock::new::<N::Number>(segment, rows);
        memory.attend_block(call, task, &block);
        memory.store(call, task, &block, output, log_sum_exp);
    }
}

impl<N: Numerics> Memory<N> {
    fn new() -> Self {
        let panel = Panel::new;
        let (keys, values, queries, weights) = (panel(), panel(), panel(), panel());
        let scratch = Scratch::take;
        let (scores, output) = (scratch(), scratch());
        let (largest, total, fade) = (scratch(), scratch(), scratch());
        Self { keys, values, queries, weights, scores, output, largest, total, fade }
    }

    /// The unnormalised output of a block and the statistics of its rows.
    fn attend_block(&mut self, call: &Call<'_, N::Number>, task: &Task, block: &QueryBlock) {
        let (width, lanes) = (call.sizes.width, block.lanes);
        N::run(PackTurned::<N> {
            source: Rows::queries(call.q, &task.segment, call.sizes),
            rows: block.rows.clone(),
            lanes,
            panel: &mut self.queries,
            turned: self.scores.room(width * lanes),
        });
        self.weights.resize(KEYS, lanes);
        self.largest.room(lanes).fill(N::Number::of(f64::NEG_INFINITY));
        self.total.room(lanes).fill(N::Number::ZERO);
        for keys in block.key_blocks(&(0..task.segment.keys)) {
            self.attend_keys(call, block, &keys);
        }
    }

    /// Adds what the rows of a block get from a block of keys.
    fn attend_keys(
        &mut self,
        call: &Call<'_, N::Number>,
        block: &QueryBlock,
        keys: &std::ops::Range<usize>,
    ) {
        let (width, lanes) = (call.sizes.width, block.lanes);
        let stairs = block.stairs::<N::Number>(keys);
        let scores = self.scores.room(KEYS * lanes);
        for strip in strips(&stairs) {
            N::run(Product::<N> {
                left: (&self.keys, Left::Along { row: keys.start, depth: 0 }),
                right: (&self.queries, [0, strip.first_lane]),
                out: (scores, lanes, [0, strip.first_lane]),
                size: [strip.seen, width, strip.lanes],
                start: Start::Zero,
            });
        }
        let fade = self.fade.room(lanes);
        N::run(Soften::<N> {
            seen: Seen { stairs: &stairs, visible: &block.visible, first_key: keys.start, lanes },
            scale: call.problem.scale,
            scores,
            largest: self.largest.room(lanes),
            total: self.total.room(lanes),
            fade,
            weights: &mut self.weights,
        });
        for strip in strips(&stairs) {
            N::run(Product::<N> {
                left: (&self.values, Left::Across { depth: keys.start }),
                right: (&self.weights, [0, strip.first_lane]),
                out: (self.output.room(width * lanes), lanes, [0, strip.first_lane]),
                size: [width, strip.seen, strip.lanes],
                // Every row sees the first key, so later blocks of keys find an output.
                start: if keys.start == 0 { Start::Zero } else { Start::Faded(fade) },
            });
        }
    }

    /// Normalises and stores the rows of a block.
    fn store(
        &mut self,
        call: &Call<'_, N::Number>,
        task: &Task,
        block: &QueryBlock,
        output: &Scatter<'_, N::Number>,
        log_sum_exp: &Scatter<'_, N::Number>,
    ) {
        let (width, lanes) = (call.sizes.width, block.lanes);
        let total = self.total.room(lanes);
        let factors = self.fade.room(lanes);
        for (factor, &total) in factors.iter_mut().zip(&*total) {
            *factor = N::Number::ONE / total;
        }
        let rows = self.scores.room(lanes * width);
        turn_back(self.output.room(width * lanes), lanes, factors, rows);
        let places = Rows::queries(call.q, &task.segment, call.sizes);
        let row_places = places.of_one::<N::Number>(&[]);
        let statistics = total.iter().zip(self.largest.room(lanes));
        for (at, (&total, &mut largest)) in block.rows.clone().zip(statistics) {
            let row = &rows[(at - block.rows.start) * width..][..width];
            // SAFETY: this row belongs to this task alone.
            unsafe {
                output.put(places.place(at), row);
                log_sum_exp.put(row_places.place(at), &[largest + total.logarithm()]);
            }
        }
    }
}
