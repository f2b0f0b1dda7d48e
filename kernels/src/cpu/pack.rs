//! A few numbers side by side, and the same with their derivative along a direction.
//!
//! A pack is one register of an instruction set. A kernel written for any [`Number`] gives values
//! with packs and directional derivatives with [`Moving`] packs, so second derivatives need no code
//! of their own. The packs of x86 are in `vectors.rs`.

use super::arithmetic::{Arithmetic, Rounded};
use super::storage::Element;

/// Most lanes a pack has.
pub(crate) const MOST_LANES: usize = 16;

/// The packs of one instruction set.
pub(crate) trait Set {
    type F32: Lanes<Base = f32>;
    type F64: Lanes<Base = f64>;
    /// Products of numbers rounded to bf16, with sums in f32.
    type Bf16: Arithmetic<Number = f32>;
    /// Rows of a tile of a matrix product, two packs wide, that fits the registers.
    const TILE_ROWS: usize;
}

/// Numbers that are computed with side by side.
pub(crate) trait Lanes: Copy {
    type Base: Element;
    const LANES: usize;
    fn splat(value: Self::Base) -> Self;
    /// The first `values.len()` lanes, at most all; the rest is zero.
    fn load(values: &[Self::Base]) -> Self;
    /// Stores the first `values.len()` lanes.
    fn store(self, values: &mut [Self::Base]);
    /// # Safety
    /// There are as many values as lanes.
    unsafe fn load_from(values: *const Self::Base) -> Self;
    /// # Safety
    /// There is room for as many values as lanes.
    unsafe fn store_to(self, values: *mut Self::Base);
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    /// `self * factor + term`.
    fn mul_add(self, factor: Self, term: Self) -> Self;

    #[inline(always)]
    fn zero() -> Self {
        Self::splat(Self::Base::ZERO)
    }

    /// `f` of every lane.
    #[inline(always)]
    fn map(self, f: impl Fn(Self::Base) -> Self::Base) -> Self {
        let mut lanes = [Self::Base::ZERO; MOST_LANES];
        self.store(&mut lanes[..Self::LANES]);
        for lane in &mut lanes {
            *lane = f(*lane);
        }
        Self::load(&lanes[..Self::LANES])
    }

    /// Sum of all lanes, pairwise.
    #[inline(always)]
    fn sum(self) -> Self::Base {
        let mut lanes = [Self::Base::ZERO; MOST_LANES];
        self.store(&mut lanes[..Self::LANES]);
        let mut width = Self::LANES;
        while width > 1 {
            width /= 2;
            for lane in 0..width {
                lanes[lane] = lanes[lane] + lanes[lane + width];
            }
        }
        lanes[0]
    }
}

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
    fn store(self, values: &mut [T]) {
        for (value, &lane) in values.iter_mut().zip(&self.0) {
            *value = lane;
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
    fn mul_add(self, factor: Self, term: Self) -> Self {
        Lanes::add(Lanes::mul(self, factor), term)
    }
}

/// What the polynomial kernels compute with: packs, alone or with a derivative.
pub(crate) trait Number: Copy {
    type Plain: Lanes;
    /// A value, and its derivative where one is kept.
    fn of(value: Self::Plain, slope: impl FnOnce() -> Self::Plain) -> Self;
    /// The derivative where one is kept, otherwise the value.
    fn result(self) -> Self::Plain;
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    /// Times something constant along the direction.
    fn weighted(self, weight: Self::Plain) -> Self;

    #[inline(always)]
    fn constant(value: Self::Plain) -> Self {
        Self::of(value, Self::Plain::zero)
    }
}

impl<P: Lanes> Number for P {
    type Plain = P;

    #[inline(always)]
    fn of(value: P, _: impl FnOnce() -> P) -> Self {
        value
    }

    #[inline(always)]
    fn result(self) -> P {
        self
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Lanes::add(self, other)
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Lanes::sub(self, other)
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Lanes::mul(self, other)
    }

    #[inline(always)]
    fn weighted(self, weight: P) -> Self {
        Lanes::mul(self, weight)
    }
}

/// A number and its derivative along a direction.
#[derive(Clone, Copy)]
pub(crate) struct Moving<P> {
    value: P,
    slope: P,
}

impl<P: Lanes> Number for Moving<P> {
    type Plain = P;

    #[inline(always)]
    fn of(value: P, slope: impl FnOnce() -> P) -> Self {
        Self { value, slope: slope() }
    }

    #[inline(always)]
    fn result(self) -> P {
        self.slope
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self {
            value: Lanes::add(self.value, other.value),
            slope: Lanes::add(self.slope, other.slope),
        }
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self {
            value: Lanes::sub(self.value, other.value),
            slope: Lanes::sub(self.slope, other.slope),
        }
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        let slope = self.slope.mul_add(other.value, Lanes::mul(self.value, other.slope));
        Self { value: Lanes::mul(self.value, other.value), slope }
    }

    #[inline(always)]
    fn weighted(self, weight: P) -> Self {
        Self { value: Lanes::mul(self.value, weight), slope: Lanes::mul(self.slope, weight) }
    }
}
