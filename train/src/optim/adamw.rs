//! AdamW over all parameters of a model: flat moments, decay of matrices only.
//!
//! The arithmetic of one step is `genesis_kernels::adamw`. State leaves and enters as host tensors
//! called `first.<parameter>` and `second.<parameter>`; the step count lives in the manifest.

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};
use genesis_kernels::{AdamwStep, Kernels};
use genesis_model::{ParamSpec, Params};

use crate::checkpoint::HostTensor;
use crate::config::OptimizerConfig;

/// Prefixes of the names of the moments.
const MOMENTS: [&str; 2] = ["first", "second"];

/// Constants of the optimizer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamwSettings {
    /// Memory of the mean gradient.
    pub beta1: f64,
    /// Memory of the squared gradient.
    pub beta2: f64,
    /// Added to the root of the squared gradient.
    pub epsilon: f64,
    /// Decay per unit of rate, of parameters with two or more axes.
    pub weight_decay: f64,
}

impl From<&OptimizerConfig> for AdamwSettings {
    fn from(config: &OptimizerConfig) -> Self {
        let OptimizerConfig::Adamw { beta1, beta2, epsilon, weight_decay, .. } = *config;
        Self { beta1, beta2, epsilon, weight_decay }
    }
}

/// Why saved optimizer state does not fit the parameters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptimizerStateError {
    /// A moment is missing.
    #[error("optimizer state `{name}` of shape {shape:?} is missing; was [model] changed?")]
    Missing {
        /// Name in the file.
        name: String,
        /// Shape of the parameter.
        shape: Vec<usize>,
    },
    /// A moment has another shape than its parameter.
    #[error(
        "optimizer state `{name}` is {got:?} but its parameter is {want:?}; was [model] changed?"
    )]
    Shape {
        /// Name in the file.
        name: String,
        /// Shape in the file.
        got: Vec<usize>,
        /// Shape of the parameter.
        want: Vec<usize>,
    },
}

/// The optimizer and its state.
#[derive(Debug, Clone)]
pub struct Adamw<B: Kernels> {
    settings: AdamwSettings,
    specs: Arc<[ParamSpec]>,
    first: Vec<Tensor<B, 1>>,
    second: Vec<Tensor<B, 1>>,
    steps_done: u64,
}

impl<B: Kernels> Adamw<B> {
    /// Moments of zero for `params`.
    pub fn new(settings: AdamwSettings, params: &Params<B>) -> Self {
        let zeros = || params.values().iter().map(Tensor::zeros_like).collect();
        let specs = params.specs().clone();
        Self { settings, specs, first: zeros(), second: zeros(), steps_done: 0 }
    }

    /// Parameters after one step with learning rate `rate`; `gradients` in the order of the specs.
    #[must_use]
    pub fn step(
        &mut self,
        params: &Params<B>,
        gradients: Vec<Tensor<B, 1>>,
        rate: f64,
    ) -> Params<B> {
        self.steps_done += 1;
        let firsts = std::mem::take(&mut self.first);
        let seconds = std::mem::take(&mut self.second);
        let moments = firsts.into_iter().zip(seconds);
        let mut values = Vec::with_capacity(self.specs.len());
        for (((value, gradient), (first, second)), decay) in params
            .values()
            .iter()
            .zip(gradients)
            .zip(moments)
            .zip(self.specs.iter().map(|spec| spec.decay))
        {
            let scalars = self.scalars(rate, decay);
            let (value, first, second) = B::adamw(value.clone(), gradient, first, second, &scalars);
            values.push(value);
            self.first.push(first);
            self.second.push(second);
        }
        Params::from_values(self.specs.clone(), values)
    }

    fn scalars(&self, rate: f64, decay: bool) -> AdamwStep {
        let AdamwSettings { beta1, beta2, epsilon, weight_decay } = self.settings;
        let weight_decay = if decay { weight_decay } else { 0.0 };
        AdamwStep { rate, beta1, beta2, epsilon, weight_decay, step: self.steps_done }
    }

    /// Both moments on the host.
    pub fn host(&self) -> Vec<HostTensor> {
        let moments = MOMENTS.into_iter().zip([&self.first, &self.second]);
        moments
            .flat_map(|(prefix, values)| {
                self.specs.iter().zip(values).map(move |(spec, value)| HostTensor {
                    name: format!("{prefix}.{}", spec.name),
                    shape: spec.shape.clone(),
                    values: host_values(value),
                })
            })
            .collect()
    }

