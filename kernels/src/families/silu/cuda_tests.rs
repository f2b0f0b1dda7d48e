//! The printed kernels on the emulator against the reference.

#[cfg(feature = "cuda")]
use super::super::formula::{Bend, Silu, Slope};
use super::super::reference;
use super::{BEND, SILU, SLOPE};
use crate::machine::cuda::Element;
#[cfg(feature = "cuda")]
use crate::machine::cuda::compile::nvrtc_tests::assert_formula_compiles;
use crate::machine::cuda::emulated::{COUNTS, check_emulated};
use crate::machine::cuda::emulator::Emulator;
use crate::testing::numbers;

#[test]
fn emulated_silu_and_its_derivatives_match_the_reference_for_any_count() {
    for count in COUNTS {
        let x = numbers(count, 1).iter().map(|x| 5.0 * x).collect();
        check_emulated(
            &[numbers(count, 2), numbers(count, 3), x],
            |machine, x| {
                let [a, b, x] = [&x[0], &x[1], &x[2]];
                [SILU.map(machine, [x]), SLOPE.map(machine, [a, x]), BEND.map(machine, [a, b, x])]
                    .concat()
            },
            |x| {
                let [a, b, x] = [0, 1, 2].map(|at| x[at].clone().unsqueeze::<2>());
                let y = reference::forward(x.clone());
                let slope = reference::slope(a.clone(), x.clone());
                [y, slope, reference::bend(a, b, x)].map(|y| y.flatten(0, 1)).to_vec()
            },
        );
    }
}

#[test]
fn an_emulated_nan_stays_where_it_is() {
    let Some(machine) = Emulator::find() else { return };
    let x = machine.array_of(Element::F64, &[f64::NAN, 1.0, -1e4]);
    let ones = machine.array_of(Element::F64, &[1.0; 3]);
    let slope = SLOPE.map(&machine, [&ones, &x]);
    for [got] in [SILU.map(&machine, [&x]), slope, BEND.map(&machine, [&ones, &ones, &x])] {
        let got = got.values();
        assert!(got[0].is_nan() && got[1].is_finite() && got[2] == 0.0, "{got:?}");
    }
}

#[cfg(feature = "cuda")]
#[test]
fn silu_and_its_derivatives_compile_and_keep_their_numbers_in_registers() {
    assert_formula_compiles::<Silu, _, _>();
    assert_formula_compiles::<Slope, _, _>();
    assert_formula_compiles::<Bend, _, _>();
}
