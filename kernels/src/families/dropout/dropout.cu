// dropout.cu: elements kept with probability 1 - rate and scaled up.
//
// maths          y[e] = x[e] scale if the first word of Philox(key, e, index) >= threshold, else x[e] 0
// layout         x, y [count], row-major: e is the number of the element in the tensor
// dtypes         Real
// launch         256 threads of four numbers each, grid ceil(count / 1024)
// variants       Real = float | double
// requires       nothing of count; packs of four are used where addresses are multiples of 16
// deterministic  yes; the mask has the bits of the CPU's
// oracle, bound  reference.rs; roofline.rs (memory), though ten rounds of two wide multiplications an element come
//                close to it
// source         mod.rs
#include "prelude.cuh"

extern "C" __global__ __launch_bounds__(256) void dropout(const Real* x, Real* y, u64 count, u64 key, u64 index,
                                                          u32 threshold, Real scale) {
    const u64 at = 4 * (u64(blockIdx.x) * blockDim.x + threadIdx.x);
    Pack4<Real>::Type four = load4_within(x, at, count);
    for (u32 i = 0; i < 4; ++i) {
        const bool keeps = Philox(key, at + i, index).words[0] >= threshold;
        four.at[i] *= keeps ? scale : Real(0); // NaN stays NaN
    }
    store4_within(y, at, count, four);
}
