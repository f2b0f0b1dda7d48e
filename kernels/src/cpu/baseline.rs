//! Packs in plain arithmetic, for any processor.

use std::mem::MaybeUninit;

use super::arithmetic::Rounded;
use super::pack::Set;
use super::{Element, Lanes};

/// What every processor can do: 16 bytes at a time, without fused multiply-add.
pub(crate) struct Baseline;

impl Set for Baseline {
    type F32 = Pack<f32, 4>;
    type F64 = Pack<f64, 2>;
    type Bf16 = Rounded<Self, f32>;
    // 4 rows of two registers are 8 sums of 16 registers; products need some too.
    const TILE_ROWS: usize = 4;
}

/// `N` numbers in plain arithmetic.
#[derive(Clone, Copy)]
pub(crate) struct Pack<T, const N: usize>([T; N]);

impl<T: Element, const N: usize> Pack<T, N> {
    #[inline(always)]
    fn each(self, f: impl Fn(T) -> T) -> Self {
        Self(self.0.map(f))
    }

    #[inline(always)]
    fn zip(mut self, other: Self, f: impl Fn(T, T) -> T) -> Self {
        for (a, &b) in self.0.iter_mut().zip(&other.0) {
            *a = f(*a, b);
        }
        self
    }
}

impl<T: Element, const N: usize> Lanes for Pack<T, N> {
    type Base = T;
    const LANES: usize = N;

    #[inline(always)]
    fn splat(value: T) -> Self {
        Self([value; N])
    }

    #[inline(always)]
    fn load(values: &[T]) -> Self {
        let mut out = [T::ZERO; N];
        for (lane, &value) in out.iter_mut().zip(values) {
            *lane = value;
        }
        Self(out)
    }

    #[inline(always)]
    fn put(self, to: &mut [MaybeUninit<T>]) {
        for (to, &lane) in to.iter_mut().zip(&self.0) {
            to.write(lane);
        }
    }

    #[inline(always)]
    unsafe fn load_from(values: *const T) -> Self {
        // SAFETY: the caller says that there are `N` values.
        Self(unsafe { values.cast::<[T; N]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn store_to(self, values: *mut T) {
        // SAFETY: the caller says that there is room for `N` values.
        unsafe { values.cast::<[T; N]>().write_unaligned(self.0) };
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        self.zip(other, |a, b| a / b)
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, term: Self) -> Self {
        Lanes::add(Lanes::mul(self, factor), term)
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        self.each(T::root)
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        self.zip(other, |a, b| if a < b { a } else { b })
    }

    #[inline(always)]
    fn select_less(self, bound: Self, yes: Self, no: Self) -> Self {
        let mut out = no;
        for lane in 0..N {
            if self.0[lane] < bound.0[lane] {
                out.0[lane] = yes.0[lane];
            }
        }
        out
    }

    #[inline(always)]
    fn abs(self) -> Self {
        self.each(T::magnitude)
    }

    #[inline(always)]
    fn with_sign_of(self, sign: Self) -> Self {
        self.zip(sign, T::with_sign_of)
    }

    #[inline(always)]
    fn round(self) -> Self {
        self.each(T::nearest)
    }

    #[inline(always)]
    fn scale(self, power: Self) -> Self {
        self.zip(power, |x, power| {
            let half = (power * T::of(0.5)).nearest();
            x * half.power_of_two() * (power - half).power_of_two()
        })
    }
}
