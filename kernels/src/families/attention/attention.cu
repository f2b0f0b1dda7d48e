// attention.cu: attention and its gradients in f32 or f64, by plain multiplications, tile by tile.
//
// maths          of mod.rs; the forward keeps a running maximum m per query: w[j] = exp(s[j] - m),
//                o = sum_j w[j] v[j] / sum_j w[j], and what was summed before fades by exp(m' - m)
// layout         of mod.rs, row-major. delta [N, H]. work [items, 5] u32: first query, queries, first key,
//                keys of a segment, block of BLOCK rows in it
// dtypes         Real in, out and in all sums. ROUNDED: operands of the products are rounded to bf16,
//                w before the product with v, p and ds before theirs; totals take what was not rounded
// launch         attention_delta: a warp per row and head. Else 256 threads; forward and query gradient:
//                (items, H) blocks, an item is BLOCK queries; key gradient: (items, G), BLOCK keys
// requires       D <= WIDTH, WIDTH % 16 == 0, BLOCK % 16 == 0, H = G sharing, every query sees a key;
//                rows past the last repeat it, unseen
// deterministic  yes: each number is summed by one thread in order of blocks; no atomics
// oracle, bound  reference.rs; roofline.rs
// source         Dao, "FlashAttention-2", arXiv:2307.08691; the gradients have a pass each instead of atomics
// variants       Real = float; WIDTH = 32 | 64 | 128; BLOCK = 64; ROUNDED = 0 | 1
// variants       Real = float; WIDTH = 256; BLOCK = 32; ROUNDED = 0 | 1
// variants       Real = double; WIDTH = 32 | 64 | 128 | 256; BLOCK = 32; ROUNDED = 0 | 1
// tiles          a thread holds PER x PER scores and PER x WIDTH / 16 sums, of keys twice as many: with 64 rows
//                those of width 128 in f32 fit 255 registers, with 32 those of width 256 in f64. NVRTC 13.2 for
//                sm_80 and sm_90a: 64 to 242 registers, the most for the key gradient; nothing spilled

#include "prelude.cuh"

#ifndef WIDTH
#define WIDTH 64 // head width, filled up
#endif
#ifndef BLOCK
#define BLOCK 32 // rows of queries and of keys in a tile
#endif
#ifndef ROUNDED
#define ROUNDED 0
#endif

constexpr u32 SIDE = 16; // threads along each side of a tile
constexpr u32 THREADS = SIDE * SIDE;
constexpr u32 PER = BLOCK / SIDE;     // rows, and columns of scores, of a thread
constexpr u32 STEP = 16;              // columns of operands in shared memory at a time
constexpr u32 COLUMNS = WIDTH / SIDE; // columns of outputs of a thread

static_assert(BLOCK % SIDE == 0 && WIDTH % STEP == 0 && STEP == SIDE, "whole tiles");

// Rows of a segment and head: row i is at numbers + i step; those past the last repeat it.
struct Rows {
    const Real* numbers;
    size_t step;
    u32 last, width;

    __device__ inline Rows(const Real* x, size_t first, u32 count, u32 heads, u32 head, u32 width)
        : numbers(x + (first * heads + head) * width), step((size_t)heads * width), last(count - 1), width(width) {}

    __device__ inline Real at(u32 row, u32 column) const {
        const Real x = column < width ? numbers[(row < last ? row : last) * step + column] : Real(0);
        return ROUNDED ? round_bf16(x) : x;
    }
};

// The part of a segment that a block computes.
struct Item {
    u32 first_query, queries, first_key, keys, block;
};

__device__ inline Item item_of(const u32* work) {
    const u32* item = work + 5 * (size_t)blockIdx.x;
    return {item[0], item[1], item[2], item[3], item[4]};
}

// Keys that a query sees; none for those past the last.
__device__ inline u32 visible(const Item& item, u32 query, u32 causal) {
    if (query >= item.queries) return 0;
    return causal ? item.keys - item.queries + query + 1 : item.keys;
}

// Keys that any query of a block of queries sees.
__device__ inline u32 visible_to_block(const Item& item, u32 causal) {
    const u32 end = (item.block + 1) * BLOCK;
    return visible(item, (end < item.queries ? end : item.queries) - 1, causal);
}

