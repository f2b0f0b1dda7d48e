// attention_mma.cu: attention and its gradients on tensor cores, operands in bf16, sums in f32.
//
// maths          of mod.rs, with t = scale log2(e) s and powers of two in place of exponentials:
//                forward   w[j] = 2^(t[j] - m), m the largest t so far; o = sum_j w[j] v[j] / sum_j w[j]
//                backward  p[j] = 2^(t[j] - lse log2(e)), ds[j] = p[j] (dp[j] - delta)
// layout         staged operands q, g [H, N, WIDTH]; k, v [G, M, WIDTH] in bf16, zero from D to WIDTH,
//                made by attention_mma_stage; lse2, delta [H, N]; all else as in mod.rs, row-major.
//                work [items, 5] u32: first query, queries, first key, keys of a segment, block in it
// dtypes         f32 in and out, operands bf16; w (before o), p and ds are rounded where they become
//                operands, totals take what was not rounded
// launch         128 threads. forward, query_gradient: (items, H) blocks, an item is 64 QUERY_TILES queries;
//                key_gradient: (items, G), an item is 64 KEY_TILES keys; shared bytes as cuda_mma.rs counts.
//                stage: 256 threads, one for 8 columns; delta: 256 threads, a warp per row and head
// variants       WIDTH = 16 | 32 | 48 | 64; QUERY_TILES = 2; KEY_TILES = 2; STAGE = 64
// variants       WIDTH = 80 | 96 | 112 | 128; QUERY_TILES = 2; KEY_TILES = 1; STAGE = 32
// variants       WIDTH = 128; QUERY_TILES = 1; KEY_TILES = 1; STAGE = 32
// tiles          a matrix load of 512 bytes feeds the tensor cores for as long as shared memory takes to give
//                it only if two tiles of rows use it, hence 2, as long as sums fit 255 registers: at width 128
//                those of dk and dv do not. 222 to 254 registers at widths 64 and 128 leave two blocks to a
//                multiprocessor, so shared memory of a block must stay below 113 KiB: at most 74 at width 64,
//                102 at 128, or 68 with one tile, for devices that give a block 99. NVRTC 13.2 for sm_80 and sm_90a spills nothing but 8 bytes at width 112 on sm_80
// requires       D <= WIDTH, H = G sharing, scale > 0 (its sign is staged into q), every query sees a key.
//                Any number of rows: rows past the last repeat it, unseen. sm_80 or later
// deterministic  yes: gradients of queries and keys have passes of their own, so each number is the
//                sum of one warp in order of blocks; no atomics
// oracle, bound  reference.rs; roofline.rs
// source         Dao, "FlashAttention-2", arXiv:2307.08691, algorithms 1 and 2. Ours differs: scores are
//                formed transposed for the key gradient, so p and ds go from sums to operands in
//                registers, and nothing but q, k, v and g passes through shared memory
#include "prelude.cuh"

#ifndef WIDTH
#define WIDTH 64 // head width, zeros included
#endif
#ifndef QUERY_TILES
#define QUERY_TILES 2 // tiles of 16 queries of a warp, where queries are the rows of a block
#endif
#ifndef KEY_TILES
#define KEY_TILES 2 // the same of keys
#endif
#ifndef STAGE
#define STAGE 64 // rows that are brought in at a time; as many scores of a row a warp holds, forward
#endif

constexpr u32 WARPS = 4;
constexpr u32 THREADS = 32 * WARPS;
constexpr u32 QUERY_ROWS = 16 * QUERY_TILES * WARPS;
constexpr u32 KEY_ROWS = 16 * KEY_TILES * WARPS;
constexpr u32 SLOPES = 32; // scores of a row, and slopes of as many, that a warp holds backward
// Tiles of 8 columns.
constexpr u32 WIDTH_TILES = WIDTH / 8;
constexpr u32 SCORE_TILES = STAGE / 8;
constexpr u32 SLOPE_TILES = SLOPES / 8;
// 16 bytes behind each row: the eight rows that a matrix load reads together then begin in eight
// different groups of four banks, for every width, and addresses stay sums of constants.
constexpr u32 STRIDE = WIDTH + 8;
constexpr float LOG2_E = 1.44269504088896341f;

