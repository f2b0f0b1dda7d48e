// prelude.cuh: what every kernel includes; it includes nothing itself.
//
// Compiled by NVRTC without a header of the toolkit, and as C++ behind emulator.h, where the parts that
// are instructions of the device (shuffles, fragments, asynchronous copies) are played by the emulator.
// Not here: anything that belongs to one family.
//
// sums           warp_sum, block_sum and their like are fixed trees: the same inputs give the same bits
// warps          a block has a multiple of 32 threads, and all of them call the functions on blocks
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int i32;
typedef long long i64;

// Type of the elements; the host side defines it per launch.
#ifndef Real
#define Real float
#endif
// Type of sums over elements.
#ifndef Accumulator
#define Accumulator Real
#endif

constexpr u32 WARP = 32;
constexpr u32 WHOLE_WARP = 0xffffffffu;
constexpr u32 MOST_WARPS = 32;

#ifndef GENESIS_EMULATOR

#define DYNAMIC_SHARED(type, name)                                               \
    extern __shared__ __align__(16) unsigned char genesis_dynamic_shared[];      \
    type* const name = reinterpret_cast<type*>(genesis_dynamic_shared)

__device__ __forceinline__ u32 bits_of(float x) { return __float_as_uint(x); }
__device__ __forceinline__ float float_of(u32 bits) { return __uint_as_float(bits); }

// Address within shared memory, as instructions on it want it.
__device__ __forceinline__ u32 shared_address(const void* pointer) {
    return static_cast<u32>(__cvta_generic_to_shared(pointer));
}

// d += a b of a warp: a [16, 16] row-major, b [16, 8] column-major, d [16, 8]; bf16 in, f32 sums.
// Lane l, with g = l / 4 and t = l % 4, holds pairs of neighbouring columns, low half first:
// a[0] (g, 2t), a[1] (g + 8, 2t), a[2] (g, 2t + 8), a[3] (g + 8, 2t + 8); b[0] (k 2t, n g),
// b[1] (k 2t + 8, n g); d[0], d[1] (g, 2t), (g, 2t + 1); d[2], d[3] (g + 8, 2t), (g + 8, 2t + 1).
// Source: PTX ISA, "Matrix Fragments for mma.m16n8k16 with floating point type".
__device__ __forceinline__ void mma_m16n8k16_bf16(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2]) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};\n"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Four 8 x 8 matrices of 16-bit numbers out of shared memory. Lane 8 i + r gives the address of row r
// of matrix i, 16 bytes long and aligned; lane l receives in r[i] the numbers (l / 4, 2 (l % 4)) and
// the one to its right.
__device__ __forceinline__ void load_matrix_x4(u32 (&r)[4], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\n"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(row))
                 : "memory");
}

// The same of the transposed matrices: r[i] holds (2 (l % 4), l / 4) and the one below it.
__device__ __forceinline__ void load_matrix_x4_transposed(u32 (&r)[4], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];\n"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(row))
                 : "memory");
}

// Sixteen bytes from global to shared memory, both aligned, past the registers. They are there for
// this thread after wait_copies, for the block after a barrier behind that.
__device__ __forceinline__ void copy_async_16(void* shared, const void* global) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;\n"
                 :
                 : "r"(shared_address(shared)), "l"(__cvta_generic_to_global(global))
                 : "memory");
}

// Closes the group of the copies begun since the last call.
__device__ __forceinline__ void commit_copies() { asm volatile("cp.async.commit_group;\n" ::: "memory"); }

// Waits until at most the N newest groups are under way.
template <int N>
__device__ __forceinline__ void wait_copies() {
    asm volatile("cp.async.wait_group %0;\n" ::"n"(N) : "memory");
}

#endif  // GENESIS_EMULATOR

// Four neighbours, loaded and stored as 16 bytes (two times 16 for f64): the address is a multiple of 16.
struct alignas(16) f32x4 {
    float at[4];
};
struct alignas(16) f64x4 {
    double at[4];
};

__device__ __forceinline__ f32x4 load4(const float* p) {
    const float4 x = *reinterpret_cast<const float4*>(p);
    return {{x.x, x.y, x.z, x.w}};
}
__device__ __forceinline__ f64x4 load4(const double* p) {
    const double2 low = reinterpret_cast<const double2*>(p)[0];
    const double2 high = reinterpret_cast<const double2*>(p)[1];
    return {{low.x, low.y, high.x, high.y}};
}
__device__ __forceinline__ void store4(float* p, f32x4 x) {
    *reinterpret_cast<float4*>(p) = make_float4(x.at[0], x.at[1], x.at[2], x.at[3]);
}
__device__ __forceinline__ void store4(double* p, f64x4 x) {
    reinterpret_cast<double2*>(p)[0] = make_double2(x.at[0], x.at[1]);
    reinterpret_cast<double2*>(p)[1] = make_double2(x.at[2], x.at[3]);
}

// The pack of an element type: `Pack4<Real>::Type`.
template <typename T>
struct Pack4;
template <>
struct Pack4<float> {
    typedef f32x4 Type;
};
template <>
struct Pack4<double> {
    typedef f64x4 Type;
};

// Up to four numbers from `at` on of `count`, zero behind them; as a pack where they lie on 16 bytes.
template <typename T>
__device__ __forceinline__ typename Pack4<T>::Type load4_within(const T* x, u64 at, u64 count) {
    if (at + 4 <= count && reinterpret_cast<u64>(x + at) % 16 == 0) return load4(x + at);
    typename Pack4<T>::Type four = {};
    for (u32 i = 0; i < 4; ++i)
        if (at + i < count) four.at[i] = x[at + i];
    return four;
}
template <typename T>
__device__ __forceinline__ void store4_within(T* x, u64 at, u64 count, typename Pack4<T>::Type four) {
    if (at + 4 <= count && reinterpret_cast<u64>(x + at) % 16 == 0) return store4(x + at, four);
    for (u32 i = 0; i < 4; ++i)
        if (at + i < count) x[at + i] = four.at[i];
}

