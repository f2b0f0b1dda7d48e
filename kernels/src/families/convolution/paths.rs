//! The list of paths, where each reads and writes, and its coupling coefficients.

use std::ops::Range;

use super::plan::Plan;
use crate::memo::Memo;
use crate::wigner::{CouplingTerm, SignTable, coupling};

/// One coupling of an input degree with a degree of the harmonics to an output degree.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// `[l1, l2, l3]` of features, harmonics, output.
    pub degrees: [usize; 3],
    /// Row of component `m3` in the output is `first_output + m3 * output_stride`.
    pub first_output: usize,
    /// Number of paths to the same output degree.
    pub output_stride: usize,
    /// `sqrt(2 l3 + 1) C(l1, l2, l3)` where it is not zero.
    pub terms: Vec<CouplingTerm>,
}

impl Path {
    /// Rows of the features it reads.
    pub fn inputs(&self) -> Range<usize> {
        degree_rows(self.degrees[0])
    }

    /// Columns of the harmonics it reads.
    pub fn harmonics(&self) -> Range<usize> {
        degree_rows(self.degrees[1])
    }

    /// Components of its output.
    pub fn num_components(&self) -> usize {
        2 * self.degrees[2] + 1
    }
}

pub(super) fn degree_rows(degree: usize) -> Range<usize> {
    degree * degree..(degree + 1) * (degree + 1)
}

/// All paths of natural parity between three highest degrees, in the order of the weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Paths {
    pub(super) list: Vec<Path>,
    max_degrees: [usize; 3],
    plan: Plan,
    memo: Memo,
}

impl Paths {
    /// Features of degrees to `max_in`, harmonics to `max_harmonics`, outputs to `max_out`.
    ///
    /// Parity is natural, `(-1)^l`, so `l1 + l2 + l3` is even: the two conventions of
    /// [`SignTable`] agree on all of these.
    pub fn new(max_in: usize, max_harmonics: usize, max_out: usize) -> Self {
        let mut degrees = Vec::new();
        for l1 in 0..=max_in {
            for l2 in 0..=max_harmonics {
                let coupled = l1.abs_diff(l2)..=(l1 + l2).min(max_out);
                degrees.extend(coupled.step_by(2).map(|l3| [l1, l2, l3]));
            }
        }
        degrees.sort_by_key(|degrees| degrees[2]);
        let list: Vec<Path> = (0..degrees.len()).map(|at| path(&degrees, at)).collect();
        let plan = Plan::new(&list, max_in);
        let max_degrees = [max_in, max_harmonics, max_out];
        Self { list, max_degrees, plan, memo: Memo::default() }
    }

    /// The paths as the kernels of the CPU walk them.
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The kernels made from the paths.
    #[cfg(any(feature = "cuda", feature = "wgpu"))]
    pub(crate) fn memo(&self) -> &Memo {
        &self.memo
    }

    /// `Q`, the number of paths.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is no path; there always is (0, 0, 0).
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The paths, in the order of the radial weights.
    pub fn iter(&self) -> std::slice::Iter<'_, Path> {
        self.list.iter()
    }

    /// Highest degrees of features, harmonics, outputs.
    pub fn max_degrees(&self) -> [usize; 3] {
        self.max_degrees
    }

    /// Number of paths to the output degree `l3`.
    pub fn num_paths_to(&self, l3: usize) -> usize {
        self.list.iter().filter(|path| path.degrees[2] == l3).count()
    }

    /// Rows of the output that belong to degree `l3`: `[2 l3 + 1, num_paths_to(l3)]`.
    pub fn output_rows(&self, l3: usize) -> Range<usize> {
        let size = |degree: usize| (2 * degree + 1) * self.num_paths_to(degree);
        let first = (0..l3).map(size).sum();
        first..first + size(l3)
    }

    /// `M_in`, rows of the features.
    pub fn num_inputs(&self) -> usize {
        degree_rows(self.max_degrees[0]).end
    }

    /// `M_y`, columns of the harmonics.
    pub fn num_harmonics(&self) -> usize {
        degree_rows(self.max_degrees[1]).end
    }

    /// `M_out`, rows of the output.
    pub fn num_outputs(&self) -> usize {
        self.list.iter().map(Path::num_components).sum()
    }
}

impl<'a> IntoIterator for &'a Paths {
    type Item = &'a Path;
    type IntoIter = std::slice::Iter<'a, Path>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The path at `at` of the sorted list.
fn path(sorted: &[[usize; 3]], at: usize) -> Path {
    let degrees = sorted[at];
    let [l1, l2, l3] = degrees;
    let below: usize = sorted.iter().filter(|d| d[2] < l3).map(|d| 2 * d[2] + 1).sum();
    let same = |d: &&[usize; 3]| d[2] == l3;
    let before = sorted[..at].iter().filter(same).count();
    let factor = ((2 * l3 + 1) as f64).sqrt();
    let scaled = |term: CouplingTerm| CouplingTerm { value: factor * term.value, ..term };
    let terms = coupling(l1, l2, l3, SignTable::E3nn05).terms().map(scaled).collect();
    let output_stride = sorted.iter().filter(same).count();
    Path { degrees, first_output: below + before, output_stride, terms }
}