static_assert(WIDTH % 16 == 0 && STAGE % SLOPES == 0, "whole tiles of 16");
static_assert(2 * STAGE <= THREADS, "one thread brings one number of a row");

// 2^x; results below the normal numbers are zero.
__device__ inline float power_of_two(float x) {
#ifndef GENESIS_EMULATOR
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
#else
    return exp2f(x);
#endif
}

// The score of a key that is not seen.
__device__ inline float hidden() { return float_of(0xff800000u); }

// The part of a segment that a block computes.
struct Item {
    u32 first_query, queries, first_key, keys, block;
};

__device__ inline Item item_of(const u32* work) {
    const u32* item = work + 5 * (size_t)blockIdx.x;
    return {item[0], item[1], item[2], item[3], item[4]};
}

// Keys that query `row` of a segment sees; rows past the last see what it sees.
__device__ inline u32 visible(const Item& item, u32 row, u32 causal) {
    const u32 query = row < item.queries ? row : item.queries - 1;
    return causal ? item.keys - item.queries + query + 1 : item.keys;
}

// First of the rows of a warp within its block, and of a lane within a tile.
template <u32 TILES>
__device__ inline u32 warp_row() {
    return warp_index() * 16 * TILES;
}
__device__ inline u32 lane_row() { return lane_index() / 4; }
__device__ inline u32 lane_column() { return lane_index() % 4 * 2; }

// Starts to bring COUNT rows from `first` on into shared memory; rows past `last` repeat it.
template <u32 COUNT>
__device__ inline void bring_rows(u16* to, const u16* rows, u32 first, u32 last) {
    constexpr u32 PIECES = WIDTH / 8; // of 16 bytes in a row
#pragma unroll
    for (u32 at = threadIdx.x; at < COUNT * PIECES; at += THREADS) {
        const u32 row = at / PIECES, piece = at % PIECES;
        const u32 from = first + row < last ? first + row : last;
        copy_async_16(to + row * STRIDE + 8 * piece, rows + (size_t)from * WIDTH + 8 * piece);
    }
}

// What a lane holds of [16 TILES, 8 COLUMNS] sums of a warp: of each tile of 16 by 8 the columns
// lane_column() and the next, in rows lane_row() and lane_row() + 8.
template <u32 TILES, u32 COLUMNS>
struct Sums {
    float at[TILES][COLUMNS][4];

    __device__ inline void clear() {
#pragma unroll
        for (u32 tile = 0; tile < TILES; ++tile)
#pragma unroll
            for (u32 column = 0; column < COLUMNS; ++column)
#pragma unroll
                for (u32 i = 0; i < 4; ++i) at[tile][column][i] = 0.0f;
    }
};

// The same as the left operand of a product: two neighbouring tiles are one of 16 columns.
template <u32 TILES, u32 COLUMNS>
struct Weights {
    u32 at[TILES][COLUMNS / 2][4];

    __device__ inline explicit Weights(const Sums<TILES, COLUMNS>& sums) {
#pragma unroll
        for (u32 tile = 0; tile < TILES; ++tile)
#pragma unroll
            for (u32 column = 0; column < COLUMNS; ++column) {
                const float(&of)[4] = sums.at[tile][column];
                u32(&to)[4] = at[tile][column / 2];
                to[column % 2 * 2] = pack_bf16(of[0], of[1]);
                to[column % 2 * 2 + 1] = pack_bf16(of[2], of[3]);
            }
    }
};

