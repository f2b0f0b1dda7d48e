// round_bf16.wgsl: the nearest bf16 of every number, ties to even, kept as f32.
//
// layout    x, y [P]
// bindings  0 x  1 y  2 Params
// launch    a thread per number
// requires  bf16.wgsl before it
// oracle    precision.rs, to the bit     bound  memory, 8 P bytes
override THREADS: u32 = 256;

struct Params {
    count: u32, // offset 0
}

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(THREADS)
fn round_to_bf16(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = (group.x + group.y * groups.x) * THREADS + thread;
    if at < params.count {
        y[at] = round_bf16(x[at]);
    }
}
