//! The printed kernels on the emulator against the reference.

#[cfg(feature = "cuda")]
use super::super::formula::{Backward, Swiglu};
use super::super::reference;
use super::{BACKWARD, SWIGLU};
use crate::machine::cuda::Element;
#[cfg(feature = "cuda")]
use crate::machine::cuda::compile::nvrtc_tests::assert_formula_compiles;
use crate::machine::cuda::emulated::{COUNTS, check_emulated};
use crate::machine::cuda::emulator::Emulator;
use crate::testing::numbers;

fn inputs(count: usize) -> Vec<Vec<f64>> {
    vec![numbers(count, 3), numbers(count, 1).iter().map(|x| 5.0 * x).collect(), numbers(count, 2)]
}

#[test]
fn emulated_swiglu_and_its_gradients_match_the_reference_for_any_count() {
    for count in COUNTS {
        check_emulated(
            &inputs(count),
            |machine, x| {
                let [y] = SWIGLU.map(machine, [&x[1], &x[2]]);
                let [dgate, dup] = BACKWARD.map(machine, [&x[0], &x[1], &x[2]]);
                vec![y, dgate, dup]
            },
            |x| {
                let [grad, gate, up] = [0, 1, 2].map(|at| x[at].clone().unsqueeze::<2>());
                let (dgate, dup) = reference::backward(grad, gate.clone(), up.clone());
                [reference::forward(gate, up), dgate, dup].map(|y| y.flatten(0, 1)).to_vec()
            },
        );
    }
}

#[test]
fn an_emulated_gate_far_below_zero_closes_without_nan_and_nan_stays() {
    let Some(machine) = Emulator::find() else { return };
    let gate = machine.array_of(Element::F32, &[-1e4, 1e4, f64::NAN]);
    let up = machine.array_of(Element::F32, &[2.0; 3]);
    let got = SWIGLU.map(&machine, [&gate, &up])[0].values();
    assert_eq!(got[..2], [0.0, 2e4]);
    assert!(got[2].is_nan());
    let [dgate, dup] = BACKWARD.map(&machine, [&up, &gate, &up]);
    assert_eq!(dgate.values()[..2], [0.0, 4.0]);
    assert!(dgate.values()[2].is_nan() && dup.values()[2].is_nan());
}

#[test]
#[should_panic(expected = "`swiglu`: 3 numbers beside 2")]
fn inputs_of_two_lengths_are_refused() {
    let Some(machine) = Emulator::find() else {
        unreachable!("`swiglu`: 3 numbers beside 2 cannot be shown without a compiler")
    };
    let of = |count| machine.array_of(Element::F32, &vec![1.0; count]);
    SWIGLU.map(&machine, [&of(2), &of(3)]);
}

#[cfg(feature = "cuda")]
#[test]
fn the_gated_activation_and_its_gradients_compile_and_keep_their_numbers_in_registers() {
    assert_formula_compiles::<Swiglu, _, _>();
    assert_formula_compiles::<Backward, _, _>();
}
