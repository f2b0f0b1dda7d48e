// rows.cu: rows by number, and sums of rows by number.
//
// maths          gather_rows  y[e, :] = x[r[e], :]
//                sum_rows     y[n, :] = sum of x[items[i], :] over i from starts[n] to starts[n + 1], in that order
// layout         gather_rows  x [N, K], y [E, K]; sum_rows  x [E, K], y [N, K]; row-major, in packs of PACK
//                numbers, `packs` of them in a row
// dtypes         Real, sums in Real
// launch         blocks of 256 threads, one per pack of y, packs of a row side by side; no shared memory
// variants       Real = float | double; PACK = 1 | 4
// requires       packs = K / PACK exactly; y has fewer than 2^32 packs. PACK = 4: x and y are aligned to 16 bytes
// deterministic  a sum runs in the order of the items, by one thread
// oracle, bound  reference.rs; roofline.rs (memory)
// source         mod.rs
#include "prelude.cuh"

// For the compiler of the editor; the host side always says.
#ifndef PACK
#define PACK 1
#endif

static_assert(PACK == 1 || PACK == 4, "a pack is a number or four");

struct Pack {
    Real at[PACK];
};

__device__ __forceinline__ Pack load_pack(const Real* x, u64 pack) {
    Pack out;
    if constexpr (PACK == 4) {
        const Pack4<Real>::Type four = load4(x + 4 * pack);
        for (u32 i = 0; i < PACK; ++i) out.at[i] = four.at[i];
    } else {
        out.at[0] = x[pack];
    }
    return out;
}

__device__ __forceinline__ void store_pack(Real* y, u64 pack, const Pack& x) {
    if constexpr (PACK == 4) {
        Pack4<Real>::Type four;
        for (u32 i = 0; i < PACK; ++i) four.at[i] = x.at[i];
        store4(y + 4 * pack, four);
    } else {
        y[pack] = x.at[0];
    }
}

extern "C" __global__ __launch_bounds__(256) void gather_rows(const Real* __restrict__ x, const u32* __restrict__ rows,
                                                              Real* __restrict__ y, u32 count, u32 packs) {
    const u32 to = blockIdx.x * 256 + threadIdx.x;
    if (to >= count) return;
    const u64 from = u64(rows[to / packs]) * packs + to % packs;
    store_pack(y, to, load_pack(x, from));
}

extern "C" __global__ __launch_bounds__(256) void sum_rows(const Real* __restrict__ x, const u32* __restrict__ starts,
                                                           const u32* __restrict__ items, Real* __restrict__ y, u32 count,
                                                           u32 packs) {
    const u32 to = blockIdx.x * 256 + threadIdx.x;
    if (to >= count) return;
    const u32 row = to / packs, pack = to % packs;
    const u32 end = starts[row + 1];
    Pack sum = {};
    // Four loads are under way while the sums wait for each other.
#pragma unroll 4
    for (u32 item = starts[row]; item < end; ++item) {
        const Pack more = load_pack(x, u64(items[item]) * packs + pack);
        for (u32 i = 0; i < PACK; ++i) sum.at[i] += more.at[i];
    }
    store_pack(y, to, sum);
}
