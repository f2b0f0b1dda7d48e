// gelu.wgsl: both forms of the Gaussian error linear unit and their slopes, elementwise.
//
// maths     TANH = 1  y = x/2 (1 + t), t = tanh u, u = ROOT (x + CUBE x^3)
//                     dy/dx = (1 + t) / 2 + x/2 (1 - t^2) ROOT (1 + 3 CUBE x^2)
//           TANH = 0  y = x/2 (1 + erf(x / sqrt 2)), dy/dx = y/x + x exp(-x^2 / 2) / sqrt(2 pi)
//           tanh and erf are made of exp, whose error WGSL bounds far below that of its tanh:
//           erf |a| < 1: a + a s(a^2); beyond: 1 - exp(-|a| l(|a|)); s and l as in cpu/functions
// layout    all [N, C], P numbers
// bindings  gelu           0 x  1 y             2 Params
//           gelu_backward  0 x  1 grad  2 dx    3 Params
// launch    a thread per number
// oracle    reference.rs     bound  memory, roofline.rs
override THREADS: u32 = 256;
override TANH: u32 = 1;

const CUBE: f32 = 0.044715;                // mod.rs
const ROOT: f32 = 0.7978845608028654;      // sqrt(2 / pi)
const ROOT_HALF: f32 = 0.7071067811865476; // 1 / sqrt 2

struct Params {
    count: u32, // offset 0
}

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<storage, read_write> grad: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@group(0) @binding(2) var<uniform> params_2: Params;
@group(0) @binding(3) var<uniform> params_3: Params;

// Value and slope of the gate, (tanh u, 1 - tanh^2 u), from e = exp(-2 |u|).
fn tanh_and_rise(u: f32) -> vec2<f32> {
    let e = exp(-2.0 * abs(u));
    let t = (1.0 - e) / (1.0 + e);
    return vec2(select(t, -t, u < 0.0), 4.0 * e / ((1.0 + e) * (1.0 + e)));
}

fn erf(a: f32) -> f32 {
    let size = min(abs(a), 4.0); // erf 4 rounds to 1
    let square = size * size;
    var s = 7.889119e-5;
    s = s * square - 8.0208457e-4;
    s = s * square + 5.1895366e-3;
    s = s * square - 2.6854447e-2;
    s = s * square + 1.12836e-1;
    s = s * square - 3.7612626e-1;
    s = s * square + 1.2837917e-1;
    var l = 1.3962273e-5;
    l = l * size - 3.505903e-4;
    l = l * size + 3.7574698e-3;
    l = l * size - 2.4010053e-2;
    l = l * size + 1.0653085e-1;
    l = l * size + 6.349695e-1;
    l = l * size + 1.1286943;
    let value = select(1.0 - exp(-size * l), size + size * s, size < 1.0);
    return select(value, -value, a < 0.0);
}

fn tanh_argument(x: f32) -> f32 {
    return ROOT * x * (1.0 + CUBE * x * x);
}

@compute @workgroup_size(THREADS)
fn gelu(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = (group.x + group.y * groups.x) * THREADS + thread;
    if at >= params_2.count {
        return;
    }
    let v = x[at];
    var gate = 0.0;
    if TANH == 1u {
        gate = tanh_and_rise(tanh_argument(v)).x;
    } else {
        gate = erf(v * ROOT_HALF);
    }
    y[at] = 0.5 * v * (1.0 + gate);
}

@compute @workgroup_size(THREADS)
fn gelu_backward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = (group.x + group.y * groups.x) * THREADS + thread;
    if at >= params_3.count {
        return;
    }
    let v = x[at];
    var gate = 0.0;
    var curved = 0.0;
    if TANH == 1u {
        let found = tanh_and_rise(tanh_argument(v));
        gate = found.x;
        // Where the gate is flat its slope is zero, whatever the square of v overflows to.
        let inner = 0.5 * ROOT * v * (1.0 + 3.0 * CUBE * v * v);
        curved = select(found.y * inner, 0.0, found.y == 0.0);
    } else {
        gate = erf(v * ROOT_HALF);
        curved = 0.5 * ROOT * v * exp(-0.5 * v * v);
    }
    dx[at] = grad[at] * (0.5 * (1.0 + gate) + curved);
}
