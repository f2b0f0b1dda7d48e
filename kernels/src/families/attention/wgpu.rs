//! Attention on wgpu: tiles of 32 queries by 32 keys in workgroup memory. The backward has a pass for the
//! queries and one for the keys, so that every sum has one owner.

use burn::tensor::Tensor;

use super::{AttentionProblem, Sizes};
use crate::machine::wgpu::{Array, BF16, Shader, Source, count, groups_of, number, params};
use crate::{Precision, Wgpu};

params! {
    /// Of all entry points.
    AttentionParams { query_heads: u32, key_heads: u32, count: u32, causal: u32, scale: f32 }
}

const FORWARD: Source = Source::file(
    "families/attention/attention_online_softmax.wgsl",
    include_str!("attention_online_softmax.wgsl"),
);
const BACKWARD: Source = Source::file(
    "families/attention/attention_backward.wgsl",
    include_str!("attention_backward.wgsl"),
);
const TILES: &str = include_str!("tiles.wgsl");

/// Queries or keys of a tile.
const TILE: usize = 32;
/// Two slices of 32 rows of 17 numbers.
const SLICES_BYTES: u32 = 2 * 32 * 17 * 4;
/// A tile of scores, padded.
const SCORES_BYTES: u32 = 32 * 33 * 4;

/// What the texts depend on.
#[derive(Clone, Copy)]
struct Form {
    width: u32,
    mixed: bool,
}

impl Form {
    fn of(sizes: Sizes, problem: &AttentionProblem) -> Self {
        let mixed = problem.precision == Precision::Bf16Mixed;
        Self { width: count(sizes.width), mixed }
    }

    fn shader(self, source: Source, entry: &'static str, num_arrays: u32) -> Shader {
        let shader = Shader::new::<AttentionParams>(source, entry, num_arrays);
        let shader = shader.after(BF16).after(TILES).constant("WIDTH", self.width);
        shader.constant("MIXED", self.mixed.into())
    }

    fn forward(self) -> Shader {
        // Scores, a number per thread, three per row.
        let bytes = SLICES_BYTES + SCORES_BYTES + (256 + 3 * 32) * 4;
        self.shader(FORWARD, "attention_online_softmax", 6).shared(bytes)
    }

    fn row_numbers(self) -> Shader {
        self.shader(BACKWARD, "attention_row_numbers", 4)
    }

    fn queries_grad(self) -> Shader {
        let bytes = SLICES_BYTES + 2 * SCORES_BYTES;
        self.shader(BACKWARD, "attention_queries_grad", 7).shared(bytes)
    }

    fn keys_grad(self) -> Shader {
        let bytes = SLICES_BYTES + 2 * SCORES_BYTES;
        self.shader(BACKWARD, "attention_keys_grad", 7).shared(bytes)
    }
}

/// Kernels that this family launches, at head widths below, at and beyond a slice.
#[cfg(test)]
pub(crate) fn shaders() -> Vec<Shader> {
    let forms =
        [1, 16, 17, 64, 128, 256].map(|width| [false, true].map(|mixed| Form { width, mixed }));
    let all =
        |form: Form| [form.forward(), form.row_numbers(), form.queries_grad(), form.keys_grad()];
    forms.concat().into_iter().flat_map(all).collect()
}

/// [`attention`](fn@crate::families::attention::attention).
pub(crate) fn forward(
    q: Tensor<Wgpu, 3>,
    k: Tensor<Wgpu, 3>,
    v: Tensor<Wgpu, 3>,
    problem: &AttentionProblem,
) -> (Tensor<Wgpu, 3>, Tensor<Wgpu, 2>) {
    let shape = q.dims();
    let sizes = Sizes::of(shape, k.dims());
    let (q, k, v) = (Array::new(q), Array::new(k), Array::new(v));
    let (output, lse) = (q.room(shape), q.room([shape[0], sizes.query_heads]));
    let tiles = query_tiles(problem);
    let groups = groups(&tiles, sizes.query_heads, sizes.width);
    let table = q.table(&tiles);
    let arrays = [&q, &k, &v, &table, &output, &lse];
    Form::of(sizes, problem).forward().launch(&arrays, &numbers(sizes, problem, 0), groups);
    (output.tensor(shape), lse.tensor([shape[0], sizes.query_heads]))
}