// sums += left right^T of rows in shared memory, 16 TILES and 8 COLUMNS of them.
template <u32 TILES, u32 COLUMNS>
__device__ inline void add_products_of_rows(Sums<TILES, COLUMNS>& sums, const u16* left, const u16* right) {
    const u32 lane = lane_index();
    const u16* left_row = left + lane % 16 * STRIDE + lane / 16 * 8;
    const u16* right_row = right + (lane % 8 + lane / 16 * 8) * STRIDE + lane / 8 % 2 * 8;
#pragma unroll
    for (u32 depth = 0; depth < WIDTH; depth += 16) {
        u32 a[TILES][4];
#pragma unroll
        for (u32 tile = 0; tile < TILES; ++tile)
            load_matrix_x4(a[tile], left_row + 16 * tile * STRIDE + depth);
#pragma unroll
        for (u32 column = 0; column < COLUMNS; column += 2) {
            u32 pair[4];
            load_matrix_x4(pair, right_row + 8 * column * STRIDE + depth);
            const u32 b[2][2] = {{pair[0], pair[1]}, {pair[2], pair[3]}};
#pragma unroll
            for (u32 tile = 0; tile < TILES; ++tile) {
                mma_m16n8k16_bf16(sums.at[tile][column], a[tile], b[0]);
                mma_m16n8k16_bf16(sums.at[tile][column + 1], a[tile], b[1]);
            }
        }
    }
}

// sums += weights right, the latter 8 COLUMNS rows in shared memory.
template <u32 TILES, u32 COLUMNS>
__device__ inline void add_weighted_rows(Sums<TILES, WIDTH_TILES>& sums, const Weights<TILES, COLUMNS>& weights,
                                         const u16* right) {
    const u16* right_row = right + lane_index() % 16 * STRIDE + lane_index() / 16 * 8;
#pragma unroll
    for (u32 step = 0; step < COLUMNS / 2; ++step) {
#pragma unroll
        for (u32 column = 0; column < WIDTH_TILES; column += 2) {
            u32 pair[4];
            load_matrix_x4_transposed(pair, right_row + 16 * step * STRIDE + 8 * column);
            const u32 b[2][2] = {{pair[0], pair[1]}, {pair[2], pair[3]}};
#pragma unroll
            for (u32 tile = 0; tile < TILES; ++tile) {
                mma_m16n8k16_bf16(sums.at[tile][column], weights.at[tile][step], b[0]);
                mma_m16n8k16_bf16(sums.at[tile][column + 1], weights.at[tile][step], b[1]);
            }
        }
    }
}

// Scores of queries, the rows from `row` on, and keys, the columns from `key` on: hides what they do
// not see.
template <u32 TILES, u32 COLUMNS>
__device__ inline void hide_keys(Sums<TILES, COLUMNS>& scores, const Item& item, u32 row, u32 key, u32 causal) {
#pragma unroll
    for (u32 tile = 0; tile < TILES; ++tile)
#pragma unroll
        for (u32 half = 0; half < 2; ++half) {
            const u32 limit = visible(item, row + 16 * tile + 8 * half + lane_row(), causal);
#pragma unroll
            for (u32 column = 0; column < COLUMNS; ++column)
#pragma unroll
                for (u32 i = 0; i < 2; ++i)
                    if (key + 8 * column + lane_column() + i >= limit)
                        scores.at[tile][column][2 * half + i] = hidden();
        }
}

// The same with keys as rows and queries as columns.
template <u32 TILES, u32 COLUMNS>
__device__ inline void hide_queries(Sums<TILES, COLUMNS>& scores, const Item& item, u32 key, u32 row, u32 causal) {
#pragma unroll
    for (u32 column = 0; column < COLUMNS; ++column)
#pragma unroll
        for (u32 i = 0; i < 2; ++i) {
            const u32 query = row + 8 * column + lane_column() + i;
            const u32 limit = query < item.queries ? visible(item, query, causal) : 0;
#pragma unroll
            for (u32 tile = 0; tile < TILES; ++tile)
#pragma unroll
                for (u32 half = 0; half < 2; ++half)
                    if (key + 16 * tile + 8 * half + lane_row() >= limit)
                        scores.at[tile][column][2 * half + i] = hidden();
        }
}

