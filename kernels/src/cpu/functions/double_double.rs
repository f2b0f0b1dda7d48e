//! Twice the digits of f64, for the tests: a number as the unevaluated sum of two.
//!
//! Source: Dekker, "A Floating-Point Technique for Extending the Available Precision", Numer.
//! Math. 18 (1971) 224, with the fused multiply-add for the error of a product.

/// `high + low`, `low` at most half the last place of `high`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Double {
    pub(super) high: f64,
    pub(super) low: f64,
}

impl Double {
    pub(super) fn of(high: f64) -> Self {
        Self { high, low: 0.0 }
    }

    /// `a + b` where `|a| >= |b|` or `a` is zero.
    fn renormalised(a: f64, b: f64) -> Self {
        let high = a + b;
        Self { high, low: b - (high - a) }
    }

    pub(super) fn add(self, other: Self) -> Self {
        let (a, b) = (self.high, other.high);
        let sum = a + b;
        let part = sum - a;
        let error = (a - (sum - part)) + (b - part);
        Self::renormalised(sum, error + self.low + other.low)
    }

    pub(super) fn neg(self) -> Self {
        Self { high: -self.high, low: -self.low }
    }

    pub(super) fn mul(self, other: Self) -> Self {
        let product = self.high * other.high;
        let error = self.high.mul_add(other.high, -product);
        Self::renormalised(product, error + self.high * other.low + self.low * other.high)
    }

    pub(super) fn div(self, other: Self) -> Self {
        let first = self.high / other.high;
        let rest = self.add(other.mul(Self::of(first)).neg());
        let second = rest.high / other.high;
        let rest = rest.add(other.mul(Self::of(second)).neg());
        Self::renormalised(first, second).add(Self::of(rest.high / other.high))
    }

    /// `e^self`, as the 2048th power of the Taylor series; for arguments up to 700.
    pub(super) fn exp(self) -> Self {
        let small = Self { high: self.high / 2048.0, low: self.low / 2048.0 };
        let (mut term, mut sum) = (Self::of(1.0), Self::of(1.0));
        for n in 1..40 {
            term = term.mul(small).div(Self::of(f64::from(n)));
            sum = sum.add(term);
        }
        (0..11).fold(sum, |power, _| power.mul(power))
    }

    /// `tanh self`; near zero, where the quotient loses digits, by its power series
    /// `x - x^3 / 3 + 2 x^5 / 15 - 17 x^7 / 315`, whose next term is below 2^-75 of the value.
    pub(super) fn tanh(self) -> Self {
        if self.high.abs() > 1.0 / 512.0 {
            let grown = self.add(self).exp();
            return grown.add(Self::of(-1.0)).div(grown.add(Self::of(1.0)));
        }
        let square = self.mul(self);
        let ratio = |over: f64, under: f64| Self::of(over).div(Self::of(under));
        let tail = square.mul(ratio(-17.0, 315.0)).add(ratio(2.0, 15.0));
        let tail = square.mul(tail).add(ratio(-1.0, 3.0));
        self.add(self.mul(square).mul(tail))
    }

    /// `2 / sqrt(pi) e^(-x^2) sum_n (2 x^2)^n x / (1 3 ... (2n + 1))`, whose terms have one sign:
    /// Abramowitz and Stegun, "Handbook of Mathematical Functions", 7.1.6.
    pub(super) fn erf(self) -> Self {
        let square = self.mul(self);
        let (mut term, mut sum) = (self, self);
        for n in 1..200 {
            term = term.mul(square.add(square)).div(Self::of(f64::from(2 * n + 1)));
            sum = sum.add(term);
        }
        // 2 / sqrt(pi) to 32 digits.
        let high = std::f64::consts::FRAC_2_SQRT_PI;
        let factor = Self { high, low: 1.533_545_961_316_588e-17 };
        sum.mul(square.neg().exp()).mul(factor)
    }
}
