//! Where a run starts: from nothing, from a checkpoint of its own, or from another model's weights.
//!
//! [`prepare`] looks before anything is written: it refuses a folder that holds a run, picks the
//! checkpoint, and compares the configuration key by key with the one it was trained with (`changes`).
//! What may differ says each key where it is read. Rates, warm-up, steps and clipping may also change
//! from a chosen step on: that makes a [`Branch`] of the run, which its record names.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::changes::Changes;
use super::course::{CHECKPOINTS_FOLDER, Course};
use super::error::TrainError;
use super::plan::Plan;
use crate::checkpoint::naming;
use crate::checkpoint::sweep::{set_aside_after, sweep};
use crate::checkpoint::{self, Checkpoint, Latest, RealDisk};
use crate::keys::{Root as _, RunTable};
use crate::report::sessions::{self, How};

/// Whether and from where to continue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resume {
    /// Start anew, from `run.from` if the run file has it; the run folder must not hold a run.
    No,
    /// Continue from the newest valid checkpoint of the run folder; start anew without any.
    Auto,
    /// Continue from this checkpoint folder. A model that was imported and never trained gives
    /// its weights only.
    Path(PathBuf),
}

/// A change of course at a step: the run goes on differently from there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// Updates done before.
    pub step: u64,
    /// Each changed key with both values.
    pub changes: Vec<String>,
}

/// Where a run starts.
#[derive(Debug)]
pub struct Start {
    /// What to continue from.
    pub(super) checkpoint: Option<Checkpoint>,
    weights_only: bool,
    resumed: bool,
    /// The change of course, if there is one.
    pub branch: Option<Branch>,
    /// Data that are declared from here on for later steps.
    pub declared: Vec<String>,
    /// What a reader of the run should know: what was passed over, what differs.
    pub notes: Vec<String>,
}

/// What rank 0 decided of the start, for the other ranks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decided {
    checkpoint: Option<PathBuf>,
    weights_only: bool,
    resumed: bool,
}

impl Decided {
    /// To go on from the checkpoint in `path`.
    pub(super) fn trained(path: &Path) -> Self {
        Self { checkpoint: Some(path.to_path_buf()), weights_only: false, resumed: true }
    }
}

impl Start {
    /// From the state that `checkpoint` holds.
    pub(super) fn trained_by(checkpoint: Checkpoint) -> Self {
        Self::new(Some(checkpoint), true, Vec::new())
    }

    /// What the other ranks need to start there too.
    pub fn decided(&self) -> Decided {
        Decided {
            checkpoint: self.checkpoint.as_ref().map(|checkpoint| checkpoint.path.clone()),
            weights_only: self.weights_only,
            resumed: self.resumed,
        }
    }

    /// The start that another rank decided on: its checkpoint is opened and verified here too.
    ///
    /// # Errors
    /// The checkpoint cannot be read from here.
    pub fn as_decided(decided: &Decided) -> Result<Self, TrainError> {
        let checkpoint = decided.checkpoint.as_deref().map(checkpoint::open).transpose()?;
        let Decided { weights_only, resumed, .. } = *decided;
        Ok(Self { weights_only, ..Self::new(checkpoint, resumed, Vec::new()) })
    }

    /// The description of the model of the checkpoint, if there is one.
    pub fn model(&self) -> Option<&Value> {
        self.checkpoint.as_ref().map(|checkpoint| &checkpoint.manifest.description.model)
    }

    fn new(checkpoint: Option<Checkpoint>, resumed: bool, notes: Vec<String>) -> Self {
        Self { checkpoint, weights_only: false, resumed, branch: None, declared: Vec::new(), notes }
    }

    /// The checkpoint whose training is continued; `None` when only its weights are taken.
    pub(super) fn trained(&self) -> Option<&Checkpoint> {
        let has_state = |it: &&Checkpoint| it.manifest.has_optimizer();
        self.checkpoint.as_ref().filter(has_state).filter(|_| !self.weights_only)
    }

    /// Updates already done.
    pub fn step(&self) -> u64 {
        let of = |it: &Checkpoint| it.manifest.description.step;
        if self.weights_only { 0 } else { self.checkpoint.as_ref().map_or(0, of) }
    }

    /// Updates already done, 0 included, when continuing was asked for; `None` for a new run.
    pub fn resumed_step(&self) -> Option<u64> {
        self.resumed.then(|| self.step())
    }
}

/// The model of the newest checkpoint of a run, or of the one that it begins from, as far as a manifest
/// can be read.
pub fn known_model(run: &RunTable) -> Option<serde_json::Value> {
    let dir = run.dir.join(CHECKPOINTS_FOLDER);
    let own = naming::committed_steps(&dir).into_iter().rev();
    let own = own.map(|step| naming::final_path(&dir, step));
    let all = own.chain(run.from.clone());
    all.filter_map(|path| checkpoint::load::read_manifest(&path).ok())
        .map(|manifest| manifest.description.model)
        .next()
}