// bf16: the upper half of the f32, to nearest with ties to even; NaN stays NaN, overflow is infinity.
__device__ __forceinline__ u16 f32_to_bf16(float x) {
    const u32 bits = bits_of(x);
    const u32 magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return static_cast<u16>((bits >> 16) | 0x40u);
    return static_cast<u16>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}
__device__ __forceinline__ float bf16_to_f32(u16 x) { return float_of(static_cast<u32>(x) << 16); }
__device__ __forceinline__ float round_bf16(float x) { return bf16_to_f32(f32_to_bf16(x)); }
// Two bf16 in a register, the first in the low half: what fragments hold. One instruction on the device.
__device__ __forceinline__ u32 pack_bf16(float low, float high) {
#ifdef GENESIS_EMULATOR
    return static_cast<u32>(f32_to_bf16(low)) | (static_cast<u32>(f32_to_bf16(high)) << 16);
#else
    u32 pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
#endif
}
// The bf16 nearest to an f64, rounded once: to f32 with a trace of what is cut off, then to bf16.
// Source: Boldo and Melquiond, doi:10.1109/TC.2007.70819, as precision.rs has it.
__device__ __forceinline__ double round_bf16(double x) {
    const float near = static_cast<float>(x);
    const double back = near;
    const u32 bits = bits_of(near);
    const bool exact = back == x || x != x || (bits & 0x7fffffffu) == 0x7f800000u;
    if (exact || (bits & 1u) != 0) return round_bf16(near);
    // The neighbour whose last bit is set lies on the side of x.
    return round_bf16(float_of(fabs(x) > fabs(back) ? bits + 1 : bits - 1));
}

// Functions of formulas.
template <typename T>
__device__ __forceinline__ T logistic(T x) {
    return T(1) / (T(1) + exp(-x));
}
// 1 - tanh(x)^2.
template <typename T>
__device__ __forceinline__ T tanh_slope(T x, T tanh_of_x) {
    (void)x;
    return T(1) - tanh_of_x * tanh_of_x;
}

__device__ __forceinline__ u32 lane_index() { return threadIdx.x % WARP; }
__device__ __forceinline__ u32 warp_index() { return threadIdx.x / WARP; }
__device__ __forceinline__ u32 ceil_div(u32 x, u32 by) { return x / by + (x % by != 0 ? 1 : 0); }

// The larger number; NaN when one of them is.
template <typename T>
__device__ __forceinline__ T larger(T a, T b) {
    return a > b || a != a ? a : b;
}

// Sum over a warp, the same in every lane.
template <typename T>
__device__ __forceinline__ T warp_sum(T x) {
    for (u32 step = WARP / 2; step > 0; step /= 2) x += __shfl_xor_sync(WHOLE_WARP, x, step);
    return x;
}

// Largest of a warp, the same in every lane; NaN when one of them is.
template <typename T>
__device__ __forceinline__ T warp_max(T x) {
    for (u32 step = WARP / 2; step > 0; step /= 2) x = larger(x, __shfl_xor_sync(WHOLE_WARP, x, step));
    return x;
}

// Sum over a block whose threads differ in threadIdx.x alone, the same in every thread: warps first, then
// the warps' sums in one warp. Every thread calls it; two barriers.
template <typename T>
__device__ __forceinline__ T block_sum(T x) {
    __shared__ T of_warp[MOST_WARPS];
    x = warp_sum(x);
    if (lane_index() == 0) of_warp[warp_index()] = x;
    __syncthreads();  // the warps' sums are written
    const T mine = lane_index() < blockDim.x / WARP ? of_warp[lane_index()] : T(0);
    x = warp_sum(mine);
    __syncthreads();  // and read, before the next call writes them
    return x;
}

// Largest over a block, as block_sum.
template <typename T>
__device__ __forceinline__ T block_max(T x) {
    __shared__ T of_warp[MOST_WARPS];
    x = warp_max(x);
    if (lane_index() == 0) of_warp[warp_index()] = x;
    __syncthreads();  // the warps' maxima are written
    const T mine = of_warp[lane_index() < blockDim.x / WARP ? lane_index() : 0];
    x = warp_max(mine);
    __syncthreads();  // and read, before the next call writes them
    return x;
}

// Philox4x32-10 at counter [lane low, lane high, index low, index high]: dropout/philox.rs, same bits.
// Source: Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011.
struct Philox {
    u32 words[4];

    __device__ Philox(u64 key, u64 lane, u64 index) {
        words[0] = static_cast<u32>(lane);
        words[1] = static_cast<u32>(lane >> 32);
        words[2] = static_cast<u32>(index);
        words[3] = static_cast<u32>(index >> 32);
        u32 low = static_cast<u32>(key), high = static_cast<u32>(key >> 32);
        for (int round = 0; round < 10; ++round) {
            const u64 first = u64(0xD2511F53u) * words[0];
            const u64 second = u64(0xCD9E8D57u) * words[2];
            const u32 mixed0 = static_cast<u32>(second >> 32) ^ words[1] ^ low;
            const u32 mixed2 = static_cast<u32>(first >> 32) ^ words[3] ^ high;
            words[0] = mixed0;
            words[1] = static_cast<u32>(second);
            words[2] = mixed2;
            words[3] = static_cast<u32>(first);
            low += 0x9E3779B9u;
            high += 0xBB67AE85u;
        }
    }
};
