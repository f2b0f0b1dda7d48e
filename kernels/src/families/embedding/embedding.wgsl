// embedding.wgsl: rows of a table by id, and the sums of gradients per row.
//
// maths     embedding       y[n] = W[ids[n]]
//           embedding_sums  dW[v] = sum of g[n] over the tokens n of one id v, in token order
// layout    W, dW [V, C]; y, g [N, C]; ids [N]; runs [R, 3] = v, first, last: places in order [N],
//           which lists the tokens id by id
// bindings  embedding       0 W  1 ids  2 y               3 Params
//           embedding_sums  0 g  1 runs  2 order  3 dW    4 Params
// launch    embedding: a thread per number of y; embedding_sums: a workgroup per run
// requires  ids below V, which the host checked; dW is zero: rows without a token are left alone
// ordering  deterministic, no atomics
// oracle    reference.rs     bound  memory, roofline.rs
override THREADS: u32 = 256;

struct Params {
    rows: u32,  // offset 0, tokens or runs
    width: u32, // offset 4
}

@group(0) @binding(0) var<storage, read_write> weight: array<f32>;
@group(0) @binding(0) var<storage, read_write> grad: array<f32>;
@group(0) @binding(1) var<storage, read_write> ids: array<i32>;
@group(0) @binding(1) var<storage, read_write> runs: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read_write> order: array<u32>;
@group(0) @binding(3) var<storage, read_write> sums: array<f32>;
@group(0) @binding(3) var<uniform> params_3: Params;
@group(0) @binding(4) var<uniform> params_4: Params;

@compute @workgroup_size(THREADS)
fn embedding(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let width = params_3.width;
    let at = (group.x + group.y * groups.x) * THREADS + thread;
    if at < params_3.rows * width {
        y[at] = weight[u32(ids[at / width]) * width + at % width];
    }
}

@compute @workgroup_size(THREADS)
fn embedding_sums(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let run = group.x + group.y * groups.x;
    if run >= params_4.rows {
        return;
    }
    let width = params_4.width;
    let row = runs[3u * run];
    let first = runs[3u * run + 1u];
    let last = runs[3u * run + 2u];
    for (var c = thread; c < width; c += THREADS) {
        var sum = 0.0;
        for (var place = first; place < last; place++) {
            sum += grad[order[place] * width + c];
        }
        sums[row * width + c] = sum;
    }
}
