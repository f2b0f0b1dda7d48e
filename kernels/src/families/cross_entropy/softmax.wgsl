// softmax.wgsl: cross entropy of rows of logits, and the gradient of the logits in their place.
//
// maths     z = logits + bias, lse = log sum exp z, loss = lse - z[label]
//           GRADIENT = 1: logits <- exp(z - lse) - [v = label]
// layout    logits [L, V]; bias [V], read if BIAS = 1; labels, losses, log_sum_exps [L]
// bindings  0 logits  1 bias  2 labels  3 losses  4 log_sum_exps  5 Params
// launch    a workgroup per row
// requires  group.wgsl before it; labels below V, which the host checked; V > 0
// ordering  deterministic: fixed trees along a row
// oracle    reference.rs     bound  memory, roofline.rs
override GRADIENT: u32 = 1;
override BIAS: u32 = 1;

struct Params {
    rows: u32,    // offset 0
    classes: u32, // offset 4
}

@group(0) @binding(0) var<storage, read_write> logits: array<f32>;
@group(0) @binding(1) var<storage, read_write> bias: array<f32>;
@group(0) @binding(2) var<storage, read_write> labels: array<i32>;
@group(0) @binding(3) var<storage, read_write> losses: array<f32>;
@group(0) @binding(4) var<storage, read_write> log_sum_exps: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

fn logit(start: u32, v: u32) -> f32 {
    var z = logits[start + v];
    if BIAS == 1u {
        z += bias[v];
    }
    return z;
}

@compute @workgroup_size(THREADS)
fn softmax_cross_entropy(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let row = group.x + group.y * groups.x;
    if row >= params.rows {
        return;
    }
    let start = row * params.classes;
    // The first logit is as good a start as the lowest number, and there is always one.
    var largest = logit(start, 0u);
    for (var v = thread; v < params.classes; v += THREADS) {
        largest = max(largest, logit(start, v));
    }
    largest = group_max(largest, thread);
    var sum = 0.0;
    for (var v = thread; v < params.classes; v += THREADS) {
        sum += exp(logit(start, v) - largest);
    }
    let lse = log(group_sum(sum, thread)) + largest;
    let label = u32(labels[row]);
    if thread == 0u {
        losses[row] = lse - logit(start, label);
        log_sum_exps[row] = lse;
    }
    if GRADIENT == 1u {
        storageBarrier(); // the logit of the label was read before it is replaced
        for (var v = thread; v < params.classes; v += THREADS) {
            let hit = select(0.0, 1.0, v == label);
            logits[start + v] = exp(logit(start, v) - lse) - hit;
        }
    }
}
