// rows_of_bias.cu: one row written to, or added to, every row of a matrix.
//
// maths          out[r, c] = row[c], or out[r, c] += row[c]
// layout         row [width]; out from `offset` on, [rows, width] with `stride` numbers from row to row
// dtypes         Real
// launch         grid ceil(rows * width / 256), blocks of 256
// variants       Real = float | double
// requires       rows, width >= 1; stride >= width
// deterministic  yes: elementwise
// oracle, bound  product.rs; memory
// source         none
#include "prelude.cuh"

constexpr u32 THREADS = 256;

template <bool ADDED>
__device__ __forceinline__ void fill_rows(const Real* row, Real* out, u64 offset, u64 rows, u64 width, u64 stride) {
    const u64 at = u64(blockIdx.x) * THREADS + threadIdx.x;
    if (at >= rows * width) return;
    const u64 column = at % width, place = offset + at / width * stride + column;
    out[place] = ADDED ? out[place] + row[column] : row[column];
}

extern "C" __global__ __launch_bounds__(256) void write_rows(const Real* row, Real* out, u64 offset, u64 rows, u64 width,
                                                             u64 stride) {
    fill_rows<false>(row, out, offset, rows, width, stride);
}

extern "C" __global__ __launch_bounds__(256) void add_rows(const Real* row, Real* out, u64 offset, u64 rows, u64 width,
                                                           u64 stride) {
    fill_rows<true>(row, out, offset, rows, width, stride);
}
