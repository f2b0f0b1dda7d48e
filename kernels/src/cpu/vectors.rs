//! Packs that are registers of x86: AVX-512, and AVX2 with fused multiply-add.
//!
//! Their instructions may run only where the processor has them. These types are named by the
//! sets below alone, and [`run`](super::run) runs a job with a set after asking the processor.

use std::arch::x86_64::{
    __m256, __m256d, __m512, __m512d, _mm256_add_pd, _mm256_add_ps, _mm256_fmadd_pd,
    _mm256_fmadd_ps, _mm256_loadu_pd, _mm256_loadu_ps, _mm256_mul_pd, _mm256_mul_ps,
    _mm256_set1_pd, _mm256_set1_ps, _mm256_storeu_pd, _mm256_storeu_ps, _mm256_sub_pd,
    _mm256_sub_ps, _mm512_add_pd, _mm512_add_ps, _mm512_fmadd_pd, _mm512_fmadd_ps, _mm512_loadu_pd,
    _mm512_loadu_ps, _mm512_mul_pd, _mm512_mul_ps, _mm512_set1_pd, _mm512_set1_ps,
    _mm512_storeu_pd, _mm512_storeu_ps, _mm512_sub_pd, _mm512_sub_ps,
};

use super::arithmetic::Rounded;
use super::pack::Set;
use super::{Element, Lanes};

/// Registers of 64 bytes.
pub(crate) struct Avx512;

impl Set for Avx512 {
    type F32 = F32x16;
    type F64 = F64x8;
    type Bf16 = Rounded<Self, f32>;
    // 14 rows of two registers are 28 sums; two of the other four hold the right operand.
    const TILE_ROWS: usize = 14;
}

/// Registers of 32 bytes, with fused multiply-add.
pub(crate) struct Avx2;

impl Set for Avx2 {
    type F32 = F32x8;
    type F64 = F64x4;
    type Bf16 = Rounded<Self, f32>;
    // 6 rows of two registers are 12 sums of 16 registers.
    const TILE_ROWS: usize = 6;
}

/// The rare pack that is not whole, with zeros behind.
#[cold]
#[inline(never)]
fn padded<T: Element, const N: usize>(values: &[T]) -> [T; N] {
    let mut out = [T::ZERO; N];
    for (lane, &value) in out.iter_mut().zip(values) {
        *lane = value;
    }
    out
}

macro_rules! vector {
    (
        $name:ident, $base:ty, $raw:ty, $lanes:literal,
        $splat:ident, $load:ident, $store:ident, $add:ident, $sub:ident, $mul:ident, $fused:ident
    ) => {
        #[derive(Clone, Copy)]
        pub(crate) struct $name(pub(super) $raw);

        impl Lanes for $name {
            type Base = $base;
            const LANES: usize = $lanes;

            #[inline(always)]
            fn splat(value: $base) -> Self {
                // SAFETY: `run` checked that the processor has the instruction.
                Self(unsafe { $splat(value) })
            }

            #[inline(always)]
            fn load(values: &[$base]) -> Self {
                if values.len() == $lanes {
                    // SAFETY: there are as many values as lanes; `run` checked the processor.
                    return Self(unsafe { $load(values.as_ptr()) });
                }
                let padded: [$base; $lanes] = padded(values);
                // SAFETY: there are as many values as lanes; `run` checked the processor.
                Self(unsafe { $load(padded.as_ptr()) })
            }

            #[inline(always)]
            fn store(self, values: &mut [$base]) {
                if values.len() == $lanes {
                    // SAFETY: there is room for all lanes; `run` checked the processor.
                    return unsafe { $store(values.as_mut_ptr(), self.0) };
                }
                let mut all = [0.0; $lanes];
                // SAFETY: there is room for all lanes; `run` checked the processor.
                unsafe { $store(all.as_mut_ptr(), self.0) };
                for (value, &lane) in values.iter_mut().zip(&all) {
                    *value = lane;
                }
            }

            #[inline(always)]
            unsafe fn load_from(values: *const $base) -> Self {
                // SAFETY: the caller says that there are as many values as lanes; `run` checked
                // the processor.
                Self(unsafe { $load(values) })
            }

            #[inline(always)]
            unsafe fn store_to(self, values: *mut $base) {
                // SAFETY: the caller says that there is room for all lanes; `run` checked the
                // processor.
                unsafe { $store(values, self.0) };
            }

            #[inline(always)]
            fn add(self, other: Self) -> Self {
                // SAFETY: `run` checked that the processor has the instruction.
                Self(unsafe { $add(self.0, other.0) })
            }

            #[inline(always)]
            fn sub(self, other: Self) -> Self {
                // SAFETY: `run` checked that the processor has the instruction.
                Self(unsafe { $sub(self.0, other.0) })
            }

            #[inline(always)]
            fn mul(self, other: Self) -> Self {
                // SAFETY: `run` checked that the processor has the instruction.
                Self(unsafe { $mul(self.0, other.0) })
            }

            #[inline(always)]
            fn mul_add(self, factor: Self, term: Self) -> Self {
                // SAFETY: `run` checked that the processor has the instruction.
                Self(unsafe { $fused(self.0, factor.0, term.0) })
            }
        }
    };
}

vector!(
    F32x16,
    f32,
    __m512,
    16,
    _mm512_set1_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_add_ps,
    _mm512_sub_ps,
    _mm512_mul_ps,
    _mm512_fmadd_ps
);
vector!(
    F64x8,
    f64,
    __m512d,
    8,
    _mm512_set1_pd,
    _mm512_loadu_pd,
    _mm512_storeu_pd,
    _mm512_add_pd,
    _mm512_sub_pd,
    _mm512_mul_pd,
    _mm512_fmadd_pd
);
vector!(
    F32x8,
    f32,
    __m256,
    8,
    _mm256_set1_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_add_ps,
    _mm256_sub_ps,
    _mm256_mul_ps,
    _mm256_fmadd_ps
);
vector!(
    F64x4,
    f64,
    __m256d,
    4,
    _mm256_set1_pd,
    _mm256_loadu_pd,
    _mm256_storeu_pd,
    _mm256_add_pd,
    _mm256_sub_pd,
    _mm256_mul_pd,
    _mm256_fmadd_pd
);
