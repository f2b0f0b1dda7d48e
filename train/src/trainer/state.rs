//! What training changes: parameters, their average, optimizer state, the best loss so far. It
//! begins from the seed or from a checkpoint; everything else is a function of the step. Not here: how it is
//! written (`saving`).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::Tensor;
use genesis_kernels::Kernels;
use genesis_model::{ParamSpec, Params};
use genesis_schema::Seeds;

use super::course::Course;
use super::error::TrainError;
use super::optim::{Average, Optimizer, Rule};
use super::plateau::Plateau;
use super::reduction::Reduction;
use super::resume::Start;
use super::shards::Piece;
use super::task::Task;
use super::watch::Watch;
use crate::checkpoint::host::tensor_of;
use crate::checkpoint::{self, Best, Checkpoint, HostTensor, Metrics, Stretch};

/// Prefix of the trained parameters in the optimizer's files of a run that averages.
pub(super) const RAW: &str = "raw.";

/// The changing part of a run.
#[derive(Debug)]
pub(super) struct State<B: Kernels> {
    pub(super) params: Params<B>,
    pub(super) metrics: Metrics,
    pub(super) tokens_seen: u64,
    pub(super) wall_seconds: f64,
    /// It came from a checkpoint that was not evaluated.
    pub(super) misses_evaluation: bool,
    pub(super) average: Option<Average<B>>,
    pub(super) optimizer: Optimizer<B>,
    pub(super) plateau: Option<Plateau>,
    pub(super) best: Option<Best>,
    /// Steps without an update.
    pub(super) left_out: u64,
    /// Times that the run went on past a step that it could not trust.
    pub(super) went_on: u64,
    /// Losses and gradients so far.
    pub(super) watch: Watch,
    pub(super) attachments: BTreeMap<String, Vec<u8>>,
}

/// What came of recording an evaluation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Recorded {
    /// Whether it is the lowest loss of its stage so far.
    pub(super) is_best: bool,
    /// The factor of the rate, if a plateau just lowered it.
    pub(super) rate_falls_to: Option<f64>,
}

impl<B: Kernels> State<B> {
    /// No state, which takes no memory.
    pub(super) fn nothing(course: &Course) -> Self {
        let rule = Rule::from(&course.optimizer);
        let none: Arc<[ParamSpec]> = Arc::new([]);
        Self {
            optimizer: Optimizer::holding(rule, &none, Vec::new(), &[]),
            params: Params::from_values(none, Vec::new()),
            metrics: Metrics::default(),
            tokens_seen: 0,
            wall_seconds: 0.0,
            misses_evaluation: false,
            average: None,
            plateau: None,
            best: None,
            left_out: 0,
            went_on: 0,
            watch: Watch::new(course.faults.spike_deviations, None),
            attachments: BTreeMap::new(),
        }
    }

    /// The state at `start`, of which this rank holds what `reduction` says.
    pub(super) fn begin<T: Task<B>>(
        course: &Course,
        task: &T,
        start: &Start,
        reduction: &Reduction,
    ) -> Result<Self, TrainError> {
        let first = first_params(course, task, start)?;
        let trained = start.trained();
        let params = match trained.filter(|_| course.average.is_some()) {
            Some(checkpoint) => raw_params(checkpoint, task)?,
            None => first.clone(),
        };
        let held: Vec<_> = reduction.pieces(params.values().to_vec()).collect();
        let optimizer = optimizer(course, task, start, (reduction.held(), &held))?;
        let before = trained.map(|checkpoint| &checkpoint.manifest.description);
        let mut attachments = match &start.checkpoint {
            Some(checkpoint) => checkpoint.attachments()?,
            None => BTreeMap::new(),
        };
        attachments.extend(task.attachments()?);
        Ok(Self {
            average: course
                .average
                .map(|config| Average::at(&config, reduction.pieces(first.values().to_vec()))),
            params,
            optimizer,
            plateau: Plateau::of(&course.schedule, before.and_then(|it| it.plateau)),
            metrics: before.map_or_else(Metrics::default, |it| it.metrics),
            tokens_seen: before.map_or(0, |it| it.tokens_seen),
            wall_seconds: before.map_or(0.0, |it| it.wall_seconds),
            misses_evaluation: before.is_some_and(|it| it.metrics.validation_loss.is_none()),
            best: before.and_then(|it| it.best),
            left_out: before.map_or(0, |it| it.left_out_steps),
            went_on: before.map_or(0, |it| it.went_on),
            watch: Watch::new(course.faults.spike_deviations, before.and_then(|it| it.watched)),
            attachments,
        })
    }

    /// Learning rate of the update numbered `step` from 0.
    pub(super) fn rate(&self, course: &Course, step: u64) -> f64 {
        let scale = match (&self.plateau, course.stage(step)) {
            (Some(plateau), 0) => plateau.scale(),
            _ => 1.0,
        };
        course.rate(step) * scale
    }

