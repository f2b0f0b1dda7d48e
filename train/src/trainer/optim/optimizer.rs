//! The optimizer of a run: one rule over all parameters, its state as flat tensors.
//!
//! The arithmetic of a step is `genesis_kernels::adamw`. State leaves and
//! enters as host tensors called `first.<parameter>`, `second.<parameter>` and so on; the step
//! count lives in the manifest. Which parameters decay is written in their specs.

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::Tensor;
use genesis_kernels::{AdamwStep, AmsgradState, Kernels, adamw};
use genesis_model::{ParamSpec, Params};

use crate::checkpoint::HostTensor;
use crate::checkpoint::host::{tensor_of, values_of};
use crate::keys::OptimizerConfig;

/// Constants that both rules have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamSettings {
    /// Memory of the mean gradient.
    pub beta1: f64,
    /// Memory of the squared gradient.
    pub beta2: f64,
    /// Added to the root of the squared gradient.
    pub epsilon: f64,
    /// Decay of the parameters whose spec says so.
    pub weight_decay: f64,
}

/// How a gradient becomes an update.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// Decoupled decay, per unit of rate. See `genesis_kernels::adamw`.
    Adamw(AdamSettings),
    /// Coupled decay and the largest second moment so far. See `genesis_kernels::adamw`.
    Amsgrad(AdamSettings),
}

impl Rule {
    /// Prefixes of the names of the state, one buffer per parameter each.
    fn state(&self) -> &'static [&'static str] {
        match self {
            Self::Adamw(_) => &["first", "second"],
            Self::Amsgrad(_) => &["first", "second", "largest"],
        }
    }
}

