// rotary.cu: pairs of features of every head turn by an angle per position.
//
// maths          y1 = x1 cos - x2 sin, y2 = x2 cos + x1 sin, with x = (x1, x2), halves of each head
// layout         x, y [rows, 2 half], a row being a token and head; cos, sin [tokens, half];
//                rows = tokens heads, row r belongs to token r / heads; row-major
// dtypes         Real
// launch         256 threads, one for four columns of both halves; grid ceil(rows ceil(half / 4) / 256)
// variants       Real = float | double
// requires       nothing of sizes; packs of four are used where addresses are multiples of 16
// deterministic  yes
// oracle, bound  reference.rs; roofline.rs (memory)
// source         mod.rs
#include "prelude.cuh"

typedef Pack4<Real>::Type Pack;

extern "C" __global__ __launch_bounds__(256) void rotary(const Real* x, const Real* cos_table, const Real* sin_table,
                                                         Real* y, u64 rows, u32 heads, u32 half) {
    const u32 packs = ceil_div(half, 4);
    const u64 index = u64(blockIdx.x) * blockDim.x + threadIdx.x, row = index / packs;
    if (row >= rows) return;
    const u32 column = 4 * u32(index % packs);
    const u64 angles = row / heads * half, start = row * 2 * half;
    const Pack first = load4_within(x + start, column, half), second = load4_within(x + start + half, column, half);
    const Pack c = load4_within(cos_table + angles, column, half), s = load4_within(sin_table + angles, column, half);
    Pack to_first, to_second;
    for (u32 i = 0; i < 4; ++i) {
        to_first.at[i] = first.at[i] * c.at[i] - second.at[i] * s.at[i];
        to_second.at[i] = second.at[i] * c.at[i] + first.at[i] * s.at[i];
    }
    store4_within(y + start, column, half, to_first);
    store4_within(y + start + half, column, half, to_second);
}
