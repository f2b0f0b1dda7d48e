// swiglu.cu: the gated activation and its gradients, elementwise.
//
// maths          y = a s u with a = gate, u = up, s = 1 / (1 + exp(-a));
//                dgate = g u s (1 + a (1 - s)), dup = g a s
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

extern "C" __global__ __launch_bounds__(256) void swiglu(const Real* gate, const Real* up, Real* y, u64 count) {
    const u64 at = first_of_thread();
    const Pack of_gate = load4_within(gate, at, count), of_up = load4_within(up, at, count);
    Pack out;
    for (u32 i = 0; i < 4; ++i) out.at[i] = logistic(of_gate.at[i]) * of_gate.at[i] * of_up.at[i];
    store4_within(y, at, count, out);
}

extern "C" __global__ __launch_bounds__(256) void swiglu_backward(const Real* grad, const Real* gate, const Real* up,
                                                                  Real* dgate, Real* dup, u64 count) {
    const u64 at = first_of_thread();
    const Pack g = load4_within(grad, at, count), of_gate = load4_within(gate, at, count);
    const Pack of_up = load4_within(up, at, count);
    Pack to_gate, to_up;
    for (u32 i = 0; i < 4; ++i) {
        const Real a = of_gate.at[i], open = logistic(a);
        to_gate.at[i] = (Real(1) + a * (Real(1) - open)) * open * of_up.at[i] * g.at[i];
        to_up.at[i] = open * a * g.at[i];
    }
    store4_within(dgate, at, count, to_gate);
    store4_within(dup, at, count, to_up);
}
