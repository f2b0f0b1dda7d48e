// right.cu: what the prelude offers, one kernel each; for the tests of the emulator alone.
#include "prelude.cuh"

extern "C" __global__ void block_totals(const float* x, float* sum, float* most) {
    const float mine = x[threadIdx.x];
    sum[threadIdx.x] = block_sum(mine);
    most[threadIdx.x] = block_max(mine);
}

// out [16, 8] = a [16, 16] b [16, 8], all row-major, by one warp through shared memory.
extern "C" __global__ void multiply_fragments(const u16* a, const u16* b, float* out) {
    __shared__ __align__(16) u16 left[16][16];
    __shared__ __align__(16) u16 right[16][8];
    for (u32 at = threadIdx.x; at < 256; at += WARP) left[at / 16][at % 16] = a[at];
    for (u32 at = threadIdx.x; at < 128; at += WARP) right[at / 8][at % 8] = b[at];
    __syncwarp();
    const u32 lane = lane_index();
    u32 of_a[4], of_b[4];
    // Matrices (0, 0), (8, 0), (0, 8), (8, 8) of a.
    load_matrix_x4(of_a, &left[lane % 16][lane / 16 * 8]);
    // Rows 0 and 8 of b, transposed; the upper half of the warp names rows that are not used.
    load_matrix_x4_transposed(of_b, &right[lane % 16][0]);
    const u32 both[2] = {of_b[0], of_b[1]};
    float d[4] = {};
    mma_m16n8k16_bf16(d, of_a, both);
    const u32 row = lane / 4, column = lane % 4 * 2;
    out[row * 8 + column] = d[0];
    out[row * 8 + column + 1] = d[1];
    out[(row + 8) * 8 + column] = d[2];
    out[(row + 8) * 8 + column + 1] = d[3];
}

extern "C" __global__ void philox_words(u32* out, u64 key, u64 index) {
    const u64 lane = threadIdx.x;
    const Philox random(key, (lane << 32) + lane, index);
    for (u32 at = 0; at < 4; ++at) out[4 * threadIdx.x + at] = random.words[at];
}

extern "C" __global__ void to_bf16(const float* x, u16* out) {
    const u32 at = blockIdx.x * blockDim.x + threadIdx.x;
    out[at] = f32_to_bf16(x[at]);
}

// Both halves of x copied asynchronously, the first waited for alone.
extern "C" __global__ void copy_in_two_groups(const float* x, float* out) {
    DYNAMIC_SHARED(float, kept);
    const u32 at = 4 * threadIdx.x;
    copy_async_16(kept + at, x + at);
    commit_copies();
    copy_async_16(kept + 128 + at, x + 128 + at);
    commit_copies();
    wait_copies<1>();
    store4(out + at, load4(kept + at));
    wait_copies<0>();
    store4(out + 128 + at, load4(kept + 128 + at));
}

extern "C" __global__ void votes_and_shifts(u32* out) {
    out[3 * threadIdx.x] = __ballot_sync(WHOLE_WARP, lane_index() % 3 == 0);
    out[3 * threadIdx.x + 1] = __shfl_down_sync(WHOLE_WARP, threadIdx.x, 2);
    out[3 * threadIdx.x + 2] = __shfl_sync(WHOLE_WARP, threadIdx.x, 5);
}
