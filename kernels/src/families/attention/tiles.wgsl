// tiles.wgsl: what the kernels of attention share: tiles of 32 queries by 32 keys, whose products run
// over the head width in slices of 16 that lie in workgroup memory. Put before their text.
//
// threads   256. Of a product of tiles, thread t holds rows t / 16 and t / 16 + 16 and columns t % 16
//           and t % 16 + 16; of rows by a slice, row t / 8 and columns 2 (t % 8) and the next
// shared    2 slices of 32 rows, padded by one number against bank conflicts: 4352 bytes
// requires  bf16.wgsl before it
override WIDTH: u32 = 64; // D
override SLICES: u32 = (WIDTH + 15u) / 16u;
override ROUNDED: u32 = 0;

const THREADS: u32 = 256u;
const TILE: u32 = 32u;
const SLICE: u32 = 16u;
const PITCH: u32 = SLICE + 1u;
const SCORE_PITCH: u32 = TILE + 1u;
// The most negative f32.
const LOWEST: f32 = -3.40282347e+38;

// Of all entry points but attention_delta.
struct Params {
    heads: u32,   // offset 0, H
    sharing: u32, // offset 4, H / G
    of_keys: u32, // offset 8, M G D
    scale: f32,   // offset 12
    causal: u32,  // offset 16
}

var<workgroup> left: array<f32, TILE * PITCH>;
var<workgroup> right: array<f32, TILE * PITCH>;

// A number as an operand of a matrix product.
fn operand(x: f32) -> f32 {
    if ROUNDED == 1u {
        return round_bf16(x);
    }
    return x;
}

// Product of the rows of `left` with those of `right`, added: rows t / 16 (xy) and t / 16 + 16 (zw).
fn add_product(sum: vec4<f32>, thread: u32) -> vec4<f32> {
    let row = (thread / 16u) * PITCH;
    let column = (thread % 16u) * PITCH;
    var total = sum;
    for (var c = 0u; c < SLICE; c++) {
        let a = vec2(left[row + c], left[row + 16u * PITCH + c]);
        let b = vec2(right[column + c], right[column + 16u * PITCH + c]);
        total += vec4(a.x * b, a.y * b);
    }
    return total;
}

// The end of the keys that a query sees; aligned at the ends of both, as with a cache of keys.
// `queries` is where the queries of its segment end; behind it nothing is seen.
fn seen_end(query: u32, queries: u32, keys: u32, causal: u32) -> u32 {
    if query >= queries {
        return 0u;
    }
    return select(keys, keys - (queries - 1u - query), causal == 1u);
}
