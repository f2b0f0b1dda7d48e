//! What all forms do with one edge: find its rows, load them, couple them.
//!
//! Names in the kernels: `h<m>` input component, `y<m>` harmonic, `g<row>` gradient of an output row,
//! `r<q>` weight of a path; `channel`, `edge`.

use std::collections::{BTreeMap, BTreeSet};

use super::super::paths::degree_rows;
use super::super::{Path, Paths};
use super::parts::{input_degrees, path};
use crate::machine::emit::{
    Access, Array, Columns, Expr, Kind, Statement, constant, element, name, place, real, whole,
};

/// The table, and the number of channels: both are literals of the kernel.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    pub(super) paths: &'a Paths,
    pub(super) channels: usize,
}

/// A sum of values; nothing when there are none.
pub(super) fn sum(terms: impl IntoIterator<Item = Expr>) -> Option<Expr> {
    terms.into_iter().reduce(|a, b| a + b)
}

impl Table<'_> {
    pub(super) fn columns(self) -> Columns {
        Columns { channels: self.channels }
    }

    /// Loads the input components that some paths read, from the column `sent`.
    pub(super) fn load_inputs(self, part: &[usize]) -> Vec<Statement> {
        let rows = input_degrees(self.paths, part).into_iter().flat_map(degree_rows);
        let load = |m| {
            constant(
                Kind::Real,
                format!("h{m}"),
                element("features", self.columns().row("sent", m)),
            )
        };
        rows.map(load).collect()
    }

    /// Loads the gradients of the output rows of some paths, from the column `received`.
    pub(super) fn load_gradients(self, part: &[usize]) -> Vec<Statement> {
        let rows = part.iter().flat_map(|&q| output_rows(path(self.paths, q)));
        let load = |row| {
            constant(
                Kind::Real,
                format!("g{row}"),
                element("grad", self.columns().row("received", row)),
            )
        };
        rows.map(load).collect()
    }

    /// Loads the harmonics of the edge that some paths read.
    pub(super) fn load_harmonics(self, part: &[usize]) -> Vec<Statement> {
        let columns: BTreeSet<usize> =
            part.iter().flat_map(|&q| path(self.paths, q).harmonics()).collect();
        let start = place(name("edge")) * whole(self.paths.num_harmonics());
        let mut all = vec![constant(Kind::Place, "along", start)];
        all.extend(columns.into_iter().map(|m| {
            constant(Kind::Real, format!("y{m}"), element("harmonics", name("along") + whole(m)))
        }));
        all
    }

    /// Loads the weights of some paths, from the column `weight`.
    pub(super) fn load_weights(self, part: &[usize]) -> Vec<Statement> {
        let load = |&q: &usize| {
            constant(
                Kind::Real,
                format!("r{q}"),
                element("radial", self.columns().row("weight", q)),
            )
        };
        part.iter().map(load).collect()
    }
}

/// Rows of a path's output.
pub(super) fn output_rows(path: &Path) -> impl Iterator<Item = usize> {
    let (first, stride) = (path.first_output, path.output_stride);
    (0..path.num_components()).map(move |m3| first + m3 * stride)
}

/// `B[m1, m3]` of a path where it is not zero everywhere, from the harmonics in registers.
pub(super) fn pairs(path: &Path) -> BTreeMap<(usize, usize), Expr> {
    let mut pairs: BTreeMap<(usize, usize), Expr> = BTreeMap::new();
    for term in &path.terms {
        let [m1, m2, m3] = term.components;
        let product = times(term.value, name(format!("y{}", path.harmonics().start + m2)));
        let sum = match pairs.remove(&(m1, m3)) {
            Some(sum) => sum + product,
            None => product,
        };
        pairs.insert((m1, m3), sum);
    }
    pairs
}

/// `value x`, where a coupling of one up to its rounding costs no product.
pub(super) fn times(value: f64, x: Expr) -> Expr {
    // Couplings are sums of a few dozen terms: far below 64 roundings.
    if (value - 1.0).abs() < 64.0 * f64::EPSILON { x } else { real(value) * x }
}

/// `sum over m3 of B[m1, m3] g[m3]` for every input component of a path that couples.
pub(super) fn turned_back(path: &Path) -> BTreeMap<usize, Expr> {
    let mut turned: BTreeMap<usize, Expr> = BTreeMap::new();
    for ((m1, m3), pair) in pairs(path) {
        let row = path.first_output + m3 * path.output_stride;
        let product = pair * name(format!("g{row}"));
        let sum = match turned.remove(&m1) {
            Some(sum) => sum + product,
            None => product,
        };
        turned.insert(m1, sum);
    }
    turned
}

pub(super) fn read(name: &'static str, kind: Kind, about: &str) -> Array {
    Array { name, kind, access: Access::Read, about: about.to_owned() }
}

pub(super) fn written(name: &'static str, about: &str) -> Array {
    Array { name, kind: Kind::Real, access: Access::Write, about: about.to_owned() }
}

/// Degrees and channels, for the header.
pub(super) fn sizes(table: Table<'_>) -> String {
    let [max_in, max_harmonics, max_out] = table.paths.max_degrees();
    format!(
        "degrees {max_in} x {max_harmonics} -> {max_out}, Q = {} paths, C = {} channels",
        table.paths.len(),
        table.channels
    )
}

/// The ends of the edges, `[E, 3]`: sender, receiver, row of the radial weights.
pub(super) fn ends() -> Array {
    read("ends", Kind::Whole, "[E, 3] sender, receiver, row of the weights")
}

/// One of the three ends of `edge`.
fn end(which: usize) -> Expr {
    element("ends", place(name("edge")) * whole(3) + whole(which))
}

/// The sender of `edge`.
pub(super) fn sender() -> Expr {
    end(0)
}

/// The receiver of `edge`.
pub(super) fn receiver() -> Expr {
    end(1)
}

/// The row of the radial weights of `edge`.
pub(super) fn row_of_weights() -> Expr {
    end(2)
}
