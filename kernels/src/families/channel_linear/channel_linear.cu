// channel_linear.cu: the factor of a degree on its weights; the products are the machine's.
//
// maths          y[i] = factor x[i] for i from first to first + count
// layout         x, y: all weights, flat; elsewhere y is not written
// dtypes         Real
// launch         blocks of 256 threads, one per number, grid ceil(count / 256); no shared memory
// variants       Real = float | double
// requires       count below 2^32; tails are masked
// deterministic  elementwise
// oracle, bound  reference.rs; roofline.rs (memory)
// source         mod.rs
#include "prelude.cuh"

extern "C" __global__ __launch_bounds__(256) void scale_block(const Real* __restrict__ x, Real* __restrict__ y, u64 first,
                                                              u32 count, Real factor) {
    const u32 at = blockIdx.x * 256 + threadIdx.x;
    if (at < count) y[first + at] = factor * x[first + at];
}
