//! What AVX-512 spells in its own way: masks are registers of their own.

/// Packs of 16 numbers of f32.
pub(super) mod single {
    use std::arch::x86_64::{
        __m512, _CMP_LT_OQ, _mm512_abs_ps, _mm512_castps_si512, _mm512_castsi512_ps,
        _mm512_cmp_ps_mask, _mm512_mask_blend_ps, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps,
        _mm512_reduce_add_ps, _mm512_roundscale_ps, _mm512_scalef_ps, _mm512_set1_ps,
        _mm512_ternarylogic_epi32,
    };

    use std::mem::MaybeUninit;

    const LANES: usize = 16;

    /// The first `count` lanes.
    fn first(count: usize) -> u16 {
        if count < LANES { (1 << count) - 1 } else { u16::MAX }
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(in super::super) fn load_part(values: &[f32]) -> __m512 {
        // SAFETY: lanes beyond the values are masked, and what is masked is not touched.
        unsafe { _mm512_maskz_loadu_ps(first(values.len()), values.as_ptr()) }
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(in super::super) fn put_part(x: __m512, to: &mut [MaybeUninit<f32>]) {
        // SAFETY: lanes beyond the values are masked, and what is masked is not touched.
        unsafe { _mm512_mask_storeu_ps(to.as_mut_ptr().cast(), first(to.len()), x) }
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(in super::super) fn select_less(
        x: __m512,
        bound: __m512,
        yes: __m512,
        no: __m512,
    ) -> __m512 {
        _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(x, bound), no, yes)
    }

    /// Halves added, then halves of these, and so on.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(in super::super) fn sum(x: __m512) -> f32 {
        _mm512_reduce_add_ps(x)
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(in super::super) fn abs(x: __m512) -> __m512 {
        _mm512_abs_ps(x)
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(in super::super) fn with_sign_of(x: __m512, sign: __m512) -> __m512 {
        let [x, sign, mask] = [x, sign, _mm512_set1_ps(-0.0)].map(|x| _mm512_castps_si512(x));
        // Bits of the second where the third is set, else of the first.
        _mm512_castsi512_ps(_mm512_ternarylogic_epi32::<0b1101_1000>(x, sign, mask))
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(in super::super) fn round(x: __m512) -> __m512 {
        // No digits behind the point, nearest even, no exceptions.
        _mm512_roundscale_ps::<0x08>(x)
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(in super::super) fn scale(x: __m512, power: __m512) -> __m512 {
        _mm512_scalef_ps(x, power)
    }
}

/// Packs of 8 numbers of f64.
pub(super) mod double {
    use std::arch::x86_64::{
        __m512d, _CMP_LT_OQ, _mm512_abs_pd, _mm512_castpd_si512, _mm512_castsi512_pd,
        _mm512_cmp_pd_mask, _mm512_mask_blend_pd, _mm512_mask_storeu_pd, _mm512_maskz_loadu_pd,
        _mm512_reduce_add_pd, _mm512_roundscale_pd, _mm512_scalef_pd, _mm512_set1_pd,
        _mm512_ternarylogic_epi64,
    };

    use std::mem::MaybeUninit;

    const LANES: usize = 8;

    /// The first `count` lanes.
    fn first(count: usize) -> u8 {
        if count < LANES { (1 << count) - 1 } else { u8::MAX }
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(in super::super) fn load_part(values: &[f64]) -> __m512d {
        // SAFETY: lanes beyond the values are masked, and what is masked is not touched.
        unsafe { _mm512_maskz_loadu_pd(first(values.len()), values.as_ptr()) }
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(in super::super) fn put_part(x: __m512d, to: &mut [MaybeUninit<f64>]) {
        // SAFETY: lanes beyond the values are masked, and what is masked is not touched.
        unsafe { _mm512_mask_storeu_pd(to.as_mut_ptr().cast(), first(to.len()), x) }
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(in super::super) fn select_less(
        x: __m512d,
        bound: __m512d,
        yes: __m512d,
        no: __m512d,
    ) -> __m512d {
        _mm512_mask_blend_pd(_mm512_cmp_pd_mask::<_CMP_LT_OQ>(x, bound), no, yes)
    }

    /// Halves added, then halves of these, and so on.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(in super::super) fn sum(x: __m512d) -> f64 {
        _mm512_reduce_add_pd(x)
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(in super::super) fn abs(x: __m512d) -> __m512d {
        _mm512_abs_pd(x)
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(in super::super) fn with_sign_of(x: __m512d, sign: __m512d) -> __m512d {
        let [x, sign, mask] = [x, sign, _mm512_set1_pd(-0.0)].map(|x| _mm512_castpd_si512(x));
        // Bits of the second where the third is set, else of the first.
        _mm512_castsi512_pd(_mm512_ternarylogic_epi64::<0b1101_1000>(x, sign, mask))
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(in super::super) fn round(x: __m512d) -> __m512d {
        // No digits behind the point, nearest even, no exceptions.
        _mm512_roundscale_pd::<0x08>(x)
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(in super::super) fn scale(x: __m512d, power: __m512d) -> __m512d {
        _mm512_scalef_pd(x, power)
    }
}
