//! Cost of linear cross entropy over L labelled tokens; logits are not traffic.

use crate::Work;

/// One product and 4 a logit; reads h and W, writes lse.
pub fn forward(labelled: usize, width: usize, vocabulary: usize, element_bytes: usize) -> Work {
    let [n, c, v] = [labelled, width, vocabulary].map(|x| x as f64);
    Work::new(n * v * (2.0 * c + 4.0), n * c + v * c + n, element_bytes)
}

/// Three products, one of them the logits again, and 3 a logit; reads h, W, lse, writes dh, dW.
pub fn backward(labelled: usize, width: usize, vocabulary: usize, element_bytes: usize) -> Work {
    let [n, c, v] = [labelled, width, vocabulary].map(|x| x as f64);
    Work::new(n * v * (6.0 * c + 3.0), 2.0 * (n * c + v * c) + n, element_bytes)
}
