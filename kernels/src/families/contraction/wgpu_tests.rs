//! The emitted kernels on an adapter against the reference in f64, all six operations.

use super::tests::{Contraction, KERNELS, Wanted};
use crate::machine::wgpu::testing::{adapter_is_missing, check_gradients, check_values, values};

/// Species 1 has no node, species 0 more than one slice.
fn species() -> Vec<u32> {
    (0..70).map(|node| 2 * u32::from(node % 7 == 0)).collect()
}

#[test]
fn the_polynomial_and_its_derivatives_on_an_adapter_match_the_reference() {
    if adapter_is_missing() {
        return;
    }
    for channels in [1, 3, 33, 100] {
        for wanted in KERNELS {
            let case = Contraction::new(wanted, &species(), 3, channels);
            check_values(&case, &case.inputs(), 0.0);
        }
    }
}

#[test]
fn many_terms_take_several_kernels_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    for wanted in KERNELS {
        let case = Contraction::new(wanted, &species()[..40], 3, 5).of_many_terms();
        check_values(&case, &case.inputs(), 0.0);
    }
}

#[test]
fn contractions_differentiate_twice_through_autodiff_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    for wanted in [Wanted::Output, Wanted::Input, Wanted::Coefficients] {
        let case = Contraction::new(wanted, &[0, 2, 0, 0], 3, 4);
        check_gradients(&case, &case.inputs(), 0.0);
    }
}

#[test]
fn no_nodes_give_zero_gradients_of_coefficients_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    for wanted in KERNELS {
        let case = Contraction::new(wanted, &[], 2, 3);
        let want = match wanted {
            Wanted::Coefficients | Wanted::CoefficientsTangent => {
                vec![0.0; 2 * case.problem.terms.list.len() * 3]
            }
            _ => vec![],
        };
        assert_eq!(values(&case, &case.inputs()), [want], "{wanted:?}");
    }
}

#[test]
fn a_nan_stays_in_its_node_and_channel_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    let case = Contraction::new(Wanted::Output, &[0, 1], 2, 2);
    let mut inputs = case.inputs();
    // Input 0 of node 1, channel 1.
    inputs[0][3 * 2 + 1] = f64::NAN;
    let got = values(&case, &inputs).concat();
    let nan: Vec<usize> = (0..got.len()).filter(|&at| got[at].is_nan()).collect();
    // Outputs 0 and 2 of four have terms with input 0.
    assert_eq!(nan, [4 * 2 + 1, (4 + 2) * 2 + 1]);
}
