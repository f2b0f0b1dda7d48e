//! The gated activation and its gradients as formulas.
//!
//! One description: the CPU computes with it, kernels of GPUs are printed from it.

use crate::formula::{Formula, Term};

/// `silu(gate) up`.
pub(crate) struct Swiglu;

impl Formula<2, 1> for Swiglu {
    const NAME: &'static str = "swiglu";
    const MATHS: &'static str = "y = a s u with a = gate, u = up, s = 1 / (1 + exp(-a))";
    const INPUTS: [&'static str; 2] = ["gate", "up"];
    const OUTPUTS: [&'static str; 1] = ["y"];

    #[inline(always)]
    fn apply<T: Term>([gate, up]: [T; 2]) -> [T; 1] {
        [gate.logistic().mul(gate).mul(up)]
    }
}

/// Gradients of gate and up.
pub(crate) struct Backward;

impl Formula<3, 2> for Backward {
    const NAME: &'static str = "swiglu_backward";
    const MATHS: &'static str = "dgate = g u s (1 + a (1 - s)), dup = g a s";
    const INPUTS: [&'static str; 3] = ["grad", "gate", "up"];
    const OUTPUTS: [&'static str; 2] = ["dgate", "dup"];

    #[inline(always)]
    fn apply<T: Term>([grad, gate, up]: [T; 3]) -> [T; 2] {
        let open = gate.logistic();
        let silu = open.mul(gate);
        // s (1 + a (1 - s)) = s + silu (1 - s)
        let slope = silu.mul_add(T::of(1.0).sub(open), open);
        [slope.mul(up).mul(grad), silu.mul(grad)]
    }
}
