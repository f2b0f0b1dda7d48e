// reduce.cu: sums over a whole buffer.
//
// maths          partial[b] = sum of x (squared in sum_of_squares) over chunk b
// layout         x [count], partial [ceil(count / CHUNK)]
// dtypes         Real, sums in Real
// launch         grid ceil(count / CHUNK), blocks of 256; again on the partial sums until one is left
// variants       Real = float | double
// requires       16-byte aligned x; any count >= 1
// deterministic  yes: chunks, and the tree within a chunk, depend on count alone. 32 additions one after the
//                other, then a tree, so that the error grows with the depth of the tree
// oracle, bound  reference.rs; roofline.rs (memory)
// source         none
#include "prelude.cuh"

constexpr u32 THREADS = 256;
constexpr u32 PACKS = 8;
constexpr u32 CHUNK = THREADS * PACKS * 4;

template <bool SQUARED>
__device__ __forceinline__ Real term(Real x) {
    return SQUARED ? x * x : x;
}

template <bool SQUARED>
__device__ __forceinline__ void sum_chunk(const Real* x, Real* partial, u64 count) {
    const u64 begin = u64(blockIdx.x) * CHUNK;
    Real sums[4] = {};
#pragma unroll
    for (u32 pack = 0; pack < PACKS; ++pack) {
        const u64 at = begin + 4 * (pack * THREADS + threadIdx.x);
        if (at + 4 <= count) {
            const auto four = load4(x + at);
            for (u32 lane = 0; lane < 4; ++lane) sums[lane] += term<SQUARED>(four.at[lane]);
        } else {
            for (u32 lane = 0; lane < 4; ++lane)
                if (at + lane < count) sums[lane] += term<SQUARED>(x[at + lane]);
        }
    }
    const Real sum = block_sum((sums[0] + sums[1]) + (sums[2] + sums[3]));
    if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

extern "C" __global__ __launch_bounds__(256) void sum_of_squares(const Real* x, Real* partial, u64 count) {
    sum_chunk<true>(x, partial, count);
}

extern "C" __global__ __launch_bounds__(256) void sum(const Real* x, Real* partial, u64 count) {
    sum_chunk<false>(x, partial, count);
}
