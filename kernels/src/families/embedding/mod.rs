//! Rows of a table by id, and the sum of gradients per row.
//!
//! ```text
//! maths     y[n, :] = W[ids[n], :],  dW[v, :] = sum over n with ids[n] = v of g[n, :]
//! layout    W [V, C], ids [N] (i32), y and g [N, C]
//! dtypes    f32 or f64
//! ordering  the sum of a row runs in token order on the CPU and on CUDA: deterministic
//! checks    an id outside 0..V is an assertion that names it; on CUDA its row is NaN and it has no
//!           gradient, since naming it would make the host wait for the device
//! ```

pub(crate) mod cpu;
#[cfg(any(feature = "cuda", all(test, unix)))]
pub(crate) mod cuda;
mod op;
pub mod reference;
pub mod roofline;
#[cfg(test)]
mod tests;
#[cfg(feature = "wgpu")]
pub(crate) mod wgpu;
#[cfg(all(test, feature = "wgpu"))]
mod wgpu_tests;

pub(crate) use op::tracked;
