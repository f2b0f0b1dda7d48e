// slope.cu: dot products and multiples of rows.
//
// maths          dot_rows    y[p] = sum over k of a[p, k] b[p, k]
//                scale_rows  y[p, k] = s[p] a[p, k]
// layout         a, b [rows, width]; y of dot_rows and s [rows]; row-major
// dtypes         Real, sums in Real
// launch         blocks of 256 threads. dot_rows: a warp per row, grid ceil(rows / 8); scale_rows: a thread per
//                number, grid ceil(rows * width / 256); no shared memory
// variants       Real = float | double
// requires       any rows and width, tails are masked; rows * width below 2^32
// deterministic  lanes sum every 32nd number in order, then the fixed tree of warp_sum
// oracle, bound  reference.rs; roofline.rs (memory)
// source         mod.rs
#include "prelude.cuh"

extern "C" __global__ __launch_bounds__(256) void dot_rows(const Real* __restrict__ a, const Real* __restrict__ b,
                                                           Real* __restrict__ y, u32 rows, u32 width) {
    const u32 row = blockIdx.x * 8 + warp_index();
    Real sum = 0;
    if (row < rows) {
        const u64 start = u64(row) * width;
        // Loads of four turns are under way while the sums wait for each other.
#pragma unroll 4
        for (u32 k = lane_index(); k < width; k += WARP) sum += a[start + k] * b[start + k];
    }
    sum = warp_sum(sum);
    if (row < rows && lane_index() == 0) y[row] = sum;
}

extern "C" __global__ __launch_bounds__(256) void scale_rows(const Real* __restrict__ scales, const Real* __restrict__ a,
                                                             Real* __restrict__ y, u32 count, u32 width) {
    const u32 at = blockIdx.x * 256 + threadIdx.x;
    if (at < count) y[at] = scales[at / width] * a[at];
}
