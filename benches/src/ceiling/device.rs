//! What a device can do at most: products of large matrices by its own product, and copies of arrays
//! of several sizes, read plus written.
//!
//! A GPU has no registers that a program on the host could fill, so its largest product stands for
//! arithmetic. Work is queued, and the clock stops when all of it is done.

use std::hint::black_box;
use std::time::Instant;

use burn::tensor::{DType, Distribution, FloatDType, Tensor};
use genesis_kernels::{Kernels, Precision, WeightLayout, linear};
use genesis_train::trainer::gate::name_of;

use super::{Bandwidth, Ceilings};

/// Sides of the products; a device that needs longer than [`LONG_S`] for one gets no larger one.
const SIDES: [usize; 6] = [256, 512, 1024, 2048, 4096, 8192];
/// Bytes of both arrays of a copy together: from a cache to several times the largest one.
const BYTES: [usize; 6] = [1 << 20, 1 << 23, 1 << 25, 1 << 27, 1 << 29, 1 << 31];
const LONG_S: f64 = 0.05;
/// A try takes as long at least, so that waiting for its end does not count.
const TRY_S: f64 = 5e-3;
const MOST_AT_ONCE: f64 = 200.0;
const TRIES: usize = 5;

impl Ceilings {
    /// Measures `device`, which is called `name`, for some seconds.
    pub fn of_device<B: Kernels>(device: &B::Device, name: String) -> Self {
        let float = |dtype, precision| largest_product::<B>(device, dtype, precision);
        let f64 = B::supports_dtype(device, DType::F64);
        Self {
            device: name,
            threads: rayon::current_num_threads(),
            instructions: name_of::<B>(device),
            f32_flops_per_s: float(FloatDType::F32, Precision::Full),
            f64_flops_per_s: f64.then(|| float(FloatDType::F64, Precision::Full)),
            bf16_flops_per_s: Some(float(FloatDType::F32, Precision::Bf16Mixed)),
            bandwidths: bandwidths::<B>(device),
        }
    }
}

/// Flops a second of the fastest product.
fn largest_product<B: Kernels>(device: &B::Device, dtype: FloatDType, precision: Precision) -> f64 {
    let mut best = 0.0_f64;
    for side in SIDES {
        let random = |_: u8| {
            let numbers = Distribution::Normal(0.0, 1.0);
            Tensor::<B, 2>::random([side, side], numbers, device).cast(dtype)
        };
        let [x, w] = [0; 2].map(random);
        let seconds = best_of::<B>(device, || {
            let (x, w) = (x.clone(), w.clone());
            black_box(linear::linear(x, w, None, WeightLayout::OutIn, precision));
        });
        best = best.max(2.0 * (side as f64).powi(3) / seconds);
        if seconds > LONG_S {
            break;
        }
    }
    best
}

fn bandwidths<B: Kernels>(device: &B::Device) -> Vec<Bandwidth> {
    let mut all = Vec::new();
    for bytes in BYTES {
        let length = bytes / (2 * size_of::<f32>());
        let x = Tensor::<B, 1>::random([length], Distribution::Normal(0.0, 1.0), device);
        // The input lives on, so the result is another array: a copy on the way through one addition.
        let seconds = best_of::<B>(device, || {
            black_box(x.clone().add_scalar(1.0));
        });
        all.push(Bandwidth { bytes, bytes_per_s: bytes as f64 / seconds });
        if seconds > LONG_S {
            break;
        }
    }
    Bandwidth::bounds(all)
}

/// Seconds of `work`, the fewest of some tries.
fn best_of<B: Kernels>(device: &B::Device, mut work: impl FnMut()) -> f64 {
    let mut run = |times: usize| {
        let start = Instant::now();
        for _ in 0..times {
            work();
        }
        // What went wrong on the device is told by the next operation that reads a result.
        drop(B::sync(device));
        start.elapsed().as_secs_f64() / times as f64
    };
    run(2);
    let once = run(1);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to 200")]
    let times = (TRY_S / once).clamp(1.0, MOST_AT_ONCE) as usize;
    let tries = if once > LONG_S { 1 } else { TRIES };
    (0..tries).map(|_| run(times)).fold(once, f64::min)
}

#[cfg(test)]
mod tests {
    use burn::backend::flex::FlexDevice;
    use genesis_kernels::Cpu;

    use super::*;

    #[test]
    fn the_clock_sees_all_of_the_work_that_was_queued() {
        let nap = std::time::Duration::from_millis(4);
        let seconds = best_of::<Cpu>(&FlexDevice, || std::thread::sleep(nap));
        assert!((4e-3..40e-3).contains(&seconds), "{seconds}");
    }

    #[test]
    fn a_device_has_a_rate_for_every_type_it_computes_in() {
        let found = Ceilings::of_device::<Cpu>(&FlexDevice, "this processor".to_owned());
        assert_eq!(found.device, "this processor");
        assert!(found.f64_flops_per_s.is_some_and(|rate| rate > 0.0), "{found:?}");
        assert!(found.bandwidths.is_sorted_by(|a, b| a.bytes < b.bytes), "{found:?}");
        let falling = found.bandwidths.is_sorted_by(|a, b| a.bytes_per_s >= b.bytes_per_s);
        assert!(falling && found.memory_bytes_per_s().is_finite(), "{found:?}");
    }
}
