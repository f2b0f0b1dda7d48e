//! The emitted kernels on an adapter against the reference in f64, all four forms: these are every order
//! of derivative.

use super::tests::{Convolution, EDGES, FORMS, Form, NODES};
use crate::machine::wgpu::testing::{adapter_is_missing, check_gradients, check_values, values};

#[test]
fn forms_on_an_adapter_match_the_reference_for_any_number_of_channels() {
    if adapter_is_missing() {
        return;
    }
    for channels in [1, 3, 32, 33, 100] {
        for form in FORMS {
            let case = Convolution::new(form, [1, 1, 1], &EDGES, NODES, channels);
            check_values(&case, &case.inputs(), 0.0);
        }
    }
}

#[test]
fn forms_on_an_adapter_match_the_reference_for_all_degrees_of_mace() {
    if adapter_is_missing() {
        return;
    }
    for degrees in [[0, 3, 3], [1, 3, 3], [2, 3, 3], [0, 5, 5], [2, 0, 1]] {
        for form in FORMS {
            let case = Convolution::new(form, degrees, &EDGES, NODES, 5);
            check_values(&case, &case.inputs(), 0.0);
        }
    }
}

#[test]
fn forms_on_an_adapter_share_radial_weights_between_edges() {
    if adapter_is_missing() {
        return;
    }
    for form in FORMS {
        let case = Convolution::new(form, [1, 1, 1], &EDGES, NODES, 33).with_shared_weights();
        check_values(&case, &case.inputs(), 0.0);
        check_gradients(&case, &case.inputs(), 0.0);
    }
}

#[test]
fn forms_on_an_adapter_walk_more_edges_than_a_group_holds() {
    if adapter_is_missing() {
        return;
    }
    let edges: Vec<[u32; 2]> = (0..237).map(|edge| [edge * 7 % 40, edge / 6]).collect();
    for form in FORMS {
        let case = Convolution::new(form, [1, 1, 1], &edges, 40, 3);
        check_values(&case, &case.inputs(), 0.0);
    }
}

#[test]
fn no_edges_and_no_nodes_give_zeros_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    for form in FORMS {
        for nodes in [0, 2] {
            let case = Convolution::new(form, [1, 1, 1], &[], nodes, 3);
            let per_node = match form {
                Form::Output => case.problem.paths.num_outputs(),
                Form::Features => case.problem.paths.num_inputs(),
                Form::Harmonics | Form::Radial => 0,
            };
            let got = values(&case, &case.inputs());
            assert_eq!(got, [vec![0.0; nodes * per_node * 3]], "{form:?}");
        }
    }
}

#[test]
fn a_nan_reaches_the_nodes_that_receive_it_and_no_other_on_an_adapter() {
    if adapter_is_missing() {
        return;
    }
    let case = Convolution::new(Form::Output, [1, 1, 1], &EDGES, NODES, 3);
    let mut inputs = case.inputs();
    inputs[0][2 * case.problem.paths.num_inputs() * 3] = f64::NAN;
    let got = values(&case, &inputs).concat();
    let nodes: Vec<bool> =
        got.chunks(got.len() / NODES).map(|node| node.iter().any(|x| x.is_nan())).collect();
    assert_eq!(nodes, [true, false, false, true, false]);
}
