//! How fast a device multiplies matrices: measured, for `doctor` and for the time of a plan.

use std::time::Instant;

use burn::tensor::{Distribution, Tensor};
use genesis_kernels::Kernels;
use genesis_train::device::OnDevice;

/// Flops a second: the best of five products of two 1024 x 1024 matrices, 2 * 1024^3 flops each,
/// after one that does not count.
pub(crate) struct Products;

impl OnDevice for Products {
    type Output = f64;

    fn run<B: Kernels>(self, device: &B::Device) -> f64 {
        const SIDE: usize = 1024;
        let side =
            |_| Tensor::<B, 2>::random([SIDE, SIDE], Distribution::Uniform(-1.0, 1.0), device);
        let (a, b) = (side(0), side(1));
        // What fails on the device shows in the first result that is read.
        let wait = || drop(B::sync(device));
        let once = |_| {
            wait();
            let start = Instant::now();
            let product = a.clone().matmul(b.clone());
            wait();
            let seconds = start.elapsed().as_secs_f64();
            drop(product);
            seconds
        };
        let best = (0..6).map(once).skip(1).fold(f64::INFINITY, f64::min);
        2.0 * (SIDE as f64).powi(3) / best
    }
}
