// softcuda.h: what a kernel is compiled behind, beside emulator.h: every access to memory is asked for, kernels
// are found by name with their parameters, and cubecl's C++ finds the functions it calls.
//
// The compiler calls __tsan_read4 and its like before every access (-fsanitize=thread); here they are functions
// that ask the driver about memory of devices, and leave the rest (stacks, shared memory) alone.
// Not here: the checks themselves (arena.rs), and how threads of a block take turns (emulator.h).
#include "emulator.h"

#include <limits>
#include <type_traits>
#include <utility>

#define __grid_constant__
#define __cluster_dims__(...)
#define UNCHECKED __attribute__((no_sanitize("thread")))

namespace softcuda {

// Twins of those in work/kernel.rs.
struct Grid {
    unsigned grid[3];
    unsigned block[3];
    char* shared;
    unsigned long long shared_bytes;
    char* message;
    unsigned long long message_bytes;
    void* stacks;
    void** arguments;
    unsigned long long memory;
    unsigned long long memory_bytes;
    const char* (*access)(unsigned long long at, unsigned long long bytes, int writes);
};

struct Entry {
    const char* name;
    int (*run)(const Grid*);
    unsigned count;
    unsigned most_threads;
    const unsigned* sizes;
    const unsigned char* pointers;
    const char* const* names;
};

static const Grid* running;
static unsigned long long memory, memory_bytes;

UNCHECKED static inline void touch(const void* pointer, unsigned long long bytes, int writes) {
    const unsigned long long at = reinterpret_cast<unsigned long long>(pointer);
    if (at - memory >= memory_bytes) return;
    const char* wrong = running->access(at, bytes, writes);
    if (wrong != nullptr) emulator::fail("%s", wrong);
}

template <typename F>
struct Parameters;

template <typename... A>
struct Parameters<void (*)(A...)> {
    static constexpr unsigned count = sizeof...(A);
    static constexpr unsigned sizes[] = {static_cast<unsigned>(sizeof(A))..., 0};
    static constexpr unsigned char pointers[] = {std::is_pointer_v<A>..., 0};

    template <size_t... I>
    static void call(void (*kernel)(A...), void** a, std::index_sequence<I...>) {
        (void)a;
        kernel(*static_cast<std::remove_cv_t<A>*>(a[I])...);
    }
};

// A grid whose threads never wait for one another needs no fibers.
static int run_alone(emulator::Grid* grid, const char* name, void (*body)(void**), void** arguments) {
    using namespace emulator;
    emulator::running = grid;
    kernel_name = name;
    blockDim = {grid->block[0], grid->block[1], grid->block[2]};
    gridDim = {grid->grid[0], grid->grid[1], grid->grid[2]};
    Handlers::install();
    is_running = true;
    const int failed = sigsetjmp(to_host, 1);
    if (failed == 0) {
        const unsigned threads = blockDim.x * blockDim.y * blockDim.z;
        const unsigned blocks = gridDim.x * gridDim.y;
        for (unsigned z = 0; z < gridDim.z; ++z)
            for (unsigned block = 0; block < blocks; ++block) {
                blockIdx = {block % gridDim.x, block / gridDim.x, z};
                for (unsigned step = 0; step < threads; ++step) {
                    const unsigned at = block % 2 == 1 ? threads - 1 - step : step;
                    threadIdx = {at % blockDim.x, at / blockDim.x % blockDim.y, at / blockDim.x / blockDim.y};
                    body(arguments);
                }
            }
    }
    is_running = false;
    Handlers::restore();
    return failed;
}

template <auto kernel, bool waits>
int run(const Grid* grid, const char* name) {
    using Of = Parameters<decltype(kernel)>;
    static_assert(sizeof(emulator::Stacks) <= 64, "work/kernel.rs keeps 64 bytes");
    running = grid;
    memory = grid->memory;
    memory_bytes = grid->memory_bytes;
    emulator::Grid of = {};
    for (int axis = 0; axis < 3; ++axis) {
        of.grid[axis] = grid->grid[axis];
        of.block[axis] = grid->block[axis];
    }
    of.dynamic_shared = grid->shared;
    of.dynamic_shared_bytes = grid->shared_bytes;
    of.message = grid->message;
    of.message_bytes = grid->message_bytes;
    of.stacks = static_cast<emulator::Stacks*>(grid->stacks);
    void (*body)(void**) = [](void** a) { Of::call(kernel, a, std::make_index_sequence<Of::count>()); };
    const int failed = waits ? emulator::run(&of, name, body, grid->arguments)
                             : run_alone(&of, name, body, grid->arguments);
    memory_bytes = 0;
    return failed;
}

}  // namespace softcuda

