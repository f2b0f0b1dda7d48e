//! The state of a run to a checkpoint, beside the steps.
//!
//! Steps wait for a [`Snapshot`] only; a thread writes it. The first rank writes the folder. Where ranks divide the
//! optimizer's state among them, each writes what it alone holds, and the first commits only after all have: a rank
//! that fails leaves no checkpoint at all. Between steps all ranks look how far they are, and a failure is the
//! failure of all.
//!
//! ```text
//! undivided   snapshot | first rank: folder, files, commit
//! divided     folder, snapshot | all ranks: files | first rank: commit
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use genesis_kernels::Kernels;
use genesis_model::Params;

use super::course::Course;
use super::error::TrainError;
use super::job::Job;
use super::reduction::Reduction;
use super::snapshot::{Kept, whole};
use super::state::{RAW, State};
use crate::checkpoint::format::digest_of;
use crate::checkpoint::host::checksum;
use crate::checkpoint::{
    self, Begun, CheckpointError, Contents, Description, RealDisk, Retention, Saving, Stored,
    Written,
};
use crate::cluster::{Cluster, Phase};

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

/// What this rank has of a checkpoint.
#[derive(Debug)]
pub(super) struct Snapshot<B: Kernels> {
    description: Description,
    /// Parameters that are evaluated.
    model: Vec<Kept<B>>,
    /// The optimizer's state as far as this rank holds it; also the parameters, where averages are evaluated.
    held: Vec<Kept<B>>,
    attachments: BTreeMap<String, Vec<u8>>,
}

impl<B: Kernels> Snapshot<B> {
    /// Bytes that it keeps from being used again.
    pub(super) fn num_bytes(&self) -> u64 {
        self.model.iter().chain(&self.held).map(|it| it.num_bytes() as u64).sum()
    }

    fn fill(&self, begun: &mut Begun<'_>, with_held: bool) -> Result<(), CheckpointError> {
        begun.fill(&Contents {
            description: self.description.clone(),
            model: &self.model,
            optimizer: with_held.then_some(&*self.held),
            attachments: &self.attachments,
        })
    }
}

impl<B: Kernels> State<B> {
    /// The state now, whose parameters to be evaluated are `evaluated`.
    pub(super) fn snapshot(
        &self,
        course: &Course,
        reduction: &Reduction,
        evaluated: &Params<B>,
        at: Moment,
    ) -> Snapshot<B> {
        let specs = self.params.specs();
        let mut held: Vec<_> =
            self.optimizer.state().map(|(of, value)| Kept::new(of, value)).collect();
        if self.average.is_some() {
            let values = reduction.pieces(self.params.values().to_vec());
            let raw = reduction.held().into_iter().zip(values);
            held.extend(raw.map(|(piece, value)| Kept::new(piece.stored_as(RAW, specs), &value)));
        }
        Snapshot {
            description: self.describe(course, at),
            model: whole(evaluated),
            held,
            attachments: self.attachments.clone(),
        }
    }

    /// What a checkpoint of the state now says of it.
    pub(super) fn describe(&self, course: &Course, at: Moment) -> Description {
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
            mixture: (!course.blend.is_plain()).then(|| course.blend.mixture.clone()),
            tokenizer_kind: course.tokenizer_kind.clone(),
            code_version: env!("CARGO_PKG_VERSION").to_owned(),
            metrics: self.metrics,
            best: self.best,
            plateau: self.plateau.map(|plateau| plateau.state()),
            left_out_steps: self.left_out,
            went_on: self.went_on,
            watched: Some(self.watch.state()),
        }
    }

    /// Refuses ranks whose parameters are not the same.
    ///
    /// # Errors
    /// On every rank.
    pub(super) fn compare(&self, cluster: &Cluster, step: u64) -> Result<(), TrainError> {
        if !cluster.is_alone() {
            cluster.in_step(step, &checksum(self.params.values()))?;
        }
        Ok(())
    }
}

/// A checkpoint that is being written.
#[derive(Debug)]
pub(super) struct Writing {
    pub(super) at: Moment,
    pub(super) is_best: bool,
    /// When its snapshot was begun, and for how long steps have waited for it.
    pub(super) begun: Instant,
    pub(super) waited: Duration,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Each rank writes its file, the first one also the others.
    Files(Job<Files>),
    /// The first rank does what is left.
    Last(Option<Job<Saved>>),
}

