// reduce.wgsl: sums of columns, and sums of numbers or squares of consecutive rows.
//
// maths     column_sums  s[c] = sum_r x[r, c]
//           row_sums     s[r] = sum of x[p], or of x[p]^2 if SQUARED, over ROW numbers p from r ROW on
// layout    x [R, C] or [P], s [C] or [ceil(P / ROW)]
// bindings  0 x  1 s  2 Params
// launch    column_sums: a thread per column; row_sums: a workgroup per row
// requires  group.wgsl before it; any sizes, tails are masked
// ordering  deterministic: rows in order; a fixed tree
// oracle    reference.rs     bound  memory, roofline.rs
override SQUARED: u32 = 0;
override ROW: u32 = 4096;

struct Params {
    rows: u32,  // offset 0
    width: u32, // offset 4
}

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(THREADS)
fn column_sums(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let c = (group.x + group.y * groups.x) * THREADS + thread;
    if c >= params.width {
        return;
    }
    var sum = 0.0;
    for (var row = 0u; row < params.rows; row++) {
        sum += x[row * params.width + c];
    }
    sums[c] = sum;
}

// Of one row of `width` numbers in all.
@compute @workgroup_size(THREADS)
fn row_sums(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let row = group.x + group.y * groups.x;
    if row >= params.rows {
        return;
    }
    let start = row * ROW;
    let end = min(start + ROW, params.width);
    var sum = 0.0;
    for (var p = start + thread; p < end; p += THREADS) {
        if SQUARED == 1u {
            sum += x[p] * x[p];
        } else {
            sum += x[p];
        }
    }
    let total = group_sum(sum, thread);
    if thread == 0u {
        sums[row] = total;
    }
}
