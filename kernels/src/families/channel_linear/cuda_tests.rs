//! The three forms on the emulator against the reference in f64.

use burn::tensor::{DType, Tensor};

use super::super::tests::{FORMS, Form, Linear};
use super::{Call, Order};
use crate::Cpu;
use crate::machine::cuda::Element;
#[cfg(feature = "cuda")]
use crate::machine::cuda::device_tests::{check_case, has_device};
use crate::machine::cuda::emulator::{Emulator, assert_as_reference};
use crate::testing::{Case, host, tensors};

const BOTH: [Element; 2] = [Element::F32, Element::F64];

fn emulated(machine: &Emulator, element: Element, case: &Linear, inputs: &[Vec<f64>]) -> Vec<f64> {
    let (num_nodes, num_rows) = (case.num_nodes, case.num_rows);
    let order = case.map.species.as_ref().map(|species| Order::upload(machine, species));
    let call = Call { machine, map: &case.map, order: order.as_ref(), num_nodes, num_rows };
    let [a, b] = [0, 1].map(|at: usize| machine.array_of(element, &inputs[at]));
    let result = match case.form {
        Form::Output => call.forward(&a, &b),
        Form::Input => call.input(&a, &b),
        Form::Weights => call.weight(&a, &b),
    };
    result.values()
}

fn check(machine: &Emulator, case: &Linear) {
    let inputs = case.inputs();
    let got = BOTH.map(|element| emulated(machine, element, case, &inputs));
    let plain = |dtype| -> Vec<f64> {
        let tensors: Vec<Tensor<Cpu, 1>> = tensors(&inputs, dtype);
        host(case.reference(&tensors))
    };
    let want = [DType::F32, DType::F64].map(plain);
    let terms = case.map.num_inputs() * case.map.channels + 16 * case.num_nodes;
    assert_as_reference([&got[0], &got[1]], [&want[0], &want[1]], terms);
}

#[test]
fn emulated_maps_match_the_reference_for_any_division_by_species() {
    let Some(machine) = Emulator::find() else { return };
    for form in FORMS {
        for species in [1, 2, 3] {
            for (nodes, copies, channels) in
                [(1, &[1][..], 1), (9, &[1, 2], 3), (23, &[2, 3, 2, 1], 17)]
            {
                check(&machine, &Linear::new(form, nodes, copies, channels, species));
            }
        }
    }
}

#[test]
fn emulated_maps_leave_rows_behind_the_last_block_alone() {
    let Some(machine) = Emulator::find() else { return };
    for form in FORMS {
        for species in [1, 2] {
            check(&machine, &Linear::new(form, 8, &[1, 2], 5, species).with_more_rows(4));
        }
    }
}

#[test]
fn no_nodes_give_zero_gradients_of_weights_on_the_emulator() {
    let Some(machine) = Emulator::find() else { return };
    for form in FORMS {
        let case = Linear::new(form, 0, &[1, 1], 3, 2);
        let want = match form {
            Form::Weights => vec![0.0; case.map.num_weights()],
            Form::Output | Form::Input => vec![],
        };
        assert_eq!(emulated(&machine, Element::F32, &case, &case.inputs()), want, "{form:?}");
    }
}

#[cfg(feature = "cuda")]
#[test]
fn maps_on_the_device_match_the_cpu() {
    if !has_device() {
        return;
    }
    for form in FORMS {
        for species in [1, 2, 3] {
            for (nodes, copies, channels) in
                [(1, &[1][..], 1), (23, &[2, 3, 2, 1], 17), (700, &[1, 2, 2], 64)]
            {
                let case = Linear::new(form, nodes, copies, channels, species);
                let name = format!("{form:?} {species} {nodes} {channels}");
                check_case(&name, &case, &case.inputs());
            }
        }
        let case = Linear::new(form, 8, &[1, 2], 5, 2).with_more_rows(4);
        check_case(&format!("{form:?} with more rows"), &case, &case.inputs());
    }
}
