// attention_online_softmax.wgsl: softmax attention of packed segments, forward.
//
// maths     s = scale q k^T where seen, o = softmax(s) v, lse = log sum exp s, key tile by key tile
//           with a running maximum; no [N, M] matrix is stored
// layout    q, o [N, H, D]; k, v [M, G, D]; lse [N, H]; head h uses key head h / (H / G)
//           work [X, 5] = first query and queries, first key and keys of a segment, block of queries
// bindings  0 q  1 k  2 v  3 work  4 o  5 lse  6 Params
// launch    x over blocks of 32 queries, y over heads
// requires  bf16.wgsl and tiles.wgsl before it; causal segments have no fewer keys than queries
// ordering  deterministic: keys in order
// oracle    reference.rs     bound  compute, roofline.rs
// source    Milakov and Gimelshein, arXiv:1805.02867; Dao, arXiv:2307.08691, algorithm 1

@group(0) @binding(0) var<storage, read_write> q: array<f32>;
@group(0) @binding(1) var<storage, read_write> k: array<f32>;
@group(0) @binding(2) var<storage, read_write> v: array<f32>;
@group(0) @binding(3) var<storage, read_write> work: array<u32>;
@group(0) @binding(4) var<storage, read_write> output: array<f32>;
@group(0) @binding(5) var<storage, read_write> log_sum_exp: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

// Scores of a tile, then their exponentials.
var<workgroup> weights: array<f32, TILE * SCORE_PITCH>;
// Eight threads work on a row; what each found.
var<workgroup> parts: array<f32, THREADS>;
var<workgroup> row_max: array<f32, TILE>;
var<workgroup> row_sum: array<f32, TILE>;
// By how much a new maximum shrinks what was summed before.
var<workgroup> row_fade: array<f32, TILE>;

var<private> key_heads: u32;

fn load_queries(first: u32, end: u32, head: u32, slice: u32, thread: u32) {
    for (var at = thread; at < TILE * SLICE; at += THREADS) {
        let row = first + at / SLICE;
        let c = slice * SLICE + at % SLICE;
        var x = 0.0;
        if row < end && c < WIDTH {
            x = operand(q[(row * params.heads + head) * WIDTH + c]);
        }
        left[at / SLICE * PITCH + at % SLICE] = x;
    }
}

fn load_keys(first: u32, end: u32, head: u32, slice: u32, thread: u32) {
    for (var at = thread; at < TILE * SLICE; at += THREADS) {
        let row = first + at / SLICE;
        let c = slice * SLICE + at % SLICE;
        var x = 0.0;
        if row < end && c < WIDTH {
            x = operand(k[(row * key_heads + head) * WIDTH + c]);
        }
        right[at / SLICE * PITCH + at % SLICE] = x;
    }
}

fn load_values(first: u32, end: u32, head: u32, slice: u32, thread: u32) {
    for (var at = thread; at < TILE * SLICE; at += THREADS) {
        let row = first + at / SLICE;
        let c = slice * SLICE + at % SLICE;
        var x = 0.0;
        if row < end && c < WIDTH {
            x = operand(v[(row * key_heads + head) * WIDTH + c]);
        }
        right[at / SLICE * PITCH + at % SLICE] = x;
    }
}

// Replaces the scores of a tile from key `first` on by exp(s - max), and takes them into the row's
// maximum and sum.
fn take_weights(first: u32, seen: u32, thread: u32) {
    let row = thread / 8u;
    let start = row * SCORE_PITCH + thread % 8u;
    var largest = LOWEST;
    for (var at = 0u; at < TILE; at += 8u) {
        if first + thread % 8u + at < seen {
            largest = max(largest, weights[start + at]);
        }
    }
    parts[thread] = largest;
    workgroupBarrier(); // the parts of a row are there
    let before = row_max[row];
    largest = before;
    for (var part = 0u; part < 8u; part++) {
        largest = max(largest, parts[row * 8u + part]);
    }
    var sum = 0.0;
    for (var at = 0u; at < TILE; at += 8u) {
        var weight = 0.0;
        if first + thread % 8u + at < seen {
            weight = exp(weights[start + at] - largest);
        }
        sum += weight;
        weights[start + at] = operand(weight);
    }
    workgroupBarrier(); // all have read the parts and the maximum
    parts[thread] = sum;
    workgroupBarrier(); // the sums of a row are there
    if thread % 8u == 0u {
        let fade = exp(before - largest);
        var total = row_sum[row] * fade;
        for (var part = 0u; part < 8u; part++) {
            total += parts[row * 8u + part];
        }
        row_fade[row] = fade;
        row_sum[row] = total;
        row_max[row] = largest;
    }
    workgroupBarrier(); // weights and row numbers are there
}

@compute @workgroup_size(THREADS)
fn attention_forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    key_heads = params.heads / params.sharing;
    let item = 5u * group.x;
    let first = work[item] + TILE * work[item + 4u];
    let queries = work[item] + work[item + 1u];
    let keys_start = work[item + 2u];
    let keys_end = keys_start + work[item + 3u];
    let head = group.y;
    let key_head = head / params.sharing;
    let row = thread / 8u;
    let seen = seen_end(first + row, queries, keys_end, params.causal);
    let last = min(first + TILE, queries);
    let end = seen_end(last - 1u, queries, keys_end, params.causal);
    if thread < TILE {
        row_max[thread] = LOWEST;
        row_sum[thread] = 0.0;
    }
    var sums: array<vec2<f32>, SLICES>;
    for (var key = keys_start; key < end; key += TILE) {
        var scores = vec4(0.0);
        for (var slice = 0u; slice < SLICES; slice++) {
            load_queries(first, queries, head, slice, thread);
            load_keys(key, keys_end, key_head, slice, thread);
            workgroupBarrier(); // both slices are there
            scores = add_product(scores, thread);
            workgroupBarrier(); // all have read them
        }
        let place = (thread / 16u) * SCORE_PITCH + thread % 16u;
        weights[place] = params.scale * scores.x;
        weights[place + 16u] = params.scale * scores.y;
        weights[place + 16u * SCORE_PITCH] = params.scale * scores.z;
        weights[place + 16u * SCORE_PITCH + 16u] = params.scale * scores.w;
        workgroupBarrier(); // the scores are there
        take_weights(key, seen, thread);
        for (var slice = 0u; slice < SLICES; slice++) {
            load_values(key, keys_end, key_head, slice, thread);
            workgroupBarrier(); // the slice is there
            var sum = sums[slice] * row_fade[row];
            for (var j = 0u; j < TILE; j++) {
                let at = j * PITCH + 2u * (thread % 8u);
                sum += weights[row * SCORE_PITCH + j] * vec2(right[at], right[at + 1u]);
            }
            sums[slice] = sum;
            workgroupBarrier(); // all have read the slice, and in the end the weights
        }
    }
    if first + row >= queries {
        return;
    }
    let place = (first + row) * params.heads + head;
    for (var slice = 0u; slice < SLICES; slice++) {
        let o = sums[slice] / row_sum[row];
        let c = slice * SLICE + 2u * (thread % 8u);
        if c < WIDTH {
            output[place * WIDTH + c] = o.x;
        }
        if c + 1u < WIDTH {
            output[place * WIDTH + c + 1u] = o.y;
        }
    }
    if thread % 8u == 0u {
        log_sum_exp[place] = log(row_sum[row]) + row_max[row];
    }
}
