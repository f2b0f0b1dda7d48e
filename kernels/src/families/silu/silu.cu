// silu.cu: SiLU and its two derivatives, elementwise.
//
// maths          y = x s, s = 1 / (1 + exp(-x)); slope = s (1 + x (1 - s)) a;
//                bend = s (1 - s) (2 + x (1 - 2 s)) a b
// layout         all [count], in any order that they share
// dtypes         Real
// launch         256 threads of four numbers each, grid ceil(count / 1024)
// variants       Real = float | double
// requires       nothing of count; packs of four are used where addresses are multiples of 16
// deterministic  yes
// oracle, bound  reference.rs; roofline.rs (memory)
// source         mod.rs
#include "prelude.cuh"

typedef Pack4<Real>::Type Pack;

__device__ __forceinline__ u64 first_of_thread() { return 4 * (u64(blockIdx.x) * blockDim.x + threadIdx.x); }

__device__ __forceinline__ Real logistic(Real x) { return Real(1) / (Real(1) + exp(-x)); }

extern "C" __global__ __launch_bounds__(256) void silu(const Real* x, Real* y, u64 count) {
    const u64 at = first_of_thread();
    const Pack of_x = load4_within(x, at, count);
    Pack out;
    for (u32 i = 0; i < 4; ++i) out.at[i] = logistic(of_x.at[i]) * of_x.at[i];
    store4_within(y, at, count, out);
}

extern "C" __global__ __launch_bounds__(256) void silu_slope(const Real* along, const Real* x, Real* y, u64 count) {
    const u64 at = first_of_thread();
    const Pack of_x = load4_within(x, at, count), a = load4_within(along, at, count);
    Pack out;
    for (u32 i = 0; i < 4; ++i) {
        const Real open = logistic(of_x.at[i]);
        out.at[i] = (Real(1) + of_x.at[i] * (Real(1) - open)) * open * a.at[i];
    }
    store4_within(y, at, count, out);
}

extern "C" __global__ __launch_bounds__(256) void silu_bend(const Real* along, const Real* other, const Real* x, Real* y,
                                                            u64 count) {
    const u64 at = first_of_thread();
    const Pack of_x = load4_within(x, at, count), a = load4_within(along, at, count);
    const Pack b = load4_within(other, at, count);
    Pack out;
    for (u32 i = 0; i < 4; ++i) {
        const Real open = logistic(of_x.at[i]), closed = Real(1) - open;
        out.at[i] = (Real(2) + of_x.at[i] * (closed - open)) * closed * open * a.at[i] * b.at[i];
    }
    store4_within(y, at, count, out);
}
