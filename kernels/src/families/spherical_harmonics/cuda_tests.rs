//! The emitted kernels on the emulator against the reference in f64.

use burn::tensor::{DType, Tensor};

use super::super::MAX_DEGREE;
use super::super::tests::{Harmonics, KERNELS, Wanted};
use super::{backward, forward, second};
use crate::Cpu;
use crate::machine::cuda::Element;
#[cfg(feature = "cuda")]
use crate::machine::cuda::device_tests::{check_case, has_device};
use crate::machine::cuda::emulator::{Emulator, assert_as_reference};
use crate::testing::{Case, host, tensors};

/// Steps of the recursion through six degrees, each of at most a dozen sums.
const LONGEST_SUM: usize = 12 * MAX_DEGREE;

const BOTH: [Element; 2] = [Element::F32, Element::F64];

fn emulated(
    machine: &Emulator,
    element: Element,
    case: &Harmonics,
    inputs: &[Vec<f64>],
) -> Vec<f64> {
    let a: Vec<_> = inputs.iter().map(|x| machine.array_of(element, x)).collect();
    let degree = case.max_degree;
    let result = match case.wanted {
        Wanted::Values => forward(machine, &a[0], degree),
        Wanted::Gradient => backward(machine, [&a[0], &a[1]], degree),
        Wanted::Slope => second(machine, [&a[0], &a[1], &a[2]], degree).0,
        Wanted::Bend => second(machine, [&a[0], &a[1], &a[2]], degree).1,
    };
    result.values()
}

fn check(machine: &Emulator, case: &Harmonics, inputs: &[Vec<f64>]) {
    let got = BOTH.map(|element| emulated(machine, element, case, inputs));
    let plain = |dtype| -> Vec<f64> {
        let tensors: Vec<Tensor<Cpu, 1>> = tensors(inputs, dtype);
        host(case.reference(&tensors))
    };
    let plain = [DType::F32, DType::F64].map(plain);
    assert_as_reference([&got[0], &got[1]], [&plain[0], &plain[1]], LONGEST_SUM);
}

#[test]
fn emulated_harmonics_match_the_reference_for_all_degrees() {
    let Some(machine) = Emulator::find() else { return };
    for max_degree in 0..=MAX_DEGREE {
        // Fewer edges than a group has threads, as many, one more, and several groups.
        for edges in [1, 64, 129, 300] {
            for wanted in KERNELS {
                let case = Harmonics { wanted, edges, max_degree };
                check(&machine, &case, &case.inputs());
            }
        }
    }
}

#[test]
fn a_vector_of_zero_has_no_direction_on_the_emulator() {
    let Some(machine) = Emulator::find() else { return };
    for wanted in KERNELS {
        let case = Harmonics { wanted, edges: 3, max_degree: 2 };
        let mut inputs = case.inputs();
        inputs.last_mut().expect("vectors come last")[3..6].fill(0.0);
        let got = emulated(&machine, Element::F64, &case, &inputs);
        let width = got.len() / 3;
        let want: Vec<f64> = (0..width)
            .map(|column| f64::from(column == 0 && matches!(wanted, Wanted::Values)))
            .collect();
        assert_eq!(got[width..2 * width], want, "{wanted:?}");
    }
}

#[test]
fn no_edges_launch_nothing_on_the_emulator() {
    let Some(machine) = Emulator::find() else { return };
    for wanted in KERNELS {
        let case = Harmonics { wanted, edges: 0, max_degree: 3 };
        assert!(emulated(&machine, Element::F32, &case, &case.inputs()).is_empty(), "{wanted:?}");
    }
}

#[test]
fn a_nan_spoils_its_own_edge_only_on_the_emulator() {
    let Some(machine) = Emulator::find() else { return };
    for wanted in KERNELS {
        let case = Harmonics { wanted, edges: 130, max_degree: 3 };
        let mut inputs = case.inputs();
        inputs.last_mut().expect("vectors come last")[127 * 3] = f64::NAN;
        let got = emulated(&machine, Element::F32, &case, &inputs);
        let width = got.len() / 130;
        let spoiled = |&edge: &usize| got[edge * width..][..width].iter().any(|x| x.is_nan());
        let nan: Vec<usize> = (0..130).filter(spoiled).collect();
        assert_eq!(nan, [127], "{wanted:?}");
    }
}

#[cfg(feature = "cuda")]
#[test]
fn harmonics_on_the_device_match_the_cpu() {
    if !has_device() {
        return;
    }
    for wanted in KERNELS {
        for (max_degree, edges) in [(0, 1), (1, 129), (3, 20_000), (MAX_DEGREE, 300)] {
            let case = Harmonics { wanted, edges, max_degree };
            check_case(&format!("{wanted:?} {max_degree} {edges}"), &case, &case.inputs());
        }
    }
}
