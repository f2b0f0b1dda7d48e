//! `reduce.cu` on the emulator at sizes around its packs, chunks and levels.

use super::{CHUNK, sum_of_squares};
use crate::machine::cuda::Element;
use crate::machine::cuda::emulator::Emulator;
use crate::oracle::assert_within;
use crate::testing::numbers;

#[test]
fn emulated_sums_of_squares_match_plain_loops_at_every_tail() {
    let Some(machine) = Emulator::find() else { return };
    for count in [0, 1, 3, 5, 1023, 4096, CHUNK, CHUNK + 1, 3 * CHUNK - 2] {
        let x = numbers(count, 1);
        let exact: f64 = x.iter().map(|x| x * x).sum();
        for (element, epsilon) in
            [(Element::F32, f64::from(f32::EPSILON)), (Element::F64, f64::EPSILON)]
        {
            let got = sum_of_squares(&machine, &machine.array_of(element, &x)).values();
            // Every term is positive, so each rounding costs at most half of epsilon of the total: of a
            // square, 8 packs, 2 and 10 levels in a chunk, as many in the chunk of chunks; and in the
            // plain loop as many as there are numbers, in f64.
            let roundings = 0.5 * (1.0 + 2.0 * (8.0 + 2.0 + 10.0));
            let plain = count as f64 * f64::EPSILON;
            assert_within(&got, &[exact], |_| (roundings * epsilon + plain) * exact);
        }
    }
}

#[test]
fn a_nan_in_any_chunk_makes_the_emulated_sum_nan() {
    let Some(machine) = Emulator::find() else { return };
    for at in [0, CHUNK - 1, CHUNK, CHUNK + 4] {
        let mut x = numbers(CHUNK + 5, 3);
        x[at] = f64::NAN;
        assert!(sum_of_squares(&machine, &machine.array_of(Element::F32, &x)).values()[0].is_nan());
    }
}

/// More chunks than one block sums would be 67 million numbers; a sum of sums is reached by fewer.
#[test]
fn a_second_level_sums_the_chunks_of_the_first() {
    let Some(machine) = Emulator::find() else { return };
    let x = vec![1.0; 9 * CHUNK + 7];
    let got = sum_of_squares(&machine, &machine.array_of(Element::F32, &x)).values();
    assert_eq!(got, [(9 * CHUNK + 7) as f64]);
}
