// cross_entropy.cu: from a chunk of logits to losses, log-sum-exps and gradients of the logits.
//
// maths          m = max_v z[v], lse = m + log sum_v exp(z[v] - m), loss = lse - z[label];
//                dz[v] = exp(z[v] - lse) - [v = label]; m and the sum are kept in one reading of z
// layout         logits, slopes [rows, stride], row r being token first + r; labels, lse, losses [tokens];
//                hidden, operand [tokens, width]; partials [parts, vocabulary]; row-major
// dtypes         Real in, sums in Real, the sum of losses in f64. Slope: what the next products take, Real or bf16
//                (u16); with ROUNDED an f64 is rounded to bf16 and stays f64
// launch         row kernels: TEAM = 32: 256 threads, a warp per row; TEAM = 512: 512 threads per row.
//                sum_losses: one block of 512. operand: 256 threads, grid (ceil(width / 256), tokens in y and z).
//                bias_partials: 256 threads for 32 columns, grid (ceil(vocabulary / 32), parts). bias_sum: 256
// variants       Real = float; Slope = float | u16; ROUNDED = 0; TEAM = 32 | 512
// variants       Real = double; Slope = double; ROUNDED = 0 | 1; TEAM = 32 | 512
// requires       label -100 means none: lse, loss, slopes and operand of its row are zero whatever it holds.
//                Another label outside of 0..vocabulary makes them NaN, since the host does not see it
// deterministic  yes: fixed trees within rows, rows in order
// oracle, bound  reference.rs; roofline.rs (memory)
// source         Milakov and Gimelshein, "Online normalizer calculation for softmax", arXiv:1805.02867
#include "prelude.cuh"

#ifndef Slope
#define Slope Real
#endif
#ifndef ROUNDED
#define ROUNDED 0
#endif
#ifndef TEAM
#define TEAM 512
#endif

constexpr u32 THREADS = TEAM == WARP ? 256 : TEAM;
constexpr i32 NO_LABEL = -100;
constexpr u32 SUM_COLUMNS = 32;
constexpr u32 SUM_PARTS = 256 / SUM_COLUMNS;

typedef Pack4<Real>::Type Pack;

__device__ __forceinline__ u16 as_slope(float x, u16) { return f32_to_bf16(x); }
__device__ __forceinline__ float as_slope(float x, float) { return x; }
__device__ __forceinline__ double as_slope(double x, double) { return ROUNDED ? round_bf16(x) : x; }

__device__ __forceinline__ u32 team_index() { return threadIdx.x / TEAM; }
__device__ __forceinline__ u32 member_index() { return threadIdx.x % TEAM; }

__device__ __forceinline__ Real team_sum(Real x) {
    if constexpr (TEAM == WARP) {
        return warp_sum(x);
    } else {
        return block_sum(x);
    }
}

__device__ __forceinline__ Real team_max(Real x) {
    if constexpr (TEAM == WARP) {
        return warp_max(x);
    } else {
        return block_max(x);
    }
}

// Largest number so far and the sum of exponentials relative to it.
struct Online {
    Real largest, sum;

    __device__ __forceinline__ void take(Real x) {
        if (x > largest) {
            sum = sum * exp(largest - x) + Real(1);
            largest = x;
        } else {
            // Equal counts one, also where both are minus infinity; NaN makes the sum NaN.
            sum += x == largest ? Real(1) : exp(x - largest);
        }
    }
};

// The log-sum-exp of a row, the same in every thread of the team.
__device__ __forceinline__ Real log_sum_exp(const Real* row, u32 vocabulary) {
    Online mine = {Real(float_of(0xff800000u)), 0}; // minus infinity
    for (u32 at = 4 * member_index(); at < vocabulary; at += 4 * TEAM) {
        const Pack four = load4_within(row, at, vocabulary);
        for (u32 i = 0; i < 4; ++i)
            if (at + i < vocabulary) mine.take(four.at[i]);
    }
    const Real largest = team_max(mine.largest);
    // A thread without numbers has the sum zero: its exponential, of minus infinity, does not matter.
    const Real faded = mine.largest == largest ? mine.sum : mine.sum * exp(mine.largest - largest);
    return largest + log(team_sum(faded));
}

// What a label says of its row.
struct Label {
    bool counts, known;
    u32 at;

    __device__ __forceinline__ Label(i32 label, u32 vocabulary)
        : counts(label != NO_LABEL), known(u32(label) < vocabulary), at(u32(label)) {}
};

// Loss and log-sum-exp of a row; NaN for a label that is no class.
__device__ __forceinline__ Real finish_row(const Real* row, Label label, u32 vocabulary, Real* lse, Real* loss) {
    Real found = log_sum_exp(row, vocabulary);
    if (!label.known) found = float_of(0x7fffffffu); // NaN
    if (member_index() == 0) {
        *lse = found;
        *loss = label.known ? found - row[label.at] : found;
    }
    return found;
}

