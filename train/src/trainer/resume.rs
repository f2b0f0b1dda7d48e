//! Where a run starts: from nothing, or from a checkpoint of the same run.
//!
//! [`prepare`] looks before anything is written: it refuses a folder that holds a run, picks the
//! newest valid checkpoint, and compares the configuration key by key with the one it was trained
//! with. What may differ says each key where it is read; the schedule may change as long as every
//! rate already used stays the same, so that a plateau can be prolonged but a cosine cannot be stretched.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::course::{Course, StageTwo};
use super::error::TrainError;
use super::plan::Plan;
use crate::checkpoint::format::OPTIMIZER_FILE;
use crate::checkpoint::save::{set_aside_after, sweep};
use crate::checkpoint::{self, Checkpoint, Latest, RealDisk};
use crate::keys::{DecayConfig, ScheduleConfig};

/// Keys of the model that a new training of imported weights may choose afresh.
const FREE_OF_WEIGHTS: [&str; 3] =
    ["model.dropout", "model.embedding_dropout", "model.initialiser_std"];

/// Whether and from where to continue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resume {
    /// Start anew; the run folder must not hold a run.
    No,
    /// Continue from the newest valid checkpoint of the run folder; start anew without any.
    Auto,
    /// Continue from this checkpoint folder. A model that was imported and never trained gives
    /// its weights only.
    Path(PathBuf),
}

/// Where a run starts.
#[derive(Debug)]
pub struct Start {
    /// What to continue from.
    pub(super) checkpoint: Option<Checkpoint>,
    resumed: bool,
    /// What a reader of the run should know: what was passed over, what differs.
    pub notes: Vec<String>,
}

impl Start {
    /// Updates already done.
    pub fn step(&self) -> u64 {
        self.checkpoint.as_ref().map_or(0, |it| it.manifest.description.step)
    }

    /// Updates already done, 0 included, when continuing was asked for; `None` for a new run.
    pub fn resumed_step(&self) -> Option<u64> {
        self.resumed.then(|| self.step())
    }
}

/// Decides where the run starts and clears the way: leftovers of a killed save are removed, later
/// checkpoints of an abandoned continuation are renamed. Call it before writing to the run folder.
///
/// # Errors
/// [`TrainError`] saying why the run cannot start there.
pub fn prepare(plan: &impl Plan, resume: &Resume) -> Result<Start, TrainError> {
    let course = &plan.course()?;
    let dir = course.checkpoints_dir();
    if *resume == Resume::No {
        refuse_existing_run(&course.run_dir, &dir)?;
        return Ok(Start { checkpoint: None, resumed: false, notes: Vec::new() });
    }
    let mut notes: Vec<String> = sweep(&mut RealDisk, &dir)?
        .iter()
        .map(|path| format!("removed the unfinished checkpoint {}", path.display()))
        .collect();
    let checkpoint = match resume {
        Resume::No | Resume::Auto => newest(&dir, &mut notes)?,
        Resume::Path(path) => {
            if !lies_in(path, &dir) {
                refuse_existing_run(&course.run_dir, &dir)?;
            }
            Some(checkpoint::open(path)?)
        }
    };
    let start = Start { checkpoint, resumed: true, notes };
    compare(course, start)
}

fn newest(dir: &Path, notes: &mut Vec<String>) -> Result<Option<Checkpoint>, TrainError> {
    let Latest { checkpoint, mut rejections } = checkpoint::latest(dir)?;
    if checkpoint.is_none() && !rejections.is_empty() {
        let count = rejections.len();
        let newest = Box::new(rejections.remove(0).reason);
        return Err(TrainError::NoValidCheckpoint { dir: dir.to_path_buf(), count, newest });
    }
    notes.extend(rejections.iter().map(|rejection| format!("passed over {}", rejection.reason)));
    if checkpoint.is_none() {
        notes.push("no checkpoint yet: starting from the first step".to_owned());
    }
    Ok(checkpoint)
}

fn compare(course: &Course, mut start: Start) -> Result<Start, TrainError> {
    let Some(checkpoint) = &start.checkpoint else { return Ok(start) };
    let description = &checkpoint.manifest.description;
    checkpoint.expect_family(course.family)?;
    let model = differences("model", &description.model, &course.model);
    let trained = checkpoint.manifest.file(OPTIMIZER_FILE).is_some();
    let (noted, mut forbidden) = if trained {
        let (noted, config) = config_changes(course, checkpoint);
        (noted, [model, config].concat())
    } else {
        model.into_iter().partition(|change| is_listed(change, &FREE_OF_WEIGHTS))
    };
    if !forbidden.is_empty() {
        forbidden.sort();
        forbidden.dedup();
        return Err(TrainError::Changed {
            checkpoint: checkpoint.path.clone(),
            changes: forbidden,
        });
    }
    start.notes.extend(noted);
    let (step, path) = (description.step, checkpoint.path.display());
    start.notes.push(format!("continuing from {path} after {step} steps"));
    let aside = set_aside_after(&mut RealDisk, &course.checkpoints_dir(), step)?;
    let renamed = aside.iter().map(|path| format!("kept a later checkpoint as {}", path.display()));
    start.notes.extend(renamed);
    Ok(start)
}

