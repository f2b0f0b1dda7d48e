// group.wgsl: sums and maxima over the threads of a workgroup, by a fixed tree: deterministic, and no
// assumption about subgroups. Put before the text of kernels that use it.
//
// requires  THREADS is the number of threads of the workgroup and a power of two; every thread calls,
//           in uniform control flow
// shared    THREADS * 4 bytes
override THREADS: u32 = 256;

var<workgroup> tree: array<f32, THREADS>;

fn group_sum(value: f32, thread: u32) -> f32 {
    tree[thread] = value;
    workgroupBarrier(); // all leaves are there
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        if thread < half {
            tree[thread] += tree[thread + half];
        }
        workgroupBarrier(); // a level is summed before the next reads it
    }
    let total = tree[0];
    workgroupBarrier(); // all have read before the tree is used again
    return total;
}

// A NaN may be lost on the way, as WGSL's max allows: take it from a sum.
fn group_max(value: f32, thread: u32) -> f32 {
    tree[thread] = value;
    workgroupBarrier(); // all leaves are there
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        if thread < half {
            tree[thread] = max(tree[thread], tree[thread + half]);
        }
        workgroupBarrier(); // a level is done before the next reads it
    }
    let largest = tree[0];
    workgroupBarrier(); // all have read before the tree is used again
    return largest;
}