__device__ __forceinline__ void skip_row(Real* lse, Real* loss) {
    if (member_index() == 0) *lse = *loss = 0;
}

extern "C" __global__ __launch_bounds__(THREADS) void cross_entropy_forward(const Real* logits, const i32* labels, Real* lse,
                                                                            Real* losses, u32 rows, u32 first,
                                                                            u32 vocabulary, u32 stride) {
    const u32 row = blockIdx.x * (THREADS / TEAM) + team_index();
    if (row >= rows) return; // a whole team: nobody waits for it
    const u32 token = first + row;
    const Label label(labels[token], vocabulary);
    if (!label.counts) return skip_row(lse + token, losses + token);
    finish_row(logits + u64(row) * stride, label, vocabulary, lse + token, losses + token);
}

extern "C" __global__ __launch_bounds__(THREADS) void cross_entropy_gradient(const Real* logits, const i32* labels, Real* lse,
                                                                             Real* losses, Slope* slopes, u32 rows,
                                                                             u32 first, u32 vocabulary, u32 stride) {
    const u32 row = blockIdx.x * (THREADS / TEAM) + team_index();
    if (row >= rows) return; // a whole team: nobody waits for it
    const u32 token = first + row;
    const Label label(labels[token], vocabulary);
    const Real* const from = logits + u64(row) * stride;
    Slope* const to = slopes + u64(row) * stride;
    if (!label.counts) {
        for (u32 at = member_index(); at < vocabulary; at += TEAM) to[at] = as_slope(Real(0), Slope(0));
        return skip_row(lse + token, losses + token);
    }
    const Real found = finish_row(from, label, vocabulary, lse + token, losses + token);
    for (u32 at = member_index(); at < vocabulary; at += TEAM) {
        const Real own = at == label.at ? Real(1) : Real(0);
        to[at] = as_slope(exp(from[at] - found) - own, Slope(0));
    }
}

// loss = sum of losses [tokens].
extern "C" __global__ __launch_bounds__(512) void cross_entropy_sum_losses(const Real* losses, Real* loss, u32 tokens) {
    double mine = 0;
    for (u32 at = threadIdx.x; at < tokens; at += blockDim.x) mine += losses[at];
    const double sum = block_sum(mine);
    if (threadIdx.x == 0) *loss = Real(sum);
}

// Hidden states as an operand, those without a label as zeros.
extern "C" __global__ __launch_bounds__(256) void cross_entropy_operand(const Real* hidden, const i32* labels, Slope* operand,
                                                                        u64 tokens, u32 width) {
    const u64 at = u64(blockIdx.x) * blockDim.x + threadIdx.x, token = at / width;
    if (token >= tokens) return;
    operand[at] = as_slope(labels[token] == NO_LABEL ? Real(0) : hidden[at], Slope(0));
}

// partials [part, v] = sum of dz[r, v] over the rows r of a part, eight of which a block sums side by side.
extern "C" __global__ __launch_bounds__(256) void cross_entropy_bias_partials(const Real* logits, const i32* labels,
                                                                              const Real* lse, Real* partials, u32 rows,
                                                                              u32 first, u32 vocabulary, u32 stride,
                                                                              u32 rows_per_part) {
    __shared__ Real of_part[SUM_PARTS][SUM_COLUMNS];
    const u32 column = blockIdx.x * SUM_COLUMNS + threadIdx.x % SUM_COLUMNS;
    const u32 start = blockIdx.y * rows_per_part, end = min(start + rows_per_part, rows);
    Real mine = 0;
    for (u32 row = start + threadIdx.x / SUM_COLUMNS; row < end; row += SUM_PARTS) {
        const Label label(labels[first + row], vocabulary);
        if (!label.counts || column >= vocabulary) continue;
        const Real own = column == label.at ? Real(1) : Real(0);
        mine += exp(logits[u64(row) * stride + column] - lse[first + row]) - own;
    }
    of_part[threadIdx.x / SUM_COLUMNS][threadIdx.x % SUM_COLUMNS] = mine;
    __syncthreads(); // all parts of the columns are summed
    if (threadIdx.x >= SUM_COLUMNS || column >= vocabulary) return;
    for (u32 part = 1; part < SUM_PARTS; ++part) mine += of_part[part][threadIdx.x];
    partials[u64(blockIdx.y) * vocabulary + column] = mine;
}

// sum [v] = (what it is) + sum over parts.
extern "C" __global__ __launch_bounds__(256) void cross_entropy_bias_sum(const Real* partials, Real* sum, u32 parts,
                                                                         u32 vocabulary, u32 add) {
    const u32 column = blockIdx.x * blockDim.x + threadIdx.x;
    if (column >= vocabulary) return;
    Real total = add ? sum[column] : Real(0);
    for (u32 part = 0; part < parts; ++part) total += partials[u64(part) * vocabulary + column];
    sum[column] = total;
}