/// What a rank wrote; the first one finishes what it began.
type Files = (Option<Begun<'static>>, Written);

/// How far a [`Writing`] is.
#[derive(Debug)]
pub(super) enum Progress {
    Goes,
    /// With what the first rank wrote.
    Done(Option<Saved>),
}

impl Writing {
    /// Begins to write `snapshot`. All ranks take part.
    ///
    /// # Errors
    /// On every rank, when the folder cannot be made.
    pub(super) fn begin<B: Kernels>(
        (course, reduction): (&Course, &Reduction),
        snapshot: Snapshot<B>,
        (at, is_best, begun): (Moment, bool, Instant),
    ) -> Result<Self, TrainError> {
        let (cluster, dir, keep) =
            (reduction.cluster(), course.checkpoints_dir(), Keep::of(course));
        let first = cluster.is_first();
        let folder = dir.clone();
        let open =
            move || first.then(|| Begun::open(disk(), &folder, at.step, at.saving)).transpose();
        let stage = if reduction.is_cut() {
            let opened = cluster.agree(Phase::Save, DOING, open().map_err(TrainError::from))?;
            let (folder, who) = (dir.clone(), (cluster.rank(), cluster.world()));
            let write = move || write_files(opened, &snapshot, (&folder, who));
            Stage::Files(Job::begin(&dir, write))
        } else {
            let write = move || {
                let mut opened = open()?.expect("the first rank opens it");
                snapshot.fill(&mut opened, true)?;
                keep.tidied(opened.finish(Vec::new())?)
            };
            Stage::Last(first.then(|| Job::begin(&dir, write)))
        };
        Ok(Self { at, is_best, begun, waited: begun.elapsed(), stage })
    }

    /// Whether this rank still writes.
    pub(super) fn is_at_work(&self) -> bool {
        match &self.stage {
            Stage::Files(job) => !job.is_over(),
            Stage::Last(job) => job.as_ref().is_some_and(|job| !job.is_over()),
        }
    }

    /// Waits until all ranks are through with this stage, and begins the next one. All take part.
    ///
    /// # Errors
    /// On every rank, when writing failed on one.
    pub(super) fn advance(
        &mut self,
        course: &Course,
        cluster: &Cluster,
    ) -> Result<Progress, TrainError> {
        let waiting = Instant::now();
        let progress = match std::mem::replace(&mut self.stage, Stage::Last(None)) {
            Stage::Files(job) => {
                self.stage = Stage::Last(committing(job, course, cluster)?);
                Progress::Goes
            }
            Stage::Last(job) => {
                let saved = job.map(Job::end).transpose().map_err(TrainError::from);
                Progress::Done(cluster.agree(Phase::Save, DOING, saved)?)
            }
        };
        self.waited += waiting.elapsed();
        Ok(progress)
    }
}

/// The commit of what all ranks wrote, on the first one.
fn committing(
    files: Job<Files>,
    course: &Course,
    cluster: &Cluster,
) -> Result<Option<Job<Saved>>, TrainError> {
    let (opened, mine) =
        cluster.agree(Phase::Save, DOING, files.end().map_err(TrainError::from))?;
    let mine = serde_json::to_vec(&mine).expect("names and numbers");
    let read = |it: &Vec<u8>| serde_json::from_slice(it).expect("another rank wrote it so");
    let parts: Vec<Written> = cluster.gather_bytes(&mine)?.iter().map(read).collect();
    let keep = Keep::of(course);
    let commit = opened.map(|opened| {
        Job::begin(&course.checkpoints_dir(), move || keep.tidied(opened.finish(parts)?))
    });
    Ok(commit)
}

/// What this rank writes of a checkpoint that is divided.
fn write_files<B: Kernels>(
    mut opened: Option<Begun<'static>>,
    snapshot: &Snapshot<B>,
    (dir, who): (&Path, (usize, usize)),
) -> Result<Files, CheckpointError> {
    if let Some(opened) = &mut opened {
        snapshot.fill(opened, false)?;
    }
    let at = (dir, snapshot.description.step);
    Ok((opened, checkpoint::write_slice(&mut RealDisk, at, who, &snapshot.held)?))
}

/// The file system, for a thread that outlives whoever began it; it holds nothing, so nothing is leaked.
fn disk() -> &'static mut RealDisk {
    Box::leak(Box::new(RealDisk))
}

/// What a run keeps of its checkpoints.
#[derive(Debug, Clone)]
struct Keep {
    dir: PathBuf,
    policy: Retention,
}

impl Keep {
    fn of(course: &Course) -> Self {
        let policy = Retention::from(&course.checkpoint);
        Self { dir: course.checkpoints_dir(), policy }
    }

    /// Removes what is not kept, now that the checkpoint in `path` is there.
    fn tidied(&self, path: PathBuf) -> Result<Saved, CheckpointError> {
        let num_bytes = checkpoint::load::read_manifest(&path)?.num_bytes();
        let removed = checkpoint::retain(&mut RealDisk, &self.dir, self.policy)?;
        Ok(Saved { path, num_bytes, removed })
    }
}
