// attention_backward.wgsl: gradients of softmax attention of packed segments.
//
// maths     delta = g . o;  p = exp(scale q k^T - lse) where seen, ds = p (g v^T - delta)
//           dq = scale ds k, dk = scale ds^T q, dv = p^T g
// layout    q, g, o, dq [N, H, D]; k, v [M, G, D]; dk, dv: one [2, M, G, D]; lse [N, H]
//           row_numbers [N, H, 2] = lse, delta
//           work [X, 5] = first query and queries, first key and keys of a segment, block of queries or keys
// bindings  attention_delta           0 g  1 o  2 lse  3 row_numbers                       4 Rows
//           attention_query_gradient  0 g  1 q  2 k  3 v  4 row_numbers  5 work  6 dq      7 Params
//           attention_key_gradient    0 g  1 q  2 k  3 v  4 row_numbers  5 work  6 dk dv   7 Params
// launch    attention_delta: a thread per row and head; the others: x over blocks of 32 queries or keys, y
//           over query or key heads
// requires  bf16.wgsl and tiles.wgsl before it; causal segments have no fewer keys than queries
// ordering  deterministic, no atomics: two passes, so that each sum has one owner
// oracle    reference.rs     bound  compute, roofline.rs
// source    Dao, arXiv:2307.08691, algorithm 2; ours differs: dq has its own pass

struct Rows {
    rows: u32,  // offset 0, N H
    width: u32, // offset 4, D
}

@group(0) @binding(0) var<storage, read_write> grad: array<f32>;
@group(0) @binding(1) var<storage, read_write> output: array<f32>;
@group(0) @binding(2) var<storage, read_write> log_sum_exp: array<f32>;
@group(0) @binding(3) var<storage, read_write> new_row_numbers: array<f32>;
@group(0) @binding(4) var<uniform> of_rows: Rows;

@group(0) @binding(1) var<storage, read_write> q: array<f32>;
@group(0) @binding(2) var<storage, read_write> k: array<f32>;
@group(0) @binding(3) var<storage, read_write> v: array<f32>;
@group(0) @binding(4) var<storage, read_write> row_numbers: array<f32>;
@group(0) @binding(5) var<storage, read_write> work: array<u32>;
@group(0) @binding(6) var<storage, read_write> sums_out: array<f32>;
@group(0) @binding(7) var<uniform> params: Params;

var<private> key_heads: u32;

// p and ds of a tile, queries by keys.
var<workgroup> weights: array<f32, TILE * SCORE_PITCH>;
var<workgroup> slopes: array<f32, TILE * SCORE_PITCH>;

@compute @workgroup_size(128)
fn attention_delta(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let row = (group.x + group.y * groups.x) * 128u + thread;
    if row >= of_rows.rows {
        return;
    }
    var delta = 0.0;
    for (var c = row * WIDTH; c < (row + 1u) * WIDTH; c++) {
        delta += grad[c] * output[c];
    }
    new_row_numbers[2u * row] = log_sum_exp[row];
    new_row_numbers[2u * row + 1u] = delta;
}

// Numbers of the four arrays as operands of products; zero behind the end of a segment or of a row.
fn query_number(row: u32, end: u32, head: u32, c: u32) -> f32 {
    if row < end && c < WIDTH {
        return operand(q[(row * params.heads + head) * WIDTH + c]);
    }
    return 0.0;
}

fn grad_number(row: u32, end: u32, head: u32, c: u32) -> f32 {
    if row < end && c < WIDTH {
        return operand(grad[(row * params.heads + head) * WIDTH + c]);
    }
    return 0.0;
}

fn key_number(row: u32, end: u32, head: u32, c: u32) -> f32 {
    if row < end && c < WIDTH {
        return operand(k[(row * key_heads + head) * WIDTH + c]);
    }
    return 0.0;
}

fn value_number(row: u32, end: u32, head: u32, c: u32) -> f32 {
    if row < end && c < WIDTH {
        return operand(v[(row * key_heads + head) * WIDTH + c]);
    }
    return 0.0;
}

// A tile: where its queries and keys start, where those of the segment end, and both heads.
struct Tile {
    query: u32,
    queries: u32,
    key: u32,
    keys: u32,
    head: u32,
    key_head: u32,
}

// p and ds of the tile, into workgroup memory; ends with a barrier.
fn differentiate_scores(tile: Tile, thread: u32) {
    var scores = vec4(0.0);
    var from_values = vec4(0.0);
    for (var slice = 0u; slice < SLICES; slice++) {
        for (var at = thread; at < TILE * SLICE; at += THREADS) {
            let place = at / SLICE * PITCH + at % SLICE;
            let c = slice * SLICE + at % SLICE;
            left[place] = query_number(tile.query + at / SLICE, tile.queries, tile.head, c);
            right[place] = key_number(tile.key + at / SLICE, tile.keys, tile.key_head, c);
        }
        workgroupBarrier(); // both slices are there
        scores = add_product(scores, thread);
        workgroupBarrier(); // all have read them
        for (var at = thread; at < TILE * SLICE; at += THREADS) {
            let place = at / SLICE * PITCH + at % SLICE;
            let c = slice * SLICE + at % SLICE;
            left[place] = grad_number(tile.query + at / SLICE, tile.queries, tile.head, c);
            right[place] = value_number(tile.key + at / SLICE, tile.keys, tile.key_head, c);
        }
        workgroupBarrier(); // both slices are there
        from_values = add_product(from_values, thread);
        workgroupBarrier(); // all have read them
    }
    for (var part = 0u; part < 4u; part++) {
        let row = thread / 16u + 16u * (part / 2u);
        let column = thread % 16u + 16u * (part % 2u);
        let query = tile.query + row;
        var weight = 0.0;
        var slope = 0.0;
        if tile.key + column < seen_end(query, tile.queries, tile.keys, params.causal) {
            let numbers = 2u * (query * params.heads + tile.head);
            weight = exp(params.scale * scores[part] - row_numbers[numbers]);
            slope = weight * (from_values[part] - row_numbers[numbers + 1u]);
        }
        weights[row * SCORE_PITCH + column] = operand(weight);
        slopes[row * SCORE_PITCH + column] = operand(slope);
    }
    workgroupBarrier(); // both are there
}

