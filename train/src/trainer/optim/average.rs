//! The exponential average of the parameters over the steps: what a run evaluates and exports.
//!
//! ```text
//! a_0 = p_0
//! a_n = a_{n-1} - (1 - d_n) (a_{n-1} - p_n)      d_n = min(decay, (1 + n) / (10 + n))
//! ```
//!
//! `n` is the number of updates done, so the average remembers nothing but itself. Source: the
//! average that mace-torch evaluates (`torch_ema`), whose memory grows with the run.

use burn::tensor::Tensor;
use genesis_kernels::Kernels;

use crate::keys::AverageConfig;

/// The running average of the pieces of parameters that a rank holds.
#[derive(Debug, Clone)]
pub struct Average<B: Kernels> {
    decay: f64,
    values: Vec<Tensor<B, 1>>,
}

impl<B: Kernels> Average<B> {
    /// An average that starts at, or was saved as, `values`.
    pub fn at(config: &AverageConfig, values: impl IntoIterator<Item = Tensor<B, 1>>) -> Self {
        Self { decay: config.decay, values: values.into_iter().collect() }
    }

    /// The averaged values.
    pub fn values(&self) -> &[Tensor<B, 1>] {
        &self.values
    }

    /// Takes in the values after update `step`, counted from 1.
    pub fn update(&mut self, latest: impl IntoIterator<Item = Tensor<B, 1>>, step: u64) {
        let forget = 1.0 - self.decay.min((1.0 + step as f64) / (10.0 + step as f64));
        for (mean, new) in self.values.iter_mut().zip(latest) {
            let distance = mean.clone().sub(new);
            *mean = mean.clone().sub(distance.mul_scalar(forget));
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use genesis_kernels::Cpu;

    use super::*;

    fn value(value: f32) -> Vec<Tensor<Cpu, 1>> {
        vec![Tensor::from_floats([value], &Device::<Cpu>::default())]
    }

    fn after(decay: f64, steps: u64) -> f64 {
        let mut average = Average::at(&AverageConfig { decay }, value(0.0));
        (1..=steps).for_each(|step| average.update(value(1.0), step));
        average.values()[0].to_data().convert::<f64>().to_vec::<f64>().unwrap()[0]
    }

    #[test]
    fn the_first_updates_forget_faster_than_the_decay_says() {
        // d_1 = 2/11 and d_2 = 3/12: what is left of the start is their product.
        assert!((after(0.99, 1) - (1.0 - 2.0 / 11.0)).abs() < 1e-6);
        assert!((after(0.99, 2) - (1.0 - 2.0 / 11.0 * 3.0 / 12.0)).abs() < 1e-6);
    }

    #[test]
    fn the_decay_bounds_the_memory() {
        assert!((after(0.1, 1) - 0.9).abs() < 1e-6);
        assert!(after(0.0, 3) > 1.0 - 1e-6, "a decay of zero follows the parameters");
    }
}
