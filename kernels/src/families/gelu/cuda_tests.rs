//! `gelu.cu` on the emulator against the reference.

use super::super::reference;
use super::{GeluKind, backward, forward};
use crate::machine::cuda::Element;
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
                    vec![forward(machine, &x[1], kind), backward(machine, [&x[0], &x[1]], kind)]
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
        let (y, slope) =
            (forward(&machine, &x, kind).values(), backward(&machine, [&ones, &x], kind));
        assert_eq!((y[0], y[1].abs()), (50.0, 0.0));
        assert_eq!((slope.values()[0], slope.values()[1].abs()), (1.0, 0.0));
        assert!(y[2].is_nan() && slope.values()[2].is_nan());
    }
}
