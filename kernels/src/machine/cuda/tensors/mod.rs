//! The families on tensors of CUDA: every function checks shapes, since the families see flat arrays, turns
//! tensors into arrays, lets the host side of its family put the launches together, and turns the results
//! back. Tables of integers are brought to a device once.

pub(crate) mod attention;
pub(crate) mod channel_linear;
pub(crate) mod contraction;
pub(crate) mod convolution;
pub(crate) mod cross_entropy;
pub(crate) mod elementwise;
pub(crate) mod embedding;
pub(crate) mod harmonics;
pub(crate) mod linear;
pub(crate) mod norm;
pub(crate) mod optimizer;
pub(crate) mod rotary;
pub(crate) mod rows;
pub(crate) mod slope;

use burn_cuda::CudaDevice;

/// What tables are kept by on a device.
fn key(device: &CudaDevice) -> u64 {
    device.index as u64
}
