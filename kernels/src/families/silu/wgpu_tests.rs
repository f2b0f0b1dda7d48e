//! SiLU and its derivatives on an adapter against the reference in f64.

use super::tests::Silu;
use crate::machine::wgpu::testing::{
    DIVISION_ULPS, adapter_is_missing, check_gradients, check_values, exp_ulps, values,
};

/// An exponential of a number of at most five and a quotient make the logistic function, of which the
/// bend has two factors.
fn looser_ulps() -> f64 {
    2.0 * (exp_ulps(5.0) + DIVISION_ULPS)
}

#[test]
fn silu_and_its_derivatives_on_an_adapter_are_those_of_the_reference() {
    if adapter_is_missing() {
        return;
    }
    for order in 0..3 {
        for count in [1, 37, 256, 257, 5000] {
            let case = Silu { order };
            check_values(&case, &case.inputs(count), looser_ulps());
        }
    }
    let case = Silu { order: 0 };
    check_gradients(&case, &case.inputs(300), looser_ulps());
}

#[test]
fn silu_far_below_zero_is_zero_and_nan_stays_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    let x = vec![-1e30, -200.0, f64::NAN, 200.0];
    let ones = vec![1.0; 4];
    for (order, inputs) in [(0, vec![x.clone()]), (1, vec![x, ones])] {
        let got = values(&Silu { order }, &inputs).concat();
        // A subnormal logistic function times 1e30 is below 1e-7.
        assert!(got[..2].iter().all(|y| y.abs() < 1e-7), "{got:?}");
        assert!(got[2].is_nan() && got[3].is_finite(), "{got:?}");
    }
}
