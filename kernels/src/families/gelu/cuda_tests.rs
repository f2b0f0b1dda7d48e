//! The printed kernels on the emulator against the reference.

#[cfg(feature = "cuda")]
use super::super::formula::{Erf, ErfBackward, Tanh, TanhBackward};
use super::super::reference;
use super::{GeluKind, kernels};
use crate::machine::cuda::Element;
#[cfg(feature = "cuda")]
use crate::machine::cuda::compile::nvrtc_tests::assert_formula_compiles;
use crate::machine::cuda::emulated::{COUNTS, check_emulated};
use crate::machine::cuda::emulator::Emulator;
use crate::testing::numbers;

#[test]
fn emulated_forms_of_gelu_and_their_gradients_match_the_reference_for_any_count() {
    for kind in [GeluKind::Erf, GeluKind::Tanh] {
        for count in COUNTS {
            let x = numbers(count, 1).iter().map(|x| 4.0 * x).collect();
            check_emulated(
                &[numbers(count, 2), x],
                |machine, x| {
                    let (value, gradient) = kernels(kind);
                    let [y] = value.map(machine, [&x[1]]);
                    let [dx] = gradient.map(machine, [&x[0], &x[1]]);
                    vec![y, dx]
                },
                |x| {
                    let [grad, x] = [0, 1].map(|at| x[at].clone().unsqueeze::<2>());
                    let y = reference::forward(x.clone(), kind);
                    [y, reference::backward(grad, x, kind)].map(|y| y.flatten(0, 1)).to_vec()
                },
            );
        }
    }
}

#[test]
fn far_out_the_emulated_forms_are_the_identity_or_zero_and_nan_stays() {
    let Some(machine) = Emulator::find() else { return };
    let x = machine.array_of(Element::F32, &[50.0, -50.0, f64::NAN]);
    let ones = machine.array_of(Element::F32, &[1.0; 3]);
    for kind in [GeluKind::Erf, GeluKind::Tanh] {
        let (value, gradient) = kernels(kind);
        let ([y], [slope]) = (value.map(&machine, [&x]), gradient.map(&machine, [&ones, &x]));
        let y = y.values();
        assert_eq!((y[0], y[1].abs()), (50.0, 0.0));
        assert_eq!((slope.values()[0], slope.values()[1].abs()), (1.0, 0.0));
        assert!(y[2].is_nan() && slope.values()[2].is_nan());
    }
}

#[cfg(feature = "cuda")]
#[test]
fn both_forms_of_gelu_and_their_gradients_compile_and_keep_their_numbers_in_registers() {
    assert_formula_compiles::<Erf, _, _>();
    assert_formula_compiles::<ErfBackward, _, _>();
    assert_formula_compiles::<Tanh, _, _>();
    assert_formula_compiles::<TanhBackward, _, _>();
}
