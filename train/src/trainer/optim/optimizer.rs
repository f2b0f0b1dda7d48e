//! The optimizer of a run: one rule over all parameters, its state as flat tensors.
//!
//! The arithmetic of a step is `genesis_kernels::adamw`. State leaves and
//! enters as host tensors called `first.<parameter>`, `second.<parameter>` and so on; the step
//! count lives in the manifest. Which parameters decay is written in their specs.

use std::sync::Arc;

use burn::tensor::Tensor;
use genesis_kernels::{AdamwStep, AmsgradState, Kernels, adamw};
use genesis_model::{ParamSpec, Params};

use super::super::shards::Piece;
use crate::checkpoint::host::tensor_of;
use crate::checkpoint::stretch::Stretch;
use crate::checkpoint::tensors::Values;
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

/// The optimizer and its state.
#[derive(Debug, Clone)]
pub struct Optimizer<B: Kernels> {
    rule: Rule,
    specs: Arc<[ParamSpec]>,
    /// What is updated here.
    held: Vec<Piece>,
    /// One list per piece, in the order of [`Rule::state`].
    state: Vec<Vec<Tensor<B, 1>>>,
    steps_done: u64,
}

impl<B: Kernels> Optimizer<B> {
    /// State of zeros for `params`.
    pub fn new(rule: Rule, params: &Params<B>) -> Self {
        let lengths = params.specs().iter().map(ParamSpec::num_elements);
        let whole = lengths.enumerate().map(|(param, length)| Piece { param, range: 0..length });
        Self::holding(rule, params.specs(), whole.collect(), params.values())
    }

