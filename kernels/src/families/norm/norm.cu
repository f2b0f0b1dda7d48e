// norm.cu: RMS and layer normalisation of rows, forward and backward.
//
// maths          as mod.rs; with h the normalised row: y = w h (+ b), dx = r (t - mean(t) - h mean(t h)), t = w g
// layout         x, y, grad, dx [rows, width]; weight, bias [width]; partial [blocks, width]; row-major
// dtypes         Real, sums in Real
// launch         THREADS = 256 a block; TEAM threads share a row, so THREADS / TEAM rows at a time and block.
//                forward: grid ceil(rows / (THREADS / TEAM)). backward: block b takes rows_per_block rows from
//                b * rows_per_block on, and writes row b of the partial sums. No dynamic shared memory
// variants       Real = float; TEAM = 32; PACKS = 2 | 4 | 8
// variants       Real = double; TEAM = 32; PACKS = 2 | 4
// variants       Real = float; TEAM = 256; PACKS = 1 | 2 | 4 | 8 | 0
// variants       Real = double; TEAM = 256; PACKS = 1 | 2 | 4 | 0
// requires       PACKS * 4 * TEAM >= width, where a row stays in registers; PACKS = 0 takes any width and reads
//                rows again from the cache. Rows whose width is no multiple of 4 are read number by number
// deterministic  all: gradients of weight and bias are summed by rows within a block, then by reduce.cu
// oracle, bound  reference.rs; roofline.rs (memory)
// source         mod.rs
#include "prelude.cuh"

// For the compiler of the editor; the host side always says.
#ifndef TEAM
#define TEAM 32
#endif
#ifndef PACKS
#define PACKS 2
#endif

constexpr u32 THREADS = 256;
constexpr u32 TEAMS = THREADS / TEAM;
// Packs of a row in registers; one unused where a row is read again.
constexpr u32 KEPT = PACKS > 0 ? PACKS : 1;
static_assert(TEAM == WARP || TEAM == THREADS, "a row belongs to a warp or to a block");

typedef Pack4<Real>::Type Pack;

// Sum over the threads of a row, the same in each.
__device__ __forceinline__ Real team_sum(Real x) {
    if constexpr (TEAM == WARP) {
        return warp_sum(x);
    } else {
        return block_sum(x);
    }
}

__device__ __forceinline__ u32 team_index() { return threadIdx.x / TEAM; }
__device__ __forceinline__ u32 member_index() { return threadIdx.x % TEAM; }

// Columns of a member: pack p begins at 4 * (p * TEAM + member).
__device__ __forceinline__ u32 column_of(u32 pack) { return 4 * (pack * TEAM + member_index()); }
__device__ __forceinline__ u32 packs_of(u32 width) {
    if constexpr (PACKS > 0) {
        return PACKS;
    } else {
        return ceil_div(width, 4 * TEAM);
    }
}

// Four numbers of a row, zero behind its end.
__device__ __forceinline__ Pack load_pack(const Real* row, u32 column, u32 width) {
    if (width % 4 == 0 && column < width) return load4(row + column);
    Pack x = {};
    for (u32 at = 0; at < 4; ++at)
        if (column + at < width) x.at[at] = row[column + at];
    return x;
}

__device__ __forceinline__ void store_pack(Real* row, u32 column, u32 width, Pack x) {
    if (width % 4 == 0) {
        if (column < width) store4(row + column, x);
        return;
    }
    for (u32 at = 0; at < 4; ++at)
        if (column + at < width) row[column + at] = x.at[at];
}

// A row as its team holds it: in registers, or read again where it is too wide for them.
struct Row {
    const Real* row;
    u32 width;
    Pack kept[KEPT];

    __device__ __forceinline__ Row(const Real* start, u32 width_) : row(start), width(width_) {
        if constexpr (PACKS > 0) {
#pragma unroll
            for (u32 pack = 0; pack < KEPT; ++pack) kept[pack] = load_pack(row, column_of(pack), width);
        }
    }

    __device__ __forceinline__ Pack operator[](u32 pack) const {
        if constexpr (PACKS > 0) {
            return kept[pack];
        } else {
            return load_pack(row, column_of(pack), width);
        }
    }
};

