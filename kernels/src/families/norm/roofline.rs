//! Cost of the normalisations: memory bound; vectors of length C are left out.

use crate::Work;

/// RMS: square, add, scale, weight per element; reads x, writes y.
pub fn rms_norm(tokens: usize, width: usize, element_bytes: usize) -> Work {
    let e = (tokens * width) as f64;
    Work::new(4.0 * e, 2.0 * e, element_bytes)
}

/// Layer: sum, centre, square, add, scale, weight, bias per element; reads x, writes y.
pub fn layer_norm(tokens: usize, width: usize, element_bytes: usize) -> Work {
    let e = (tokens * width) as f64;
    Work::new(7.0 * e, 2.0 * e, element_bytes)
}

/// Gradients of the RMS norm: r again (2), h, t, g h and its sum (4), t h and its sum (2),
/// dx (3); reads g and x, writes dx.
pub fn rms_norm_backward(tokens: usize, width: usize, element_bytes: usize) -> Work {
    let e = (tokens * width) as f64;
    Work::new(11.0 * e, 3.0 * e, element_bytes)
}

/// Gradients of the layer norm: as above with a mean, a centring and two more sums.
pub fn layer_norm_backward(tokens: usize, width: usize, element_bytes: usize) -> Work {
    let e = (tokens * width) as f64;
    Work::new(16.0 * e, 3.0 * e, element_bytes)
}