// Place of a thread in a tile.
__device__ inline u32 row_of(u32 i) { return threadIdx.x / SIDE + SIDE * i; }
__device__ inline u32 column_of(u32 j) { return threadIdx.x % SIDE + SIDE * j; }

__device__ inline void load_step(Real (&tile)[BLOCK][STEP + 1], const Rows& rows, u32 first, u32 column) {
    for (u32 at = threadIdx.x; at < BLOCK * STEP; at += THREADS)
        tile[at / STEP][at % STEP] = rows.at(first + at / STEP, column + at % STEP);
}

// out[i][j] = left row_of(i) . right column_of(j), of the rows from `l` and `r` on.
__device__ inline void products_of_rows(Accumulator (&out)[PER][PER], const Rows& left, u32 l, const Rows& right,
                                        u32 r) {
    __shared__ Real of_left[BLOCK][STEP + 1], of_right[BLOCK][STEP + 1];
#pragma unroll
    for (u32 i = 0; i < PER; ++i)
#pragma unroll
        for (u32 j = 0; j < PER; ++j) out[i][j] = 0;
    for (u32 column = 0; column < left.width; column += STEP) {
        __syncthreads(); // the step before has been read
        load_step(of_left, left, l, column);
        load_step(of_right, right, r, column);
        __syncthreads(); // this one is written
#pragma unroll
        for (u32 c = 0; c < STEP; ++c)
#pragma unroll
            for (u32 i = 0; i < PER; ++i)
#pragma unroll
                for (u32 j = 0; j < PER; ++j) out[i][j] += of_left[row_of(i)][c] * of_right[column_of(j)][c];
    }
}

// sums[i][c] += sum over j of weights[row_of(i)][j] right[j][column_of(c)], of the rows from `r` on.
// The weights of a thread are given: [row_of(i)][column_of(j)].
__device__ inline void add_weighted_rows(Accumulator (&sums)[PER][COLUMNS], const Accumulator (&weights)[PER][PER],
                                         const Rows& right, u32 r) {
    __shared__ Real of_weights[BLOCK][BLOCK + 1], of_right[BLOCK][STEP + 1];
    __syncthreads(); // the weights before have been read
#pragma unroll
    for (u32 i = 0; i < PER; ++i)
#pragma unroll
        for (u32 j = 0; j < PER; ++j)
            of_weights[row_of(i)][column_of(j)] = ROUNDED ? round_bf16(weights[i][j]) : weights[i][j];
#pragma unroll
    for (u32 c = 0; c < COLUMNS; ++c) {
        __syncthreads(); // the step before has been read
        load_step(of_right, right, r, STEP * c);
        __syncthreads(); // this one and the weights are written
#pragma unroll
        for (u32 j = 0; j < BLOCK; ++j)
#pragma unroll
            for (u32 i = 0; i < PER; ++i) sums[i][c] += of_weights[row_of(i)][j] * of_right[j][column_of(0)];
    }
}

// Over the sixteen threads of a row.
__device__ inline Accumulator row_max(Accumulator x) {
    for (u32 step = SIDE / 2; step > 0; step /= 2) {
        const Accumulator other = __shfl_xor_sync(WHOLE_WARP, x, step);
        x = other > x ? other : x;
    }
    return x;
}

__device__ inline Accumulator row_sum(Accumulator x) {
    for (u32 step = SIDE / 2; step > 0; step /= 2) x += __shfl_xor_sync(WHOLE_WARP, x, step);
    return x;
}

__device__ inline void clear(Accumulator (&sums)[PER][COLUMNS]) {
#pragma unroll
    for (u32 i = 0; i < PER; ++i)
#pragma unroll
        for (u32 c = 0; c < COLUMNS; ++c) sums[i][c] = 0;
}

// Stores rows of sums times factors, from `first` on, those past `rows` left out, into x [.., heads, D].
__device__ inline void store_rows(Real* x, const Accumulator (&sums)[PER][COLUMNS], const Accumulator (&factors)[PER],
                                  u32 first, u32 rows, u32 heads, u32 width) {
#pragma unroll
    for (u32 i = 0; i < PER; ++i) {
        if (first + row_of(i) >= rows) continue;
#pragma unroll
        for (u32 c = 0; c < COLUMNS; ++c)
            if (column_of(c) < width)
                x[(first + row_of(i)) * (size_t)heads * width + column_of(c)] = sums[i][c] * factors[i];
    }
}

