//! Comparison with a derived tolerance: the one place where "close enough" is decided.
//!
//! A kernel may err as much as the same mathematics computed plainly in its own precision, times
//! a slack, plus the rounding of its output. Nothing here is tuned until a test passes.
//! Not here: the oracles themselves, which live in the tests of each family.

/// The mathematics twice: as exactly as we can, and plainly in the precision under test.
#[derive(Debug, Clone)]
pub struct Oracle<'a> {
    /// Computed in f64.
    pub exact: &'a [f64],
    /// Computed with plain loops, rounding where the kernel rounds.
    pub same_precision: &'a [f64],
    /// Distance from 1 to the next number in the dtype of the result.
    pub epsilon: f64,
}

impl Oracle<'_> {
    /// Largest error of the plain computation.
    pub fn natural_error(&self) -> f64 {
        let pairs = self.exact.iter().zip(self.same_precision);
        pairs
            .filter(|(e, s)| e.is_finite() && s.is_finite())
            .map(|(e, s)| (e - s).abs())
            .fold(0.0, f64::max)
    }

    /// `slack * natural error + ulp(largest exact value)`.
    pub fn tolerance(&self, slack: f64) -> f64 {
        let largest =
            self.exact.iter().filter(|x| x.is_finite()).fold(0.0, |m: f64, x| m.max(x.abs()));
        slack * self.natural_error() + ulp(largest, self.epsilon)
    }
}

/// Spacing of the numbers around `x` in a dtype whose spacing at 1 is `epsilon`.
pub fn ulp(x: f64, epsilon: f64) -> f64 {
    if x == 0.0 { 0.0 } else { x.abs().log2().floor().exp2() * epsilon }
}

/// Asserts `max|got - exact| <= slack * max|same_precision - exact| + ulp(max|exact|)`. NaN and
/// infinities must stand where the exact result has them. `slack` is 2; another carries a reason.
///
/// # Panics
/// When a value is further away; the message holds its place, both values and the tolerance.
#[track_caller]
pub fn assert_matches(got: &[f64], oracle: &Oracle<'_>, slack: f64) {
    assert_within(got, oracle.exact, |_| oracle.tolerance(slack));
}

/// Asserts `|got[i] - exact[i]| <= tolerance(i)`, with NaN and infinities in the same places.
///
/// # Panics
/// As [`assert_matches`].
#[track_caller]
pub fn assert_within(got: &[f64], exact: &[f64], tolerance: impl Fn(usize) -> f64) {
    assert!(got.len() == exact.len(), "{} values but the oracle has {}", got.len(), exact.len());
    for (at, (&got, &exact)) in got.iter().zip(exact).enumerate() {
        let allowed = tolerance(at);
        let same_special = (got.is_nan() && exact.is_nan())
            || (exact.is_infinite() && got.to_bits() == exact.to_bits());
        let error = (got - exact).abs();
        assert!(
            same_special || error <= allowed,
            "value {at} is {got:e} but the oracle says {exact:e}: off by {error:e}, allowed {allowed:e}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORACLE: Oracle<'static> =
        Oracle { exact: &[1.0, -4.0], same_precision: &[1.5, -4.25], epsilon: 0.125 };

    #[test]
    fn the_tolerance_is_the_natural_error_and_one_rounding() {
        // 2 * 0.5 + ulp(4) = 1 + 4 * 0.125.
        assert!((ORACLE.tolerance(2.0) - 1.5).abs() < 1e-15);
        assert_matches(&[2.5, -4.0], &ORACLE, 2.0);
    }

    #[test]
    #[should_panic(
        expected = "value 1 is -6e0 but the oracle says -4e0: off by 2e0, allowed 1.5e0"
    )]
    fn a_value_too_far_away_is_named() {
        assert_matches(&[1.0, -6.0], &ORACLE, 2.0);
    }

    #[test]
    #[should_panic(expected = "value 0 is NaN")]
    fn a_nan_is_never_close_to_a_number() {
        assert_matches(&[f64::NAN, -4.0], &ORACLE, 2.0);
    }

    #[test]
    fn a_nan_matches_only_a_nan() {
        assert_within(&[f64::NAN], &[f64::NAN], |_| 0.0);
        assert_within(&[f64::INFINITY], &[f64::INFINITY], |_| 0.0);
    }
}
