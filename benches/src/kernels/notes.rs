//! Why a kernel reaches less than half of its bound, where that is understood.

use super::measure::{Limit, Measured};

/// Below this an operation is over before a second thread has begun.
const SHORT_S: f64 = 30e-6;

/// One sentence, or none where it is not known.
pub(super) fn note(of: &Measured) -> Option<&'static str> {
    match (of.family.as_str(), of.limit) {
        ("dropout", _) => Some(
            "no kernel yet: the reference makes the mask number by number, and its integer \
             arithmetic is not in the count",
        ),
        ("convolution" | "contraction", _) => Some(
            "one multiply-add a load: coefficients of an edge or a term are spread to all lanes one \
             by one",
        ),
        ("spherical_harmonics", _) => Some(
            "vectors of three and rows of (l + 1)^2 are turned to one edge a lane and back, which the \
             count leaves out",
        ),
        ("channel_linear", _) => Some(
            "matrices of tens of channels: packing them and starting a tile costs about as much as \
             multiplying",
        ),
        ("gelu" | "silu" | "swiglu", Limit::Memory) => Some(
            "an exponential is one operation in the count and some twenty instructions in fact",
        ),
        _ if of.median_s < SHORT_S => {
            Some("shorter than handing work to a second thread, so it runs on one")
        }
        _ => None,
    }
}
