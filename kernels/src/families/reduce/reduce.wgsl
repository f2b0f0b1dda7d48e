// reduce.wgsl: sums of columns, and of numbers or squares of consecutive rows.
//
// maths     column_sums     s[c] = sum_r x[r, c]
//           sum             s[r] = sum of x[p] over ROW numbers p from r ROW on
//           sum_of_squares  the same of x[p]^2
// layout    x [R, C] or [P], s [C] or [ceil(P / ROW)]
// bindings  0 x  1 s  2 its parameters
// launch    column_sums: a thread per column; the others: a workgroup per row
// requires  group.wgsl before it; any sizes, tails are masked
// ordering  deterministic: rows in order; a fixed tree
// oracle    reference.rs     bound  memory, roofline.rs
override ROW: u32 = 4096;

struct Matrix {
    rows: u32,  // offset 0
    width: u32, // offset 4
}

struct Numbers {
    count: u32, // offset 0
}

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;
@group(0) @binding(2) var<uniform> matrix: Matrix;
@group(0) @binding(2) var<uniform> numbers: Numbers;

@compute @workgroup_size(THREADS)
fn column_sums(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let c = (group.x + group.y * groups.x) * THREADS + thread;
    if c >= matrix.width {
        return;
    }
    var sum = 0.0;
    for (var row = 0u; row < matrix.rows; row++) {
        sum += x[row * matrix.width + c];
    }
    sums[c] = sum;
}

// Writes the sum of a row of numbers, or of their squares.
fn sum_row(row: u32, squared: bool, thread: u32) {
    if row * ROW >= numbers.count {
        return;
    }
    let end = min(row * ROW + ROW, numbers.count);
    var sum = 0.0;
    for (var p = row * ROW + thread; p < end; p += THREADS) {
        if squared {
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

@compute @workgroup_size(THREADS)
fn sum(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    sum_row(group.x + group.y * groups.x, false, thread);
}

@compute @workgroup_size(THREADS)
fn sum_of_squares(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    sum_row(group.x + group.y * groups.x, true, thread);
}
