//! The emitted kernels on the emulator against the reference in f64, all four forms: these are every
//! order of derivative.

use burn::tensor::{DType, Tensor};

use super::super::tests::{Convolution, EDGES, FORMS, Form, NODES};
use super::{Call, Graph};
use crate::Cpu;
use crate::machine::cuda::Element;
#[cfg(feature = "cuda")]
use crate::machine::cuda::device_tests::{check_case, has_device};
use crate::machine::cuda::emulator::{Emulator, assert_as_reference};
use crate::testing::{Case, host, tensors};

const BOTH: [Element; 2] = [Element::F32, Element::F64];

fn emulated(
    machine: &Emulator,
    element: Element,
    case: &Convolution,
    inputs: &[Vec<f64>],
) -> Vec<f64> {
    let graph = Graph::upload(machine, &case.problem.graph);
    let call = Call { machine, problem: &case.problem, graph: &graph, channels: case.channels };
    let arrays: Vec<_> = inputs.iter().map(|x| machine.array_of(element, x)).collect();
    let arrays = [&arrays[0], &arrays[1], &arrays[2]];
    let result = match case.form {
        Form::Output => call.to_receivers(arrays),
        Form::Features => call.features(arrays),
        Form::Harmonics => call.harmonics(arrays),
        Form::Radial => call.radial(arrays),
    };
    result.values()
}

fn check(machine: &Emulator, case: &Convolution) {
    let inputs = case.inputs();
    let got = BOTH.map(|element| emulated(machine, element, case, &inputs));
    let plain = |dtype| -> Vec<f64> {
        let tensors: Vec<Tensor<Cpu, 1>> = tensors(&inputs, dtype);
        host(case.reference(&tensors))
    };
    let plain = [DType::F32, DType::F64].map(plain);
    assert_as_reference([&got[0], &got[1]], [&plain[0], &plain[1]], longest_sum(case));
}

/// Every term of every edge, and of every channel where these are summed.
fn longest_sum(case: &Convolution) -> usize {
    let couplings: usize = case.problem.paths.iter().map(|path| path.terms.len()).sum();
    match case.form {
        Form::Harmonics => couplings * case.channels,
        Form::Output | Form::Features | Form::Radial => couplings * case.problem.graph.num_edges(),
    }
}

#[test]
fn emulated_forms_match_the_reference_for_any_number_of_channels() {
    let Some(machine) = Emulator::find() else { return };
    for channels in [1, 3, 32, 33, 100] {
        for form in FORMS {
            check(&machine, &Convolution::new(form, [1, 1, 1], &EDGES, NODES, channels));
        }
    }
}

#[test]
fn emulated_forms_match_the_reference_for_all_degrees_of_mace() {
    let Some(machine) = Emulator::find() else { return };
    for max_in in 0..=2 {
        for form in FORMS {
            check(&machine, &Convolution::new(form, [max_in, 3, 3], &EDGES, NODES, 5));
        }
    }
}

#[test]
fn emulated_forms_match_the_reference_where_harmonics_take_two_tiles() {
    let Some(machine) = Emulator::find() else { return };
    check(&machine, &Convolution::new(Form::Harmonics, [0, 5, 5], &EDGES, NODES, 2));
}

/// Features of degree 2 couple to nothing: their gradient is zero.
#[test]
fn degrees_without_a_path_have_no_gradient_on_the_emulator() {
    let Some(machine) = Emulator::find() else { return };
    for form in FORMS {
        check(&machine, &Convolution::new(form, [2, 0, 1], &EDGES, NODES, 3));
    }
}

#[test]
fn emulated_forms_share_radial_weights_between_edges() {
    let Some(machine) = Emulator::find() else { return };
    for form in FORMS {
        let case = Convolution::new(form, [1, 1, 1], &EDGES, NODES, 33);
        check(&machine, &case.with_shared_weights());
    }
}

#[test]
fn emulated_forms_walk_more_edges_than_a_group_holds() {
    let Some(machine) = Emulator::find() else { return };
    let edges: Vec<[u32; 2]> = (0..237).map(|edge| [edge * 7 % 40, edge / 6]).collect();
    for form in FORMS {
        check(&machine, &Convolution::new(form, [1, 1, 1], &edges, 40, 3));
    }
}

#[test]
fn no_edges_and_no_nodes_give_zeros_on_the_emulator() {
    let Some(machine) = Emulator::find() else { return };
    for form in FORMS {
        for nodes in [0, 2] {
            let case = Convolution::new(form, [1, 1, 1], &[], nodes, 3);
            let per_node = match form {
                Form::Output => case.problem.paths.num_outputs(),
                Form::Features => case.problem.paths.num_inputs(),
                Form::Harmonics | Form::Radial => 0,
            };
            for element in BOTH {
                let got = emulated(&machine, element, &case, &case.inputs());
                assert_eq!(got, vec![0.0; nodes * per_node * 3], "{form:?}");
            }
        }
    }
}

#[test]
fn a_nan_reaches_the_nodes_that_receive_it_and_no_other_on_the_emulator() {
    let Some(machine) = Emulator::find() else { return };
    let case = Convolution::new(Form::Output, [1, 1, 1], &EDGES, NODES, 3);
    let mut inputs = case.inputs();
    inputs[0][2 * case.problem.paths.num_inputs() * 3] = f64::NAN;
    let got = emulated(&machine, Element::F32, &case, &inputs);
    let nodes: Vec<bool> =
        got.chunks(got.len() / NODES).map(|node| node.iter().any(|x| x.is_nan())).collect();
    assert_eq!(nodes, [true, false, false, true, false]);
}

#[cfg(feature = "cuda")]
#[test]
fn forms_on_the_device_match_the_cpu() {
    if !has_device() {
        return;
    }
    // More edges than nodes, most of them at few nodes, as in a molecule.
    let edges: Vec<[u32; 2]> = (0..3000).map(|edge| [edge * 7 % 200, edge / 16]).collect();
    for form in FORMS {
        for (degrees, channels) in [([1, 3, 3], 32), ([2, 3, 2], 5), ([0, 3, 1], 128)] {
            let case = Convolution::new(form, degrees, &edges, 200, channels);
            check_case(&format!("{form:?} {degrees:?} {channels}"), &case, &case.inputs());
        }
        let case = Convolution::new(form, [1, 1, 1], &EDGES, NODES, 33).with_shared_weights();
        check_case(&format!("{form:?} with shared weights"), &case, &case.inputs());
    }
}