    /// State of zeros for the pieces `held`, whose values are `values`.
    pub(crate) fn holding(
        rule: Rule,
        specs: &Arc<[ParamSpec]>,
        held: Vec<Piece>,
        values: &[Tensor<B, 1>],
    ) -> Self {
        let zeros =
            |value: &Tensor<B, 1>| rule.state().iter().map(|_| value.zeros_like()).collect();
        let state = values.iter().map(zeros).collect();
        Self { rule, specs: specs.clone(), held, state, steps_done: 0 }
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

    /// Counts `steps` that have no update.
    pub(crate) fn leave_out(&mut self, steps: u64) {
        self.steps_done += steps;
    }

    /// One step of the pieces held, whose values are `values`; see [`Self::step`]. Each is made when it is asked
    /// for.
    pub(crate) fn step_pieces(
        &mut self,
        values: impl Iterator<Item = Tensor<B, 1>>,
        gradients: Vec<Tensor<B, 1>>,
        scale: f64,
        rate: f64,
    ) -> impl Iterator<Item = Tensor<B, 1>> {
        self.steps_done += 1;
        let scalars = Scalars { rule: self.rule, rate, scale, step: self.steps_done };
        let (pieces, specs) = (self.held.iter().zip(&mut self.state), &self.specs);
        let inputs = values.zip(gradients).zip(pieces);
        inputs.map(move |((value, gradient), (piece, state))| {
            scalars.apply(specs[piece.param].decay, value, gradient, state)
        })
    }

    /// The state, buffer by buffer.
    pub(crate) fn state(&self) -> impl Iterator<Item = (Stretch, &Tensor<B, 1>)> {
        let stored = Self::stored(self.rule, &self.specs, &self.held);
        let prefixes = self.rule.state().len();
        let values = (0..prefixes).flat_map(|at| self.state.iter().map(move |it| &it[at]));
        stored.into_iter().zip(values)
    }

    /// What [`Optimizer::state`] gives and [`Optimizer::from_host`] takes, in order.
    pub(crate) fn stored(rule: Rule, specs: &[ParamSpec], held: &[Piece]) -> Vec<Stretch> {
        let of = |prefix| move |piece: &Piece| piece.stored_as(&format!("{prefix}."), specs);
        rule.state().iter().flat_map(|prefix| held.iter().map(of(*prefix))).collect()
    }

    /// The state that [`Optimizer::state`] gave after `steps_done` steps, for the pieces `held` whose values are
    /// `values`.
    pub(crate) fn from_host(
        rule: Rule,
        specs: &Arc<[ParamSpec]>,
        held: Vec<Piece>,
        values: &[Tensor<B, 1>],
        stored: Vec<Values>,
        steps_done: u64,
    ) -> Self {
        let mut state: Vec<Vec<_>> = values.iter().map(|_| Vec::new()).collect();
        for (at, stored) in stored.into_iter().enumerate() {
            let like = &values[at % values.len()];
            let buffer = tensor_of(stored, like.dtype().into(), &like.device());
            state[at % values.len()].push(buffer);
        }
        Self { rule, specs: specs.clone(), held, state, steps_done }
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

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use genesis_kernels::Cpu;
    use genesis_model::Init;
    use genesis_schema::Seeds;

    use super::*;
    use crate::checkpoint::HostStretch;
    use crate::checkpoint::host::values_of;

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

    /// All of every parameter, or the middle of each.
    fn pieces(params: &Params<Cpu>, whole: bool) -> (Vec<Piece>, Vec<Tensor<Cpu, 1>>) {
        let of = |(param, value): (usize, &Tensor<Cpu, 1>)| {
            let range = if whole { 0..value.dims()[0] } else { 1..3 };
            (
                Piece { param, range: range.clone() },
                value.clone().narrow(0, range.start, range.len()),
            )
        };
        params.values().iter().enumerate().map(of).unzip()
    }

    fn on_the_host(optimizer: &Optimizer<Cpu>) -> Vec<HostStretch> {
        optimizer.state().map(|(of, value)| of.with(values_of(value))).collect()
    }

    #[test]
    fn state_survives_the_host_and_continues_with_the_same_bits() {
        for (rule, whole) in [
            (Rule::Adamw(SETTINGS), true),
            (Rule::Amsgrad(SETTINGS), true),
            (Rule::Adamw(SETTINGS), false),
        ] {
            let start = params();
            let (held, values) = pieces(&start, whole);
            let gradients = |scale: f32| values.iter().map(|it| it.clone() * scale).collect();
            let specs = start.specs();
            let mut straight = Optimizer::holding(rule, specs, held.clone(), &values);
            let first = values.clone().into_iter();
            let middle: Vec<_> = straight.step_pieces(first, gradients(0.3), 1.0, 1e-2).collect();
            let stored = on_the_host(&straight);
            let names = Optimizer::<Cpu>::stored(rule, specs, &held);
            assert!(stored.iter().map(|it| &it.of).eq(&names));
            let stored = stored.into_iter().map(|it| it.values).collect();
            let mut resumed = Optimizer::from_host(rule, specs, held, &middle, stored, 1);
            let next = |optimizer: &mut Optimizer<Cpu>| {
                let values = middle.clone().into_iter();
                let next = optimizer.step_pieces(values, gradients(-0.7), 1.0, 1e-2);
                next.map(|it| values_of(&it)).collect::<Vec<Values>>()
            };
            assert_eq!(next(&mut straight), next(&mut resumed));
            assert_eq!(on_the_host(&straight), on_the_host(&resumed));
        }
    }

    #[test]
    fn pieces_of_a_parameter_are_updated_to_the_bits_of_the_whole() {
        let before = params();
        let mut after = before.clone();
        let mut whole = Optimizer::new(Rule::Adamw(SETTINGS), &before);
        whole.step(&mut after, gradients(&before, 0.3), 1.0, 1e-2);
        let (held, values) = pieces(&before, false);
        let gradients = values.iter().map(|it| it.clone() * 0.3).collect();
        let rule = Rule::Adamw(SETTINGS);
        let mut part = Optimizer::holding(rule, before.specs(), held, &values);
        let updated = part.step_pieces(values.into_iter(), gradients, 1.0, 1e-2);
        for (value, whole) in updated.zip(after.values()) {
            assert_eq!(values_of(&value), values_of(&whole.clone().narrow(0, 1, 2)));
        }
    }
}
