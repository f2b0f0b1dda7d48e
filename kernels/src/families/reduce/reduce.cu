// reduce.cu: sums over a whole buffer, and of columns.
//
// maths          partial[b] = sum of x (squared in sum_of_squares) over chunk b; sums[c] = sum_r x[r, c]
// layout         x [count], partial [ceil(count / CHUNK)]; x [rows, width], sums [width]
// dtypes         Real, sums in Real
// launch         grid ceil(count / CHUNK), blocks of 256; again on the partial sums until one is left.
//                column_sums: grid ceil(width / 32), blocks of 256
// variants       Real = float | double
// requires       16-byte aligned x; any count >= 1, any rows and width
// deterministic  yes: chunks, and the tree within a chunk, depend on count alone. 32 additions one after the
//                other, then a tree, so that the error grows with the depth of the tree; parts of a column
//                in order
// oracle, bound  reference.rs; roofline.rs (memory)
// source         none
#include "prelude.cuh"

constexpr u32 THREADS = 256;
constexpr u32 PACKS = 8;
constexpr u32 CHUNK = THREADS * PACKS * 4;
constexpr u32 COLUMNS = 32;
constexpr u32 PARTS = THREADS / COLUMNS;

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

// Eight threads a column take every eighth row, then one adds theirs.
extern "C" __global__ __launch_bounds__(256) void column_sums(const Real* x, Real* sums, u32 rows, u32 width) {
    __shared__ Real of_part[PARTS][COLUMNS];
    const u32 part = threadIdx.x / COLUMNS, column = blockIdx.x * COLUMNS + threadIdx.x % COLUMNS;
    Real mine = 0;
    if (column < width)
        for (u32 row = part; row < rows; row += PARTS) mine += x[u64(row) * width + column];
    of_part[part][threadIdx.x % COLUMNS] = mine;
    __syncthreads();  // all parts of the column are summed
    if (part != 0 || column >= width) return;
    for (u32 at = 1; at < PARTS; ++at) mine += of_part[at][threadIdx.x];
    sums[column] = mine;
}
