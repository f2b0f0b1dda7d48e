// slope.wgsl: dot products and multiples of rows.
//
// maths     dot_rows    y[p] = sum over k of a[p, k] b[p, k]
//           scale_rows  y[p, k] = s[p] a[p, k]
// layout    a, b [P, K]; y of dot_rows and s [P, 1]
// bindings  dot_rows    0 a  1 b  2 dots           3 Params
//           scale_rows  0 scales  1 factors  2 multiples  3 Counted
// launch    dot_rows: a workgroup per row, x + y * num_workgroups.x; scale_rows: a thread per number
// requires  group.wgsl before it; any P and K, tails are masked
// ordering  deterministic: a fixed tree along a row
// oracle    reference.rs     bound  memory, roofline.rs
struct Params {
    rows: u32,  // offset 0
    width: u32, // offset 4
}

struct Counted {
    count: u32, // offset 0
    width: u32, // offset 4
}

@group(0) @binding(0) var<storage, read_write> a: array<f32>;
@group(0) @binding(1) var<storage, read_write> b: array<f32>;
@group(0) @binding(0) var<storage, read_write> scales: array<f32>;
@group(0) @binding(1) var<storage, read_write> factors: array<f32>;
@group(0) @binding(2) var<storage, read_write> dots: array<f32>;
@group(0) @binding(2) var<storage, read_write> multiples: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;
@group(0) @binding(3) var<uniform> counted: Counted;

@compute @workgroup_size(THREADS)
fn dot_rows(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let row = group.x + group.y * groups.x;
    if row >= params.rows {
        return;
    }
    var sum = 0.0;
    for (var k = thread; k < params.width; k += THREADS) {
        sum += a[row * params.width + k] * b[row * params.width + k];
    }
    let total = group_sum(sum, thread);
    if thread == 0u {
        dots[row] = total;
    }
}

@compute @workgroup_size(THREADS)
fn scale_rows(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = (group.x + group.y * groups.x) * THREADS + thread;
    if at < counted.count {
        multiples[at] = scales[at / counted.width] * factors[at];
    }
}
