// dropout.wgsl: a mask drawn by Philox4x32-10 from a key and the number of each element.
//
// maths     y[e] = x[e] scale if u[e] >= threshold else x[e] * 0, u as in philox.rs
// layout    x, y [N, C], P numbers
// bindings  0 x  1 y  2 Params
// launch    a thread per number
// requires  fewer than 2^32 numbers, so that the upper half of an element's number is zero
// oracle    reference.rs; words of philox.rs, to the bit     bound  memory, roofline.rs
override THREADS: u32 = 256;

struct Params {
    count: u32,      // offset 0
    key_low: u32,    // offset 4
    key_high: u32,   // offset 8
    index_low: u32,  // offset 12
    index_high: u32, // offset 16
    threshold: u32,  // offset 20
    scale: f32,      // offset 24
}

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

// Upper half of the 64 bits of a product, from products of 16 bits.
fn upper_half(a: u32, b: u32) -> u32 {
    let low = (a & 0xffffu) * (b & 0xffffu);
    let middle = (a >> 16u) * (b & 0xffffu) + (low >> 16u); // below 2^32
    let other = (a & 0xffffu) * (b >> 16u) + (middle & 0xffffu);
    return (a >> 16u) * (b >> 16u) + (middle >> 16u) + (other >> 16u);
}

fn first_word(element: u32) -> u32 {
    var c = vec4(element, 0u, params.index_low, params.index_high);
    var key = vec2(params.key_low, params.key_high);
    for (var round = 0u; round < 10u; round++) {
        c = vec4(
            upper_half(0xCD9E8D57u, c.z) ^ c.y ^ key.x,
            0xCD9E8D57u * c.z,
            upper_half(0xD2511F53u, c.x) ^ c.w ^ key.y,
            0xD2511F53u * c.x,
        );
        key += vec2(0x9E3779B9u, 0xBB67AE85u);
    }
    return c.x;
}

@compute @workgroup_size(THREADS)
fn dropout(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = (group.x + group.y * groups.x) * THREADS + thread;
    if at < params.count {
        y[at] = x[at] * select(0.0, params.scale, first_word(at) >= params.threshold);
    }
}
