//! What AVX2 spells in its own way: masks are packs, powers of two are made of their bits.

/// Packs of 8 numbers of f32.
pub(super) mod single {
    use std::arch::x86_64::{
        __m256, _CMP_LT_OQ, _MM_FROUND_NO_EXC, _MM_FROUND_TO_NEAREST_INT, _mm_add_ps, _mm_add_ss,
        _mm_cvtss_f32, _mm_movehl_ps, _mm_shuffle_ps, _mm256_add_ps, _mm256_and_ps,
        _mm256_andnot_ps, _mm256_blendv_ps, _mm256_castps_si256, _mm256_castps256_ps128,
        _mm256_castsi256_ps, _mm256_cmp_ps, _mm256_extractf128_ps, _mm256_loadu_ps, _mm256_mul_ps,
        _mm256_or_ps, _mm256_round_ps, _mm256_set1_ps, _mm256_slli_epi32, _mm256_storeu_ps,
        _mm256_sub_ps,
    };

    use std::mem::MaybeUninit;

    const LANES: usize = 8;
    const BIAS: f32 = 127.0;
    #[expect(clippy::cast_possible_wrap, reason = "a few dozen")]
    const MANTISSA_BITS: i32 = f32::MANTISSA_DIGITS as i32 - 1;

    #[target_feature(enable = "avx2")]
    #[cold]
    #[inline(never)]
    pub(in super::super) fn load_part(values: &[f32]) -> __m256 {
        let mut all = [0.0; LANES];
        for (lane, &value) in all.iter_mut().zip(values) {
            *lane = value;
        }
        // SAFETY: there are as many values as lanes.
        unsafe { _mm256_loadu_ps(all.as_ptr()) }
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    pub(in super::super) fn put_part(x: __m256, to: &mut [MaybeUninit<f32>]) {
        let mut all = [0.0; LANES];
        // SAFETY: there is room for all lanes.
        unsafe { _mm256_storeu_ps(all.as_mut_ptr(), x) };
        for (to, &lane) in to.iter_mut().zip(&all) {
            to.write(lane);
        }
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    pub(in super::super) fn select_less(
        x: __m256,
        bound: __m256,
        yes: __m256,
        no: __m256,
    ) -> __m256 {
        _mm256_blendv_ps(no, yes, _mm256_cmp_ps::<_CMP_LT_OQ>(x, bound))
    }

    /// Halves added, then halves of these, and so on.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(in super::super) fn sum(x: __m256) -> f32 {
        let four = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
        let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    pub(in super::super) fn abs(x: __m256) -> __m256 {
        _mm256_andnot_ps(_mm256_set1_ps(-0.0), x)
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    pub(in super::super) fn with_sign_of(x: __m256, sign: __m256) -> __m256 {
        _mm256_or_ps(abs(x), _mm256_and_ps(_mm256_set1_ps(-0.0), sign))
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    pub(in super::super) fn round(x: __m256) -> __m256 {
        _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(x)
    }

    /// In two steps, because the power of subnormal results is no normal number; the first is exact.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(in super::super) fn scale(x: __m256, power: __m256) -> __m256 {
        let half = round(_mm256_mul_ps(power, _mm256_set1_ps(0.5)));
        let rest = _mm256_sub_ps(power, half);
        _mm256_mul_ps(_mm256_mul_ps(x, power_of_two(half)), power_of_two(rest))
    }

    /// The sum ends in the biased exponent as an integer, which the shift puts in place.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn power_of_two(power: __m256) -> __m256 {
        let sum = _mm256_add_ps(power, _mm256_set1_ps(1.5 / f32::EPSILON + BIAS));
        _mm256_castsi256_ps(_mm256_slli_epi32::<MANTISSA_BITS>(_mm256_castps_si256(sum)))
    }
}

/// Packs of 4 numbers of f64.
pub(super) mod double {
    use std::arch::x86_64::{
        __m256d, _CMP_LT_OQ, _MM_FROUND_NO_EXC, _MM_FROUND_TO_NEAREST_INT, _mm_add_pd, _mm_add_sd,
        _mm_cvtsd_f64, _mm_unpackhi_pd, _mm256_add_pd, _mm256_and_pd, _mm256_andnot_pd,
        _mm256_blendv_pd, _mm256_castpd_si256, _mm256_castpd256_pd128, _mm256_castsi256_pd,
        _mm256_cmp_pd, _mm256_extractf128_pd, _mm256_loadu_pd, _mm256_mul_pd, _mm256_or_pd,
        _mm256_round_pd, _mm256_set1_pd, _mm256_slli_epi64, _mm256_storeu_pd, _mm256_sub_pd,
    };

    use std::mem::MaybeUninit;

    const LANES: usize = 4;
    const BIAS: f64 = 1023.0;
    #[expect(clippy::cast_possible_wrap, reason = "a few dozen")]
    const MANTISSA_BITS: i32 = f64::MANTISSA_DIGITS as i32 - 1;

    #[target_feature(enable = "avx2")]
    #[cold]
    #[inline(never)]
    pub(in super::super) fn load_part(values: &[f64]) -> __m256d {
        let mut all = [0.0; LANES];
        for (lane, &value) in all.iter_mut().zip(values) {
            *lane = value;
        }
        // SAFETY: there are as many values as lanes.
        unsafe { _mm256_loadu_pd(all.as_ptr()) }
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    pub(in super::super) fn put_part(x: __m256d, to: &mut [MaybeUninit<f64>]) {
        let mut all = [0.0; LANES];
        // SAFETY: there is room for all lanes.
        unsafe { _mm256_storeu_pd(all.as_mut_ptr(), x) };
        for (to, &lane) in to.iter_mut().zip(&all) {
            to.write(lane);
        }
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    pub(in super::super) fn select_less(
        x: __m256d,
        bound: __m256d,
        yes: __m256d,
        no: __m256d,
    ) -> __m256d {
        _mm256_blendv_pd(no, yes, _mm256_cmp_pd::<_CMP_LT_OQ>(x, bound))
    }

    /// Halves added, then halves of these.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(in super::super) fn sum(x: __m256d) -> f64 {
        let two = _mm_add_pd(_mm256_castpd256_pd128(x), _mm256_extractf128_pd::<1>(x));
        _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)))
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    pub(in super::super) fn abs(x: __m256d) -> __m256d {
        _mm256_andnot_pd(_mm256_set1_pd(-0.0), x)
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    pub(in super::super) fn with_sign_of(x: __m256d, sign: __m256d) -> __m256d {
        _mm256_or_pd(abs(x), _mm256_and_pd(_mm256_set1_pd(-0.0), sign))
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    pub(in super::super) fn round(x: __m256d) -> __m256d {
        _mm256_round_pd::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(x)
    }

    /// In two steps, because the power of subnormal results is no normal number; the first is exact.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(in super::super) fn scale(x: __m256d, power: __m256d) -> __m256d {
        let half = round(_mm256_mul_pd(power, _mm256_set1_pd(0.5)));
        let rest = _mm256_sub_pd(power, half);
        _mm256_mul_pd(_mm256_mul_pd(x, power_of_two(half)), power_of_two(rest))
    }

    /// The sum ends in the biased exponent as an integer, which the shift puts in place.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn power_of_two(power: __m256d) -> __m256d {
        let sum = _mm256_add_pd(power, _mm256_set1_pd(1.5 / f64::EPSILON + BIAS));
        _mm256_castsi256_pd(_mm256_slli_epi64::<MANTISSA_BITS>(_mm256_castpd_si256(sum)))
    }
}
