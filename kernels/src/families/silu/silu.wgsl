// silu.wgsl: SiLU and its two derivatives, elementwise.
//
// maths     s = 1 / (1 + exp(-x)): y = s x;  slope = s (1 + x (1 - s)) a;
//           bend = s (1 - s) (2 + x (1 - 2 s)) a b
// layout    all [N, C], any order that they share
// bindings  silu        0 x  1 y                      2 Params
//           silu_slope  0 x  1 along  2 slope         3 Params
//           silu_bend   0 x  1 along  2 other  3 bend 4 Params
// launch    a thread per number
// oracle    reference.rs     bound  memory, roofline.rs
override THREADS: u32 = 256;

struct Params {
    count: u32, // offset 0
}

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<storage, read_write> along: array<f32>;
@group(0) @binding(2) var<storage, read_write> slope: array<f32>;
@group(0) @binding(2) var<storage, read_write> other: array<f32>;
@group(0) @binding(3) var<storage, read_write> bend: array<f32>;
@group(0) @binding(2) var<uniform> params_2: Params;
@group(0) @binding(3) var<uniform> params_3: Params;
@group(0) @binding(4) var<uniform> params_4: Params;

fn logistic(a: f32) -> f32 {
    // Beyond 88 the exponential is no number of f32; the quotient is subnormal there.
    return 1.0 / (1.0 + exp(min(-a, 88.0)));
}

@compute @workgroup_size(THREADS)
fn silu(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = (group.x + group.y * groups.x) * THREADS + thread;
    if at < params_2.count {
        let v = x[at];
        y[at] = logistic(v) * v;
    }
}

@compute @workgroup_size(THREADS)
fn silu_slope(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = (group.x + group.y * groups.x) * THREADS + thread;
    if at < params_3.count {
        let v = x[at];
        let open = logistic(v);
        slope[at] = open * (1.0 + v * (1.0 - open)) * along[at];
    }
}

@compute @workgroup_size(THREADS)
fn silu_bend(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = (group.x + group.y * groups.x) * THREADS + thread;
    if at < params_4.count {
        let v = x[at];
        let open = logistic(v);
        let turning = 2.0 + v * (1.0 - 2.0 * open);
        bend[at] = open * (1.0 - open) * turning * along[at] * other[at];
    }
}