#define HOOK extern "C" UNCHECKED __attribute__((visibility("hidden"), used)) inline
#define HOOKS(bytes)                                                                          \
    HOOK void __tsan_read##bytes(void* p) { softcuda::touch(p, bytes, 0); }                   \
    HOOK void __tsan_write##bytes(void* p) { softcuda::touch(p, bytes, 1); }                  \
    HOOK void __tsan_unaligned_read##bytes(void* p) { softcuda::touch(p, bytes, 0); }         \
    HOOK void __tsan_unaligned_write##bytes(void* p) { softcuda::touch(p, bytes, 1); }        \
    HOOK void __tsan_volatile_read##bytes(void* p) { softcuda::touch(p, bytes, 0); }          \
    HOOK void __tsan_volatile_write##bytes(void* p) { softcuda::touch(p, bytes, 1); }
HOOKS(1)
HOOKS(2)
HOOKS(4)
HOOKS(8)
HOOKS(16)
HOOK void __tsan_read_range(void* p, unsigned long bytes) { softcuda::touch(p, bytes, 0); }
HOOK void __tsan_write_range(void* p, unsigned long bytes) { softcuda::touch(p, bytes, 1); }
HOOK void __tsan_init() {}
HOOK void __tsan_func_entry(void*) {}
HOOK void __tsan_func_exit(void*) {}
HOOK void __tsan_vptr_update(void*, void*) {}

constexpr int warpSize = 32;

struct uint3 {
    unsigned x, y, z;
};
inline uint3 make_uint3(unsigned x, unsigned y, unsigned z) { return {x, y, z}; }
typedef uint3 dim3;

// Functions of CUDA that emulator.h lacks, since no kernel of ours calls them.
inline float max(float a, float b) { return fmaxf(a, b); }
inline float min(float a, float b) { return fminf(a, b); }
inline double max(double a, double b) { return fmax(a, b); }
inline double min(double a, double b) { return fmin(a, b); }
inline float __expf(float x) { return expf(x); }
inline float __logf(float x) { return logf(x); }
inline float __sinf(float x) { return sinf(x); }
inline float __cosf(float x) { return cosf(x); }
inline float __tanhf(float x) { return tanhf(x); }
inline float __powf(float x, float y) { return powf(x, y); }
inline float __fdividef(float x, float y) { return x / y; }
inline float __fsqrt_rn(float x) { return sqrtf(x); }
inline float __frsqrt_rn(float x) { return 1.0f / sqrtf(x); }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float rhypotf(float x, float y) { return 1.0f / hypotf(x, y); }
inline double rhypot(double x, double y) { return 1.0 / hypot(x, y); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __clzll(long long x) { return x == 0 ? 64 : __builtin_clzll(static_cast<unsigned long long>(x)); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>((1ull * a * b) >> 32); }
inline int __mulhi(int a, int b) { return static_cast<int>((1ll * a * b) >> 32); }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return static_cast<unsigned long long>((static_cast<unsigned __int128>(a) * b) >> 64);
}
inline long long __mul64hi(long long a, long long b) {
    return static_cast<long long>((static_cast<__int128>(a) * b) >> 64);
}
inline unsigned __brev(unsigned x) {
    unsigned result = 0;
    for (int bit = 0; bit < 32; ++bit) result |= (x >> bit & 1) << (31 - bit);
    return result;
}
inline void __threadfence_system() {}

// One thread runs at a time, so an atomic operation is a plain one.
template <typename T>
T atomicAdd(T* at, std::common_type_t<T> value) {
    const T old = *at;
    *at = static_cast<T>(old + value);
    return old;
}
template <typename T>
T atomicSub(T* at, std::common_type_t<T> value) {
    const T old = *at;
    *at = static_cast<T>(old - value);
    return old;
}
template <typename T>
T atomicExch(T* at, std::common_type_t<T> value) {
    const T old = *at;
    *at = value;
    return old;
}
template <typename T>
T atomicMax(T* at, std::common_type_t<T> value) {
    const T old = *at;
    *at = old < value ? value : old;
    return old;
}
template <typename T>
T atomicMin(T* at, std::common_type_t<T> value) {
    const T old = *at;
    *at = value < old ? value : old;
    return old;
}
template <typename T>
T atomicAnd(T* at, std::common_type_t<T> value) {
    const T old = *at;
    *at = old & value;
    return old;
}
template <typename T>
T atomicOr(T* at, std::common_type_t<T> value) {
    const T old = *at;
    *at = old | value;
    return old;
}
template <typename T>
T atomicXor(T* at, std::common_type_t<T> value) {
    const T old = *at;
    *at = old ^ value;
    return old;
}
template <typename T>
T atomicCAS(T* at, std::common_type_t<T> expected, std::common_type_t<T> value) {
    const T old = *at;
    if (old == expected) *at = value;
    return old;
}

#include "numbers.h"

#include "fragments.h"