    /// The state that [`Adamw::host`] gave after `steps_done` steps.
    pub fn from_host(
        settings: AdamwSettings,
        params: &Params<B>,
        state: Vec<HostTensor>,
        steps_done: u64,
        device: &B::Device,
    ) -> Result<Self, OptimizerStateError> {
        let mut state: BTreeMap<String, HostTensor> =
            state.into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect();
        let mut moments = Vec::with_capacity(MOMENTS.len());
        for prefix in MOMENTS {
            let mut values = Vec::with_capacity(params.specs().len());
            for (spec, like) in params.specs().iter().zip(params.values()) {
                let tensor = take(&mut state, prefix, spec)?;
                let length = tensor.values.len();
                let data = TensorData::new(tensor.values, [length]);
                values.push(Tensor::from_data(data, (device, like.dtype())));
            }
            moments.push(values);
        }
        let second = moments.pop().expect("two moments");
        let first = moments.pop().expect("two moments");
        Ok(Self { settings, specs: params.specs().clone(), first, second, steps_done })
    }
}

fn take(
    state: &mut BTreeMap<String, HostTensor>,
    prefix: &str,
    spec: &ParamSpec,
) -> Result<HostTensor, OptimizerStateError> {
    let name = format!("{prefix}.{}", spec.name);
    let Some(tensor) = state.remove(&name) else {
        return Err(OptimizerStateError::Missing { name, shape: spec.shape.clone() });
    };
    if tensor.shape == spec.shape {
        return Ok(tensor);
    }
    Err(OptimizerStateError::Shape { name, got: tensor.shape, want: spec.shape.clone() })
}

fn host_values<B: Kernels>(value: &Tensor<B, 1>) -> Vec<f32> {
    value.to_data().convert::<f32>().into_vec().expect("converted to f32 just now")
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use genesis_kernels::Cpu;
    use genesis_model::Init;
    use genesis_schema::Seeds;

    use super::*;

    const SETTINGS: AdamwSettings =
        AdamwSettings { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weight_decay: 0.1 };

    fn params() -> Params<Cpu> {
        let specs = [
            ParamSpec::new("matrix", &[2, 3], Init::Normal { std: 1.0 }),
            ParamSpec::new("vector", &[4], Init::Normal { std: 1.0 }),
        ];
        let stream = Seeds::new(9).stream("init");
        Params::initialise(specs.into(), &stream, &Device::<Cpu>::default())
    }

    fn gradients(params: &Params<Cpu>, scale: f32) -> Vec<Tensor<Cpu, 1>> {
        params.values().iter().map(|v| v.clone().mul_scalar(scale)).collect()
    }

    #[test]
    fn decay_shrinks_matrices_and_leaves_vectors_alone() {
        let before = params();
        let mut optimizer = Adamw::new(SETTINGS, &before);
        let after = optimizer.step(&before, gradients(&before, 0.0), 0.5);
        let (before, after) = (before.host(), after.host());
        let shrunk: Vec<f32> = before[0].2.iter().map(|w| w * (1.0 - 0.5 * 0.1)).collect();
        assert_eq!(after[0].2, shrunk);
        assert_eq!(after[1].2, before[1].2);
    }

    #[test]
    fn state_survives_the_host_and_continues_with_the_same_bits() {
        let start = params();
        let mut straight = Adamw::new(SETTINGS, &start);
        let middle = straight.step(&start, gradients(&start, 0.3), 1e-2);
        let state = straight.host();
        let mut resumed =
            Adamw::from_host(SETTINGS, &middle, state, 1, &Device::<Cpu>::default()).unwrap();
        let a = straight.step(&middle, gradients(&middle, -0.7), 1e-2);
        let b = resumed.step(&middle, gradients(&middle, -0.7), 1e-2);
        assert_eq!(a.host(), b.host());
        assert_eq!(straight.host(), resumed.host());
    }

    #[test]
    fn state_that_does_not_fit_is_refused_by_name() {
        let params = params();
        let mut state = Adamw::new(SETTINGS, &params).host();
        state[3].shape = vec![2, 2];
        let load = |state| {
            Adamw::<Cpu>::from_host(SETTINGS, &params, state, 1, &Device::<Cpu>::default())
                .unwrap_err()
                .to_string()
        };
        assert!(load(state.clone()).contains("`second.vector` is [2, 2] but its parameter is [4]"));
        state.pop();
        assert!(load(state).contains("`second.vector` of shape [4] is missing"));
    }
}
