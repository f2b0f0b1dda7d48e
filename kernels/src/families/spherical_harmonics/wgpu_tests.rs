//! The emitted kernels on an adapter against the reference in f64.

use super::MAX_DEGREE;
use super::tests::{Harmonics, KERNELS, Wanted};
use crate::machine::wgpu::testing::{
    DIVISION_ULPS, SQRT_ULPS, adapter_is_missing, check_gradients, check_values, values,
};

/// The unit vector has the error of a root and a quotient. A harmonic of degree l is a polynomial of
/// degree l of it, and its gradient and their changes have up to three reciprocals more; of each factor
/// the result has the error once.
fn looser_ulps(max_degree: usize) -> f64 {
    (max_degree as f64 + 3.0) * (SQRT_ULPS + DIVISION_ULPS)
}

#[test]
fn harmonics_on_an_adapter_match_the_reference_for_all_degrees() {
    if adapter_is_missing() {
        return;
    }
    for max_degree in 0..=MAX_DEGREE {
        // Fewer edges than a group has threads, as many, one more, and several groups.
        for edges in [1, 64, 129, 300] {
            for wanted in KERNELS {
                let case = Harmonics { wanted, edges, max_degree };
                check_values(&case, &case.inputs(), looser_ulps(max_degree));
            }
        }
    }
}

#[test]
fn harmonics_differentiate_twice_through_autodiff_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    for wanted in [Wanted::Values, Wanted::Gradient] {
        let case = Harmonics { wanted, edges: 5, max_degree: 3 };
        check_gradients(&case, &case.inputs(), looser_ulps(3));
    }
}

#[test]
fn a_vector_of_zero_has_no_direction_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    for wanted in KERNELS {
        let case = Harmonics { wanted, edges: 3, max_degree: 2 };
        let mut inputs = case.inputs();
        let vectors = inputs.last_mut().expect("vectors come last");
        vectors[3..6].fill(0.0);
        let got = values(&case, &inputs).concat();
        let width = got.len() / 3;
        let want: Vec<f64> = (0..width)
            .map(|column| f64::from(column == 0 && matches!(wanted, Wanted::Values)))
            .collect();
        assert_eq!(got[width..2 * width], want, "{wanted:?}");
    }
}

#[test]
fn no_edges_give_nothing_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    for wanted in KERNELS {
        let case = Harmonics { wanted, edges: 0, max_degree: 3 };
        assert!(values(&case, &case.inputs()).concat().is_empty(), "{wanted:?}");
    }
}

#[test]
fn a_nan_spoils_its_own_edge_only_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    for wanted in KERNELS {
        let case = Harmonics { wanted, edges: 130, max_degree: 3 };
        let mut inputs = case.inputs();
        inputs.last_mut().expect("vectors come last")[127 * 3] = f64::NAN;
        let got = values(&case, &inputs).concat();
        let width = got.len() / 130;
        let nan: Vec<usize> = (0..130)
            .filter(|&edge| got[edge * width..][..width].iter().any(|x| x.is_nan()))
            .collect();
        assert_eq!(nan, [127], "{wanted:?}");
    }
}
