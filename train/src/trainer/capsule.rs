//! What is kept of a step that could not be trusted, so that it can be computed again: its parameters as a checkpoint
//! of weights, and with them `capsule.json`.
//!
//! ```text
//! faults/step-00000122/    after 122 updates, of which the next came to what is not trusted
//!   model.safetensors      the parameters that are trained
//!   capsule.json           both attempts tensor by tensor, the samples, the decision
//!   manifest.json ...      as in every checkpoint: configuration, seed, digests
//! ```

use std::path::{Path, PathBuf};

use genesis_data::dataset::Loader as _;
use genesis_kernels::Kernels;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Run;
use super::error::TrainError;
use super::faults::{Asked, Computed};
use super::gate::name_of;
use super::saving::Moment;
use super::snapshot::whole;
use super::task::Task;
use crate::checkpoint::{
    self, Checkpoint, CheckpointError, Contents, RealDisk, Saving, Watched, naming,
};
use crate::report::Observer;
use crate::report::audit::Delivered;
use crate::report::folder_lock::host;

/// Folder of a run that holds its capsules.
pub const CAPSULES_FOLDER: &str = "faults";
/// What is in a capsule besides its parameters.
pub const CAPSULE_FILE: &str = "capsule.json";

/// What is kept of a step besides its parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Capsule {
    /// The step, counted from 1.
    pub step: u64,
    /// Why it was not trusted.
    pub cause: String,
    /// What the run did.
    pub decision: String,
    /// Learning rate that it would have used.
    pub rate: f64,
    /// What it came to.
    pub first: Attempt,
    /// What it came to from the same samples a second time.
    pub again: Attempt,
    /// Backend of the first rank.
    pub computed_by: String,
    /// Host of each rank.
    pub hosts: Vec<String>,
    /// What a jump was told by.
    pub watched: Watched,
    /// Standard deviations that counted as a jump.
    pub deviations: f64,
    /// What it was computed from, in the order of positions.
    pub samples: Vec<Delivered>,
}

/// What a step came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Loss over all ranks.
    pub loss: Told,
    /// What each rank added to it.
    pub of_ranks: Vec<Told>,
    /// Norm of all gradients.
    pub grad_norm: Told,
    /// Norm of the gradient of each parameter, by name.
    pub gradients: Vec<(String, Told)>,
}

/// A number as text: JSON knows finite ones only.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Told(pub f64);

impl Serialize for Told {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Told {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Capsule {
    /// That of `kept`.
    ///
    /// # Errors
    /// The checkpoint is none of a step that could not be trusted.
    pub fn of(kept: &Checkpoint) -> Result<Self, CheckpointError> {
        let path = kept.path.join(CAPSULE_FILE);
        let files = kept.attachments()?;
        let Some(bytes) = files.get(CAPSULE_FILE) else {
            let reason = format!("there is none; capsules lie in `{CAPSULES_FOLDER}` of a run");
            return Err(CheckpointError::malformed(&path, reason));
        };
        serde_json::from_slice(bytes)
            .map_err(|error| CheckpointError::malformed(&path, error.to_string()))
    }
}

impl<B: Kernels, T: Task<B>> Run<'_, B, T> {
    /// Keeps the step, if there are not enough kept already; its folder within the run's. All ranks take part.
    ///
    /// # Errors
    /// A rank that is gone. What the first rank cannot write is noted: it is no reason to stop.
    pub(super) fn keep_capsule(
        &self,
        asked: &Asked<'_, T::Slice>,
        attempts: [&Computed<B>; 2],
        (cause, decision): (&str, &str),
        observer: &mut dyn Observer,
    ) -> Result<Option<PathBuf>, TrainError> {
        let folder = self.course.run_dir.join(CAPSULES_FOLDER);
        let kept = naming::committed_steps(&folder);
        // The same step may come to the same again in a run that was resumed.
        let is_known = kept.contains(&asked.step);
        let full = !is_known && kept.len() as u64 >= self.course.faults.capsules;
        if self.cluster().any([self.cluster().is_first() && full])? == [true] {
            return Ok(None);
        }
        let samples = self.all_delivered(asked.parts)?;
        if !self.cluster().is_first() {
            return Ok(None);
        }
        let [first, again] = attempts.map(|it| self.attempted(it));
        let capsule = Capsule {
            step: asked.step + 1,
            cause: cause.to_owned(),
            decision: decision.to_owned(),
            rate: asked.rate,
            first,
            again,
            computed_by: name_of::<B>(self.task.device()),
            hosts: self.hosts(),
            watched: self.state.watch.state(),
            deviations: self.course.faults.spike_deviations,
            samples,
        };
        let saving = if is_known { Saving::Again } else { Saving::New };
        match self.write_capsule((&folder, saving), asked.step, &capsule) {
            Ok(path) => Ok(Some(path)),
            Err(error) => {
                observer.note(&format!("step {}: nothing is kept of it: {error}", asked.step + 1));
                Ok(None)
            }
        }
    }

    fn hosts(&self) -> Vec<String> {
        if self.cluster().is_alone() {
            return vec![host()];
        }
        (0..self.cluster().world()).map(|rank| self.cluster().who(rank)).collect()
    }

    fn attempted(&self, computed: &Computed<B>) -> Attempt {
        let specs = self.state.params.specs().iter();
        let norms = computed.norm.squares.iter().map(|square| Told(square.sqrt()));
        Attempt {
            loss: Told(computed.reduced.loss),
            of_ranks: computed.reduced.losses.iter().copied().map(Told).collect(),
            grad_norm: Told(computed.norm.total()),
            gradients: specs.map(|spec| spec.name.clone()).zip(norms).collect(),
        }
    }

    /// Samples of the step on all ranks, in the order of positions.
    fn all_delivered(&self, parts: &[Vec<T::Slice>]) -> Result<Vec<Delivered>, TrainError> {
        let mine = parts.iter().flatten().flat_map(|slice| self.task.delivered(slice));
        let mine = serde_json::to_vec(&mine.collect::<Vec<_>>()).expect("names and numbers");
        let read = |it: Vec<u8>| -> Vec<Delivered> {
            serde_json::from_slice(&it).expect("another rank wrote it so")
        };
        let mut all: Vec<_> =
            self.cluster().gather_bytes(&mine)?.into_iter().flat_map(read).collect();
        all.sort();
        Ok(all)
    }

    /// The parameters before the step numbered `step` from 0, with the capsule.
    fn write_capsule(
        &self,
        (folder, saving): (&Path, Saving),
        step: u64,
        capsule: &Capsule,
    ) -> Result<PathBuf, TrainError> {
        let at = Moment { step, position: self.task.loader().position(step)?, saving };
        let model = whole(&self.state.params);
        let mut attachments = self.state.attachments.clone();
        let bytes = serde_json::to_vec_pretty(capsule).expect("names and numbers");
        attachments.insert(CAPSULE_FILE.to_owned(), bytes);
        let description = self.state.describe(self.course, at);
        let contents =
            Contents { description, model: &model, optimizer: None, attachments: &attachments };
        Ok(checkpoint::save_as(&mut RealDisk, folder, &contents, saving)?)
    }
}
