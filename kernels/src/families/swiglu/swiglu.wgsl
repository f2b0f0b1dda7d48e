// swiglu.wgsl: silu(gate) up and its gradients, elementwise.
//
// maths     s = 1 / (1 + exp(-a)): y = s a up;  dgate = g up s (1 + a (1 - s)), dup = g s a
// layout    all [N, F], P numbers
// bindings  swiglu           0 gate  1 up  2 y                       3 Params
//           swiglu_backward  0 gate  1 up  2 grad  3 dgate  4 dup    5 Params
// launch    a thread per number
// oracle    reference.rs     bound  memory, roofline.rs
override THREADS: u32 = 256;

struct Params {
    count: u32, // offset 0
}

@group(0) @binding(0) var<storage, read_write> gate: array<f32>;
@group(0) @binding(1) var<storage, read_write> up: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read_write> grad: array<f32>;
@group(0) @binding(3) var<storage, read_write> dgate: array<f32>;
@group(0) @binding(4) var<storage, read_write> dup: array<f32>;
@group(0) @binding(3) var<uniform> params_3: Params;
@group(0) @binding(5) var<uniform> params_5: Params;

fn logistic(a: f32) -> f32 {
    // Beyond 88 the exponential is no number of f32; the quotient is subnormal there.
    return 1.0 / (1.0 + exp(min(-a, 88.0)));
}

@compute @workgroup_size(THREADS)
fn swiglu(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = (group.x + group.y * groups.x) * THREADS + thread;
    if at < params_3.count {
        let a = gate[at];
        y[at] = logistic(a) * a * up[at];
    }
}

@compute @workgroup_size(THREADS)
fn swiglu_backward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = (group.x + group.y * groups.x) * THREADS + thread;
    if at < params_5.count {
        let a = gate[at];
        let g = grad[at];
        let s = logistic(a);
        dgate[at] = g * up[at] * s * (1.0 + a * (1.0 - s));
        dup[at] = g * s * a;
    }
}
