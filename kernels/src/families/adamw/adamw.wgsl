// adamw.wgsl: one step of AdamW, or of Adam with AMSGrad, on flat buffers, in place.
//
// maths     mod.rs, in the order of operations of reference.rs
// layout    p, g, m, v, u [P]
// bindings  adamw    0 p  1 g  2 m  3 v         4 Params
//           amsgrad  0 p  1 g  2 m  3 v  4 u    5 Params
// launch    a thread per number
// ordering  elementwise: a number is read and written by one thread
// oracle    reference.rs     bound  memory, roofline.rs
override THREADS: u32 = 256;

struct Params {
    count: u32,        // offset 0
    grad_scale: f32,   // offset 4
    decay: f32,        // offset 8, of AdamW the factor of p, of AMSGrad the share of p in the gradient
    first_rate: f32,   // offset 12, 1 - beta1
    second_keep: f32,  // offset 16, beta2
    second_rate: f32,  // offset 20, 1 - beta2
    correction: f32,   // offset 24, sqrt(1 - beta2^t)
    epsilon: f32,      // offset 28
    step_size: f32,    // offset 32, rate / (1 - beta1^t)
}

@group(0) @binding(0) var<storage, read_write> p: array<f32>;
@group(0) @binding(1) var<storage, read_write> g: array<f32>;
@group(0) @binding(2) var<storage, read_write> m: array<f32>;
@group(0) @binding(3) var<storage, read_write> v: array<f32>;
@group(0) @binding(4) var<storage, read_write> u: array<f32>;
@group(0) @binding(4) var<uniform> params_4: Params;
@group(0) @binding(5) var<uniform> params_5: Params;

// How far the parameter moves, from its moments.
fn move_by(params: Params, first: f32, second: f32) -> f32 {
    return first / (sqrt(second) / params.correction + params.epsilon) * params.step_size;
}

@compute @workgroup_size(THREADS)
fn adamw(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let params = params_4;
    let at = (group.x + group.y * groups.x) * THREADS + thread;
    if at >= params.count {
        return;
    }
    let grad = g[at] * params.grad_scale;
    let first = m[at] + (grad - m[at]) * params.first_rate;
    let second = v[at] * params.second_keep + grad * grad * params.second_rate;
    m[at] = first;
    v[at] = second;
    p[at] = p[at] * params.decay - move_by(params, first, second);
}

@compute @workgroup_size(THREADS)
fn amsgrad(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let params = params_5;
    let at = (group.x + group.y * groups.x) * THREADS + thread;
    if at >= params.count {
        return;
    }
    let grad = g[at] * params.grad_scale + p[at] * params.decay;
    let first = m[at] + (grad - m[at]) * params.first_rate;
    let second = v[at] * params.second_keep + grad * grad * params.second_rate;
    // max may drop a NaN; the comparison keeps one of `second`.
    let largest = select(second, u[at], u[at] >= second);
    m[at] = first;
    v[at] = second;
    u[at] = largest;
    p[at] = p[at] - move_by(params, first, largest);
}
