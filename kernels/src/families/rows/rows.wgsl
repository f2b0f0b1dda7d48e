// rows.wgsl: rows by number, and sums of rows by number.
//
// maths     gather_rows  y[e, :] = x[r[e], :]
//           sum_rows     y[n, :] = sum of x[items[i], :] over i from starts[n] to starts[n + 1], in that order
// layout    gather_rows  x [N, K], y [E, K]; sum_rows  x [E, K], y [N, K]; row-major, in packs: f32 or vec4
// bindings  gather_rows  0 x  1 rows  2 y              3 Params
//           sum_rows     0 x  1 starts  2 items  3 y   4 Params
// launch    a thread per pack of y, groups numbered x + y * num_workgroups.x
// requires  `alias Pack` before it; packs = K divided by the size of a pack, exactly
// ordering  deterministic: a sum runs in the order of the items, by one thread
// oracle    reference.rs     bound  memory, roofline.rs
struct Params {
    count: u32, // offset 0, packs of y
    packs: u32, // offset 4, packs of a row
}

@group(0) @binding(0) var<storage, read_write> x: array<Pack>;
@group(0) @binding(1) var<storage, read_write> rows: array<u32>;
@group(0) @binding(2) var<storage, read_write> gathered: array<Pack>;
@group(0) @binding(3) var<uniform> params_3: Params;
@group(0) @binding(1) var<storage, read_write> starts: array<u32>;
@group(0) @binding(2) var<storage, read_write> items: array<u32>;
@group(0) @binding(3) var<storage, read_write> summed: array<Pack>;
@group(0) @binding(4) var<uniform> params_4: Params;

const THREADS: u32 = 256;

@compute @workgroup_size(THREADS)
fn gather_rows(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let params = params_3;
    let to = (group.x + group.y * groups.x) * THREADS + thread;
    if to >= params.count {
        return;
    }
    gathered[to] = x[rows[to / params.packs] * params.packs + to % params.packs];
}

@compute @workgroup_size(THREADS)
fn sum_rows(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let params = params_4;
    let to = (group.x + group.y * groups.x) * THREADS + thread;
    if to >= params.count {
        return;
    }
    let row = to / params.packs;
    let pack = to % params.packs;
    let end = starts[row + 1u];
    var sum = Pack();
    for (var item = starts[row]; item < end; item++) {
        sum += x[items[item] * params.packs + pack];
    }
    summed[to] = sum;
}
