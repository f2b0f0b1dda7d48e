//! How the products of one call are computed, whatever the instruction set.

use std::marker::PhantomData;

use crate::cpu::{Arithmetic, Element, Full, Job, Plain, Rounded, Set, run, run_mixed};

/// The arithmetic of every instruction set, and how jobs that use it are run.
pub(super) trait Numerics {
    type Number: Element + Plain;
    type On<S: Set>: Arithmetic<Number = Self::Number>;
    fn run<J: Job>(job: J);
}

/// Operands keep their dtype.
pub(super) struct FullProducts<T>(PhantomData<T>);

/// Operands in f32 are rounded to bf16.
pub(super) struct MixedProducts;

/// Operands in f64 are rounded to bf16.
pub(super) struct MixedWideProducts;

macro_rules! numerics {
    ($name:ty, $number:ty, $set:ident => $arithmetic:ty, $run:ident) => {
        impl Numerics for $name {
            type Number = $number;
            type On<$set: Set> = $arithmetic;

            #[inline(always)]
            fn run<J: Job>(job: J) {
                $run(job);
            }
        }
    };
}
numerics!(FullProducts<f32>, f32, S => Full<S, f32>, run);
numerics!(FullProducts<f64>, f64, S => Full<S, f64>, run);
numerics!(MixedProducts, f32, S => S::Bf16, run_mixed);
numerics!(MixedWideProducts, f64, S => Rounded<S, f64>, run);
