//! The polynomial and its derivatives as kernels of a GPU, made from the terms.
//!
//! A thread has one channel of a node, its inputs in registers, and goes through the nested form
//! (`tree.rs`) as straight lines. Gradients of coefficients have a thread per channel of a slice of the
//! nodes of a species and as many sums as registers hold; the slices are then summed by species in order
//! ([`rows`](crate::families::rows)).
//!
//! Every kernel comes twice: of values, and of their derivative along a direction.
//! Names in the kernels: `x<i>` input, `v<i>` its direction, `g<o>` gradient of an output, `d<i>` of an
//! input, `k<t>` coefficient; with an `s` behind, the derivative.

mod node;
mod species;
#[cfg(test)]
mod tests;

pub(crate) use node::{inputs, outputs};
pub(crate) use species::coefficients;

use super::Terms;
use crate::machine::emit::{
    Access, Array, Columns, Expr, Kind, Statement, constant, element, name,
};

/// The polynomial and the number of channels: both are literals of a kernel.
#[derive(Clone, Copy)]
struct Table<'a> {
    terms: &'a Terms,
    channels: usize,
}

impl Table<'_> {
    fn columns(self) -> Columns {
        Columns { channels: self.channels }
    }

    /// Loads rows of a column as `<prefix><row>`.
    fn load(
        self,
        [prefix, array, start]: [&str; 3],
        rows: impl IntoIterator<Item = usize>,
    ) -> Vec<Statement> {
        let load = |row| {
            let value = element(array, self.columns().row(start, row));
            constant(Kind::Real, format!("{prefix}{row}"), value)
        };
        rows.into_iter().map(load).collect()
    }

    /// Sizes, for the header.
    fn sizes(self) -> String {
        format!(
            "M = {} inputs, O = {} outputs, T = {} terms, C = {} channels",
            self.terms.num_inputs,
            self.terms.num_outputs,
            self.terms.list.len(),
            self.channels
        )
    }
}

fn n(prefix: &str, index: usize) -> Expr {
    name(format!("{prefix}{index}"))
}

fn s(prefix: &str, index: usize) -> Expr {
    name(format!("{prefix}{index}s"))
}

fn read(name: &'static str, kind: Kind, about: &str) -> Array {
    Array { name, kind, access: Access::Read, about: about.to_owned() }
}
