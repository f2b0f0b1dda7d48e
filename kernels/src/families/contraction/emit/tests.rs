//! The emitted text: that no term is lost. Results are tested with the host sides.

use super::super::tests::many_terms;
use super::super::{Term, Terms};
use super::{coefficients, inputs, outputs};
#[cfg(feature = "cuda")]
use crate::machine::cuda::compile::nvrtc_tests::assert_compile;
use crate::machine::emit::Kernel;

fn count(kernels: &[Kernel], word: &str) -> usize {
    kernels.iter().map(|kernel| kernel.cuda().matches(word).count()).sum()
}

#[test]
fn every_coefficient_is_read_once_by_each_kernel_of_nodes() {
    for moving in [false, true] {
        let (outputs, inputs) =
            (outputs(&many_terms(), 8, moving), inputs(&many_terms(), 8, moving));
        assert_eq!([outputs.len(), inputs.len()], [2, 2]);
        assert_eq!(count(&outputs, "= coefficients["), 500);
        assert_eq!(count(&inputs, "= coefficients["), 500);
        // Four outputs are written, the last of which has no term; seven inputs by both parts.
        assert_eq!([count(&outputs, "out[to"), count(&inputs, "out[begin + ")], [4, 7 + 2 * 7]);
    }
}

#[test]
fn every_term_has_one_sum_that_is_written_once() {
    for moving in [false, true] {
        let kernels = coefficients(&many_terms(), 8, moving);
        assert_eq!(kernels.len(), 16);
        assert_eq!(count(&kernels, "Real t"), 500);
        assert_eq!(count(&kernels, "out[to"), 500);
    }
}

#[test]
fn a_term_of_each_order_reads_as_its_product() {
    let term = |indices, order| Term { output: 0, indices, order };
    let list = vec![term([1, 0, 0], 1), term([0, 1, 0], 2), term([0, 1, 1], 3)];
    let text = coefficients(&Terms::new(2, 1, list), 4, true)[0].cuda();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    for line in [
        "const Real g0_0 = g0 * x0;",
        "const Real g0_0s = g0 * v0;",
        "const Real g0_0_1s = g0_0s * x1 + g0_0 * v1;",
        "t0 += g0 * v1;",
        "t1 += g0_0s * x1 + g0_0 * v1;",
        "t2 += g0_0_1s * x1 + g0_0_1 * v1;",
    ] {
        assert!(lines.contains(&line), "no line `{line}` in\n{text}");
    }
}

#[cfg(feature = "cuda")]
#[test]
fn kernels_of_many_terms_compile_and_keep_their_numbers_in_registers() {
    for moving in [false, true] {
        assert_compile(&outputs(&many_terms(), 128, moving));
        assert_compile(&inputs(&many_terms(), 128, moving));
        // Sixteen of a kind, each of as many terms.
        assert_compile(&coefficients(&many_terms(), 128, moving)[..2]);
    }
}
