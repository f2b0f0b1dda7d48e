// precision.cu: numbers to bf16 and back, elementwise.
//
// maths          nearest bf16, ties to even; NaN stays NaN, overflow is infinity. An f64 is rounded once
// layout         all [count]
// dtypes         round_to_bf16: Real to Real. cast_to_bf16: f32 to bf16, cast_from_bf16 back
// launch         256 threads of four numbers each, grid ceil(count / 1024)
// variants       Real = float | double
// requires       nothing of count; packs of four are used where addresses are multiples of 16
// deterministic  yes
// oracle, bound  ../precision.rs; memory
// source         ../precision.rs
#include "prelude.cuh"

__device__ __forceinline__ u64 first_of_thread() { return 4 * (u64(blockIdx.x) * blockDim.x + threadIdx.x); }

extern "C" __global__ __launch_bounds__(256) void round_to_bf16(const Real* x, Real* y, u64 count) {
    const u64 at = first_of_thread();
    Pack4<Real>::Type four = load4_within(x, at, count);
    for (u32 i = 0; i < 4; ++i) four.at[i] = round_bf16(four.at[i]);
    store4_within(y, at, count, four);
}

extern "C" __global__ __launch_bounds__(256) void cast_to_bf16(const float* x, u16* y, u64 count) {
    const u64 at = first_of_thread();
    const f32x4 four = load4_within(x, at, count);
    if (at + 4 <= count && reinterpret_cast<u64>(y + at) % 8 == 0) {
        const uint2 pairs = make_uint2(pack_bf16(four.at[0], four.at[1]), pack_bf16(four.at[2], four.at[3]));
        *reinterpret_cast<uint2*>(y + at) = pairs;
        return;
    }
    for (u32 i = 0; i < 4 && at + i < count; ++i) y[at + i] = f32_to_bf16(four.at[i]);
}

extern "C" __global__ __launch_bounds__(256) void cast_from_bf16(const u16* x, float* y, u64 count) {
    const u64 at = first_of_thread();
    f32x4 four = {};
    for (u32 i = 0; i < 4 && at + i < count; ++i) four.at[i] = bf16_to_f32(x[at + i]);
    store4_within(y, at, count, four);
}