// Stores rows of WIDTH sums, from `first` on, times a factor per row into x [rows, D], `step` apart;
// rows past the last of `rows` are left out.
template <u32 TILES>
__device__ inline void store_rows(float* x, const Sums<TILES, WIDTH_TILES>& sums, const float (&factors)[TILES][2],
                                  u32 first, u32 rows, size_t step, u32 width) {
#pragma unroll
    for (u32 tile = 0; tile < TILES; ++tile)
#pragma unroll
        for (u32 half = 0; half < 2; ++half) {
            const u32 row = first + 16 * tile + 8 * half + lane_row();
            if (row >= rows) continue;
#pragma unroll
            for (u32 column = 0; column < WIDTH_TILES; ++column)
#pragma unroll
                for (u32 i = 0; i < 2; ++i) {
                    const u32 at = 8 * column + lane_column() + i;
                    const float x_at = sums.at[tile][column][2 * half + i] * factors[tile][half];
                    if (at < width) x[row * step + at] = x_at;
                }
        }
}

// x [rows, heads, D] times factor, -1, 0 or 1, as bf16 [heads, rows, WIDTH].
extern "C" __global__ void attention_mma_stage(const float* x, u16* staged, u32 rows, u32 heads, u32 width,
                                               float factor) {
    constexpr u32 PIECES = WIDTH / 8;
    const size_t at = blockIdx.x * (size_t)blockDim.x + threadIdx.x;
    const size_t row_and_head = at / PIECES;
    const u32 column = at % PIECES * 8;
    if (row_and_head >= (size_t)rows * heads) return;
    const size_t row = row_and_head / heads, head = row_and_head % heads;
    const float* from = x + row_and_head * width + column;
    u16* to = staged + (head * rows + row) * WIDTH + column;
    float piece[8];
    if (width % 4 == 0 && column + 8 <= width) {
        const f32x4 low = load4(from), high = load4(from + 4);
#pragma unroll
        for (u32 i = 0; i < 8; ++i) piece[i] = i < 4 ? low.at[i % 4] : high.at[i % 4];
    } else {
#pragma unroll
        for (u32 i = 0; i < 8; ++i) piece[i] = column + i < width ? from[i] : 0.0f;
    }
    u32 pairs[4];
#pragma unroll
    for (u32 i = 0; i < 4; ++i) pairs[i] = pack_bf16(piece[2 * i] * factor, piece[2 * i + 1] * factor);
    *reinterpret_cast<uint4*>(to) = make_uint4(pairs[0], pairs[1], pairs[2], pairs[3]);
}

// delta [heads, rows] = g . o and lse2 [heads, rows] = lse log2(e); a warp per row and head.
extern "C" __global__ void attention_mma_delta(const float* grad, const float* out, const float* lse,
                                               float* delta, float* lse2, u32 rows, u32 heads, u32 width) {
    const size_t at = (blockIdx.x * (size_t)blockDim.x + threadIdx.x) / WARP;
    if (at >= (size_t)rows * heads) return;
    float sum = 0.0f;
    for (u32 column = lane_index(); column < width; column += WARP)
        sum += grad[at * width + column] * out[at * width + column];
    sum = warp_sum(sum);
    if (lane_index() == 0) {
        const size_t to = at % heads * rows + at / heads;
        delta[to] = sum;
        lse2[to] = lse[at] * LOG2_E;
    }
}

// Softmax of the rows of a warp so far.
struct Softmax {
    float largest[QUERY_TILES][2], total[QUERY_TILES][2];

    __device__ inline Softmax() {
#pragma unroll
        for (u32 tile = 0; tile < QUERY_TILES; ++tile)
#pragma unroll
            for (u32 half = 0; half < 2; ++half) {
                largest[tile][half] = hidden();
                total[tile][half] = 0.0f;
            }
    }

