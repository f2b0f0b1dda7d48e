// embedding.wgsl: rows of a table by id, and the sums of gradients per row.
//
// maths     embedding           y[n] = W[ids[n]]
//           embedding_backward  dW[v] = sum of g[n] over the tokens n of id v, in token order
// layout    W, dW [V, C]; y, g [N, C]; ids [N]
// bindings  embedding           0 W  1 ids  2 y     3 Params
//           embedding_backward  0 g  1 ids  2 dW    3 Params
// launch    embedding: a thread per number of y; embedding_backward: a thread per column along y, and
//           along x groups that sum the rows v with v % groups == x, as in CUDA
// requires  ids below V, which the host checked
// ordering  deterministic: a row is summed by one thread per column in the order of the tokens
// oracle    reference.rs     bound  memory, roofline.rs
override THREADS: u32 = 256;

struct Params {
    tokens: u32, // offset 0
    rows: u32,   // offset 4
    width: u32,  // offset 8
}

@group(0) @binding(0) var<storage, read_write> weight: array<f32>;
@group(0) @binding(0) var<storage, read_write> grad: array<f32>;
@group(0) @binding(1) var<storage, read_write> ids: array<i32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

// A bit for each token of a window: whether its row belongs to this group.
var<workgroup> votes: array<atomic<u32>, THREADS / 32u>;

@compute @workgroup_size(THREADS)
fn embedding(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let width = params.width;
    let at = (group.x + group.y * groups.x) * THREADS + thread;
    if at < params.tokens * width {
        y[at] = weight[u32(ids[at / width]) * width + at % width];
    }
}

@compute @workgroup_size(THREADS)
fn embedding_backward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let width = params.width;
    let column = group.y * THREADS + thread;
    if column < width {
        for (var row = group.x; row < params.rows; row += groups.x) {
            sums[row * width + column] = 0.0;
        }
    }
    // The sum of the row of the last token stays in a register until another row comes.
    var held = params.rows;
    var sum = 0.0;
    for (var first = 0u; first < params.tokens; first += THREADS) {
        if thread < THREADS / 32u {
            atomicStore(&votes[thread], 0u);
        }
        workgroupBarrier(); // nobody reads the votes of the window before
        let token = first + thread;
        if token < params.tokens && u32(ids[token]) % groups.x == group.x {
            atomicOr(&votes[thread / 32u], 1u << (thread % 32u));
        }
        workgroupBarrier(); // all votes are there
        if column < width {
            for (var word = 0u; word < THREADS / 32u; word++) {
                for (var rest = atomicLoad(&votes[word]); rest != 0u; rest &= rest - 1u) {
                    let own = first + 32u * word + firstTrailingBit(rest);
                    let row = u32(ids[own]);
                    if row != held {
                        if held < params.rows {
                            sums[held * width + column] = sum;
                        }
                        sum = sums[row * width + column];
                        held = row;
                    }
                    sum += grad[own * width + column];
                }
            }
        }
        workgroupBarrier(); // the votes are read
    }
    if column < width && held < params.rows {
        sums[held * width + column] = sum;
    }
}
