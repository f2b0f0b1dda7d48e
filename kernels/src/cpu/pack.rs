//! A few numbers side by side, and the same with their derivative along a direction.
//!
//! A pack is one register of an instruction set. A kernel written for any [`Number`] gives values
//! with packs and directional derivatives with [`Moving`] packs, so second derivatives need no code
//! of their own. The packs themselves are in `baseline.rs` and, of x86, `vectors.rs`.

use std::mem::MaybeUninit;

use super::arithmetic::Arithmetic;
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
    /// Writes the first `to.len()` lanes, at most all.
    fn put(self, to: &mut [MaybeUninit<Self::Base>]);
    /// # Safety
    /// There are as many values as lanes.
    unsafe fn load_from(values: *const Self::Base) -> Self;
    /// # Safety
    /// There is room for as many values as lanes.
    unsafe fn store_to(self, values: *mut Self::Base);
    /// Turns a square of numbers: number `at` of line `l` goes from `from + l * step + at` to
    /// `to + at * width + l`, for as many of both as there are lanes.
    ///
    /// # Safety
    /// All these are there.
    #[inline(always)]
    unsafe fn turn(from: *const Self::Base, step: usize, to: *mut Self::Base, width: usize) {
        for line in 0..Self::LANES {
            for at in 0..Self::LANES {
                // SAFETY: the caller says that both are there.
                unsafe { to.add(at * width + line).write(from.add(line * step + at).read()) };
            }
        }
    }
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn div(self, other: Self) -> Self;
    /// `self * factor + term`, rounded once where the processor can.
    fn mul_add(self, factor: Self, term: Self) -> Self;
    fn sqrt(self) -> Self;
    /// `self` where it is larger, else `other`: a NaN in either gives `other`.
    fn max(self, other: Self) -> Self;
    /// `self` where it is smaller, else `other`: a NaN in either gives `other`.
    fn min(self, other: Self) -> Self;
    /// `yes` where `self < bound`, else `no`: a NaN in either gives `no`.
    fn select_less(self, bound: Self, yes: Self, no: Self) -> Self;
    fn abs(self) -> Self;
    /// The magnitude of `self` with the sign of `sign`.
    fn with_sign_of(self, sign: Self) -> Self;
    /// The nearest whole number, ties to even.
    fn round(self) -> Self;
    /// `self * 2^power`, rounded once; `power` is whole, of at most twice the exponents there are.
    fn scale(self, power: Self) -> Self;

    /// Stores the first `values.len()` lanes, at most all.
    #[inline(always)]
    fn store(self, values: &mut [Self::Base]) {
        // SAFETY: both types have the same layout, and `put` writes numbers alone.
        self.put(unsafe { &mut *(std::ptr::from_mut(values) as *mut [MaybeUninit<Self::Base>]) });
    }

    /// The nearest number to `value` in every lane.
    #[inline(always)]
    fn of(value: f64) -> Self {
        Self::splat(Self::Base::of(value))
    }

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

    /// The sum of the lanes of every pack in `packs`, pairwise as [`sum`](Self::sum) does, bit by bit.
    #[inline(always)]
    fn sums(packs: &[Self::Base], to: &mut [Self::Base]) {
        let squares = packs.chunks_exact(Self::LANES * Self::LANES);
        let (rest, mut rooms) = (squares.remainder(), to.chunks_exact_mut(Self::LANES));
        for (square, to) in squares.zip(&mut rooms) {
            Self::square_sums(square, to);
        }
        for (to, pack) in rooms.into_remainder().iter_mut().zip(rest.chunks_exact(Self::LANES)) {
            *to = Self::load(pack).sum();
        }
    }

    /// The same of as many packs as there are lanes.
    #[inline(always)]
    fn square_sums(packs: &[Self::Base], to: &mut [Self::Base]) {
        for (to, pack) in to.iter_mut().zip(packs.chunks_exact(Self::LANES)) {
            *to = Self::load(pack).sum();
        }
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
    /// `self + x weight`, the weight constant along the direction.
    fn add_weighted(self, x: Self, weight: Self::Plain) -> Self;
    /// `self + a b`.
    fn add_product(self, a: Self, b: Self) -> Self;
    /// `sum` plus the result of `a b`.
    fn add_result(sum: Self::Plain, a: Self, b: Self) -> Self::Plain;

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

    #[inline(always)]
    fn add_weighted(self, x: Self, weight: P) -> Self {
        x.mul_add(weight, self)
    }

    #[inline(always)]
    fn add_product(self, a: Self, b: Self) -> Self {
        a.mul_add(b, self)
    }

    #[inline(always)]
    fn add_result(sum: P, a: Self, b: Self) -> P {
        a.mul_add(b, sum)
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

    #[inline(always)]
    fn add_weighted(self, x: Self, weight: P) -> Self {
        Self {
            value: x.value.mul_add(weight, self.value),
            slope: x.slope.mul_add(weight, self.slope),
        }
    }

    #[inline(always)]
    fn add_product(self, a: Self, b: Self) -> Self {
        let slope = a.slope.mul_add(b.value, a.value.mul_add(b.slope, self.slope));
        Self { value: a.value.mul_add(b.value, self.value), slope }
    }

    #[inline(always)]
    fn add_result(sum: P, a: Self, b: Self) -> P {
        a.slope.mul_add(b.value, a.value.mul_add(b.slope, sum))
    }
}
