// gelu.cu: both forms of GELU and their derivatives, elementwise.
//
// maths          Erf   y = x P, P = (1 + erf(x / sqrt 2)) / 2; dy/dx = P + x exp(-x^2 / 2) / sqrt(2 pi)
//                Tanh  y = x (1 + t) / 2, t = tanh(r (x + c x^3)), r = sqrt(2 / pi), c = 0.044715;
//                      dy/dx = (1 + t) / 2 + x (1 - t^2) r (1 + 3 c x^2) / 2
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

constexpr Real ROOT_HALF = Real(0.70710678118654752440);
constexpr Real ROOT_TWO_OVER_PI = Real(0.79788456080286535588);
constexpr Real CUBE = Real(0.044715);

__device__ __forceinline__ u64 first_of_thread() { return 4 * (u64(blockIdx.x) * blockDim.x + threadIdx.x); }

// The normal distribution function.
__device__ __forceinline__ Real distribution(Real x) { return (Real(1) + erf(x * ROOT_HALF)) * Real(0.5); }

__device__ __forceinline__ Real gate(Real x) { return tanh((Real(1) + CUBE * (x * x)) * x * ROOT_TWO_OVER_PI); }

extern "C" __global__ __launch_bounds__(256) void gelu_erf(const Real* x, Real* y, u64 count) {
    const u64 at = first_of_thread();
    const Pack of_x = load4_within(x, at, count);
    Pack out;
    for (u32 i = 0; i < 4; ++i) out.at[i] = distribution(of_x.at[i]) * of_x.at[i];
    store4_within(y, at, count, out);
}

extern "C" __global__ __launch_bounds__(256) void gelu_tanh(const Real* x, Real* y, u64 count) {
    const u64 at = first_of_thread();
    const Pack of_x = load4_within(x, at, count);
    Pack out;
    for (u32 i = 0; i < 4; ++i) out.at[i] = (Real(1) + gate(of_x.at[i])) * Real(0.5) * of_x.at[i];
    store4_within(y, at, count, out);
}

extern "C" __global__ __launch_bounds__(256) void gelu_erf_backward(const Real* grad, const Real* x, Real* dx, u64 count) {
    const u64 at = first_of_thread();
    const Pack g = load4_within(grad, at, count), of_x = load4_within(x, at, count);
    Pack out;
    for (u32 i = 0; i < 4; ++i) {
        const Real x_i = of_x.at[i], bell = exp(x_i * x_i * Real(-0.5)) * (Real(0.5) * ROOT_TWO_OVER_PI);
        // Far out the bell is zero and x may be infinite: as in the reference, their product is NaN then.
        out.at[i] = g.at[i] * (distribution(x_i) + bell * x_i);
    }
    store4_within(dx, at, count, out);
}

extern "C" __global__ __launch_bounds__(256) void gelu_tanh_backward(const Real* grad, const Real* x, Real* dx, u64 count) {
    const u64 at = first_of_thread();
    const Pack g = load4_within(grad, at, count), of_x = load4_within(x, at, count);
    Pack out;
    for (u32 i = 0; i < 4; ++i) {
        const Real x_i = of_x.at[i], t = gate(x_i), inner = Real(1) + Real(3) * CUBE * (x_i * x_i);
        const Real curved = (Real(1) - t * t) * inner * x_i * (Real(0.5) * ROOT_TWO_OVER_PI);
        out.at[i] = g.at[i] * ((Real(1) + t) * Real(0.5) + curved);
    }
    store4_within(dx, at, count, out);
}
