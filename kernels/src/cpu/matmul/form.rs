//! Which arithmetic a product uses on each instruction set.

use std::marker::PhantomData;

use crate::cpu::{Arithmetic, Element, Full, Job, Plain, Round, Rounded, Set, run, run_mixed};

/// One arithmetic for every instruction set.
pub(crate) trait Form {
    type Number: Element + Plain;
    type Of<S: Set>: Arithmetic<Number = Self::Number>;
    /// Runs a job on the best instruction set for this arithmetic.
    fn run<J: Job>(job: J);

    /// `[rows, columns]` of the register tile of that instruction set.
    fn tile() -> [usize; 2] {
        let mut shape = [0, 0];
        Self::run(TileShape::<Self>(&mut shape, PhantomData));
        shape
    }
}

/// Numbers as they are.
pub(crate) struct Plainly<T>(PhantomData<T>);

/// Operands rounded to bf16.
pub(crate) struct Mixed<T>(PhantomData<T>);

impl<T: Round + Plain> Form for Plainly<T> {
    type Number = T;
    type Of<S: Set> = Full<S, T>;

    fn run<J: Job>(job: J) {
        run(job);
    }
}

impl Form for Mixed<f32> {
    type Number = f32;
    type Of<S: Set> = S::Bf16;

    fn run<J: Job>(job: J) {
        run_mixed(job);
    }
}

impl Form for Mixed<f64> {
    type Number = f64;
    type Of<S: Set> = Rounded<S, f64>;

    fn run<J: Job>(job: J) {
        run(job);
    }
}

struct TileShape<'a, F: ?Sized>(&'a mut [usize; 2], PhantomData<F>);

impl<F: Form + ?Sized> Job for TileShape<'_, F> {
    #[inline(always)]
    fn run<S: Set>(self) {
        *self.0 = [F::Of::<S>::ROWS, F::Of::<S>::COLUMNS];
    }
}