@compute @workgroup_size(THREADS)
fn attention_query_gradient(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    key_heads = params.heads / params.sharing;
    let item = 5u * group.x;
    let first = work[item] + TILE * work[item + 4u];
    let queries = work[item] + work[item + 1u];
    let keys_start = work[item + 2u];
    let keys = keys_start + work[item + 3u];
    let head = group.y;
    let key_head = head / params.sharing;
    let end = seen_end(min(first + TILE, queries) - 1u, queries, keys, params.causal);
    let row = thread / 8u;
    var sums: array<vec2<f32>, SLICES>;
    for (var key = keys_start; key < end; key += TILE) {
        differentiate_scores(Tile(first, queries, key, keys, head, key_head), thread);
        for (var slice = 0u; slice < SLICES; slice++) {
            for (var at = thread; at < TILE * SLICE; at += THREADS) {
                let c = slice * SLICE + at % SLICE;
                right[at / SLICE * PITCH + at % SLICE] =
                    key_number(key + at / SLICE, keys, key_head, c);
            }
            workgroupBarrier(); // the slice is there
            for (var j = 0u; j < TILE; j++) {
                let at = j * PITCH + 2u * (thread % 8u);
                sums[slice] += slopes[row * SCORE_PITCH + j] * vec2(right[at], right[at + 1u]);
            }
            workgroupBarrier(); // all have read the slice, and in the end the slopes
        }
    }
    if first + row >= queries {
        return;
    }
    let place = ((first + row) * params.heads + head) * WIDTH;
    for (var slice = 0u; slice < SLICES; slice++) {
        let c = slice * SLICE + 2u * (thread % 8u);
        if c < WIDTH {
            sums_out[place + c] = params.scale * sums[slice].x;
        }
        if c + 1u < WIDTH {
            sums_out[place + c + 1u] = params.scale * sums[slice].y;
        }
    }
}

@compute @workgroup_size(THREADS)
fn attention_key_gradient(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    key_heads = params.heads / params.sharing;
    let item = 5u * group.x;
    let queries_start = work[item];
    let queries = queries_start + work[item + 1u];
    let first = work[item + 2u] + TILE * work[item + 4u];
    let keys = work[item + 2u] + work[item + 3u];
    let key_head = group.y;
    let sharing = params.sharing;
    // The first query that sees the first key of the tile.
    var start = queries_start;
    if params.causal == 1u && queries - queries_start > keys - first {
        start = queries - (keys - first);
    }
    let row = thread / 8u;
    var of_keys: array<vec2<f32>, SLICES>;
    var of_values: array<vec2<f32>, SLICES>;
    for (var head = key_head * sharing; head < (key_head + 1u) * sharing; head++) {
        for (var query = start; query < queries; query += TILE) {
            differentiate_scores(Tile(query, queries, first, keys, head, key_head), thread);
            for (var slice = 0u; slice < SLICES; slice++) {
                for (var at = thread; at < TILE * SLICE; at += THREADS) {
                    let place = at / SLICE * PITCH + at % SLICE;
                    let c = slice * SLICE + at % SLICE;
                    left[place] = query_number(query + at / SLICE, queries, head, c);
                    right[place] = grad_number(query + at / SLICE, queries, head, c);
                }
                workgroupBarrier(); // both slices are there
                for (var i = 0u; i < TILE; i++) {
                    let at = i * PITCH + 2u * (thread % 8u);
                    let slope = slopes[i * SCORE_PITCH + row];
                    let weight = weights[i * SCORE_PITCH + row];
                    of_keys[slice] += slope * vec2(left[at], left[at + 1u]);
                    of_values[slice] += weight * vec2(right[at], right[at + 1u]);
                }
                workgroupBarrier(); // all have read them
            }
        }
    }
    if first + row >= keys {
        return;
    }
    let place = ((first + row) * key_heads + key_head) * WIDTH;
    for (var slice = 0u; slice < SLICES; slice++) {
        let c = slice * SLICE + 2u * (thread % 8u);
        if c < WIDTH {
            sums_out[place + c] = params.scale * of_keys[slice].x;
            sums_out[params.of_keys + place + c] = of_values[slice].x;
        }
        if c + 1u < WIDTH {
            sums_out[place + c + 1u] = params.scale * of_keys[slice].y;
            sums_out[params.of_keys + place + c + 1u] = of_values[slice].y;
        }
    }
}
