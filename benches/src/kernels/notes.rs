//! Why a kernel reaches less than half of its bound, where that is understood.

use super::measure::{Limit, Measured};
use crate::ceiling::Arithmetic;

/// Below this an operation is over before a second thread has begun.
const SHORT_S: f64 = 50e-6;

/// One sentence, or none where it is not known.
pub(super) fn note(of: &Measured) -> Option<&'static str> {
    if of.median_s < SHORT_S {
        return Some("as short as handing work to a second thread, so it runs on one or waits");
    }
    match (of.family.as_str(), of.limit) {
        ("attention", _) if of.arithmetic == Arithmetic::Bf16 => Some(
            "scores and their exponentials are f32, and an exponential is one operation in the count \
             and some twenty instructions in fact",
        ),
        ("attention", _) => Some(
            "an exponential is one operation in the count and some twenty instructions in fact; tiles \
             on the diagonal are half empty",
        ),
        ("cross_entropy", _) => Some(
            "an exponential a logit is one operation in the count and some twenty instructions in \
             fact",
        ),
        ("convolution", _) => Some(
            "coefficients of an edge are spread to all lanes one by one: a load for every pair of \
             multiply-adds",
        ),
        ("contraction", _) => Some(
            "branches of one to three terms: as many instructions find the factors as multiply",
        ),
        ("channel_linear", _) => Some(
            "matrices of tens of channels: packing and storing rows cost about as much as multiplying",
        ),
        ("silu_network", _) => Some(
            "products of 64 columns: packing costs a third of multiplying; an exponential is one \
             operation in the count and some twenty instructions in fact",
        ),
        ("spherical_harmonics", _) => Some(
            "vectors of three and rows of (l + 1)^2 are turned to one edge a lane and back, which the \
             count leaves out",
        ),
        ("gelu" | "silu" | "swiglu" | "dropout", Limit::Memory) => Some(
            "elementary functions and random words are one operation in the count and some twenty to \
             sixty instructions in fact",
        ),
        ("norm", _) => Some(
            "a row is read twice and its sums are ended across lanes, and outputs are fresh memory, \
             fetched before it is written",
        ),
        ("reduce", _) => Some(
            "an array just beyond the last cache is read from memory, but counted at the bandwidth of the \
             largest array that was measured below its size",
        ),
        ("embedding" | "rows", _) => {
            Some("rows are added one by one to where they belong, which the caches do not foresee")
        }
        _ => None,
    }
}
