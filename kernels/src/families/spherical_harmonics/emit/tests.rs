//! The emitted text: that every step of the recursion is there, and that the tile fits. Results are
//! tested with the host sides.

use super::super::MAX_DEGREE;
use super::super::recursion::steps;
use super::{backward, forward, second};
#[cfg(feature = "cuda")]
use crate::machine::cuda::compile::nvrtc_tests::assert_compile;

fn literals(text: &str) -> usize {
    text.matches("Real(").count()
        - text.matches("Real(0.0)").count()
        - text.matches("Real(1.0)").count()
}

#[test]
fn every_step_of_the_recursion_is_a_literal_once_per_direction() {
    for degree in 0..=MAX_DEGREE {
        let num_steps: usize = (1..=degree).map(|l| steps(l).len()).sum();
        assert_eq!(literals(&forward(degree).cuda()), num_steps);
        // Forward, and two products backwards.
        assert_eq!(literals(&backward(degree).cuda()), 3 * num_steps);
        // Each with its derivative.
        assert_eq!(literals(&second(degree).cuda()), 6 * num_steps);
    }
}

#[test]
fn the_tile_fits_what_every_adapter_has() {
    for degree in 0..=MAX_DEGREE {
        for kernel in [forward(degree), backward(degree), second(degree)] {
            let numbers = kernel.shared.expect("rows go through a tile");
            assert!(4 * numbers <= 16 * 1024 && 8 * numbers <= 48 * 1024, "{numbers} at {degree}");
            assert!(kernel.threads.is_multiple_of(32));
        }
    }
}

#[test]
fn degree_one_is_the_unit_vector_times_the_root_of_three() {
    let text = forward(1).cuda();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    for line in ["const Real y0 = Real(1.0);", "const Real u1 = v1 * reciprocal;"] {
        assert!(lines.contains(&line), "no line `{line}` in\n{text}");
    }
    let y2 = lines.iter().find_map(|line| line.strip_prefix("const Real y2 = Real(")).expect("y2");
    let (value, factors) = y2.split_once(')').expect("a literal");
    let value: f64 = value.parse().expect("a number");
    assert!((value - 3.0_f64.sqrt()).abs() < 1e-15, "{value}");
    assert_eq!(factors, " * (u1 * y0);");
}

#[cfg(feature = "cuda")]
#[test]
fn kernels_of_the_degrees_of_mace_compile_and_keep_their_numbers_in_registers() {
    for degree in 0..=3 {
        assert_compile(&[forward(degree), backward(degree), second(degree)]);
    }
}
