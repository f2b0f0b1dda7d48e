// emulator.h: runs a grid on the CPU, for tests alone.
//
// A block's threads are fibers on one OS thread, each running until it waits for others. Blocks run one
// after the other; even ones resume their threads in ascending order, odd ones in descending order, so that
// a missing barrier meets numbers nobody wrote. What is reported, with kernel, block and thread: barriers
// that not all threads reach, lanes of a warp at different shuffles, shuffles from lanes that take no part,
// copies never waited for, memory outside of arrays (guard pages, see memory.rs), misaligned vector loads.
// Shared memory is NaN before each block, arriving asynchronous copies as late as the waits allow.
// Not here: the speed or the memory model of a device, and blocks that wait for one another.
#pragma once

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <cmath>
#include <vector>

using std::isfinite;
using std::isinf;
using std::isnan;

#define GENESIS_EMULATOR
#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __restrict__ __restrict

// All of shared memory lies in one section, which is filled before every block.
#ifdef __APPLE__
#define __shared__ static __attribute__((section("__DATA,emu_shared")))
extern char shared_begin[] __asm("section$start$__DATA$emu_shared");
extern char shared_end[] __asm("section$end$__DATA$emu_shared");
#else
#define __shared__ static __attribute__((section("emu_shared")))
extern char shared_begin[] __asm__("__start_emu_shared") __attribute__((visibility("hidden")));
extern char shared_end[] __asm__("__stop_emu_shared") __attribute__((visibility("hidden")));
#endif
// The section exists in every library, whether its kernels use shared memory or not.
static __attribute__((section(
#ifdef __APPLE__
    "__DATA,emu_shared"
#else
    "emu_shared"
#endif
    ), used)) char shared_anchor[16];

#define DYNAMIC_SHARED(type, name) type* const name = reinterpret_cast<type*>(emulator::dynamic_shared)

struct Coordinates {
    unsigned x, y, z;
};
struct alignas(16) float4 {
    float x, y, z, w;
};
struct alignas(8) float2 {
    float x, y;
};
struct alignas(16) double2 {
    double x, y;
};
struct alignas(16) uint4 {
    unsigned x, y, z, w;
};
struct alignas(8) uint2 {
    unsigned x, y;
};
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline float2 make_float2(float x, float y) { return {x, y}; }
inline double2 make_double2(double x, double y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }

static Coordinates threadIdx, blockIdx, blockDim, gridDim;

namespace emulator {

// The stacks of fibers, made once per process: every kernel is a library of its own, and a process may have
// some 65000 mappings, of which a stack with its guard takes two. mod.rs holds the twin.
struct Stacks {
    char* all;
    unsigned guarded;
};

// As the host side passes it; mod.rs holds the twin.
struct Grid {
    unsigned grid[3];
    unsigned block[3];
    void* dynamic_shared;
    unsigned long long dynamic_shared_bytes;
    char* message;
    unsigned long long message_bytes;
    Stacks* stacks;
};

constexpr unsigned WARP_LANES = 32;
constexpr unsigned MOST_THREADS = 1024;
// Room for the largest frames of a kernel and for the frame of a signal with AVX-512 state.
constexpr size_t STACK_BYTES = 256 * 1024;
constexpr size_t GUARD_BYTES = 64 * 1024;

enum class State { Ready, AtBlock, AtWarp, Done };

struct Copy {
    void* shared;
    const void* global;
    unsigned group;
};

struct Thread {
    ucontext_t start;
    jmp_buf resume;
    State state;
    bool started;
    Coordinates at;
    // At a barrier: its line, and of a warp's the lanes taking part, what each brings and who completes it.
    int line;
    unsigned mask;
    void* brings;
    void (*complete)(unsigned thread);
    std::vector<Copy> copies;
    unsigned groups;
};

static Thread threads[MOST_THREADS];
static unsigned num_threads;
static unsigned current;
static void* dynamic_shared;
static const char* kernel_name;
static void (*kernel_body)(void**);
static void** kernel_arguments;
static Grid* running;
static jmp_buf to_scheduler;
static sigjmp_buf to_host;
static thread_local bool is_running;

[[noreturn]] __attribute__((format(printf, 1, 2))) static void fail(const char* format, ...) {
    int used = snprintf(running->message, running->message_bytes, "%s, block (%u, %u, %u), thread (%u, %u, %u): ",
                        kernel_name, blockIdx.x, blockIdx.y, blockIdx.z, threadIdx.x, threadIdx.y, threadIdx.z);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(running->message + used, running->message_bytes - used, format, arguments);
    va_end(arguments);
    siglongjmp(to_host, 1);
}

static void on_signal(int number, siginfo_t* info, void*);

static struct sigaction handlers_before[5];

// Handlers of the signals that wrong memory accesses raise, while a grid runs.
struct Handlers {
    static constexpr int COUNT = 5;
    static int number(int at) {
        const int numbers[COUNT] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE};
        return numbers[at];
    }
    static void install() {
        struct sigaction action;
        memset(&action, 0, sizeof action);
        action.sa_sigaction = on_signal;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK;
        for (int at = 0; at < COUNT; ++at) sigaction(number(at), &action, &handlers_before[at]);
    }
    static void restore() {
        for (int at = 0; at < COUNT; ++at) sigaction(number(at), &handlers_before[at], nullptr);
    }
};

