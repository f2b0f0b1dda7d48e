//! The state of a run to a checkpoint.
//!
//! The first rank writes the folder. Where ranks divide the optimizer's state among them, each writes what it
//! alone holds, and the first commits only after all have: a rank that fails leaves no checkpoint at all.

use std::path::PathBuf;

use genesis_kernels::Kernels;
use genesis_model::Params;

use super::course::Course;
use super::error::TrainError;
use super::reduction::Reduction;
use super::state::{RAW, State};
use crate::checkpoint::format::digest_of;
use crate::checkpoint::host::{digest, tensors_of, values_of};
use crate::checkpoint::{
    self, Begun, CheckpointError, Contents, Description, HostStretch, HostTensor, RealDisk,
    Retention, Saving, Written,
};

/// What ranks do here, in messages.
const DOING: &str = "saving a checkpoint";

/// A checkpoint that was just written.
#[derive(Debug)]
pub(super) struct Saved {
    pub(super) path: PathBuf,
    pub(super) num_bytes: u64,
    pub(super) removed: Vec<PathBuf>,
}

/// Which moment of a run is saved.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// Updates done.
    pub(super) step: u64,
    /// Position of the loader.
    pub(super) position: u64,
    pub(super) saving: Saving,
}

impl<B: Kernels> State<B> {
    /// Writes the checkpoint of a moment, whose parameters to be evaluated are `evaluated`, and removes those that
    /// are not kept. All ranks take part; the first one gets what came of it.
    ///
    /// # Errors
    /// On every rank, when it fails on one; ranks whose parameters differ.
    pub(super) fn save(
        &self,
        course: &Course,
        reduction: &Reduction,
        evaluated: &Params<B>,
        at: Moment,
    ) -> Result<Option<Saved>, TrainError> {
        let cluster = reduction.cluster();
        if !cluster.is_alone() {
            cluster.in_step(at.step, &digest(self.params.values()))?;
        }
        let (mut disk, dir) = (RealDisk, course.checkpoints_dir());
        let begin = |disk| {
            let model = tensors_of("", evaluated);
            let optimizer: Option<Vec<HostTensor>> = (!reduction.is_cut())
                .then(|| self.held(reduction).into_iter().map(HostStretch::into_tensor).collect());
            let contents = Contents {
                description: self.describe(course, at),
                model: &model,
                optimizer: optimizer.as_deref(),
                attachments: &self.attachments,
            };
            Begun::new(disk, &dir, &contents, at.saving).map_err(TrainError::from)
        };
        let begun = cluster.is_first().then(|| begin(&mut disk)).transpose();
        let begun = cluster.agree(DOING, begun)?;
        let parts = if reduction.is_cut() {
            self.write_parts(course, reduction, at.step)?
        } else {
            Vec::new()
        };
        let finish = |begun: Begun<'_>| tidied(course, begun.finish(parts)?);
        let finished = begun.map(finish).transpose();
        cluster.agree(DOING, finished.map_err(TrainError::from))
    }

    /// Writes what this rank holds; what all ranks wrote.
    fn write_parts(
        &self,
        course: &Course,
        reduction: &Reduction,
        step: u64,
    ) -> Result<Vec<Written>, TrainError> {
        let cluster = reduction.cluster();
        let who = (cluster.rank(), cluster.world());
        let dir = course.checkpoints_dir();
        let written =
            checkpoint::write_slice(&mut RealDisk, (&dir, step), who, self.held(reduction));
        let written = cluster.agree(DOING, written.map_err(TrainError::from))?;
        let mine = serde_json::to_vec(&written).expect("names and numbers");
        let all = cluster.gather_bytes(&mine)?;
        let read = |it: &Vec<u8>| serde_json::from_slice(it).expect("another rank wrote it so");
        Ok(all.iter().map(read).collect())
    }

    /// The optimizer's state as far as this rank holds it; also the parameters, where averages are evaluated.
    fn held(&self, reduction: &Reduction) -> Vec<HostStretch> {
        let mut held = self.optimizer.host();
        if self.average.is_some() {
            let values = reduction.pieces(self.params.values().to_vec());
            let specs = self.params.specs();
            let raw = reduction.held().into_iter().zip(values);
            held.extend(
                raw.map(|(piece, value)| piece.stored_as(RAW, specs).with(values_of(&value))),
            );
        }
        held
    }

    fn describe(&self, course: &Course, at: Moment) -> Description {
        Description {
            step: at.step,
            position: at.position,
            tokens_seen: self.tokens_seen,
            wall_seconds: self.wall_seconds,
            world_size: 1,
            seed: course.seed,
            family: course.family.to_owned(),
            model: course.model.clone(),
            config_digest: digest_of(&course.config),
            config: course.config.clone(),
            dataset_digest: course.blend.digest(),
            mixture: (!course.blend.is_sole()).then(|| course.blend.mixture.clone()),
            tokenizer_kind: course.tokenizer_kind.clone(),
            code_version: env!("CARGO_PKG_VERSION").to_owned(),
            metrics: self.metrics,
            best: self.best,
            plateau: self.plateau.map(|plateau| plateau.state()),
        }
    }
}

/// Removes what the run does not keep, now that the checkpoint in `path` is there.
fn tidied(course: &Course, path: PathBuf) -> Result<Saved, CheckpointError> {
    let num_bytes = checkpoint::load::read_manifest(&path)?.num_bytes();
    let policy = Retention {
        keep_last: course.checkpoint.keep_last,
        keep_best: course.checkpoint.keep_best,
    };
    let removed = checkpoint::retain(&mut RealDisk, &course.checkpoints_dir(), policy)?;
    Ok(Saved { path, num_bytes, removed })
}