// delta = g . o, both [rows and heads, D]; a warp per row and head.
extern "C" __global__ void attention_delta(const Real* grad, const Real* out, Real* delta, u64 rows, u32 width) {
    const size_t row = (blockIdx.x * (size_t)blockDim.x + threadIdx.x) / WARP;
    if (row >= rows) return;
    Accumulator sum = 0;
    for (u32 column = lane_index(); column < width; column += WARP)
        sum += grad[row * width + column] * out[row * width + column];
    sum = warp_sum(sum);
    if (lane_index() == 0) delta[row] = sum;
}

extern "C" __global__ __launch_bounds__(THREADS, 1) void attention_forward(const Real* q, const Real* k, const Real* v,
                                                                        const u32* work, Real* out, Real* lse,
                                                                        u32 heads, u32 sharing, u32 width,
                                                                        Real scale, u32 causal) {
    const Item item = item_of(work);
    const u32 head = blockIdx.y, first = item.block * BLOCK;
    const Rows queries(q, item.first_query, item.queries, heads, head, width);
    const Rows keys(k, item.first_key, item.keys, heads / sharing, head / sharing, width);
    const Rows values(v, item.first_key, item.keys, heads / sharing, head / sharing, width);
    const Accumulator none = float_of(0xff800000u); // minus infinity
    Accumulator largest[PER], total[PER], output[PER][COLUMNS];
    clear(output);
#pragma unroll
    for (u32 i = 0; i < PER; ++i) {
        largest[i] = none;
        total[i] = 0;
    }
    const u32 seen = visible_to_block(item, causal);
    for (u32 key = 0; key < seen; key += BLOCK) {
        Accumulator scores[PER][PER];
        products_of_rows(scores, queries, first, keys, key);
#pragma unroll
        for (u32 i = 0; i < PER; ++i) {
            const u32 limit = visible(item, first + row_of(i), causal);
            Accumulator most = largest[i];
#pragma unroll
            for (u32 j = 0; j < PER; ++j) {
                scores[i][j] = key + column_of(j) < limit ? scale * scores[i][j] : none;
                most = scores[i][j] > most ? scores[i][j] : most;
            }
            most = row_max(most);
            // Where every score is minus infinity the weights are zero instead of NaN.
            const Accumulator shift = most == none ? Accumulator(0) : most;
            const Accumulator fade = exp(largest[i] - shift);
            Accumulator sum = 0;
#pragma unroll
            for (u32 j = 0; j < PER; ++j) {
                scores[i][j] = exp(scores[i][j] - shift);
                sum += scores[i][j];
            }
            largest[i] = most;
            total[i] = total[i] * fade + sum;
#pragma unroll
            for (u32 c = 0; c < COLUMNS; ++c) output[i][c] *= fade;
        }
        add_weighted_rows(output, scores, values, key);
    }
    Accumulator factors[PER];
#pragma unroll
    for (u32 i = 0; i < PER; ++i) {
        const Accumulator sum = row_sum(total[i]);
        factors[i] = 1 / sum;
        if (first + row_of(i) < item.queries && column_of(0) == 0)
            lse[(size_t)(item.first_query + first + row_of(i)) * heads + head] = largest[i] + log(sum);
    }
    store_rows(out + ((size_t)item.first_query * heads + head) * width, output, factors, first, item.queries, heads,
               width);
}

// p[i][j] and ds[i][j] of queries and keys: from scores and gradients of the probabilities.
__device__ inline void differentiate(Accumulator& score, Accumulator& slope, bool seen, Accumulator scale,
                                     Accumulator lse, Accumulator delta) {
    score = seen ? exp(scale * score - lse) : Accumulator(0);
    slope = seen ? score * (slope - delta) : Accumulator(0);
}