/// [`attention_backward`](fn@crate::families::attention::attention_backward).
pub(crate) fn backward(
    grad: Tensor<Wgpu, 3>,
    [q, k, v]: [Tensor<Wgpu, 3>; 3],
    output: Tensor<Wgpu, 3>,
    log_sum_exp: Tensor<Wgpu, 2>,
    problem: &AttentionProblem,
) -> (Tensor<Wgpu, 3>, Tensor<Wgpu, 3>, Tensor<Wgpu, 3>) {
    let (of_queries, of_keys) = (q.dims(), k.dims());
    let sizes = Sizes::of(of_queries, of_keys);
    let form = Form::of(sizes, problem);
    let [grad, q, k, v, output] = [grad, q, k, v, output].map(Array::new);
    let lse = Array::new(log_sum_exp);

    let rows = lse.len();
    let row_numbers = q.room([rows, 2]);
    let arrays = [&grad, &output, &lse, &row_numbers];
    form.row_numbers().launch(&arrays, &numbers(sizes, problem, rows), groups_of(rows));

    let dq = q.room(of_queries);
    let tiles = query_tiles(problem);
    let groups_of_queries = groups(&tiles, sizes.query_heads, sizes.width);
    let arrays = [&q, &k, &v, &grad, &row_numbers, &q.table(&tiles), &dq];
    form.queries_grad().launch(&arrays, &numbers(sizes, problem, 0), groups_of_queries);

    let both = k.room([2 * k.len()]);
    let tiles = key_tiles(problem);
    let groups_of_keys = groups(&tiles, sizes.key_heads, sizes.width);
    let arrays = [&q, &k, &v, &grad, &row_numbers, &q.table(&tiles), &both];
    form.keys_grad().launch(&arrays, &numbers(sizes, problem, k.len()), groups_of_keys);
    let [dk, dv] = both.halves().map(|half| half.tensor(of_keys));
    (dq.tensor(of_queries), dk, dv)
}

fn numbers(sizes: Sizes, problem: &AttentionProblem, counted: usize) -> AttentionParams {
    AttentionParams {
        query_heads: count(sizes.query_heads),
        key_heads: count(sizes.key_heads),
        count: count(counted),
        causal: problem.causal.into(),
        scale: number(problem.scale),
    }
}

/// A workgroup per tile and head; none where heads have no width.
fn groups(tiles: &[u32], heads: usize, width: usize) -> [u32; 3] {
    [if width == 0 { 0 } else { count(tiles.len() / 4) }, count(heads), 1]
}

/// First query, end of the segment's queries, first and end of its keys, of every tile.
fn query_tiles(problem: &AttentionProblem) -> Vec<u32> {
    tiles_of(&problem.query_starts, &problem.key_starts)
}

/// First key, end of its segment's keys, first and end of its queries, of every tile.
fn key_tiles(problem: &AttentionProblem) -> Vec<u32> {
    tiles_of(&problem.key_starts, &problem.query_starts)
}

fn tiles_of(own: &[u32], other: &[u32]) -> Vec<u32> {
    let segments = own.windows(2).zip(other.windows(2));
    let of_segment = |(own, other): (&[u32], &[u32])| {
        let [first, end, others, others_end] = [own[0], own[1], other[0], other[1]];
        let starts = (first..end).step_by(TILE);
        starts.flat_map(move |start| [start, end, others, others_end]).collect::<Vec<_>>()
    };
    segments.flat_map(of_segment).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_tile_reaches_into_another_segment() {
        let problem = AttentionProblem {
            query_starts: [0, 33, 35].into(),
            key_starts: [0, 40, 43].into(),
            causal: true,
            scale: 1.0,
            precision: Precision::Full,
        };
        let queries = [[0, 33, 0, 40], [32, 33, 0, 40], [33, 35, 40, 43]].concat();
        assert_eq!(query_tiles(&problem), queries);
        let keys = [[0, 40, 0, 33], [32, 40, 0, 33], [40, 43, 33, 35]].concat();
        assert_eq!(key_tiles(&problem), keys);
    }
}
