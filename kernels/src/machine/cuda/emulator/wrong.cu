// wrong.cu: kernels with one error each, which the emulator must find; never launched on a device.
#include "prelude.cuh"

extern "C" __global__ void divergent_barrier(float* out) {
    if (threadIdx.x < 32) {
        __syncthreads();
        out[threadIdx.x] = 1;
    } else {
        out[threadIdx.x] = 2;
        __syncthreads();
    }
}

extern "C" __global__ void divergent_shuffle(float* out) {
    if (threadIdx.x == 3) __syncthreads();
    out[threadIdx.x] = warp_sum(1.0f);
}

extern "C" __global__ void missing_barrier(float* out) {
    __shared__ float kept[64];
    kept[threadIdx.x] = 1;
    out[threadIdx.x] = kept[63 - threadIdx.x];
}

extern "C" __global__ void read_at(const float* x, float* out, i32 offset) {
    out[threadIdx.x] = x[static_cast<i32>(threadIdx.x) + offset];
}

extern "C" __global__ void write_at(const float* x, float* out, i32 offset) {
    out[static_cast<i32>(threadIdx.x) + offset] = x[threadIdx.x];
}

extern "C" __global__ void misaligned_vector(const float* x, float* out) {
    store4(out + 4 * threadIdx.x, load4(x + 1));
}

extern "C" __global__ void forgotten_copy(const float* x, float* out) {
    DYNAMIC_SHARED(float, kept);
    copy_async_16(kept + 4 * threadIdx.x, x + 4 * threadIdx.x);
    commit_copies();
    out[threadIdx.x] = 0;
}

extern "C" __global__ void shuffle_from_nobody(const float* x, float* out) {
    if (threadIdx.x < 8) return;
    out[threadIdx.x] = __shfl_sync(WHOLE_WARP, x[threadIdx.x], 3);
}