static void on_signal(int number, siginfo_t* info, void*) {
    if (!is_running) {  // another thread of the process: its own handler takes it when it repeats
        Handlers::restore();
        return;
    }
    if (number == SIGSEGV || number == SIGBUS) fail("reads or writes outside of its arrays, at %p", info->si_addr);
    if (number == SIGFPE) fail("divides an integer by zero");
    fail("undefined: a misaligned vector, an index past a local array or a shift past the width");
}

__attribute__((noinline)) static void pause() {
    if (_setjmp(threads[current].resume) == 0) _longjmp(to_scheduler, 1);
}

static void wait(State state, int line, unsigned mask, void* brings, void (*complete)(unsigned)) {
    Thread& mine = threads[current];
    mine.state = state;
    mine.line = line;
    mine.mask = mask;
    mine.brings = brings;
    mine.complete = complete;
    pause();
}

static void fiber() {
    kernel_body(kernel_arguments);
    if (!threads[current].copies.empty()) fail("ends with copies it never waited for");
    threads[current].state = State::Done;
    _longjmp(to_scheduler, 1);
}

__attribute__((noinline)) static void resume(unsigned at) {
    current = at;
    threadIdx = threads[at].at;
    if (_setjmp(to_scheduler) != 0) return;
    if (threads[at].started) _longjmp(threads[at].resume, 1);
    threads[at].started = true;
    setcontext(&threads[at].start);
    fail("cannot start a fiber");
}

