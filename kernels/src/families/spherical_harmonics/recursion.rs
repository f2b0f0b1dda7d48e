//! The coefficients that make each degree from the one below and the unit vector.

use std::sync::LazyLock;

use super::MAX_DEGREE;
use crate::wigner::{SignTable, coupling};

/// `Y_l[m] += value * u[i] * Y_{l-1}[j]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Step {
    pub(crate) axis: usize,
    pub(crate) lower: usize,
    pub(crate) upper: usize,
    pub(crate) value: f64,
}

static STEPS: LazyLock<Vec<Vec<Step>>> = LazyLock::new(|| (1..=MAX_DEGREE).map(make).collect());

/// The steps to `degree`, which is 1 to 6.
pub(crate) fn steps(degree: usize) -> &'static [Step] {
    &STEPS[degree - 1]
}

/// Scaled so that the middle component at the pole y, where all others vanish, is
/// `sqrt(2 l + 1)`: there the only step left is from the middle component below.
fn make(degree: usize) -> Vec<Step> {
    let coupling = coupling(1, degree - 1, degree, SignTable::E3nn05);
    let pole = coupling.at([1, degree - 1, degree]);
    let root = |l: usize| ((2 * l + 1) as f64).sqrt();
    let scale = root(degree) / (pole * root(degree - 1));
    let step = |term: crate::wigner::CouplingTerm| {
        let [axis, lower, upper] = term.components;
        Step { axis, lower, upper, value: scale * term.value }
    };
    coupling.terms().map(step).collect()
}
