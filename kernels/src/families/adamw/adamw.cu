// adamw.cu: one step of AdamW, or of Adam with AMSGrad, on flat buffers.
//
// maths          mod.rs, in its order of operations
// layout         all buffers [count]; inputs and outputs of the same name may be the same memory
// dtypes         Real; the scalars are computed by the host in f64
// launch         grid ceil(count / (4 * 256)), blocks of 256; a thread takes four numbers
// variants       Real = float | double
// requires       16-byte aligned buffers; any count >= 1
// deterministic  yes: elementwise
// oracle, bound  reference.rs; roofline.rs (memory)
// source         mod.rs
#include "prelude.cuh"

constexpr u32 THREADS = 256;
typedef Pack4<Real>::Type Pack;

// Four numbers from `at` on; behind the end they are zero and not stored.
__device__ __forceinline__ Pack load_tail(const Real* x, u64 at, u64 count) {
    if (at + 4 <= count) return load4(x + at);
    Pack four = {};
    for (u32 lane = 0; lane < 4; ++lane)
        if (at + lane < count) four.at[lane] = x[at + lane];
    return four;
}

__device__ __forceinline__ void store_tail(Real* x, u64 at, u64 count, Pack four) {
    if (at + 4 <= count) {
        store4(x + at, four);
        return;
    }
    for (u32 lane = 0; lane < 4; ++lane)
        if (at + lane < count) x[at + lane] = four.at[lane];
}

__device__ __forceinline__ u64 place() { return 4 * (u64(blockIdx.x) * THREADS + threadIdx.x); }

extern "C" __global__ __launch_bounds__(256) void adamw(const Real* param, const Real* grad, const Real* first,
                                                        const Real* second, Real* new_param, Real* new_first,
                                                        Real* new_second, u64 count, Real grad_scale, Real decay,
                                                        Real first_rate, Real second_keep, Real second_rate,
                                                        Real correction, Real epsilon, Real step_size) {
    const u64 at = place();
    if (at >= count) return;
    Pack p = load_tail(param, at, count), m = load_tail(first, at, count), v = load_tail(second, at, count);
    const Pack gradient = load_tail(grad, at, count);
    for (u32 lane = 0; lane < 4; ++lane) {
        const Real g = grad_scale * gradient.at[lane];
        m.at[lane] = m.at[lane] + first_rate * (g - m.at[lane]);
        v.at[lane] = second_keep * v.at[lane] + second_rate * (g * g);
        const Real root = sqrt(v.at[lane]) / correction;
        p.at[lane] = decay * p.at[lane] - step_size * (m.at[lane] / (root + epsilon));
    }
    store_tail(new_param, at, count, p);
    store_tail(new_first, at, count, m);
    store_tail(new_second, at, count, v);
}

extern "C" __global__ __launch_bounds__(256) void amsgrad(const Real* param, const Real* grad, const Real* first,
                                                          const Real* second, const Real* largest, Real* new_param,
                                                          Real* new_first, Real* new_second, Real* new_largest, u64 count,
                                                          Real grad_scale, Real decay, Real first_rate,
                                                          Real second_keep, Real second_rate, Real correction,
                                                          Real epsilon, Real step_size) {
    const u64 at = place();
    if (at >= count) return;
    Pack p = load_tail(param, at, count), m = load_tail(first, at, count);
    Pack v = load_tail(second, at, count), u = load_tail(largest, at, count);
    const Pack gradient = load_tail(grad, at, count);
    for (u32 lane = 0; lane < 4; ++lane) {
        Real g = grad_scale * gradient.at[lane];
        // Without decay an infinite parameter does not reach the gradient.
        if (decay != 0) g += decay * p.at[lane];
        m.at[lane] = m.at[lane] + first_rate * (g - m.at[lane]);
        v.at[lane] = second_keep * v.at[lane] + second_rate * (g * g);
        u.at[lane] = larger(u.at[lane], v.at[lane]);
        const Real root = sqrt(u.at[lane]) / correction;
        p.at[lane] = p.at[lane] - step_size * (m.at[lane] / (root + epsilon));
    }
    store_tail(new_param, at, count, p);
    store_tail(new_first, at, count, m);
    store_tail(new_second, at, count, v);
    store_tail(new_largest, at, count, u);
}
