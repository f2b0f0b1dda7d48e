// norm.wgsl: RMS and layer normalisation of rows, forward and backward.
//
// maths     h = (x - m) r, r = 1 / sqrt(mean((x - m)^2) + epsilon); m = mean(x) if CENTRED, else 0
//           rms_norm       y = w h                       layer_norm  y = w h + b
//           norm_backward  t = w g, dx = r (t - mean(t) - h mean(t h)), without mean(t) unless CENTRED
//           rms_norm_weights, layer_norm_weights  sums of g h, and of g, over blocks of ROWS rows
// layout    x, y, g, dx [N, C]; w, b [C]; statistics [N, 2] = m, r; of_weight, of_bias [blocks, C]
// bindings  rms_norm            0 x  1 w  2 y                               3 Params
//           layer_norm          0 x  1 w  2 b  3 y                          4 Params
//           norm_backward       0 x  1 w  2 g  3 dx  4 statistics           5 Params
//           rms_norm_weights    0 x  1 statistics  2 g  3 of_weight         4 Params
//           layer_norm_weights  0 x  1 statistics  2 g  3 of_weight  4 of_bias     5 Params
// launch    a workgroup per row, x + y * num_workgroups.x; weights: x over columns, y over blocks
// requires  group.wgsl before it; any N and C, tails are masked
// ordering  deterministic: fixed trees along a row, rows of a block in order
// oracle    reference.rs     bound  memory, roofline.rs
override CENTRED: u32 = 1;
override ROWS: u32 = 64;

struct Params {
    rows: u32,    // offset 0
    width: u32,   // offset 4
    epsilon: f32, // offset 8
}

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> weight: array<f32>;
@group(0) @binding(1) var<storage, read_write> given_statistics: array<f32>;
@group(0) @binding(2) var<storage, read_write> y_rms: array<f32>;
@group(0) @binding(2) var<storage, read_write> bias: array<f32>;
@group(0) @binding(2) var<storage, read_write> grad: array<f32>;
@group(0) @binding(3) var<storage, read_write> y_layer: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;
@group(0) @binding(3) var<storage, read_write> of_weight: array<f32>;
@group(0) @binding(4) var<storage, read_write> of_bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> statistics: array<f32>;
@group(0) @binding(3) var<uniform> params_3: Params;
@group(0) @binding(4) var<uniform> params_4: Params;
@group(0) @binding(5) var<uniform> params_5: Params;

// Mean of the row from `start` on.
fn row_mean(start: u32, width: u32, thread: u32) -> f32 {
    var sum = 0.0;
    for (var c = thread; c < width; c += THREADS) {
        sum += x[start + c];
    }
    return group_sum(sum, thread) / f32(width);
}

// Reciprocal root of the mean square distance from `mean`.
fn row_scale(start: u32, params: Params, mean: f32, thread: u32) -> f32 {
    var sum = 0.0;
    for (var c = thread; c < params.width; c += THREADS) {
        let distance = x[start + c] - mean;
        sum += distance * distance;
    }
    return inverseSqrt(group_sum(sum, thread) / f32(params.width) + params.epsilon);
}

@compute @workgroup_size(THREADS)
fn rms_norm(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let params = params_3;
    let row = group.x + group.y * groups.x;
    if row >= params.rows {
        return;
    }
    let start = row * params.width;
    let scale = row_scale(start, params, 0.0, thread);
    for (var c = thread; c < params.width; c += THREADS) {
        y_rms[start + c] = x[start + c] * scale * weight[c];
    }
}

@compute @workgroup_size(THREADS)
fn layer_norm(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let params = params_4;
    let row = group.x + group.y * groups.x;
    if row >= params.rows {
        return;
    }
    let start = row * params.width;
    let mean = row_mean(start, params.width, thread);
    let scale = row_scale(start, params, mean, thread);
    for (var c = thread; c < params.width; c += THREADS) {
        y_layer[start + c] = (x[start + c] - mean) * scale * weight[c] + bias[c];
    }
}

@compute @workgroup_size(THREADS)
fn norm_backward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let params = params_5;
    let row = group.x + group.y * groups.x;
    if row >= params.rows {
        return;
    }
    let width = params.width;
    let start = row * width;
    var mean = 0.0;
    if CENTRED == 1u {
        mean = row_mean(start, width, thread);
    }
    let scale = row_scale(start, params, mean, thread);
    var sum = 0.0;
    var product = 0.0;
    for (var c = thread; c < width; c += THREADS) {
        let t = weight[c] * grad[start + c];
        sum += t;
        product += t * (x[start + c] - mean) * scale;
    }
    var level = 0.0;
    if CENTRED == 1u {
        level = group_sum(sum, thread) / f32(width);
    }
    let along = group_sum(product, thread) / f32(width);
    for (var c = thread; c < width; c += THREADS) {
        let h = (x[start + c] - mean) * scale;
        dx[start + c] = scale * (weight[c] * grad[start + c] - level - h * along);
    }
    if thread == 0u {
        statistics[2u * row] = mean;
        statistics[2u * row + 1u] = scale;
    }
}

// Sums of g h and of g in a column, over the rows of a block.
fn sums_of_block(block: u32, c: u32, params: Params) -> vec2<f32> {
    let first = block * ROWS;
    let last = min(first + ROWS, params.rows);
    var sums = vec2<f32>(0.0, 0.0);
    for (var row = first; row < last; row++) {
        let g = grad[row * params.width + c];
        let distance = x[row * params.width + c] - given_statistics[2u * row];
        let h = distance * given_statistics[2u * row + 1u];
        sums += vec2<f32>(g * h, g);
    }
    return sums;
}

@compute @workgroup_size(THREADS)
fn rms_norm_weights(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let c = group.x * THREADS + thread;
    if c < params_4.width {
        of_weight[group.y * params_4.width + c] = sums_of_block(group.y, c, params_4).x;
    }
}

@compute @workgroup_size(THREADS)
fn layer_norm_weights(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let c = group.x * THREADS + thread;
    if c < params_5.width {
        let sums = sums_of_block(group.y, c, params_5);
        of_weight[group.y * params_5.width + c] = sums.x;
        of_bias[group.y * params_5.width + c] = sums.y;
    }
}