static char* stack_of(unsigned thread) {
    Stacks& stacks = *running->stacks;
    if (stacks.all == nullptr) {
        void* all = mmap(nullptr, MOST_THREADS * (STACK_BYTES + GUARD_BYTES), PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (all == MAP_FAILED) fail("no memory for the stacks of fibers");
        stacks.all = static_cast<char*>(all);
    }
    for (; stacks.guarded <= thread; ++stacks.guarded) {
        char* guard = stacks.all + stacks.guarded * (STACK_BYTES + GUARD_BYTES);
        if (mprotect(guard, GUARD_BYTES, PROT_NONE) != 0) fail("cannot guard the stacks of fibers");
    }
    return stacks.all + thread * (STACK_BYTES + GUARD_BYTES) + GUARD_BYTES;
}

static void prepare(unsigned at) {
    Thread& thread = threads[at];
    getcontext(&thread.start);
    thread.start.uc_stack.ss_sp = stack_of(at);
    thread.start.uc_stack.ss_size = STACK_BYTES;
    thread.start.uc_link = nullptr;
    makecontext(&thread.start, fiber, 0);
    thread.state = State::Ready;
    thread.started = false;
    thread.at = {at % blockDim.x, at / blockDim.x % blockDim.y, at / blockDim.x / blockDim.y};
    thread.copies.clear();
    thread.groups = 0;
}

// Lets the lanes that wait with this one go on, when all of its mask are there.
static bool release_lanes(unsigned first) {
    const Thread& one = threads[first];
    const unsigned warp = first / WARP_LANES * WARP_LANES;
    for (unsigned lane = 0; lane < WARP_LANES; ++lane) {
        const unsigned at = warp + lane;
        if ((one.mask >> lane & 1) == 0 || at >= num_threads || threads[at].state == State::Done) continue;
        if (threads[at].state != State::AtWarp) return false;
        if (threads[at].mask != one.mask || threads[at].complete != one.complete || threads[at].line != one.line) {
            threadIdx = threads[at].at;
            fail("lanes of a warp wait at different places, lines %d and %d, masks %08x and %08x", one.line,
                 threads[at].line, one.mask, threads[at].mask);
        }
    }
    const unsigned mask = one.mask;
    for (int complete = 1; complete >= 0; --complete) {
        for (unsigned lane = 0; lane < WARP_LANES; ++lane) {
            const unsigned at = warp + lane;
            if ((mask >> lane & 1) == 0 || at >= num_threads || threads[at].state != State::AtWarp) continue;
            threadIdx = threads[at].at;
            if (complete && threads[at].complete != nullptr) threads[at].complete(at);
            if (!complete) threads[at].state = State::Ready;
        }
    }
    return true;
}

static bool release_block() {
    int line = -1;
    for (unsigned at = 0; at < num_threads; ++at) {
        if (threads[at].state == State::Done) continue;
        if (threads[at].state != State::AtBlock) return false;
        if (line >= 0 && threads[at].line != line) {
            threadIdx = threads[at].at;
            fail("threads of a block wait at different barriers, lines %d and %d", line, threads[at].line);
        }
        line = threads[at].line;
    }
    for (unsigned at = 0; at < num_threads; ++at)
        if (threads[at].state == State::AtBlock) threads[at].state = State::Ready;
    return line >= 0;
}

static void run_block(bool descending) {
    for (unsigned at = 0; at < num_threads; ++at) prepare(at);
    for (;;) {
        for (unsigned step = 0; step < num_threads; ++step) {
            const unsigned at = descending ? num_threads - 1 - step : step;
            if (threads[at].state == State::Ready) resume(at);
        }
        bool released = false, waiting = false;
        unsigned stuck = 0;
        for (unsigned at = 0; at < num_threads; ++at) {
            if (threads[at].state == State::AtWarp) released |= release_lanes(at);
            if (threads[at].state == State::AtWarp || threads[at].state == State::AtBlock) {
                waiting = true;
                stuck = at;
            }
        }
        if (!released && waiting) released = release_block();
        if (!released && waiting) {
            threadIdx = threads[stuck].at;
            fail("waits at the barrier of line %d, which not all threads reach", threads[stuck].line);
        }
        if (!released) return;
    }
}

static int run(Grid* grid, const char* name, void (*body)(void**), void** arguments) {
    running = grid;
    kernel_name = name;
    kernel_body = body;
    kernel_arguments = arguments;
    blockDim = {grid->block[0], grid->block[1], grid->block[2]};
    gridDim = {grid->grid[0], grid->grid[1], grid->grid[2]};
    num_threads = blockDim.x * blockDim.y * blockDim.z;
    dynamic_shared = grid->dynamic_shared;
    Handlers::install();
    is_running = true;
    const int failed = sigsetjmp(to_host, 1);
    if (failed == 0) {
        for (unsigned z = 0; z < gridDim.z; ++z)
            for (unsigned y = 0; y < gridDim.y; ++y)
                for (unsigned x = 0; x < gridDim.x; ++x) {
                    blockIdx = {x, y, z};
                    memset(shared_begin, 0xff, shared_end - shared_begin);
                    memset(dynamic_shared, 0xff, grid->dynamic_shared_bytes);
                    run_block((x + y + z) % 2 == 1);
                }
    }
    is_running = false;
    Handlers::restore();
    return failed;
}

// What a lane brings to a shuffle: its number, where the result goes, and the lane it asks.
struct Asked {
    const void* value;
    void* result;
    size_t bytes;
    unsigned lane;
};

static void complete_shuffle(unsigned thread) {
    const Asked& asked = *static_cast<Asked*>(threads[thread].brings);
    const unsigned source = thread / WARP_LANES * WARP_LANES + asked.lane;
    const bool takes_part = source < num_threads && (threads[thread].mask >> asked.lane & 1) != 0 &&
                            threads[source].state == State::AtWarp;
    if (!takes_part) fail("a shuffle at line %d reads lane %u, which takes no part", threads[thread].line, asked.lane);
    memcpy(asked.result, static_cast<Asked*>(threads[source].brings)->value, asked.bytes);
}

template <typename T>
T shuffle(unsigned mask, T value, unsigned lane, int line) {
    if ((mask >> current % WARP_LANES & 1) == 0) fail("a shuffle at line %d whose mask leaves out its own lane", line);
    T result;
    Asked asked = {&value, &result, sizeof(T), lane};
    wait(State::AtWarp, line, mask, &asked, complete_shuffle);
    return result;
}

struct Vote {
    int holds;
    unsigned result;
};

static void complete_vote(unsigned thread) {
    const unsigned warp = thread / WARP_LANES * WARP_LANES;
    unsigned votes = 0;
    for (unsigned lane = 0; lane < WARP_LANES; ++lane) {
        const unsigned at = warp + lane;
        if ((threads[thread].mask >> lane & 1) == 0 || at >= num_threads || threads[at].state != State::AtWarp) continue;
        if (static_cast<Vote*>(threads[at].brings)->holds) votes |= 1u << lane;
    }
    static_cast<Vote*>(threads[thread].brings)->result = votes;
}

// A lane's parts of a product of fragments.
struct Fragments {
    float (*d)[4];
    const unsigned (*a)[4];
    const unsigned (*b)[2];
    float sums[4];
};

static const Fragments& fragments(unsigned thread) { return *static_cast<Fragments*>(threads[thread].brings); }

static float bf16_half(unsigned pair, unsigned half) {
    const unsigned bits = (half == 0 ? pair << 16 : pair & 0xffff0000u);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

// a[row, k]: register k / 8 * 2 + row / 8 of lane 4 (row % 8) + k % 8 / 2.
static float a_at(unsigned warp, unsigned row, unsigned k) {
    return bf16_half((*fragments(warp + row % 8 * 4 + k % 8 / 2).a)[k / 8 * 2 + row / 8], k % 2);
}

// b[k, column]: register k / 8 of lane 4 column + k % 8 / 2.
static float b_at(unsigned warp, unsigned k, unsigned column) {
    return bf16_half((*fragments(warp + column * 4 + k % 8 / 2).b)[k / 8], k % 2);
}

static void complete_mma(unsigned thread) {
    const unsigned warp = thread / WARP_LANES * WARP_LANES, lane = thread % WARP_LANES;
    Fragments& mine = *static_cast<Fragments*>(threads[thread].brings);
    for (unsigned at = 0; at < 4; ++at) {
        const unsigned row = lane / 4 + at / 2 * 8, column = lane % 4 * 2 + at % 2;
        float sum = (*mine.d)[at];
        for (unsigned k = 0; k < 16; ++k) sum += a_at(warp, row, k) * b_at(warp, k, column);
        mine.sums[at] = sum;
    }
}

struct Matrices {
    const unsigned short* row;
    unsigned* result;
    bool transposed;
};

static void complete_matrices(unsigned thread) {
    const unsigned warp = thread / WARP_LANES * WARP_LANES, lane = thread % WARP_LANES;
    Matrices& mine = *static_cast<Matrices*>(threads[thread].brings);
    for (unsigned matrix = 0; matrix < 4; ++matrix) {
        unsigned pair = 0;
        for (unsigned half = 0; half < 2; ++half) {
            const unsigned major = lane / 4, minor = lane % 4 * 2 + half;
            const unsigned row = mine.transposed ? minor : major, column = mine.transposed ? major : minor;
            const Matrices& owner = *static_cast<Matrices*>(threads[warp + matrix * 8 + row].brings);
            if (reinterpret_cast<uintptr_t>(owner.row) % 16 != 0) fail("a row of a matrix is not 16-byte aligned");
            pair |= static_cast<unsigned>(owner.row[column]) << (16 * half);
        }
        mine.result[matrix] = pair;
    }
}

static void finish_copies(unsigned groups_under_way) {
    Thread& mine = threads[current];
    std::vector<Copy> rest;
    for (const Copy& copy : mine.copies) {
        if (copy.group + groups_under_way < mine.groups) {
            memcpy(copy.shared, copy.global, 16);
        } else {
            rest.push_back(copy);
        }
    }
    mine.copies.swap(rest);
}

// A whole warp is what fragments are spread over.
static void whole_warp(const char* what) {
    if (current / WARP_LANES * WARP_LANES + WARP_LANES > num_threads) fail("%s in a warp that is not whole", what);
}

}  // namespace emulator

inline void __syncthreads(int line = __builtin_LINE()) {
    emulator::wait(emulator::State::AtBlock, line, 0, nullptr, nullptr);
}
inline void __syncwarp(unsigned mask = 0xffffffffu, int line = __builtin_LINE()) {
    emulator::wait(emulator::State::AtWarp, line, mask, nullptr, nullptr);
}
template <typename T>
T __shfl_sync(unsigned mask, T value, int lane, int width = 32, int line = __builtin_LINE()) {
    const unsigned base = emulator::current % 32 / width * width;
    return emulator::shuffle(mask, value, base + static_cast<unsigned>(lane) % width, line);
}
template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int flip, int width = 32, int line = __builtin_LINE()) {
    const unsigned mine = emulator::current % 32, asked = mine ^ static_cast<unsigned>(flip);
    return emulator::shuffle(mask, value, asked / width > mine / width ? mine : asked, line);
}
template <typename T>
T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32, int line = __builtin_LINE()) {
    const unsigned mine = emulator::current % 32;
    return emulator::shuffle(mask, value, mine % width + by < unsigned(width) ? mine + by : mine, line);
}
template <typename T>
T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32, int line = __builtin_LINE()) {
    const unsigned mine = emulator::current % 32;
    return emulator::shuffle(mask, value, mine % width >= by ? mine - by : mine, line);
}
inline unsigned __ballot_sync(unsigned mask, int holds, int line = __builtin_LINE()) {
    emulator::Vote vote = {holds, 0};
    emulator::wait(emulator::State::AtWarp, line, mask, &vote, emulator::complete_vote);
    return vote.result;
}
inline int __any_sync(unsigned mask, int holds, int line = __builtin_LINE()) {
    return __ballot_sync(mask, holds, line) != 0;
}
inline int __all_sync(unsigned mask, int holds, int line = __builtin_LINE()) {
    return __ballot_sync(mask, !holds, line) == 0;
}
inline void __threadfence() {}
inline void __threadfence_block() {}