    // Scores become weights relative to the largest so far; what was summed before fades to it.
    __device__ inline void take(Sums<QUERY_TILES, SCORE_TILES>& scores, Sums<QUERY_TILES, WIDTH_TILES>& output, float scale_log2) {
#pragma unroll
        for (u32 tile = 0; tile < QUERY_TILES; ++tile)
#pragma unroll
            for (u32 half = 0; half < 2; ++half) {
                float most = largest[tile][half];
#pragma unroll
                for (u32 column = 0; column < SCORE_TILES; ++column) {
                    const float(&of)[4] = scores.at[tile][column];
                    most = fmaxf(most, fmaxf(of[2 * half], of[2 * half + 1]));
                }
                most = fmaxf(most, __shfl_xor_sync(WHOLE_WARP, most, 1));
                most = fmaxf(most, __shfl_xor_sync(WHOLE_WARP, most, 2));
                // Where every score is minus infinity the weights are zero instead of NaN.
                const float shift = most == hidden() ? 0.0f : most * scale_log2;
                const float fade = power_of_two(largest[tile][half] * scale_log2 - shift);
                float sum = 0.0f;
#pragma unroll
                for (u32 column = 0; column < SCORE_TILES; ++column)
#pragma unroll
                    for (u32 i = 0; i < 2; ++i) {
                        float& x = scores.at[tile][column][2 * half + i];
                        x = power_of_two(fmaf(x, scale_log2, -shift));
                        sum += x;
                    }
                largest[tile][half] = most;
                total[tile][half] = total[tile][half] * fade + sum;
#pragma unroll
                for (u32 column = 0; column < WIDTH_TILES; ++column) {
                    output.at[tile][column][2 * half] *= fade;
                    output.at[tile][column][2 * half + 1] *= fade;
                }
            }
    }
};

// out [N, H, D] and lse [N, H].
extern "C" __global__ __launch_bounds__(THREADS, 2) void attention_mma_forward(
    const u16* q, const u16* k, const u16* v, const u32* work, float* out, float* lse, u32 num_queries,
    u32 num_keys, u32 heads, u32 sharing, u32 width, float scale, u32 causal) {
    DYNAMIC_SHARED(u16, shared);
    u16* const queries = shared;                // [QUERY_ROWS, STRIDE]
    u16* const stages = shared + QUERY_ROWS * STRIDE; // [2, keys and values, STAGE, STRIDE]
    const Item item = item_of(work);
    const u32 head = blockIdx.y, first = item.block * QUERY_ROWS, first_of_warp = first + warp_row<QUERY_TILES>();
    const u16* const q_rows = q + ((size_t)head * num_queries + item.first_query) * WIDTH;
    const size_t key_row = (size_t)(head / sharing) * num_keys + item.first_key;
    const u16 *const k_rows = k + key_row * WIDTH, *const v_rows = v + key_row * WIDTH;
    const u32 seen = visible(item, first + QUERY_ROWS - 1, causal);
    const u32 least_seen = visible(item, first_of_warp, causal);
    const u32 most_seen = visible(item, first_of_warp + 16 * QUERY_TILES - 1, causal);
    const float scale_log2 = scale * LOG2_E;

    bring_rows<QUERY_ROWS>(queries, q_rows, first, item.queries - 1);
    bring_rows<STAGE>(stages, k_rows, 0, item.keys - 1);
    bring_rows<STAGE>(stages + STAGE * STRIDE, v_rows, 0, item.keys - 1);
    commit_copies();
    Softmax softmax;
    Sums<QUERY_TILES, WIDTH_TILES> output;
    output.clear();
    for (u32 key = 0; key < seen; key += STAGE) {
        const u16* const keys = stages + key / STAGE % 2 * 2 * STAGE * STRIDE;
        const u16* const values = keys + STAGE * STRIDE;
        wait_copies<0>();
        __syncthreads(); // this stage is there, and everyone has left the other
        if (key + STAGE < seen) {
            u16* const next = stages + (1 - key / STAGE % 2) * 2 * STAGE * STRIDE;
            bring_rows<STAGE>(next, k_rows, key + STAGE, item.keys - 1);
            bring_rows<STAGE>(next + STAGE * STRIDE, v_rows, key + STAGE, item.keys - 1);
            commit_copies();
        }
        if (key >= most_seen) continue; // by no row of this warp
        Sums<QUERY_TILES, SCORE_TILES> scores;
        scores.clear();
        add_products_of_rows(scores, queries + warp_row<QUERY_TILES>() * STRIDE, keys);
        if (key + STAGE > least_seen) hide_keys(scores, item, first_of_warp, key, causal);
        softmax.take(scores, output, scale_log2);
        add_weighted_rows(output, Weights<QUERY_TILES, SCORE_TILES>(scores), values);
    }

    float reciprocals[QUERY_TILES][2];
#pragma unroll
    for (u32 tile = 0; tile < QUERY_TILES; ++tile)
#pragma unroll
        for (u32 half = 0; half < 2; ++half) {
            float total = softmax.total[tile][half];
            total += __shfl_xor_sync(WHOLE_WARP, total, 1);
            total += __shfl_xor_sync(WHOLE_WARP, total, 2);
            reciprocals[tile][half] = 1.0f / total;
            const u32 row = first_of_warp + 16 * tile + 8 * half + lane_row();
            if (lane_column() == 0 && row < item.queries)
                lse[(size_t)(item.first_query + row) * heads + head] =
                    softmax.largest[tile][half] * scale + logf(total);
        }
    float* const to = out + ((size_t)item.first_query * heads + head) * width;
    store_rows(to, output, reciprocals, first_of_warp, item.queries, (size_t)heads * width, width);
}

