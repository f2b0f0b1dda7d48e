//! What training changes: parameters, their average, optimizer state, the best loss so far. It
//! begins from the seed or from a checkpoint and can be written to one; everything else is a
//! function of the step.

use std::collections::BTreeMap;
use std::path::PathBuf;

use burn::tensor::Tensor;
use genesis_kernels::Kernels;
use genesis_model::Params;
use genesis_schema::Seeds;

use super::course::Course;
use super::error::TrainError;
use super::optim::{Average, Optimizer, Rule};
use super::plateau::Plateau;
use super::resume::Start;
use super::task::Task;
use crate::checkpoint::format::digest_of;
use crate::checkpoint::host::{tensor_of, tensors_of};
use crate::checkpoint::{
    self, Best, Checkpoint, Contents, Description, HostTensor, Metrics, RealDisk, Retention,
};

/// Prefix of the trained parameters in the optimizer file of a run that averages.
const RAW: &str = "raw.";

/// The changing part of a run.
#[derive(Debug)]
pub(super) struct State<B: Kernels> {
    pub(super) params: Params<B>,
    pub(super) metrics: Metrics,
    pub(super) tokens_seen: u64,
    pub(super) wall_seconds: f64,
    /// It came from a checkpoint that was not evaluated.
    pub(super) misses_evaluation: bool,
    average: Option<Average<B>>,
    optimizer: Optimizer<B>,
    plateau: Option<Plateau>,
    best: Option<Best>,
    attachments: BTreeMap<String, Vec<u8>>,
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
    /// The state at `start`.
    pub(super) fn begin<T: Task<B>>(
        course: &Course,
        task: &T,
        start: &Start,
    ) -> Result<Self, TrainError> {
        let rule = Rule::from(&course.optimizer);
        let first = first_params(course, task, start)?;
        let trained = start.trained();
        let (params, optimizer) = match trained {
            Some(checkpoint) => {
                let mut saved = checkpoint.optimizer()?;
                let raw = take_raw(&mut saved);
                let raw = course.average.map(|_| raw);
                let params = match raw {
                    Some(raw) => params_of(checkpoint, raw, task)?,
                    None => first.clone(),
                };
                let (step, device) = (start.step(), task.device());
                let optimizer = Optimizer::from_host(rule, &params, saved, step, device)?;
                (params, optimizer)
            }
            None => (first.clone(), Optimizer::new(rule, &first)),
        };
        let before = trained.map(|checkpoint| &checkpoint.manifest.description);
        let mut attachments = match &start.checkpoint {
            Some(checkpoint) => checkpoint.attachments()?,
            None => BTreeMap::new(),
        };
        attachments.extend(task.attachments()?);
        Ok(Self {
            average: course.average.map(|config| Average::at(&config, first)),
            params,
            optimizer,
            plateau: Plateau::of(&course.schedule, before.and_then(|it| it.plateau)),
            metrics: before.map_or_else(Metrics::default, |it| it.metrics),
            tokens_seen: before.map_or(0, |it| it.tokens_seen),
            wall_seconds: before.map_or(0.0, |it| it.wall_seconds),
            misses_evaluation: before.is_some_and(|it| it.metrics.validation_loss.is_none()),
            best: before.and_then(|it| it.best),
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

    /// Applies the update numbered `step` from 0 with `scale` times the gradients.
    pub(super) fn update(
        &mut self,
        gradients: Vec<Tensor<B, 1>>,
        scale: f64,
        rate: f64,
        step: u64,
    ) {
        self.optimizer.step(&mut self.params, gradients, scale, rate);
        if let Some(average) = &mut self.average {
            average.update(&self.params, step + 1);
        }
    }

    /// What is evaluated and exported: the average where the run averages.
    pub(super) fn evaluated(&self) -> &Params<B> {
        self.average.as_ref().map_or(&self.params, Average::params)
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

    /// Writes the checkpoint after `step` updates, then removes those that are not kept.
    pub(super) fn save(
        &self,
        course: &Course,
        step: u64,
        position: u64,
        saving: Saving,
    ) -> Result<Saved, TrainError> {
        let dir = course.checkpoints_dir();
        let mut optimizer = self.optimizer.host();
        if self.average.is_some() {
            optimizer.extend(tensors_of(RAW, &self.params));
        }
        let contents = Contents {
            description: self.describe(course, step, position),
            model: &tensors_of("", self.evaluated()),
            optimizer: Some(&optimizer),
            attachments: &self.attachments,
        };
        let path = match saving {
            Saving::New => checkpoint::save(&mut RealDisk, &dir, &contents)?,
            Saving::Again => checkpoint::replace(&mut RealDisk, &dir, &contents)?,
        };
        let num_bytes = checkpoint::load::read_manifest(&path)?.num_bytes();
        let policy = Retention {
            keep_last: course.checkpoint.keep_last,
            keep_best: course.checkpoint.keep_best,
        };
        let removed = checkpoint::retain(&mut RealDisk, &dir, policy)?;
        Ok(Saved { path, num_bytes, removed })
    }

    fn describe(&self, course: &Course, step: u64, position: u64) -> Description {
        Description {
            step,
            position,
            tokens_seen: self.tokens_seen,
            wall_seconds: self.wall_seconds,
            world_size: 1,
            seed: course.seed,
            family: course.family.to_owned(),
            model: course.model.clone(),
            config_digest: digest_of(&course.config),
            config: course.config.clone(),
            dataset_digest: course.dataset_digest.clone(),
            tokenizer_kind: course.tokenizer_kind.clone(),
            code_version: env!("CARGO_PKG_VERSION").to_owned(),
            metrics: self.metrics,
            best: self.best,
            plateau: self.plateau.map(|plateau| plateau.state()),
        }
    }
}

/// Whether a step has a checkpoint already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Saving {
    /// It has none.
    New,
    /// It has one of the same parameters, which learns what was measured of them.
    Again,
}

/// A checkpoint that was just written.
#[derive(Debug)]
pub(super) struct Saved {
    pub(super) path: PathBuf,
    pub(super) num_bytes: u64,
    pub(super) removed: Vec<PathBuf>,
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

/// The tensors called `raw.<parameter>`, without the prefix, taken out of `saved`.
fn take_raw(saved: &mut Vec<HostTensor>) -> Vec<HostTensor> {
    let (raw, rest) = std::mem::take(saved)
        .into_iter()
        .partition::<Vec<_>, _>(|tensor| tensor.name.starts_with(RAW));
    *saved = rest;
    let strip =
        |tensor: HostTensor| HostTensor { name: tensor.name[RAW.len()..].to_owned(), ..tensor };
    raw.into_iter().map(strip).collect()
}

fn params_of<B: Kernels, T: Task<B>>(
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
