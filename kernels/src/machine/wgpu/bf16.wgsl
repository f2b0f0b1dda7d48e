// bf16.wgsl: the nearest bf16 of an f32, ties to even, as an f32. Put before the text of kernels that
// use it. NaN stays NaN, overflow gives infinity, as in precision.rs.
fn round_bf16(x: f32) -> f32 {
    let bits = bitcast<u32>(x);
    if (bits & 0x7fffffffu) > 0x7f800000u {
        return x; // NaN: rounding up could carry it into an infinity or zero
    }
    // Half of the last kept digit, less one unless that digit is odd.
    let rounded = bits + 0x7fffu + ((bits >> 16u) & 1u);
    return bitcast<f32>(rounded & 0xffff0000u);
}