// dq [N, H, D].
extern "C" __global__ __launch_bounds__(THREADS, 2) void attention_mma_query_gradient(
    const u16* q, const u16* k, const u16* v, const u16* grad, const float* lse2, const float* delta,
    const u32* work, float* dq, u32 num_queries, u32 num_keys, u32 heads, u32 sharing, u32 width, float scale,
    float factor, u32 causal) {
    DYNAMIC_SHARED(u16, shared);
    u16* const queries = shared;                    // [QUERY_ROWS, STRIDE]
    u16* const grads = shared + QUERY_ROWS * STRIDE;      // [QUERY_ROWS, STRIDE]
    u16* const stages = shared + 2 * QUERY_ROWS * STRIDE; // [2, keys and values, STAGE, STRIDE]
    const Item item = item_of(work);
    const u32 head = blockIdx.y, first = item.block * QUERY_ROWS, first_of_warp = first + warp_row<QUERY_TILES>();
    const size_t query_row = (size_t)head * num_queries + item.first_query;
    const size_t key_row = (size_t)(head / sharing) * num_keys + item.first_key;
    const u16 *const k_rows = k + key_row * WIDTH, *const v_rows = v + key_row * WIDTH;
    const u32 seen = visible(item, first + QUERY_ROWS - 1, causal);
    const u32 least_seen = visible(item, first_of_warp, causal);
    const u32 most_seen = visible(item, first_of_warp + 16 * QUERY_TILES - 1, causal);
    const float scale_log2 = scale * LOG2_E;

    bring_rows<QUERY_ROWS>(queries, q + query_row * WIDTH, first, item.queries - 1);
    bring_rows<QUERY_ROWS>(grads, grad + query_row * WIDTH, first, item.queries - 1);
    bring_rows<STAGE>(stages, k_rows, 0, item.keys - 1);
    bring_rows<STAGE>(stages + STAGE * STRIDE, v_rows, 0, item.keys - 1);
    commit_copies();
    float of_row[QUERY_TILES][2], delta_of[QUERY_TILES][2], factors[QUERY_TILES][2];
#pragma unroll
    for (u32 tile = 0; tile < QUERY_TILES; ++tile)
#pragma unroll
        for (u32 half = 0; half < 2; ++half) {
            const u32 row = first_of_warp + 16 * tile + 8 * half + lane_row();
            const size_t at = query_row + (row < item.queries ? row : item.queries - 1);
            of_row[tile][half] = lse2[at];
            delta_of[tile][half] = delta[at];
            factors[tile][half] = factor;
        }
    Sums<QUERY_TILES, WIDTH_TILES> sums;
    sums.clear();
    for (u32 key = 0; key < seen; key += STAGE) {
        const u16* const keys = stages + key / STAGE % 2 * 2 * STAGE * STRIDE;
        const u16* const values = keys + STAGE * STRIDE;
        wait_copies<0>();
        __syncthreads(); // this stage is there, and everyone has left the other
        if (key + STAGE < seen) {
            u16* const next = stages + (1 - key / STAGE % 2) * 2 * STAGE * STRIDE;
            bring_rows<STAGE>(next, k_rows, key + STAGE, item.keys - 1);
            bring_rows<STAGE>(next + STAGE * STRIDE, v_rows, key + STAGE, item.keys - 1);
            commit_copies();
        }
#pragma unroll
        for (u32 part = 0; part < STAGE; part += SLOPES) {
            if (key + part >= most_seen) continue; // by no row of this warp
            Sums<QUERY_TILES, SLOPE_TILES> scores, slopes;
            scores.clear();
            slopes.clear();
            add_products_of_rows(scores, queries + warp_row<QUERY_TILES>() * STRIDE, keys + part * STRIDE);
            add_products_of_rows(slopes, grads + warp_row<QUERY_TILES>() * STRIDE, values + part * STRIDE);
            if (key + part + SLOPES > least_seen) hide_keys(scores, item, first_of_warp, key + part, causal);
#pragma unroll
            for (u32 tile = 0; tile < QUERY_TILES; ++tile)
#pragma unroll
                for (u32 column = 0; column < SLOPE_TILES; ++column)
#pragma unroll
                    for (u32 i = 0; i < 4; ++i) {
                        const float x = scores.at[tile][column][i];
                        const float p = power_of_two(fmaf(x, scale_log2, -of_row[tile][i / 2]));
                        float& slope = slopes.at[tile][column][i];
                        slope = p * (slope - delta_of[tile][i / 2]);
                    }
            add_weighted_rows(sums, Weights<QUERY_TILES, SLOPE_TILES>(slopes), keys + part * STRIDE);
        }
    }
    float* const to = dq + ((size_t)item.first_query * heads + head) * width;
    store_rows(to, sums, factors, first_of_warp, item.queries, (size_t)heads * width, width);
}

