//! Arithmetic alone: chains of fused multiply-adds that never leave the registers.
//!
//! Twelve independent sums hide the latency of an instruction (4 cycles, two a cycle at most). The
//! numbers stay near 1, so nothing is denormal.

use std::hint::black_box;
use std::time::Instant;

/// Independent sums.
const SUMS: usize = 12;
/// Instructions of each sum in one try: some 5 ms.
const REPEATS: usize = 1 << 20;
const TRIES: usize = 10;

/// Flops a second of all threads together.
pub(super) struct Tiles {
    pub(super) instructions: &'static str,
    pub(super) f32: f64,
    pub(super) f64: f64,
    pub(super) bf16: Option<f64>,
}

/// The best tile that this processor has.
pub(super) fn measure() -> Tiles {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            return x86::wide();
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return x86::narrow();
        }
    }
    plain::measure()
}

/// Flops a second when every thread runs `tile` at once, an instruction of which does
/// `flops_per_instruction`.
fn rate(flops_per_instruction: usize, tile: impl Fn() + Sync) -> f64 {
    let flops = (rayon::current_num_threads() * SUMS * REPEATS * flops_per_instruction) as f64;
    let once = |_| {
        let start = Instant::now();
        rayon::broadcast(|_| tile());
        flops / start.elapsed().as_secs_f64()
    };
    (0..TRIES).map(once).fold(0.0, f64::max)
}

/// What any processor can do: arrays that the compiler turns into vectors of the baseline.
mod plain {
    use super::{REPEATS, SUMS, Tiles, black_box, rate};

    /// Lanes of an array; a vector of 16 bytes holds 4 of f32.
    const LANES: usize = 4;

    pub(super) fn measure() -> Tiles {
        let f32 = rate(2 * LANES, || tile(black_box(0.999_f32), black_box(0.001)));
        let f64 = rate(2 * LANES, || tile(black_box(0.999_f64), black_box(0.001)));
        Tiles { instructions: "baseline", f32, f64, bf16: None }
    }

    fn tile<T: Copy + std::ops::Mul<Output = T> + std::ops::Add<Output = T>>(x: T, y: T) {
        let mut sums = [[y; LANES]; SUMS];
        for _ in 0..REPEATS {
            for lane in sums.as_flattened_mut() {
                *lane = *lane * x + y;
            }
        }
        black_box(sums);
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        _mm256_fmadd_pd, _mm256_fmadd_ps, _mm256_set1_pd, _mm256_set1_ps, _mm512_cvtne2ps_pbh,
        _mm512_dpbf16_ps, _mm512_fmadd_pd, _mm512_fmadd_ps, _mm512_set1_pd, _mm512_set1_ps,
    };

    use super::{REPEATS, SUMS, Tiles, black_box, rate};

    /// With AVX-512; the caller has checked that it is there.
    pub(super) fn wide() -> Tiles {
        // SAFETY: `measure` found avx512f before it called this function.
        let (f32, f64) = unsafe { (rate(32, || wide_f32()), rate(16, || wide_f64())) };
        let bf16 = is_x86_feature_detected!("avx512bf16").then(|| {
            // SAFETY: the processor has avx512bf16, checked right above, and so avx512f.
            rate(64, || unsafe { wide_bf16() })
        });
        Tiles { instructions: "AVX-512", f32, f64, bf16 }
    }

    /// With AVX2 and FMA; the caller has checked that they are there.
    pub(super) fn narrow() -> Tiles {
        // SAFETY: `measure` found avx2 and fma before it called this function.
        let (f32, f64) = unsafe { (rate(16, || narrow_f32()), rate(8, || narrow_f64())) };
        Tiles { instructions: "AVX2", f32, f64, bf16: None }
    }

    macro_rules! tile {
        ($name:ident, $features:literal, $set:ident, $multiply_add:ident) => {
            #[target_feature(enable = $features)]
            fn $name() {
                let (x, y) = ($set(black_box(0.999)), $set(black_box(0.001)));
                let mut sums = [y; SUMS];
                for _ in 0..REPEATS {
                    for sum in &mut sums {
                        *sum = $multiply_add(*sum, x, y);
                    }
                }
                black_box(sums);
            }
        };
    }
    tile!(wide_f32, "avx512f", _mm512_set1_ps, _mm512_fmadd_ps);
    tile!(wide_f64, "avx512f", _mm512_set1_pd, _mm512_fmadd_pd);
    tile!(narrow_f32, "avx2,fma", _mm256_set1_ps, _mm256_fmadd_ps);
    tile!(narrow_f64, "avx2,fma", _mm256_set1_pd, _mm256_fmadd_pd);

    /// Pairs of bf16 multiplied and added to f32: 4 flops a lane.
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn wide_bf16() {
        let small = _mm512_set1_ps(black_box(1e-3));
        let pairs = _mm512_cvtne2ps_pbh(small, small);
        let mut sums = [small; SUMS];
        for _ in 0..REPEATS {
            for sum in &mut sums {
                *sum = _mm512_dpbf16_ps(*sum, pairs, pairs);
            }
        }
        black_box(sums);
    }
}
