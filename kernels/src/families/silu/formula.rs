//! SiLU and its two derivatives as formulas.
//!
//! One description: the CPU computes with it, kernels of GPUs are printed from it.

use crate::formula::{Formula, Term};

/// `x s(x)`.
pub(crate) struct Silu;

impl Formula<1, 1> for Silu {
    const NAME: &'static str = "silu";
    const MATHS: &'static str = "y = x s, s = 1 / (1 + exp(-x))";
    const INPUTS: [&'static str; 1] = ["x"];
    const OUTPUTS: [&'static str; 1] = ["y"];

    #[inline(always)]
    fn apply<T: Term>([x]: [T; 1]) -> [T; 1] {
        [x.logistic().mul(x)]
    }
}

/// `y'(x) a`.
pub(crate) struct Slope;

impl Formula<2, 1> for Slope {
    const NAME: &'static str = "silu_slope";
    const MATHS: &'static str = "y = s (1 + x (1 - s)) a";
    const INPUTS: [&'static str; 2] = ["along", "x"];
    const OUTPUTS: [&'static str; 1] = ["y"];

    #[inline(always)]
    fn apply<T: Term>([along, x]: [T; 2]) -> [T; 1] {
        let open = x.logistic();
        let silu = open.mul(x);
        [silu.mul_add(T::of(1.0).sub(open), open).mul(along)]
    }
}

/// `y''(x) a b`.
pub(crate) struct Bend;

impl Formula<3, 1> for Bend {
    const NAME: &'static str = "silu_bend";
    const MATHS: &'static str = "y = s (1 - s) (2 + x (1 - 2 s)) a b";
    const INPUTS: [&'static str; 3] = ["a", "b", "x"];
    const OUTPUTS: [&'static str; 1] = ["y"];

    #[inline(always)]
    fn apply<T: Term>([a, b, x]: [T; 3]) -> [T; 1] {
        let open = x.logistic();
        let rise = open.mul(T::of(1.0).sub(open));
        let rest = T::of(1.0).sub(open.add(open));
        [x.mul_add(rest, T::of(2.0)).mul(rise).mul(a).mul(b)]
    }
}