// Mean (zero unless it is taken off) and reciprocal root.
struct Statistics {
    Real mean;
    Real reciprocal;
};

template <bool CENTRED>
__device__ __forceinline__ Statistics statistics(const Row& x, u32 width, Real epsilon) {
    Statistics of = {0, 0};
    if (CENTRED) {
        Real sum = 0;
#pragma unroll
        for (u32 pack = 0; pack < packs_of(width); ++pack) {
            const Pack four = x[pack];
            sum += (four.at[0] + four.at[1]) + (four.at[2] + four.at[3]);
        }
        of.mean = team_sum(sum) / Real(width);
    }
    Real squares = 0;
#pragma unroll
    for (u32 pack = 0; pack < packs_of(width); ++pack) {
        const Pack four = x[pack];
        for (u32 at = 0; at < 4; ++at) {
            // Behind the end of the row there is nothing to be off the mean.
            const Real distance = column_of(pack) + at < width ? four.at[at] - of.mean : Real(0);
            squares += distance * distance;
        }
    }
    of.reciprocal = Real(1) / sqrt(team_sum(squares) / Real(width) + epsilon);
    return of;
}

template <bool CENTRED>
__device__ __forceinline__ void forward(const Real* x, const Real* weight, const Real* bias, Real* y, u32 rows, u32 width,
                        Real epsilon) {
    const u32 row = blockIdx.x * TEAMS + team_index();
    if (row >= rows) return;  // a whole team: nobody waits for it
    const u64 start = u64(row) * width;
    const Row of_x(x + start, width);
    const Statistics of = statistics<CENTRED>(of_x, width, epsilon);
#pragma unroll
    for (u32 pack = 0; pack < packs_of(width); ++pack) {
        const u32 column = column_of(pack);
        if (column >= width) continue;
        const Pack four = of_x[pack], scale = load_pack(weight, column, width);
        Pack out;
        for (u32 at = 0; at < 4; ++at) out.at[at] = (four.at[at] - of.mean) * of.reciprocal * scale.at[at];
        if (CENTRED) {
            const Pack shift = load_pack(bias, column, width);
            for (u32 at = 0; at < 4; ++at) out.at[at] += shift.at[at];
        }
        store_pack(y + start, column, width, out);
    }
}

// Sums over rows of g h and g, of the columns of one thread.
struct ColumnSums {
    Pack weight[KEPT];
    Pack bias[KEPT];
};

// Adds a pack to a row of partial sums in memory, which belongs to this thread's block alone.
__device__ __forceinline__ void add_to(Real* partial, u32 column, u32 width, Pack x) {
    const Pack old = load_pack(partial, column, width);
    for (u32 at = 0; at < 4; ++at) x.at[at] += old.at[at];
    store_pack(partial, column, width, x);
}

template <bool CENTRED>
__device__ __forceinline__ void backward_row(const Real* grad, const Real* x, const Real* weight, Real* dx, u32 width, Real epsilon,
                             ColumnSums& sums, Real* weight_partial, Real* bias_partial) {
    const Row of_x(x, width), of_grad(grad, width);
    const Statistics of = statistics<CENTRED>(of_x, width, epsilon);
    Real level = 0, along = 0;
#pragma unroll
    for (u32 pack = 0; pack < packs_of(width); ++pack) {
        const u32 column = column_of(pack);
        const Pack four = of_x[pack], g = of_grad[pack], w = load_pack(weight, column, width);
        Pack products;
        for (u32 at = 0; at < 4; ++at) {
            const Real t = w.at[at] * g.at[at], h = (four.at[at] - of.mean) * of.reciprocal;
            if (CENTRED) level += t;
            along += t * h;
            products.at[at] = g.at[at] * h;
        }
        if constexpr (PACKS > 0) {
            for (u32 at = 0; at < 4; ++at) {
                sums.weight[pack].at[at] += products.at[at];
                if (CENTRED) sums.bias[pack].at[at] += g.at[at];
            }
        } else {
            add_to(weight_partial, column, width, products);
            if (CENTRED) add_to(bias_partial, column, width, g);
        }
    }
    if (CENTRED) level = team_sum(level) / Real(width);
    along = team_sum(along) / Real(width);
#pragma unroll
    for (u32 pack = 0; pack < packs_of(width); ++pack) {
        const u32 column = column_of(pack);
        if (column >= width) continue;
        const Pack four = of_x[pack], g = of_grad[pack], w = load_pack(weight, column, width);
        Pack out;
        for (u32 at = 0; at < 4; ++at) {
            const Real t = w.at[at] * g.at[at], h = (four.at[at] - of.mean) * of.reciprocal;
            out.at[at] = of.reciprocal * (t - level - h * along);
        }
        store_pack(dx, column, width, out);
    }
}

