//! What training changes: parameters, optimizer moments, the best loss so far. It begins from the
//! seed or from a checkpoint and can be written to one; everything else is a function of the step.

use std::collections::BTreeMap;
use std::path::PathBuf;

use genesis_data::loader::Loader;
use genesis_kernels::Kernels;
use genesis_model::{Params, specs};
use genesis_schema::Seeds;

use super::error::TrainError;
use super::resume::{Start, checkpoints_dir, digest_of, to_json};
use crate::checkpoint::format::OPTIMIZER_FILE;
use crate::checkpoint::{
    self, Best, Checkpoint, Contents, Description, HostTensor, Metrics, RealDisk, Retention,
};
use crate::config::RunPlan;
use crate::evaluate::Evaluation;
use crate::optim::{Adamw, AdamwSettings};

/// Files of the dataset that travel with every checkpoint.
const TOKENIZER_FILES: [&str; 2] = ["tokenizer.json", "tokenizer_config.json"];

/// The changing part of a run.
#[derive(Debug)]
pub(super) struct State<B: Kernels> {
    pub(super) params: Params<B>,
    pub(super) optimizer: Adamw<B>,
    pub(super) metrics: Metrics,
    pub(super) tokens_seen: u64,
    pub(super) wall_seconds: f64,
    best: Option<Best>,
    attachments: BTreeMap<String, Vec<u8>>,
}

impl<B: Kernels> State<B> {
    /// The state at `start`.
    pub(super) fn begin(
        plan: &RunPlan,
        start: &Start,
        loader: &Loader,
        device: &B::Device,
    ) -> Result<Self, TrainError> {
        let params = if let Some(checkpoint) = &start.checkpoint {
            load_params(plan, checkpoint, device)?
        } else {
            let stream = Seeds::new(plan.config.run.seed).stream("init");
            Params::initialise(specs(&plan.model), &stream, device)
        };
        let settings = AdamwSettings::from(&plan.config.optimizer);
        let trained = start
            .checkpoint
            .as_ref()
            .filter(|checkpoint| checkpoint.manifest.file(OPTIMIZER_FILE).is_some());
        let optimizer = match trained {
            Some(checkpoint) => {
                let state = checkpoint.optimizer()?;
                Adamw::from_host(settings, &params, state, start.step(), device)?
            }
            None => Adamw::new(settings, &params),
        };
        let before = trained.map(|checkpoint| &checkpoint.manifest.description);
        Ok(Self {
            params,
            optimizer,
            metrics: Metrics::default(),
            tokens_seen: before.map_or(0, |it| it.tokens_seen),
            wall_seconds: before.map_or(0.0, |it| it.wall_seconds),
            best: before.and_then(|it| it.best),
            attachments: attachments(start, loader)?,
        })
    }

    /// Remembers an evaluation of the present parameters; says whether it is the best so far.
    pub(super) fn record(&mut self, step: u64, evaluation: &Evaluation) -> bool {
        let validation_loss = evaluation.loss;
        self.metrics.validation_loss = Some(validation_loss);
        let improved = self.best.is_none_or(|best| validation_loss < best.validation_loss);
        if improved {
            self.best = Some(Best { step, validation_loss });
        }
        improved
    }

    /// Writes the checkpoint after `step` updates, then removes those that are not kept.
    pub(super) fn save(
        &self,
        plan: &RunPlan,
        loader: &Loader,
        step: u64,
    ) -> Result<Saved, TrainError> {
        let dir = checkpoints_dir(plan);
        let tensors = self.params.host().into_iter();
        let model: Vec<HostTensor> =
            tensors.map(|(name, shape, values)| HostTensor { name, shape, values }).collect();
        let contents = Contents {
            description: self.describe(plan, loader, step)?,
            model: &model,
            optimizer: Some(&self.optimizer.host()),
            attachments: &self.attachments,
        };
        let path = checkpoint::save(&mut RealDisk, &dir, &contents)?;
        let num_bytes = checkpoint::load::read_manifest(&path)?.num_bytes();
        let policy = Retention {
            keep_last: plan.config.checkpoint.keep_last,
            keep_best: plan.config.checkpoint.keep_best,
        };
        let removed = checkpoint::retain(&mut RealDisk, &dir, policy)?;
        Ok(Saved { path, num_bytes, removed })
    }

    fn describe(
        &self,
        plan: &RunPlan,
        loader: &Loader,
        step: u64,
    ) -> Result<Description, TrainError> {
        let config = to_json(&plan.config)?;
        Ok(Description {
            step,
            position: loader.position(step)?,
            tokens_seen: self.tokens_seen,
            wall_seconds: self.wall_seconds,
            world_size: 1,
            seed: plan.config.run.seed,
            model: to_json(&plan.model)?,
            config_digest: digest_of(&config),
            config,
            dataset_digest: plan.dataset_digest.clone(),
            tokenizer_kind: plan.tokenizer_kind.clone(),
            code_version: env!("CARGO_PKG_VERSION").to_owned(),
            metrics: self.metrics,
            best: self.best,
        })
    }
}

/// A checkpoint that was just written.
#[derive(Debug)]
pub(super) struct Saved {
    pub(super) path: PathBuf,
    pub(super) num_bytes: u64,
    pub(super) removed: Vec<PathBuf>,
}

fn load_params<B: Kernels>(
    plan: &RunPlan,
    checkpoint: &Checkpoint,
    device: &B::Device,
) -> Result<Params<B>, TrainError> {
    let specs = specs(&plan.model);
    let wanted: Vec<_> = specs.iter().map(|spec| (spec.name.clone(), spec.shape.clone())).collect();
    let tensors = checkpoint::tensors::arrange(&checkpoint.path, checkpoint.model()?, &wanted)?;
    let host = tensors.into_iter().map(|tensor| (tensor.name, tensor.values)).collect();
    Ok(Params::from_host(specs, &host, device)?)
}

/// What the checkpoint carried, and the tokenizer of the dataset.
fn attachments(start: &Start, loader: &Loader) -> Result<BTreeMap<String, Vec<u8>>, TrainError> {
    let mut files = match &start.checkpoint {
        Some(checkpoint) => checkpoint.attachments()?,
        None => BTreeMap::new(),
    };
    for name in TOKENIZER_FILES {
        let path = loader.dataset().root().join(name);
        if path.is_file() {
            let bytes =
                std::fs::read(&path).map_err(checkpoint::CheckpointError::io("read", &path))?;
            files.insert(name.to_owned(), bytes);
        }
    }
    Ok(files)
}
