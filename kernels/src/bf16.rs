//! The nearest bf16 of a number, as every kernel, reference and test rounds it.

use half::bf16;

/// Nearest bf16 of `x`, ties to even, as f32. NaN stays NaN, overflow gives infinity.
pub fn round_f32(x: f32) -> f32 {
    bf16::from_f32(x).to_f32()
}

/// Nearest bf16 of `x`, ties to even, as f64.
///
/// The value is first rounded to f32 *to odd*, which keeps a trace of the discarded bits, so
/// that rounding twice gives what rounding once would.
/// Source: Boldo and Melquiond, "Emulation of a FMA and correctly rounded sums: proved
/// algorithms using rounding to odd", IEEE Trans. Computers 57 (2008), doi:10.1109/TC.2007.70819.
pub fn round_f64(x: f64) -> f64 {
    f64::from(round_f32(to_f32_odd(x)))
}

/// `x` in f32; when inexact, the neighbour whose last bit is set.
#[expect(clippy::cast_possible_truncation, reason = "rounding is the purpose")]
fn to_f32_odd(x: f64) -> f32 {
    let near = x as f32;
    let back = f64::from(near);
    if x.is_nan() || near.is_infinite() || back.to_bits() == x.to_bits() || near.to_bits() & 1 == 1
    {
        return near;
    }
    // `near` is even and inexact: the odd neighbour lies on the side of `x`.
    let away_from_zero = x.abs() > back.abs();
    f32::from_bits(if away_from_zero { near.to_bits() + 1 } else { near.to_bits() - 1 })
}
