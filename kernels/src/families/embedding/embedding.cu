// embedding.cu: rows of a table by id, and the sum of gradients per row.
//
// maths          y[n, :] = W[ids[n], :]; dW[v, :] = sum over n with ids[n] = v of grad[n, :]
// layout         W, dW [rows, width]; ids [tokens] i32; y, grad [tokens, width]; row-major
// dtypes         Real
// launch         forward: 256 threads, one for four columns; grid ceil(tokens ceil(width / 4) / 256).
//                backward: 256 threads, one per column; grid (x, ceil(width / 256)): block x sums the rows
//                v with v % gridDim.x == x, which spreads the frequent first rows of a vocabulary
// variants       Real = float | double
// requires       nothing of sizes. An id outside of 0..rows gives a row of NaN, and no gradient: the id is
//                on the device, and to name it the host would have to wait for it
// deterministic  yes: a row is summed by one thread per column in the order of the tokens, as on the CPU
// oracle, bound  reference.rs; roofline.rs (memory)
// source         the search for the tokens of a row: each block reads all ids, 256 at a time, and lists its
//                own by votes; ids stay in the second cache, so this costs less than sorting them
#include "prelude.cuh"

constexpr u32 THREADS = 256;

extern "C" __global__ __launch_bounds__(256) void embedding(const Real* weight, const i32* ids, Real* y, u64 tokens,
                                                            u32 rows, u32 width) {
    const u32 packs = ceil_div(width, 4);
    const u64 index = u64(blockIdx.x) * blockDim.x + threadIdx.x, token = index / packs;
    if (token >= tokens) return;
    const u32 column = 4 * u32(index % packs), id = u32(ids[token]);
    Pack4<Real>::Type four;
    if (id < rows) {
        four = load4_within(weight + u64(id) * width, column, width);
    } else {
        for (u32 i = 0; i < 4; ++i) four.at[i] = float_of(0x7fffffffu); // NaN
    }
    store4_within(y + token * width, column, width, four);
}

// Tokens of a window whose rows this block sums, in order; every thread gets their number.
__device__ __forceinline__ u32 list_own(const i32* ids, u32 first, u32 tokens, u32 rows, u32 (&own)[THREADS]) {
    __shared__ u32 votes[THREADS / WARP];
    const u32 token = first + threadIdx.x, id = token < tokens ? u32(ids[token]) : rows;
    const bool is_own = id < rows && id % gridDim.x == blockIdx.x;
    const u32 vote = __ballot_sync(WHOLE_WARP, is_own);
    if (lane_index() == 0) votes[warp_index()] = vote;
    __syncthreads(); // all votes are there, and the list before has been read
    u32 before = __popc(vote & ((1u << lane_index()) - 1)), count = 0;
    for (u32 warp = 0; warp < THREADS / WARP; ++warp) {
        const u32 of_warp = __popc(votes[warp]);
        if (warp < warp_index()) before += of_warp;
        count += of_warp;
    }
    if (is_own) own[before] = token;
    __syncthreads(); // the list is written, the votes are read
    return count;
}

extern "C" __global__ __launch_bounds__(256) void embedding_backward(const Real* grad, const i32* ids, Real* table,
                                                                     u32 tokens, u32 rows, u32 width) {
    __shared__ u32 own[THREADS];
    const u32 column = blockIdx.y * THREADS + threadIdx.x;
    if (column < width)
        for (u32 row = blockIdx.x; row < rows; row += gridDim.x) table[u64(row) * width + column] = 0;
    // The sum of the row of the last token stays in a register until another row comes.
    u32 held = rows;
    Accumulator sum = 0;
    for (u32 first = 0; first < tokens; first += THREADS) {
        const u32 count = list_own(ids, first, tokens, rows, own);
        if (column >= width) continue; // every barrier is in list_own
        for (u32 at = 0; at < count; ++at) {
            const u32 row = u32(ids[own[at]]);
            if (row != held) {
                if (held < rows) table[u64(held) * width + column] = sum;
                sum = table[u64(row) * width + column];
                held = row;
            }
            sum += grad[u64(own[at]) * width + column];
        }
    }
    if (column < width && held < rows) table[u64(held) * width + column] = sum;
}
