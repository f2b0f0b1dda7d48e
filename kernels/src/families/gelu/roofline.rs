//! Cost of GELU: memory bound; a tanh, erf or exp counts one.

use super::GeluKind;
use crate::Work;

/// Reads x, writes y.
pub fn forward(elements: usize, kind: GeluKind, element_bytes: usize) -> Work {
    let flops = match kind {
        GeluKind::Tanh => 9.0,
        GeluKind::Erf => 5.0,
    };
    let e = elements as f64;
    Work::new(flops * e, 2.0 * e, element_bytes)
}

/// Reads g and x, writes dx.
pub fn backward(elements: usize, kind: GeluKind, element_bytes: usize) -> Work {
    let flops = match kind {
        GeluKind::Tanh => 18.0,
        GeluKind::Erf => 11.0,
    };
    let e = elements as f64;
    Work::new(flops * e, 3.0 * e, element_bytes)
}