extern "C" __global__ __launch_bounds__(THREADS, 1) void attention_query_gradient(
    const Real* grad, const Real* q, const Real* k, const Real* v, const Real* lse, const Real* delta, const u32* work,
    Real* dq, u32 heads, u32 sharing, u32 width, Real scale, u32 causal) {
    const Item item = item_of(work);
    const u32 head = blockIdx.y, first = item.block * BLOCK;
    const Rows grads(grad, item.first_query, item.queries, heads, head, width);
    const Rows queries(q, item.first_query, item.queries, heads, head, width);
    const Rows keys(k, item.first_key, item.keys, heads / sharing, head / sharing, width);
    const Rows values(v, item.first_key, item.keys, heads / sharing, head / sharing, width);
    Accumulator sums[PER][COLUMNS], factors[PER];
    clear(sums);
    const u32 seen = visible_to_block(item, causal);
    for (u32 key = 0; key < seen; key += BLOCK) {
        Accumulator scores[PER][PER], slopes[PER][PER];
        products_of_rows(scores, queries, first, keys, key);
        products_of_rows(slopes, grads, first, values, key);
#pragma unroll
        for (u32 i = 0; i < PER; ++i) {
            const u32 query = first + row_of(i) < item.queries ? first + row_of(i) : item.queries - 1;
            const size_t row = (size_t)(item.first_query + query) * heads + head;
            const u32 limit = visible(item, query, causal);
            factors[i] = scale;
#pragma unroll
            for (u32 j = 0; j < PER; ++j)
                differentiate(scores[i][j], slopes[i][j], key + column_of(j) < limit, scale, lse[row], delta[row]);
        }
        add_weighted_rows(sums, slopes, keys, key);
    }
    store_rows(dq + ((size_t)item.first_query * heads + head) * width, sums, factors, first, item.queries, heads,
               width);
}

// Queries of all heads that share a key head, one head after the other; keys are the rows of a tile.
extern "C" __global__ __launch_bounds__(THREADS, 1) void attention_key_gradient(
    const Real* grad, const Real* q, const Real* k, const Real* v, const Real* lse, const Real* delta, const u32* work,
    Real* dk, Real* dv, u32 heads, u32 sharing, u32 width, Real scale, u32 causal) {
    const Item item = item_of(work);
    const u32 key_head = blockIdx.y, key_heads = heads / sharing, first = item.block * BLOCK;
    const u32 earlier = item.keys - item.queries; // keys that the first query sees before its own
    const u32 first_query = causal && first > earlier ? first - earlier : 0;
    const Rows keys(k, item.first_key, item.keys, key_heads, key_head, width);
    const Rows values(v, item.first_key, item.keys, key_heads, key_head, width);
    Accumulator key_sums[PER][COLUMNS], value_sums[PER][COLUMNS];
    clear(key_sums);
    clear(value_sums);
    for (u32 head = key_head * sharing; head < (key_head + 1) * sharing; ++head) {
        const Rows grads(grad, item.first_query, item.queries, heads, head, width);
        const Rows queries(q, item.first_query, item.queries, heads, head, width);
        for (u32 query = first_query; query < item.queries; query += BLOCK) {
            Accumulator scores[PER][PER], slopes[PER][PER];
            products_of_rows(scores, keys, first, queries, query);
            products_of_rows(slopes, values, first, grads, query);
#pragma unroll
            for (u32 j = 0; j < PER; ++j) {
                const u32 limit = visible(item, query + column_of(j), causal);
                const u32 own = limit > 0 ? query + column_of(j) : item.queries - 1;
                const size_t row = (size_t)(item.first_query + own) * heads + head;
#pragma unroll
                for (u32 i = 0; i < PER; ++i)
                    differentiate(scores[i][j], slopes[i][j], first + row_of(i) < limit, scale, lse[row], delta[row]);
            }
            add_weighted_rows(value_sums, scores, grads, query);
            add_weighted_rows(key_sums, slopes, queries, query);
        }
    }
    Accumulator ones[PER], factors[PER];
#pragma unroll
    for (u32 i = 0; i < PER; ++i) {
        ones[i] = 1;
        factors[i] = scale;
    }
    const size_t to = ((size_t)item.first_key * key_heads + key_head) * width;
    store_rows(dk + to, key_sums, factors, first, item.keys, key_heads, width);
    store_rows(dv + to, value_sums, ones, first, item.keys, key_heads, width);
}