    /// Applies the update numbered `step` from 0 with `scale` times the gradients of the pieces held.
    pub(super) fn update(
        &mut self,
        reduction: &Reduction,
        gradients: Vec<Tensor<B, 1>>,
        scale: f64,
        rate: f64,
        step: u64,
    ) -> Result<(), TrainError> {
        if reduction.is_cut() {
            let _awake = B::keep_awake();
            let values = reduction.pieces(self.params.values().to_vec());
            let updated = self.optimizer.step_pieces(values, gradients, scale, rate);
            reduction.gather(&mut self.params, updated)?;
        } else {
            self.optimizer.step(&mut self.params, gradients, scale, rate);
        }
        if let Some(average) = &mut self.average {
            average.update(reduction.pieces(self.params.values().to_vec()), step + 1);
        }
        Ok(())
    }

    /// Counts `steps` without an update: parameters, moments and averages stay as they are, and the optimizer's count
    /// of steps stays that of the run, by which resuming finds it.
    pub(super) fn leave_out(&mut self, steps: u64) {
        self.optimizer.leave_out(steps);
        self.left_out += steps;
        self.went_on += 1;
        self.metrics.validation_loss = None;
    }

    /// What is evaluated and exported: the average where the run averages. All ranks ask for it together.
    ///
    /// # Errors
    /// A rank that is gone.
    pub(super) fn evaluated(
        &self,
        reduction: &Reduction,
    ) -> Result<Cow<'_, Params<B>>, TrainError> {
        let Some(average) = &self.average else { return Ok(Cow::Borrowed(&self.params)) };
        if !reduction.is_cut() {
            let specs = self.params.specs().clone();
            return Ok(Cow::Owned(Params::from_values(specs, average.values().to_vec())));
        }
        let mut params = self.params.clone();
        reduction.gather(&mut params, average.values().iter().cloned())?;
        Ok(Cow::Owned(params))
    }

    /// Remembers an evaluation after `step` updates. Losses of another stage do not count, nor do
    /// those that are not finite.
    pub(super) fn record(&mut self, course: &Course, step: u64, validation_loss: f64) -> Recorded {
        self.metrics.validation_loss = Some(validation_loss);
        if !validation_loss.is_finite() {
            return Recorded { is_best: false, rate_falls_to: None };
        }
        let stage = course.stage(step.saturating_sub(1));
        let best = self.best.filter(|best| course.stage(best.step.saturating_sub(1)) == stage);
        let is_best = best.is_none_or(|best| validation_loss < best.validation_loss);
        if is_best {
            self.best = Some(Best { step, validation_loss });
        }
        let plateau = self.plateau.as_mut().filter(|_| course.plateau_listens(step));
        let rate_falls_to = plateau.and_then(|it| it.observe(validation_loss).then(|| it.scale()));
        Recorded { is_best, rate_falls_to }
    }
}

/// Parameters from the seed, or those that the checkpoint of `start` is evaluated with.
fn first_params<B: Kernels, T: Task<B>>(
    course: &Course,
    task: &T,
    start: &Start,
) -> Result<Params<B>, TrainError> {
    if let Some(checkpoint) = &start.checkpoint {
        return params_of(checkpoint, checkpoint.model()?, task);
    }
    let stream = Seeds::new(course.seed).stream("init");
    Ok(Params::initialise_as(task.specs(), &stream, task.dtype(), task.device()))
}

/// The parameters that the run of `checkpoint` trained beside the average that it evaluated.
fn raw_params<B: Kernels, T: Task<B>>(
    checkpoint: &Checkpoint,
    task: &T,
) -> Result<Params<B>, TrainError> {
    let specs = task.specs();
    let name = |spec: &ParamSpec| Stretch::whole(format!("{RAW}{}", spec.name), spec.shape.clone());
    let values = checkpoint.stretches(&specs.iter().map(name).collect::<Vec<_>>())?;
    let (dtype, device) = (task.dtype(), task.device());
    let values = values.into_iter().map(|it| tensor_of(it, dtype, device)).collect();
    Ok(Params::from_values(specs, values))
}

/// The optimizer of the pieces `held`, with their values: new, or with the state of the checkpoint of `start`.
fn optimizer<B: Kernels, T: Task<B>>(
    course: &Course,
    task: &T,
    start: &Start,
    (held, values): (Vec<Piece>, &[Tensor<B, 1>]),
) -> Result<Optimizer<B>, TrainError> {
    let (rule, specs) = (Rule::from(&course.optimizer), task.specs());
    let Some(checkpoint) = start.trained() else {
        return Ok(Optimizer::holding(rule, &specs, held, values));
    };
    let stored = checkpoint.stretches(&Optimizer::<B>::stored(rule, &specs, &held))?;
    Ok(Optimizer::from_host(rule, &specs, held, values, stored, start.step()))
}

pub(super) fn params_of<B: Kernels, T: Task<B>>(
    checkpoint: &Checkpoint,
    tensors: Vec<HostTensor>,
    task: &T,
) -> Result<Params<B>, TrainError> {
    let specs = task.specs();
    let wanted: Vec<_> = specs.iter().map(|spec| (spec.name.clone(), spec.shape.clone())).collect();
    let tensors = checkpoint::tensors::arrange(&checkpoint.path, tensors, &wanted)?;
    let (dtype, device) = (task.dtype(), task.device());
    let values = tensors.into_iter().map(|it| tensor_of(it.values, dtype, device)).collect();
    Ok(Params::from_values(specs, values))
}
