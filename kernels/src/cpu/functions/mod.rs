//! Exponential, logistic function, hyperbolic tangent and error function of packs, f32 and f64.
//!
//! ```text
//! exp       n = round(x / ln 2), r = x - n ln 2 in two parts; exp = 2^n (1 + r + r^2 q(r))
//! logistic  1 / (1 + exp(-x))
//! tanh      with e = exp(2 |x|) - 1, formed as 2^n (r + r^2 q(r)) + (2^n - 1): e / (e + 2)
//! erf       |x| < 1: x + x s(x^2);  beyond: 1 - exp(-|x| l(|x|))
//! bounds    in units of the last place of the exact value, tested against twice the digits:
//!           exp 2, logistic 3, tanh 3, erf 2, whether multiplications are fused or not
//! special   NaN gives NaN, infinities their limits, signs of zero are kept; exp ends in
//!           subnormal numbers, then zero, and in infinity
//! ordering  elementwise: a lane depends on nothing beside it
//! source    reduction in two parts: Cody and Waite, "Software Manual for the Elementary
//!           Functions", 1980, chapter 6. The polynomials q, s and l were fitted for this file by
//!           Remez exchange with 50 digits: q to (exp r - 1 - r) / r^2 on |r| <= ln 2 / 2, s to
//!           (erf x - x) / x in x^2 <= 1, l to -ln(1 - erf x) / x on [1, 4] or [1, 6] weighted by
//!           its effect on erf.
//! ```

mod coefficients;
#[cfg(test)]
mod double_double;
#[cfg(test)]
mod tests;

pub(crate) use coefficients::Coefficients;

use super::{Element, Lanes};

/// `e^x`.
#[inline(always)]
pub(crate) fn exp<P: Lanes>(x: P) -> P {
    // Bounds first: they return the second number, which may be NaN.
    let x = P::splat(P::Base::EXP_SMALLEST).max(P::splat(P::Base::EXP_LARGEST).min(x));
    let (power, rest) = reduced(x);
    rest.add(one()).scale(power)
}

/// `1 / (1 + e^-x)`.
#[inline(always)]
pub(crate) fn logistic<P: Lanes>(x: P) -> P {
    one::<P>().div(one::<P>().add(exp(P::zero().sub(x))))
}

/// Hyperbolic tangent.
#[inline(always)]
pub(crate) fn tanh<P: Lanes>(x: P) -> P {
    let double = P::splat(P::Base::TANH_FULL).min(x.abs().add(x.abs()));
    let (power, rest) = reduced(double);
    let whole = one::<P>().scale(power);
    let grown = whole.mul_add(rest, whole.sub(one()));
    grown.div(grown.add(P::splat(P::Base::of(2.0)))).with_sign_of(x)
}

/// Error function.
#[inline(always)]
pub(crate) fn erf<P: Lanes>(x: P) -> P {
    let size = P::splat(P::Base::ERF_FULL).min(x.abs());
    let small = size.mul_add(polynomial(size.mul(size), P::Base::ERF_SMALL), size);
    let exponent = size.mul(polynomial(size, P::Base::ERF_LARGE));
    let large = one::<P>().sub(exp(P::zero().sub(exponent)));
    size.select_less(one(), small, large).with_sign_of(x)
}

/// `(n, e^r - 1)` with `x = n ln 2 + r`, `n` whole and `|r|` at most `ln 2 / 2`.
#[inline(always)]
fn reduced<P: Lanes>(x: P) -> (P, P) {
    let power = x.mul(P::splat(P::Base::LOG2_E)).round();
    let minus = P::zero().sub(power);
    let high = minus.mul_add(P::splat(P::Base::LN_2_HIGH), x);
    let rest = minus.mul_add(P::splat(P::Base::LN_2_LOW), high);
    (power, rest.mul(rest).mul_add(polynomial(rest, P::Base::EXP), rest))
}

/// Horner's rule, the highest power first.
#[inline(always)]
fn polynomial<P: Lanes>(x: P, coefficients: &[P::Base]) -> P {
    let mut sum = P::splat(coefficients[0]);
    for &coefficient in &coefficients[1..] {
        sum = sum.mul_add(x, P::splat(coefficient));
    }
    sum
}

#[inline(always)]
fn one<P: Lanes>() -> P {
    P::splat(P::Base::ONE)
}