inline void mma_m16n8k16_bf16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], int line = __builtin_LINE()) {
    emulator::whole_warp("a product of fragments");
    emulator::Fragments mine = {&d, &a, &b, {}};
    emulator::wait(emulator::State::AtWarp, line, 0xffffffffu, &mine, emulator::complete_mma);
    for (int at = 0; at < 4; ++at) d[at] = mine.sums[at];
}
inline void load_matrix_x4(unsigned (&r)[4], const void* row, int line = __builtin_LINE()) {
    emulator::whole_warp("a load of matrices");
    emulator::Matrices mine = {static_cast<const unsigned short*>(row), r, false};
    emulator::wait(emulator::State::AtWarp, line, 0xffffffffu, &mine, emulator::complete_matrices);
}
inline void load_matrix_x4_transposed(unsigned (&r)[4], const void* row, int line = __builtin_LINE()) {
    emulator::whole_warp("a load of matrices");
    emulator::Matrices mine = {static_cast<const unsigned short*>(row), r, true};
    emulator::wait(emulator::State::AtWarp, line, 0xffffffffu, &mine, emulator::complete_matrices);
}
inline void copy_async_16(void* shared, const void* global) {
    const bool aligned = reinterpret_cast<uintptr_t>(shared) % 16 == 0 && reinterpret_cast<uintptr_t>(global) % 16 == 0;
    if (!aligned) emulator::fail("an asynchronous copy is not 16-byte aligned");
    emulator::Thread& mine = emulator::threads[emulator::current];
    mine.copies.push_back({shared, global, mine.groups});
}
inline void commit_copies() { ++emulator::threads[emulator::current].groups; }
template <int N>
inline void wait_copies() {
    emulator::finish_copies(N);
}

inline unsigned bits_of(float x) {
    unsigned bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}
inline float float_of(unsigned bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}
inline unsigned __float_as_uint(float x) { return bits_of(x); }
inline float __uint_as_float(unsigned bits) { return float_of(bits); }
template <typename T>
T __ldg(const T* p) {
    return *p;
}
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline double rsqrt(double x) { return 1.0 / std::sqrt(x); }
inline float rsqrt(float x) { return rsqrtf(x); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(static_cast<unsigned>(x)); }
inline int __ffs(int x) { return __builtin_ffs(x); }
template <typename T>
T min(T a, T b) {
    return b < a ? b : a;
}
template <typename T>
T max(T a, T b) {
    return a < b ? b : a;
}
using std::abs;
using std::ceil;
using std::cos;
using std::erf;
using std::exp;
using std::exp2;
using std::expm1;
using std::fabs;
using std::floor;
using std::fma;
using std::fmax;
using std::fmin;
using std::log;
using std::log1p;
using std::log2;
using std::pow;
using std::sin;
using std::sqrt;
using std::tanh;
