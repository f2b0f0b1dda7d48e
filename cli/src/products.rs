//! How fast a device multiplies matrices: measured, for `doctor` and for the time of a plan.

use std::time::Instant;

use burn::tensor::{Distribution, Tensor};
use genesis_kernels::Kernels;
use genesis_train::device::OnDevice;

/// Flops a second: the best of five products of two square matrices, 2 * `side`^3 flops each, after one that
/// does not count.
pub(crate) struct Products {
    /// Rows and columns of a matrix.
    pub(crate) side: usize,
}

impl Default for Products {
    fn default() -> Self {
        Self { side: 1024 }
    }
}

impl OnDevice for Products {
    type Output = f64;

    fn run<B: Kernels>(self, device: &B::Device) -> f64 {
        let shape = [self.side; 2];
        let square = || Tensor::<B, 2>::random(shape, Distribution::Uniform(-1.0, 1.0), device);
        let (a, b) = (square(), square());
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
        2.0 * (self.side as f64).powi(3) / best
    }
}