impl From<&OptimizerConfig> for Rule {
    fn from(config: &OptimizerConfig) -> Self {
        match *config {
            OptimizerConfig::Adamw { beta1, beta2, epsilon, weight_decay, .. } => {
                Self::Adamw(AdamSettings { beta1, beta2, epsilon, weight_decay })
            }
            OptimizerConfig::Amsgrad { beta1, beta2, epsilon, weight_decay, .. } => {
                Self::Amsgrad(AdamSettings { beta1, beta2, epsilon, weight_decay })
            }
        }
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
pub struct Optimizer<B: Kernels> {
    rule: Rule,
    specs: Arc<[ParamSpec]>,
    /// One list per parameter, in the order of [`Rule::state`].
    state: Vec<Vec<Tensor<B, 1>>>,
    steps_done: u64,
}

impl<B: Kernels> Optimizer<B> {
    /// State of zeros for `params`.
    pub fn new(rule: Rule, params: &Params<B>) -> Self {
        let zeros =
            |value: &Tensor<B, 1>| rule.state().iter().map(|_| value.zeros_like()).collect();
        let state = params.values().iter().map(zeros).collect();
        Self { rule, specs: params.specs().clone(), state, steps_done: 0 }
    }

    /// One step of `params` with learning rate `rate` and `scale` times the gradients, which come
    /// in the order of the specs.
    pub fn step(
        &mut self,
        params: &mut Params<B>,
        gradients: Vec<Tensor<B, 1>>,
        scale: f64,
        rate: f64,
    ) {
        let _awake = B::keep_awake();
        self.steps_done += 1;
        let scalars = Scalars { rule: self.rule, rate, scale, step: self.steps_done };
        let mut inputs = gradients.into_iter().zip(&mut self.state);
        params.replace(|spec, value| {
            let (gradient, state) = inputs.next().expect("one gradient per parameter");
            scalars.apply(spec.decay, value, gradient, state)
        });
    }

    /// The state on the host.
    pub fn host(&self) -> Vec<HostTensor> {
        let mut tensors = Vec::with_capacity(self.specs.len() * self.rule.state().len());
        for (at, prefix) in self.rule.state().iter().enumerate() {
            for (spec, state) in self.specs.iter().zip(&self.state) {
                tensors.push(HostTensor {
                    name: format!("{prefix}.{}", spec.name),
                    shape: spec.shape.clone(),
                    values: values_of(&state[at]),
                });
            }
        }
        tensors
    }

    /// The state that [`Optimizer::host`] gave after `steps_done` steps.
    ///
    /// # Errors
    /// [`OptimizerStateError`] naming the first tensor that is missing or misshapen.
    pub fn from_host(
        rule: Rule,
        params: &Params<B>,
        state: Vec<HostTensor>,
        steps_done: u64,
        device: &B::Device,
    ) -> Result<Self, OptimizerStateError> {
        let mut by_name: BTreeMap<String, HostTensor> =
            state.into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect();
        let mut state = vec![Vec::new(); params.specs().len()];
        for prefix in rule.state() {
            for ((spec, like), buffers) in
                params.specs().iter().zip(params.values()).zip(&mut state)
            {
                let tensor = take(&mut by_name, prefix, spec)?;
                buffers.push(tensor_of(tensor.values, like.dtype().into(), device));
            }
        }
        Ok(Self { rule, specs: params.specs().clone(), state, steps_done })
    }
}

/// What all parameters of a step share; steps count from 1.
struct Scalars {
    rule: Rule,
    rate: f64,
    scale: f64,
    step: u64,
}

impl Scalars {
    /// A parameter after the step, its buffers replaced.
    fn apply<B: Kernels>(
        &self,
        decays: bool,
        param: Tensor<B, 1>,
        gradient: Tensor<B, 1>,
        state: &mut Vec<Tensor<B, 1>>,
    ) -> Tensor<B, 1> {
        let mut old = std::mem::take(state).into_iter();
        let mut buffer = || old.next().expect("as many buffers as the rule has names");
        match self.rule {
            Rule::Adamw(settings) => {
                let step = self.of(&settings, decays);
                let (first, second) = (buffer(), buffer());
                let (param, first, second) = adamw::adamw(param, gradient, first, second, &step);
                *state = vec![first, second];
                param
            }
            Rule::Amsgrad(settings) => {
                let step = self.of(&settings, decays);
                let (first, second, largest) = (buffer(), buffer(), buffer());
                let old = AmsgradState { param, first, second, largest };
                let new = adamw::amsgrad(old, gradient, &step);
                *state = vec![new.first, new.second, new.largest];
                new.param
            }
        }
    }

    fn of(&self, settings: &AdamSettings, decays: bool) -> AdamwStep {
        let AdamSettings { beta1, beta2, epsilon, weight_decay } = *settings;
        let weight_decay = if decays { weight_decay } else { 0.0 };
        let Self { rate, scale: grad_scale, step, .. } = *self;
        AdamwStep { rate, beta1, beta2, epsilon, weight_decay, step, grad_scale }
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

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use genesis_kernels::Cpu;
    use genesis_model::Init;
    use genesis_schema::Seeds;

    use super::*;

    const SETTINGS: AdamSettings =
        AdamSettings { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weight_decay: 0.1 };

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
        let mut optimizer = Optimizer::new(Rule::Adamw(SETTINGS), &before);
        let mut after = before.clone();
        optimizer.step(&mut after, gradients(&before, 0.0), 1.0, 0.5);
        let (before, after) = (before.host(), after.host());
        let shrunk: Vec<f32> = before[0].2.iter().map(|w| w * (1.0 - 0.5 * 0.1)).collect();
        assert_eq!(after[0].2, shrunk);
        assert_eq!(after[1].2, before[1].2);
    }

    #[test]
    fn state_survives_the_host_and_continues_with_the_same_bits() {
        for rule in [Rule::Adamw(SETTINGS), Rule::Amsgrad(SETTINGS)] {
            let start = params();
            let mut straight = Optimizer::new(rule, &start);
            let mut middle = start.clone();
            straight.step(&mut middle, gradients(&start, 0.3), 1.0, 1e-2);
            let state = straight.host();
            let device = Device::<Cpu>::default();
            let mut resumed = Optimizer::from_host(rule, &middle, state, 1, &device).unwrap();
            let [mut a, mut b] = [middle.clone(), middle.clone()];
            straight.step(&mut a, gradients(&middle, -0.7), 1.0, 1e-2);
            resumed.step(&mut b, gradients(&middle, -0.7), 1.0, 1e-2);
            assert_eq!(a.host(), b.host());
            assert_eq!(straight.host(), resumed.host());
        }
    }

    #[test]
    fn state_that_does_not_fit_is_refused_by_name() {
        let params = params();
        let mut state = Optimizer::new(Rule::Adamw(SETTINGS), &params).host();
        state[3].shape = vec![2, 2];
        let load = |state| {
            Optimizer::<Cpu>::from_host(
                Rule::Adamw(SETTINGS),
                &params,
                state,
                1,
                &Device::<Cpu>::default(),
            )
            .unwrap_err()
            .to_string()
        };
        assert!(load(state.clone()).contains("`second.vector` is [2, 2] but its parameter is [4]"));
        state.pop();
        assert!(load(state).contains("`second.vector` of shape [4] is missing"));
    }
}
