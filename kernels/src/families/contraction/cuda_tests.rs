//! The emitted kernels on the emulator against the reference in f64, all six operations.

use burn::tensor::{DType, Tensor};

use super::super::tests::{Contraction, KERNELS, Wanted};
use super::{Call, Form};
use crate::Cpu;
use crate::machine::cuda::Element;
#[cfg(feature = "cuda")]
use crate::machine::cuda::device_tests::{check_case, has_device};
use crate::machine::cuda::emulator::{Emulator, assert_as_reference};
use crate::testing::{Case, host, tensors};

const BOTH: [Element; 2] = [Element::F32, Element::F64];

/// Species 1 has no node, species 0 more than one slice.
fn species() -> Vec<u32> {
    (0..70).map(|node| 2 * u32::from(node % 7 == 0)).collect()
}

fn emulated(
    machine: &Emulator,
    element: Element,
    case: &Contraction,
    inputs: &[Vec<f64>],
) -> Vec<f64> {
    let a: Vec<_> = inputs.iter().map(|x| machine.array_of(element, x)).collect();
    let moving =
        matches!(case.wanted, Wanted::Tangent | Wanted::InputTangent | Wanted::CoefficientsTangent);
    let (along, a) = if moving { (Some(&a[0]), &a[1..]) } else { (None, &a[..]) };
    let (x, form) = match case.wanted {
        Wanted::Output | Wanted::Tangent => (&a[0], Form::Outputs { coefficients: &a[1] }),
        Wanted::Input | Wanted::InputTangent => {
            (&a[1], Form::Inputs { grad: &a[0], coefficients: &a[2] })
        }
        Wanted::Coefficients | Wanted::CoefficientsTangent => {
            (&a[1], Form::Coefficients { grad: &a[0], num_species: case.num_species })
        }
    };
    let call = Call { machine, problem: &case.problem, channels: case.channels, x, along };
    call.run(form).values()
}

fn check(machine: &Emulator, case: &Contraction) {
    let inputs = case.inputs();
    let got = BOTH.map(|element| emulated(machine, element, case, &inputs));
    let plain = |dtype| -> Vec<f64> {
        let tensors: Vec<Tensor<Cpu, 1>> = tensors(&inputs, dtype);
        host(case.reference(&tensors))
    };
    let plain = [DType::F32, DType::F64].map(plain);
    assert_as_reference(
        [&got[0], &got[1]],
        [&plain[0], &plain[1]],
        case.problem.species.len() + case.problem.terms.list.len(),
    );
}

#[test]
fn the_emulated_polynomial_and_its_derivatives_match_the_reference() {
    let Some(machine) = Emulator::find() else { return };
    for channels in [1, 33] {
        for wanted in KERNELS {
            check(&machine, &Contraction::new(wanted, &species(), 3, channels));
        }
    }
}

#[test]
fn many_terms_take_several_kernels_on_the_emulator() {
    let Some(machine) = Emulator::find() else { return };
    // One of each of the three loops; the others differ from these by terms that every test has.
    for wanted in [Wanted::Output, Wanted::InputTangent, Wanted::Coefficients] {
        check(&machine, &Contraction::new(wanted, &species()[..40], 3, 5).of_many_terms());
    }
}

#[test]
fn no_nodes_give_zero_gradients_of_coefficients_on_the_emulator() {
    let Some(machine) = Emulator::find() else { return };
    for wanted in KERNELS {
        let case = Contraction::new(wanted, &[], 2, 3);
        let want = match wanted {
            Wanted::Coefficients | Wanted::CoefficientsTangent => {
                vec![0.0; 2 * case.problem.terms.list.len() * 3]
            }
            _ => vec![],
        };
        assert_eq!(emulated(&machine, Element::F32, &case, &case.inputs()), want, "{wanted:?}");
    }
}

#[test]
fn a_nan_stays_in_its_node_and_channel_on_the_emulator() {
    let Some(machine) = Emulator::find() else { return };
    let case = Contraction::new(Wanted::Output, &[0, 1], 2, 2);
    let mut inputs = case.inputs();
    // Input 0 of node 1, channel 1.
    inputs[0][3 * 2 + 1] = f64::NAN;
    let got = emulated(&machine, Element::F32, &case, &inputs);
    let nan: Vec<usize> = (0..got.len()).filter(|&at| got[at].is_nan()).collect();
    // Outputs 0 and 2 of four have terms with input 0.
    assert_eq!(nan, [4 * 2 + 1, (4 + 2) * 2 + 1]);
}

#[cfg(feature = "cuda")]
#[test]
fn contractions_on_the_device_match_the_cpu() {
    if !has_device() {
        return;
    }
    for wanted in KERNELS {
        for channels in [1, 33, 128] {
            let case = Contraction::new(wanted, &species(), 3, channels);
            check_case(&format!("{wanted:?} {channels}"), &case, &case.inputs());
        }
        let case = Contraction::new(wanted, &species()[..40], 3, 5).of_many_terms();
        check_case(&format!("{wanted:?} of many terms"), &case, &case.inputs());
    }
}