/// Sentences about keys that differ: those that may, and those that may not.
fn config_changes(course: &Course, checkpoint: &Checkpoint) -> (Vec<String>, Vec<String>) {
    let description = &checkpoint.manifest.description;
    let changes = differences("", &description.config, &course.config);
    let (allowed, mut forbidden): (Vec<_>, Vec<_>) =
        changes.into_iter().partition(|change| is_listed(change, &course.may_change));
    if description.dataset_digest != course.dataset_digest {
        forbidden.push(format!(
            "the dataset was {} and is now {}",
            description.dataset_digest, course.dataset_digest
        ));
    }
    if description.step > course.steps() {
        forbidden.push(format!(
            "schedule.steps is {} but {} steps are done",
            course.steps(),
            description.step
        ));
    }
    forbidden.extend(changed_rate(course, description.step, &description.config));
    (allowed, forbidden)
}

/// Whether what a plateau listens to, or does, was another.
fn changed_plateau(course: &Course, old: &ScheduleConfig, evaluation: &Value) -> Option<String> {
    let plateau = |decay: DecayConfig| matches!(decay, DecayConfig::Plateau { .. });
    if !plateau(old.decay) && !course.has_plateau() {
        return None;
    }
    let every = evaluation.get("every").and_then(Value::as_u64);
    if old.decay == course.schedule.decay && every == course.evaluation_every {
        return None;
    }
    Some(format!(
        "schedule.decay was {:?} with evaluation.every {every:?} and is now {:?} with {:?}; the \
         rates of a plateau depend on both",
        old.decay, course.schedule.decay, course.evaluation_every
    ))
}

/// The first step already done whose rate would have been another.
fn changed_rate(course: &Course, steps_done: u64, old: &Value) -> Option<String> {
    let table = |name: &str| old.get(name).cloned().unwrap_or(Value::Null);
    let Ok(schedule) = serde_json::from_value::<ScheduleConfig>(table("schedule")) else {
        return Some("the schedule of the checkpoint cannot be read".to_owned());
    };
    if let Some(change) = changed_plateau(course, &schedule, &table("evaluation")) {
        return Some(change);
    }
    // Where stage two starts cannot change, so only its rate may differ.
    let rate_of_stage_two = table("stage_two").get("rate").and_then(Value::as_f64);
    let stage_two =
        course.stage_two.zip(rate_of_stage_two).map(|(stage, rate)| StageTwo { rate, ..stage });
    let before = Course { schedule, stage_two, ..course.clone() };
    let first = (0..steps_done).find(|&s| before.rate(s).to_bits() != course.rate(s).to_bits())?;
    Some(format!(
        "schedule: step {} was taken at rate {:e} and would now be {:e}; a schedule may change on \
         resume only where it has not been used (a plateau can be prolonged, a cosine cannot)",
        first + 1,
        before.rate(first),
        course.rate(first)
    ))
}

/// Whether a sentence of [`differences`] is about one of `keys` or a key below it.
fn is_listed(change: &str, keys: &[impl AsRef<str>]) -> bool {
    keys.iter().any(|key| {
        change
            .strip_prefix(key.as_ref())
            .is_some_and(|rest| rest.starts_with('.') || rest.starts_with(' '))
    })
}

/// `key was A and is now B` for every leaf that differs, in order of the keys.
fn differences(prefix: &str, old: &Value, new: &Value) -> Vec<String> {
    let (mut before, mut now) = (BTreeMap::new(), BTreeMap::new());
    leaves(prefix, old, &mut before);
    leaves(prefix, new, &mut now);
    let keys: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let show = |value: Option<&&Value>| value.map_or("absent".to_owned(), ToString::to_string);
    keys.into_iter()
        .filter(|key| before.get(*key) != now.get(*key))
        .map(|key| format!("{key} was {} and is now {}", show(before.get(key)), show(now.get(key))))
        .collect()
}

fn leaves<'a>(key: &str, value: &'a Value, into: &mut BTreeMap<String, &'a Value>) {
    match value {
        Value::Object(entries) => {
            for (name, value) in entries {
                let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                leaves(&key, value, into);
            }
        }
        Value::Null => {}
        value => {
            into.insert(key.to_owned(), value);
        }
    }
}

fn lies_in(path: &Path, dir: &Path) -> bool {
    let parent = path.canonicalize().ok().and_then(|path| path.parent().map(Path::to_path_buf));
    parent.is_some() && parent == dir.canonicalize().ok()
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn differences_name_the_key_and_both_values() {
        let old = json!({"batch": {"sequences": 12}, "run": {"seed": 1, "dir": "a"}});
        let new = json!({"batch": {"sequences": 16}, "run": {"seed": 1}, "x": 0.5});
        assert_eq!(
            differences("", &old, &new),
            [
                "batch.sequences was 12 and is now 16",
                "run.dir was \"a\" and is now absent",
                "x was absent and is now 0.5"
            ]
        );
    }

    #[test]
    fn only_listed_keys_may_change() {
        let listed = |change| is_listed(change, &["run.dir", "data", "stage_two.rate"]);
        assert!(listed("run.dir was 1 and is now 2"));
        assert!(listed("data.source.inputs was 1 and is now 2"));
        assert!(!listed("run.seed was 1 and is now 2"));
        assert!(!listed("run.directory was 1 and is now 2"));
        assert!(listed("stage_two.rate was 1 and is now 2"));
        assert!(!listed("batch.sequences was 1 and is now 2"));
    }
}
