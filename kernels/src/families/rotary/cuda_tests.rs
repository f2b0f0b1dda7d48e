//! `rotary.cu` on the emulator against the reference.

use super::super::reference;
use super::turned;
use crate::machine::cuda::Element;
use crate::machine::cuda::emulated::check_emulated;
use crate::machine::cuda::emulator::Emulator;
use crate::testing::numbers;

/// Halves of one number, around a pack of four, of whole packs, and many tokens.
const SIZES: [[usize; 3]; 8] =
    [[1, 1, 2], [3, 2, 6], [2, 3, 8], [5, 1, 10], [4, 2, 64], [2, 1, 130], [300, 2, 4], [0, 2, 4]];

#[test]
fn emulated_rotations_match_the_reference_for_ragged_sizes() {
    for sizes in SIZES {
        let [tokens, heads, width] = sizes;
        let angles = tokens * width / 2;
        check_emulated(
            &[numbers(tokens * heads * width, 1), numbers(angles, 2), numbers(angles, 3)],
            |machine, x| vec![turned(machine, [&x[0], &x[1], &x[2]], sizes)],
            |x| {
                let table = |at: usize| x[at].clone().reshape([tokens, width / 2]);
                let turned = reference::forward(x[0].clone().reshape(sizes), table(1), table(2));
                vec![turned.flatten(0, 2)]
            },
        );
    }
}

#[test]
fn an_emulated_nan_reaches_its_pair_alone() {
    let Some(machine) = Emulator::find() else { return };
    let mut x = numbers(12, 1);
    x[1] = f64::NAN;
    let [x, cos, sin] =
        [x, numbers(6, 2), numbers(6, 3)].map(|values| machine.array_of(Element::F32, &values));
    let got = turned(&machine, [&x, &cos, &sin], [2, 1, 6]).values();
    let nan: Vec<usize> = (0..12).filter(|&at| got[at].is_nan()).collect();
    assert_eq!(nan, [1, 4]);
}
