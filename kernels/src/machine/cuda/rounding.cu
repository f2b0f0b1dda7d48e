// rounding.cu: nearest bf16 of every number, ties to even; NaN stays NaN, overflow is infinity.
//
// maths          precision.rs
// layout         x, out [count]
// dtypes         in: Real; out: bf16 (to_bf16) or Real holding a number of bf16 (round_to_bf16)
// launch         grid ceil(count / (4 * 256)), blocks of 256; a thread takes four numbers
// variants       Real = float | double
// requires       16-byte aligned x and out; any count >= 1
// deterministic  yes: elementwise
// oracle, bound  precision.rs; memory
// source         f64: Boldo and Melquiond, "Emulation of a FMA and correctly rounded sums: proved algorithms
//                using rounding to odd", doi:10.1109/TC.2007.70819
#include "prelude.cuh"

constexpr u32 THREADS = 256;

__device__ __forceinline__ float narrow(float x) { return x; }

// f64 to f32, to odd where inexact, so that rounding again gives what rounding once would.
__device__ __forceinline__ float narrow(double x) {
    const float near = static_cast<float>(x);
    const double back = near;
    const u32 bits = bits_of(near);
    const bool is_infinite = (bits & 0x7fffffffu) == 0x7f800000u;
    if (x != x || back == x || is_infinite || (bits & 1u) == 1u) return near;
    // `near` is even and inexact: the odd neighbour lies on the side of x.
    const bool away_from_zero = fabs(x) > fabs(back);
    return float_of(away_from_zero ? bits + 1 : bits - 1);
}

extern "C" __global__ __launch_bounds__(256) void to_bf16(const Real* x, u16* out, u64 count) {
    const u64 at = 4 * (u64(blockIdx.x) * THREADS + threadIdx.x);
    if (at + 4 <= count) {
        const auto four = load4(x + at);
        u16 rounded[4];
        for (u32 lane = 0; lane < 4; ++lane) rounded[lane] = f32_to_bf16(narrow(four.at[lane]));
        // Eight bytes at once.
        uint2 pair;
        pair.x = u32(rounded[0]) | u32(rounded[1]) << 16;
        pair.y = u32(rounded[2]) | u32(rounded[3]) << 16;
        *reinterpret_cast<uint2*>(out + at) = pair;
        return;
    }
    for (u64 rest = at; rest < count; ++rest) out[rest] = f32_to_bf16(narrow(x[rest]));
}

extern "C" __global__ __launch_bounds__(256) void round_to_bf16(const Real* x, Real* out, u64 count) {
    const u64 at = 4 * (u64(blockIdx.x) * THREADS + threadIdx.x);
    if (at + 4 <= count) {
        auto four = load4(x + at);
        for (u32 lane = 0; lane < 4; ++lane) four.at[lane] = round_bf16(narrow(four.at[lane]));
        store4(out + at, four);
        return;
    }
    for (u64 rest = at; rest < count; ++rest) out[rest] = round_bf16(narrow(x[rest]));
}
