//! A few numbers side by side, and the same with their derivative along a direction.
//!
//! Packs are arrays of 64 bytes: with AVX-512 one register, otherwise two or four. A kernel
//! written for any [`Number`] gives values with [`Pack`] and directional derivatives with
//! [`Moving`], so second derivatives need no code of their own.

use super::storage::Element;

/// Numbers that are computed with side by side.
pub(crate) trait Lanes: Copy {
    type Base: Element;
    const LANES: usize;
    fn splat(value: Self::Base) -> Self;
    /// The first `values.len()` lanes, at most all; the rest is zero.
    fn load(values: &[Self::Base]) -> Self;
    /// Stores the first `values.len()` lanes.
    fn store(self, values: &mut [Self::Base]);
    fn zip(self, other: Self, f: impl Fn(Self::Base, Self::Base) -> Self::Base) -> Self;
    fn map(self, f: impl Fn(Self::Base) -> Self::Base) -> Self;
    /// `self * factor + term`.
    fn mul_add(self, factor: Self, term: Self) -> Self;
    /// Sum of all lanes, pairwise.
    fn sum(self) -> Self::Base;

    #[inline(always)]
    fn zero() -> Self {
        Self::splat(Self::Base::ZERO)
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
}

/// `N` numbers; `FUSED` says whether multiply-add is one instruction.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub(crate) struct Pack<T, const N: usize, const FUSED: bool>([T; N]);

impl<T: Element, const N: usize, const FUSED: bool> Lanes for Pack<T, N, FUSED> {
    type Base = T;
    const LANES: usize = N;

    #[inline(always)]
    fn splat(value: T) -> Self {
        Self([value; N])
    }

    #[inline(always)]
    fn load(values: &[T]) -> Self {
        if let Ok(full) = <[T; N]>::try_from(values) {
            return Self(full);
        }
        let mut out = [T::ZERO; N];
        for (lane, &value) in out.iter_mut().zip(values) {
            *lane = value;
        }
        Self(out)
    }

    #[inline(always)]
    fn store(self, values: &mut [T]) {
        if let Ok(full) = <&mut [T; N]>::try_from(&mut *values) {
            *full = self.0;
            return;
        }
        for (value, &lane) in values.iter_mut().zip(&self.0) {
            *value = lane;
        }
    }

    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(T, T) -> T) -> Self {
        let mut out = self.0;
        for (a, &b) in out.iter_mut().zip(&other.0) {
            *a = f(*a, b);
        }
        Self(out)
    }

    #[inline(always)]
    fn map(self, f: impl Fn(T) -> T) -> Self {
        let mut out = self.0;
        for lane in &mut out {
            *lane = f(*lane);
        }
        Self(out)
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, term: Self) -> Self {
        if !FUSED {
            return Lanes::add(Lanes::mul(self, factor), term);
        }
        let mut out = self.0;
        for ((a, &b), &c) in out.iter_mut().zip(&factor.0).zip(&term.0) {
            *a = a.fused(b, c);
        }
        Self(out)
    }

    #[inline(always)]
    fn sum(self) -> T {
        let mut lanes = self.0;
        let mut width = N;
        while width > 1 {
            width /= 2;
            for lane in 0..width {
                lanes[lane] = lanes[lane] + lanes[lane + width];
            }
        }
        lanes[0]
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
