//! A formula written down: computing with symbols leaves a line for every step.

use std::cell::RefCell;

use super::formula::of_place;
use super::syntax::{Expr, Function, Kind, Statement, call, constant, name, real};
use crate::formula::Term;

/// The lines so far.
#[derive(Default)]
pub(crate) struct Lines(RefCell<Vec<Statement>>);

impl Lines {
    pub(crate) fn into_statements(self) -> Vec<Statement> {
        self.0.into_inner()
    }
}

/// What a formula computes with when it is written down.
#[derive(Clone, Copy)]
pub(crate) enum Symbol<'a> {
    Number(f64),
    Input(&'a Lines, &'static str),
    /// The result of the line with this number.
    Step(&'a Lines, usize),
}

impl<'a> Symbol<'a> {
    pub(crate) fn expr(self) -> Expr {
        match self {
            Self::Number(value) => real(value),
            Self::Input(_, input) => name(of_place(input)),
            Self::Step(_, at) => name(format!("t{at}")),
        }
    }

    fn lines(self) -> Option<&'a Lines> {
        match self {
            Self::Number(_) => None,
            Self::Input(lines, _) | Self::Step(lines, _) => Some(lines),
        }
    }
}

/// Writes the next line.
fn step<const N: usize>(of: [Symbol<'_>; N], make: impl FnOnce([Expr; N]) -> Expr) -> Symbol<'_> {
    let lines = of.iter().find_map(|symbol| symbol.lines());
    let lines = lines.expect("a formula computes with its inputs, not with constants alone");
    let mut all = lines.0.borrow_mut();
    let at = all.len();
    all.push(constant(Kind::Real, format!("t{at}"), make(of.map(Symbol::expr))));
    Symbol::Step(lines, at)
}

impl Term for Symbol<'_> {
    fn of(value: f64) -> Self {
        Self::Number(value)
    }

    fn add(self, other: Self) -> Self {
        step([self, other], |[a, b]| a + b)
    }

    fn sub(self, other: Self) -> Self {
        step([self, other], |[a, b]| a - b)
    }

    fn mul(self, other: Self) -> Self {
        step([self, other], |[a, b]| a * b)
    }

    fn mul_add(self, factor: Self, term: Self) -> Self {
        step([self, factor, term], |of| call(Function::MulAdd, of))
    }

    fn min(self, other: Self) -> Self {
        step([self, other], |of| call(Function::Min, of))
    }

    fn exp(self) -> Self {
        step([self], |of| call(Function::Exp, of))
    }

    fn logistic(self) -> Self {
        step([self], |of| call(Function::Logistic, of))
    }

    fn erf(self) -> Self {
        step([self], |of| call(Function::Erf, of))
    }

    fn tanh(self) -> Self {
        step([self], |of| call(Function::Tanh, of))
    }

    fn tanh_slope(self, tanh: Self) -> Self {
        step([self, tanh], |of| call(Function::TanhSlope, of))
    }
}
