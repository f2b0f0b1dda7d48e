//! Packs that are registers of x86: AVX-512, and AVX2 with fused multiply-add.
//!
//! Their instructions may run only where the processor has them. These types are named by the
//! sets below alone, and [`run`](super::run) runs a job with a set after asking the processor.
//! The operations that the two instruction sets spell differently are in `avx2.rs` and `avx512.rs`.

use std::arch::x86_64::{
    __m256, __m256d, __m512, __m512d, _mm256_add_pd, _mm256_add_ps, _mm256_div_pd, _mm256_div_ps,
    _mm256_fmadd_pd, _mm256_fmadd_ps, _mm256_loadu_pd, _mm256_loadu_ps, _mm256_max_pd,
    _mm256_max_ps, _mm256_min_pd, _mm256_min_ps, _mm256_mul_pd, _mm256_mul_ps, _mm256_set1_pd,
    _mm256_set1_ps, _mm256_sqrt_pd, _mm256_sqrt_ps, _mm256_storeu_pd, _mm256_storeu_ps,
    _mm256_sub_pd, _mm256_sub_ps, _mm512_add_pd, _mm512_add_ps, _mm512_div_pd, _mm512_div_ps,
    _mm512_fmadd_pd, _mm512_fmadd_ps, _mm512_loadu_pd, _mm512_loadu_ps, _mm512_max_pd,
    _mm512_max_ps, _mm512_min_pd, _mm512_min_ps, _mm512_mul_pd, _mm512_mul_ps, _mm512_set1_pd,
    _mm512_set1_ps, _mm512_sqrt_pd, _mm512_sqrt_ps, _mm512_storeu_pd, _mm512_storeu_ps,
    _mm512_sub_pd, _mm512_sub_ps,
};
use std::mem::MaybeUninit;

use super::arithmetic::Rounded;
use super::pack::Set;
use super::{Lanes, avx2, avx512, sums, turn};

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

/// Methods of one instruction each.
macro_rules! binary {
    ($($name:ident = $instruction:path),*) => {$(
        #[inline(always)]
        fn $name(self, other: Self) -> Self {
            // SAFETY: `run` checked that the processor has the instruction.
            Self(unsafe { $instruction(self.0, other.0) })
        }
    )*};
}

/// Methods that are functions of `avx2.rs` or `avx512.rs`.
macro_rules! composed {
    ($set:ident::$kind:ident: $($name:ident($($argument:ident),*)),*) => {$(
        #[inline(always)]
        fn $name(self $(, $argument: Self)*) -> Self {
            // SAFETY: `run` checked that the processor has the instructions.
            Self(unsafe { $set::$kind::$name(self.0 $(, $argument.0)*) })
        }
    )*};
}

macro_rules! vector {
    (
        $name:ident: $base:ty, $raw:ty, $lanes:literal, $set:ident::$kind:ident,
        [$splat:ident, $load:ident, $store:ident, $fused:ident, $root:ident],
        [$add:ident, $sub:ident, $mul:ident, $div:ident, $max:ident, $min:ident]
        $(, $turn:ident, $sums:ident)?
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
                // SAFETY: `run` checked that the processor has the instructions.
                Self(unsafe { $set::$kind::load_part(values) })
            }

            #[inline(always)]
            fn sum(self) -> $base {
                // SAFETY: `run` checked that the processor has the instructions.
                unsafe { $set::$kind::sum(self.0) }
            }

            #[inline(always)]
            fn put(self, to: &mut [MaybeUninit<$base>]) {
                if to.len() == $lanes {
                    // SAFETY: there is room for all lanes; `run` checked the processor.
                    return unsafe { $store(to.as_mut_ptr().cast(), self.0) };
                }
                // SAFETY: `run` checked that the processor has the instructions.
                unsafe { $set::$kind::put_part(self.0, to) }
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

            $(
                #[inline(always)]
                unsafe fn $turn(from: *const $base, step: usize, to: *mut $base, width: usize) {
                    // SAFETY: as the caller says; `run` checked the processor.
                    unsafe { turn::$kind(from, step, to, width) };
                }

                #[inline(always)]
                fn $sums(packs: &[$base], to: &mut [$base]) {
                    assert!(packs.len() == $lanes * $lanes && to.len() == $lanes, "a square");
                    // SAFETY: there are as many packs as lanes; `run` checked the processor.
                    unsafe { sums::$kind(packs.as_ptr(), to.as_mut_ptr()) };
                }
            )?

            binary!(add = $add, sub = $sub, mul = $mul, div = $div, max = $max, min = $min);

            #[inline(always)]
            fn mul_add(self, factor: Self, term: Self) -> Self {
                // SAFETY: `run` checked that the processor has the instruction.
                Self(unsafe { $fused(self.0, factor.0, term.0) })
            }

            #[inline(always)]
            fn sqrt(self) -> Self {
                // SAFETY: `run` checked that the processor has the instruction.
                Self(unsafe { $root(self.0) })
            }

            composed!($set::$kind: select_less(bound, yes, no), abs(), with_sign_of(sign));
            composed!($set::$kind: round(), scale(power));
        }
    };
}

vector!(
    F32x16: f32, __m512, 16, avx512::single,
    [_mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_fmadd_ps, _mm512_sqrt_ps],
    [_mm512_add_ps, _mm512_sub_ps, _mm512_mul_ps, _mm512_div_ps, _mm512_max_ps, _mm512_min_ps],
    turn, square_sums
);
vector!(
    F64x8: f64, __m512d, 8, avx512::double,
    [_mm512_set1_pd, _mm512_loadu_pd, _mm512_storeu_pd, _mm512_fmadd_pd, _mm512_sqrt_pd],
    [_mm512_add_pd, _mm512_sub_pd, _mm512_mul_pd, _mm512_div_pd, _mm512_max_pd, _mm512_min_pd],
    turn, square_sums
);
vector!(
    F32x8: f32, __m256, 8, avx2::single,
    [_mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_fmadd_ps, _mm256_sqrt_ps],
    [_mm256_add_ps, _mm256_sub_ps, _mm256_mul_ps, _mm256_div_ps, _mm256_max_ps, _mm256_min_ps]
);
vector!(
    F64x4: f64, __m256d, 4, avx2::double,
    [_mm256_set1_pd, _mm256_loadu_pd, _mm256_storeu_pd, _mm256_fmadd_pd, _mm256_sqrt_pd],
    [_mm256_add_pd, _mm256_sub_pd, _mm256_mul_pd, _mm256_div_pd, _mm256_max_pd, _mm256_min_pd]
);
