//! An elementwise formula as a kernel: in WGSL a thread per number, in CUDA a thread per pack of four.

use super::symbol::{Lines, Symbol};
use super::syntax::{
    Access, Array, Expr, Kernel, Kind, Statement, constant, element, less, name, store, when, whole,
};
use crate::formula::Formula;

/// Threads of a group.
pub(crate) const THREADS: u32 = 256;

/// A formula as lines between its inputs and outputs.
pub(crate) struct Written {
    pub(super) name: &'static str,
    pub(super) maths: &'static str,
    pub(super) inputs: Vec<&'static str>,
    /// Each with its value.
    pub(super) outputs: Vec<(&'static str, Expr)>,
    pub(super) lines: Vec<Statement>,
}

impl Written {
    pub(crate) fn of<F: Formula<I, O>, const I: usize, const O: usize>() -> Self {
        let lines = Lines::default();
        let found = F::apply(F::INPUTS.map(|input| Symbol::Input(&lines, input)));
        let outputs = F::OUTPUTS.into_iter().zip(found.map(Symbol::expr)).collect();
        let lines = lines.into_statements();
        Self { name: F::NAME, maths: F::MATHS, inputs: F::INPUTS.to_vec(), outputs, lines }
    }

    /// A thread per number.
    pub(crate) fn kernel(&self) -> Kernel {
        let number = |input: &&'static str| {
            constant(Kind::Real, of_place(input), element(input, name("at")))
        };
        let mut body: Vec<Statement> = self.inputs.iter().map(number).collect();
        body.extend(self.lines.iter().cloned());
        let stored = |(output, value): &(&str, Expr)| store(output, name("at"), value.clone());
        body.extend(self.outputs.iter().map(stored));
        let flat = name("group") * whole(THREADS as usize) + name("thread");
        Kernel {
            name: self.name,
            title: "elementwise".to_owned(),
            maths: vec![self.maths.to_owned()],
            arrays: self.arrays(),
            launch: "a thread per number, in any order that all arrays share".to_owned(),
            threads: THREADS,
            count: "numbers",
            shared: None,
            body: vec![
                constant(Kind::Whole, "at", flat),
                when(less(name("at"), name("count")), body),
            ],
        }
    }

    fn arrays(&self) -> Vec<Array> {
        let array = |name, access| {
            let about = "[count]".to_owned();
            Array { name, kind: Kind::Real, access, about }
        };
        let inputs = self.inputs.iter().map(|&name| array(name, Access::Read));
        inputs.chain(self.outputs.iter().map(|(name, _)| array(name, Access::Write))).collect()
    }
}

/// The number of an array at the place of a thread.
pub(super) fn of_place(array: &str) -> String {
    format!("{array}_i")
}
