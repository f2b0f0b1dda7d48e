//! The exponential average of the parameters over the steps: what a run evaluates and exports.
//!
//! ```text
//! a_0 = p_0
//! a_n = a_{n-1} - (1 - d_n) (a_{n-1} - p_n)      d_n = min(decay, (1 + n) / (10 + n))
//! ```
//!
//! `n` is the number of updates done, so the average remembers nothing but itself. Source: the
//! average that mace-torch evaluates (`torch_ema`), whose memory grows with the run.

use genesis_kernels::Kernels;
use genesis_model::Params;

use crate::keys::AverageConfig;

/// The running average of all parameters.
#[derive(Debug, Clone)]
pub struct Average<B: Kernels> {
    decay: f64,
    params: Params<B>,
}

impl<B: Kernels> Average<B> {
    /// An average that starts at, or was saved as, `params`.
    pub fn at(config: &AverageConfig, params: Params<B>) -> Self {
        Self { decay: config.decay, params }
    }

    /// The averaged parameters.
    pub fn params(&self) -> &Params<B> {
        &self.params
    }

    /// Takes in the parameters after update `step`, counted from 1.
    pub fn update(&mut self, latest: &Params<B>, step: u64) {
        let forget = 1.0 - self.decay.min((1.0 + step as f64) / (10.0 + step as f64));
        let pairs = self.params.values().iter().zip(latest.values());
        let values = pairs
            .map(|(mean, new)| {
                let distance = mean.clone().sub(new.clone());
                mean.clone().sub(distance.mul_scalar(forget))
            })
            .collect();
        self.params = Params::from_values(self.params.specs().clone(), values);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use burn::tensor::{Device, Tensor};
    use genesis_kernels::Cpu;
    use genesis_model::{Init, ParamSpec};

    use super::*;

    fn params(value: f32) -> Params<Cpu> {
        let specs: Arc<[ParamSpec]> = [ParamSpec::new("p", &[1], Init::Ones)].into();
        let tensor = Tensor::from_floats([value], &Device::<Cpu>::default());
        Params::from_values(specs, vec![tensor])
    }

    fn after(decay: f64, steps: u64) -> f64 {
        let mut average = Average::at(&AverageConfig { decay }, params(0.0));
        (1..=steps).for_each(|step| average.update(&params(1.0), step));
        f64::from(average.params().host()[0].2[0])
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
