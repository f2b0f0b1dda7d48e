// rotary.wgsl: turns pairs of features of every head by an angle per token.
//
// maths     y1 = x1 cos - x2 sin, y2 = x2 cos + x1 sin; x1, x2 the halves of a head
// layout    x, y [N, H, D]; cos, sin [N, D/2]
// bindings  0 x  1 cos  2 sin  3 y  4 Params
// launch    a thread per pair
// oracle    reference.rs     bound  memory, roofline.rs
override THREADS: u32 = 256;

struct Params {
    rows: u32,  // offset 0, N H
    heads: u32, // offset 4
    half: u32,  // offset 8, D/2
}

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> cosines: array<f32>;
@group(0) @binding(2) var<storage, read_write> sines: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(THREADS)
fn rotary(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let pair = (group.x + group.y * groups.x) * THREADS + thread;
    if pair >= params.rows * params.half {
        return;
    }
    let head = pair / params.half;
    let place = pair % params.half;
    let angle = head / params.heads * params.half + place;
    let first = 2u * head * params.half + place;
    let second = first + params.half;
    let c = cosines[angle];
    let s = sines[angle];
    y[first] = x[first] * c - x[second] * s;
    y[second] = x[second] * c + x[first] * s;
}