/// Decides where the run starts and clears the way: leftovers of a killed save are removed, later
/// checkpoints of an abandoned continuation are renamed. Call it before writing to the run folder.
///
/// # Errors
/// [`TrainError`] saying why the run cannot start there.
pub fn prepare(plan: &impl Plan, resume: &Resume) -> Result<Start, TrainError> {
    let course = &plan.course()?;
    let (dir, run) = (course.checkpoints_dir(), plan.config().run());
    let mut notes = Vec::new();
    let start = match resume {
        Resume::No => {
            refuse_existing_run(&course.run_dir, &dir)?;
            begin(run.from.as_deref(), run.weights_only, notes)?
        }
        Resume::Auto => {
            notes.extend(swept(&dir)?);
            let checkpoint = newest(&dir, &mut notes)?;
            if checkpoint.is_some() {
                Start::new(checkpoint, true, notes)
            } else {
                notes.push("no checkpoint yet: starting from the first step".to_owned());
                let start = begin(run.from.as_deref(), run.weights_only, notes)?;
                Start { resumed: true, ..start }
            }
        }
        Resume::Path(path) if lies_in(path, &dir) => {
            notes.extend(swept(&dir)?);
            Start::new(Some(checkpoint::open(path)?), true, notes)
        }
        Resume::Path(path) => {
            refuse_existing_run(&course.run_dir, &dir)?;
            begin(Some(path), false, notes)?
        }
    };
    if let Some(checkpoint) = &start.checkpoint {
        plan.check_start(checkpoint)?;
    }
    let may_branch = *resume != Resume::Auto || may_branch_unasked(course, start.step());
    compare(course, start, may_branch)
}

/// Whether a plain continuation may change course: the last session met a value that is not finite,
/// and the same run would again; or it was killed before the first checkpoint of its branch.
fn may_branch_unasked(course: &Course, step: u64) -> bool {
    let last = sessions::read(&course.run_dir).pop();
    last.is_some_and(|last| {
        let diverged = last.end.is_some_and(|end| end.how == How::NotFinite);
        diverged || (!last.branch.is_empty() && last.after_step == step)
    })
}

/// The start of a run that has no checkpoint of its own.
fn begin(from: Option<&Path>, weights_only: bool, notes: Vec<String>) -> Result<Start, TrainError> {
    let checkpoint = from.map(checkpoint::open).transpose()?;
    Ok(Start { weights_only, ..Start::new(checkpoint, false, notes) })
}

fn swept(dir: &Path) -> Result<Vec<String>, TrainError> {
    let removed = sweep(&mut RealDisk, dir)?;
    let said = |path: &PathBuf| format!("removed the unfinished checkpoint {}", path.display());
    Ok(removed.iter().map(said).collect())
}

fn newest(dir: &Path, notes: &mut Vec<String>) -> Result<Option<Checkpoint>, TrainError> {
    let Latest { checkpoint, mut rejections } = checkpoint::latest(dir)?;
    if checkpoint.is_none() && !rejections.is_empty() {
        let count = rejections.len();
        let newest = Box::new(rejections.remove(0).reason);
        return Err(TrainError::NoValidCheckpoint { dir: dir.to_path_buf(), count, newest });
    }
    notes.extend(rejections.iter().map(|rejection| format!("passed over {}", rejection.reason)));
    Ok(checkpoint)
}

fn compare(course: &Course, mut start: Start, may_branch: bool) -> Result<Start, TrainError> {
    let Some(checkpoint) = &start.checkpoint else { return Ok(start) };
    checkpoint.expect_family(course.family)?;
    let trained = start.trained().is_some();
    let found = Changes::between(course, checkpoint, trained);
    if let Some((changes, way_out)) = found.refusal(may_branch, start.step()) {
        let checkpoint = checkpoint.path.clone();
        return Err(TrainError::Changed { checkpoint, changes, way_out });
    }
    let Changes { noted, of_course, of_data, .. } = found;
    start.notes.extend(noted);
    let (step, path) = (start.step(), checkpoint.path.display());
    start.notes.push(if trained {
        format!("continuing from {path} after {step} steps")
    } else {
        format!("starting with the weights of {path}; the optimizer is new, the first step is 1")
    });
    if trained && !of_course.is_empty() {
        start.notes.push(format!("a branch from step {step}: {}", of_course.join("; ")));
        start.branch = Some(Branch { step, changes: of_course });
    }
    if !of_data.is_empty() {
        start.notes.push(format!("data declared after {step} steps: {}", of_data.join("; ")));
        start.declared = of_data;
    }
    let aside = set_aside_after(&mut RealDisk, &course.checkpoints_dir(), step)?;
    let renamed = aside.iter().map(|path| format!("kept a later checkpoint as {}", path.display()));
    start.notes.extend(renamed);
    Ok(start)
}

/// Whether `path` is a checkpoint of the run in `run_dir`.
pub fn is_of_run(path: &Path, run_dir: &Path) -> bool {
    lies_in(path, &run_dir.join(CHECKPOINTS_FOLDER))
}

/// Whether `path` is a checkpoint of `dir`: by its name there, which may be a link, or by where it is.
fn lies_in(path: &Path, dir: &Path) -> bool {
    let Ok(dir) = dir.canonicalize() else { return false };
    let named = path.parent().and_then(|parent| parent.canonicalize().ok());
    let resolved = path.canonicalize().ok();
    named.as_deref() == Some(&dir) || resolved.as_deref().and_then(Path::parent) == Some(&dir)
}

fn refuse_existing_run(run_dir: &Path, checkpoints: &Path) -> Result<(), TrainError> {
    let events = run_dir.join("events.jsonl");
    let found = if std::fs::metadata(&events).is_ok_and(|it| it.len() > 0) {
        "events.jsonl".to_owned()
    } else if let Some((_, path)) = checkpoint::naming::list(checkpoints)?.last() {
        path.strip_prefix(run_dir).unwrap_or(path).display().to_string()
    } else {
        return Ok(());
    };
    Err(TrainError::RunExists { dir: run_dir.to_path_buf(), found })
}