// Adds the sums of the teams of a block in their order, and writes them to its row of `partial`.
__device__ __forceinline__ void write_sums(const Pack* sums, Real* partial, u32 width) {
    __shared__ Real of_team[TEAMS][4 * TEAM];
#pragma unroll
    for (u32 pack = 0; pack < KEPT; ++pack) {
        for (u32 at = 0; at < 4; ++at) of_team[team_index()][4 * member_index() + at] = sums[pack].at[at];
        __syncthreads();  // the sums of all teams are written
        for (u32 at = threadIdx.x; at < 4 * TEAM; at += THREADS) {
            Real sum = of_team[0][at];
            for (u32 team = 1; team < TEAMS; ++team) sum += of_team[team][at];
            const u32 column = 4 * TEAM * pack + at;
            if (column < width) partial[column] = sum;
        }
        __syncthreads();  // and read, before the next pack takes their place
    }
}

template <bool CENTRED>
__device__ __forceinline__ void backward(const Real* grad, const Real* x, const Real* weight, Real* dx, Real* weight_partial,
                         Real* bias_partial, u32 rows, u32 width, Real epsilon, u32 rows_per_block) {
    ColumnSums sums = {};
    Real* const weights = weight_partial + u64(blockIdx.x) * width;
    Real* const biases = CENTRED ? bias_partial + u64(blockIdx.x) * width : nullptr;
    if constexpr (PACKS == 0) {
        for (u32 pack = 0; pack < packs_of(width); ++pack) {
            store_pack(weights, column_of(pack), width, Pack{});
            if (CENTRED) store_pack(biases, column_of(pack), width, Pack{});
        }
    }
    const u64 first = u64(blockIdx.x) * rows_per_block;
    for (u32 at = team_index(); at < rows_per_block && first + at < rows; at += TEAMS) {
        const u64 start = (first + at) * width;
        backward_row<CENTRED>(grad + start, x + start, weight, dx + start, width, epsilon, sums, weights, biases);
    }
    if constexpr (PACKS > 0) {
        write_sums(sums.weight, weights, width);
        if (CENTRED) write_sums(sums.bias, biases, width);
    }
}

extern "C" __global__ __launch_bounds__(256) void rms_norm(const Real* x, const Real* weight, Real* y, u32 rows, u32 width,
                                                           Real epsilon) {
    forward<false>(x, weight, nullptr, y, rows, width, epsilon);
}

extern "C" __global__ __launch_bounds__(256) void layer_norm(const Real* x, const Real* weight, const Real* bias, Real* y,
                                                             u32 rows, u32 width, Real epsilon) {
    forward<true>(x, weight, bias, y, rows, width, epsilon);
}

extern "C" __global__ __launch_bounds__(256) void rms_norm_backward(const Real* grad, const Real* x, const Real* weight, Real* dx,
                                                                    Real* weight_partial, u32 rows, u32 width, Real epsilon,
                                                                    u32 rows_per_block) {
    backward<false>(grad, x, weight, dx, weight_partial, nullptr, rows, width, epsilon, rows_per_block);
}

extern "C" __global__ __launch_bounds__(256) void layer_norm_backward(const Real* grad, const Real* x, const Real* weight,
                                                                      Real* dx, Real* weight_partial, Real* bias_partial,
                                                                      u32 rows, u32 width, Real epsilon, u32 rows_per_block) {
    backward<true>(grad, x, weight, dx, weight_partial, bias_partial, rows, width, epsilon, rows_per_block);
}