// dk and dv [M, G, D]: the queries of all heads that share a key head, one head after the other.
extern "C" __global__ __launch_bounds__(THREADS, 2) void attention_mma_key_gradient(
    const u16* q, const u16* k, const u16* v, const u16* grad, const float* lse2, const float* delta,
    const u32* work, float* dk, float* dv, u32 num_queries, u32 num_keys, u32 key_heads, u32 sharing, u32 width,
    float scale, u32 causal) {
    DYNAMIC_SHARED(u16, shared);
    u16* const keys = shared;                        // [KEY_ROWS, STRIDE]
    u16* const values = shared + KEY_ROWS * STRIDE;      // [KEY_ROWS, STRIDE]
    u16* const stages = shared + 2 * KEY_ROWS * STRIDE;  // [2, queries and gradients, STAGE, STRIDE]
    float* const statistics = reinterpret_cast<float*>(stages + 4 * STAGE * STRIDE); // [2, lse2 and delta, STAGE]
    const Item item = item_of(work);
    const u32 first = item.block * KEY_ROWS, first_of_warp = first + warp_row<KEY_TILES>();
    const u32 earlier = item.keys - item.queries; // keys that the first query sees before its own
    const u32 first_query = causal && first > earlier ? first - earlier : 0;
    const u32 blocks = ceil_div(item.queries - first_query, STAGE), turns = sharing * blocks;
    const size_t key_row = (size_t)blockIdx.y * num_keys + item.first_key;
    const float scale_log2 = scale * LOG2_E;

    // Rows of the head of a turn, and the first of its queries.
    const auto row_of = [&](u32 turn) {
        return (size_t)(blockIdx.y * sharing + turn / blocks) * num_queries + item.first_query;
    };
    const auto query_of = [&](u32 turn) { return first_query + turn % blocks * STAGE; };
    const auto bring_turn = [&](u32 turn) {
        u16* const to = stages + turn % 2 * 2 * STAGE * STRIDE;
        bring_rows<STAGE>(to, q + row_of(turn) * WIDTH, query_of(turn), item.queries - 1);
        bring_rows<STAGE>(to + STAGE * STRIDE, grad + row_of(turn) * WIDTH, query_of(turn), item.queries - 1);
        commit_copies();
    };
    // The number that this thread brings: half of the block lse2, the other half delta.
    const auto statistic_of = [&](u32 turn) {
        const u32 query = query_of(turn) + threadIdx.x % STAGE;
        const float* const from = (threadIdx.x < STAGE ? lse2 : delta) + row_of(turn);
        return from[query < item.queries ? query : item.queries - 1];
    };

    bring_rows<KEY_ROWS>(keys, k + key_row * WIDTH, first, item.keys - 1);
    bring_rows<KEY_ROWS>(values, v + key_row * WIDTH, first, item.keys - 1);
    bring_turn(0);
    if (threadIdx.x < 2 * STAGE) statistics[threadIdx.x] = statistic_of(0);
    Sums<KEY_TILES, WIDTH_TILES> key_sums, value_sums;
    key_sums.clear();
    value_sums.clear();
    for (u32 turn = 0; turn < turns; ++turn) {
        const u16* const queries = stages + turn % 2 * 2 * STAGE * STRIDE;
        const u16* const grads = queries + STAGE * STRIDE;
        float next = 0.0f;
        wait_copies<0>();
        __syncthreads(); // this turn is there, and everyone has left the one before
        if (turn + 1 < turns) {
            bring_turn(turn + 1);
            next = statistic_of(turn + 1);
        }
#pragma unroll
        for (u32 part = 0; part < STAGE; part += SLOPES) {
            const u32 query = query_of(turn) + part;
            if (query >= item.queries) continue;
            if (first_of_warp >= visible(item, query + SLOPES - 1, causal)) continue;
            Sums<KEY_TILES, SLOPE_TILES> scores, slopes;
            scores.clear();
            slopes.clear();
            add_products_of_rows(scores, keys + warp_row<KEY_TILES>() * STRIDE, queries + part * STRIDE);
            add_products_of_rows(slopes, values + warp_row<KEY_TILES>() * STRIDE, grads + part * STRIDE);
            const bool all_seen = query + SLOPES <= item.queries &&
                                  first_of_warp + 16 * KEY_TILES <= visible(item, query, causal);
            if (!all_seen) hide_queries(scores, item, first_of_warp, query, causal);
            const float* const of_query = statistics + turn % 2 * 2 * STAGE + part + lane_column();
#pragma unroll
            for (u32 column = 0; column < SLOPE_TILES; ++column)
#pragma unroll
                for (u32 i = 0; i < 2; ++i) {
                    const float lse2_of = of_query[8 * column + i], delta_of = of_query[STAGE + 8 * column + i];
#pragma unroll
                    for (u32 tile = 0; tile < KEY_TILES; ++tile)
#pragma unroll
                        for (u32 half = 0; half < 2; ++half) {
                            float& x = scores.at[tile][column][2 * half + i];
                            float& slope = slopes.at[tile][column][2 * half + i];
                            x = power_of_two(fmaf(x, scale_log2, -lse2_of));
                            slope = x * (slope - delta_of);
                        }
                }
            add_weighted_rows(value_sums, Weights<KEY_TILES, SLOPE_TILES>(scores), grads + part * STRIDE);
            add_weighted_rows(key_sums, Weights<KEY_TILES, SLOPE_TILES>(slopes), queries + part * STRIDE);
        }
        if (turn + 1 < turns && threadIdx.x < 2 * STAGE) statistics[(1 - turn % 2) * 2 * STAGE + threadIdx.x] = next;
    }
    float ones[KEY_TILES][2], scales[KEY_TILES][2];
#pragma unroll
    for (u32 tile = 0; tile < KEY_TILES; ++tile)
#pragma unroll
        for (u32 half = 0; half < 2; ++half) {
            ones[tile][half] = 1.0f;
            scales[tile][half] = scale;
        }
    const size_t to = ((size_t)item.first_key * key_heads + blockIdx.y) * width;
    store_rows(dk + to, key_sums, scales, first_of_warp, item.keys, (size_t)key_heads * width, width);
    store_rows(dv + to, value_sums, ones, first_of_warp, item.keys, (size_t)key_heads * width, width);
}
