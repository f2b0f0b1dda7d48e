//! What differs between a run file and the one that a checkpoint was trained with, key by key.
//!
//! Keys say themselves whether they may change on resuming. The schedule may as long as every rate
//! already used stays the same, so that a plateau can be prolonged but a cosine cannot be stretched.
//! Schedule and optimizer may change freely from a chosen step on, which is a branch.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::course::{Course, StageTwo};
use crate::checkpoint::Checkpoint;
use crate::checkpoint::format::Description;
use crate::keys::{DecayConfig, ScheduleConfig, leaves};

/// Keys of the model that a new training of given weights may choose afresh.
const FREE_OF_WEIGHTS: [&str; 3] =
    ["model.dropout", "model.embedding_dropout", "model.initialiser_std"];
/// Keys of the rate over steps.
const OF_SCHEDULE: [&str; 3] = ["schedule", "stage_two.rate", "evaluation.every"];
/// Keys of how the optimizer steps; its state fits whatever they are.
const OF_OPTIMIZER: [&str; 5] = [
    "optimizer.beta1",
    "optimizer.beta2",
    "optimizer.epsilon",
    "optimizer.weight_decay",
    "optimizer.clip_norm",
];

/// Sentences about keys that differ, each with both values.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Changes {
    /// They change nothing in what is learned.
    pub(super) noted: Vec<String>,
    /// They change the course from here on: a branch.
    pub(super) of_course: Vec<String>,
    /// Why the schedule is among these: a rate that was used would have been another.
    pub(super) used_rate: Option<String>,
    /// Data that are declared for steps which are not done.
    pub(super) of_data: Vec<String>,
    /// It would be another run.
    pub(super) forbidden: Vec<String>,
}

impl Changes {
    /// What differs between `course` and `checkpoint`; of one that gives its weights alone, only the
    /// model is compared.
    pub(super) fn between(course: &Course, checkpoint: &Checkpoint, trained: bool) -> Self {
        let description = &checkpoint.manifest.description;
        let mut course = course.clone();
        course.inherit(&description.model);
        let course = &course;
        let model = differences("model", &description.model, &course.model);
        if !trained {
            let (noted, forbidden) =
                model.into_iter().partition(|change| is_listed(change, &FREE_OF_WEIGHTS));
            return Self { noted, forbidden, ..Self::default() };
        }
        let mut changes = Self { forbidden: model, ..Self::default() };
        changes.of_config(course, &description.config, description.step);
        changes.of_data(course, description);
        if description.step > course.steps() {
            changes.forbidden.push(format!(
                "schedule.steps is {} but {} steps are done",
                course.steps(),
                description.step
            ));
        }
        changes.used_rate = changed_rate(course, description.step, &description.config);
        if changes.used_rate.is_some() {
            let (of_course, noted) =
                changes.noted.into_iter().partition(|it| is_listed(it, &OF_SCHEDULE));
            changes.noted = noted;
            changes.of_course = [of_course, changes.of_course].concat();
        }
        changes.forbidden.sort();
        changes.forbidden.dedup();
        changes
    }

    /// Data of steps that are done must be what they were; those of later ones may be declared.
    fn of_data(&mut self, course: &Course, description: &Description) {
        if description.mixture.is_none() && course.blend.is_plain() {
            let (before, now) = (&description.dataset_digest, course.blend.digest());
            if *before != now {
                self.forbidden.push(format!("the dataset was {before} and is now {now}"));
            }
            return;
        }
        let (before, now) = (description.mixture(), &course.blend.mixture);
        self.forbidden.extend(before.changed_past(now, description.step));
        self.of_data = before.declared(now, description.step);
    }

    fn of_config(&mut self, course: &Course, before: &Value, steps_done: u64) {
        let unused = is_stage_two_unused(before, &course.config, steps_done);
        for change in differences("", before, &course.config) {
            if is_listed(&change, &course.may_change)
                || unused && is_listed(&change, &["stage_two"])
            {
                self.noted.push(change);
            } else if is_listed(&change, &OF_OPTIMIZER) {
                self.of_course.push(change);
            } else {
                self.forbidden.push(change);
            }
        }
    }

    /// The changes that stand in the way of going on, and what can be done.
    pub(super) fn refusal(&self, may_branch: bool, step: u64) -> Option<(Vec<String>, String)> {
        let mut refused = self.forbidden.clone();
        if !may_branch {
            refused.extend(self.of_course.iter().chain(&self.used_rate).cloned());
        }
        (!refused.is_empty()).then(|| (refused, way_out(self.forbidden.is_empty(), step)))
    }
}

/// What can be done, where only the course changed after `step` updates or where more did.
fn way_out(only_course: bool, step: u64) -> String {
    let back = "put the old values back";
    if only_course {
        return format!(
            "{back}, or go on differently from a step that you choose, as a branch of this run: \
             `--from {step}` in place of `--resume`"
        );
    }
    format!(
        "{back}, or start a new run.dir; with `--from CHECKPOINT --weights-only` it begins with \
         these weights"
    )
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

/// Whether no step of the `steps_done` is of a second stage, neither by the old run file nor by the new
/// one; it may be anything then.
fn is_stage_two_unused(before: &Value, now: &Value, steps_done: u64) -> bool {
    let start = |config: &Value| config.pointer("/stage_two/start_step").and_then(Value::as_u64);
    [before, now].into_iter().filter_map(start).all(|start| start >= steps_done)
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
    // Where stage two starts cannot change once it was used, so only its rate may differ.
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_second_stage_may_come_go_or_move_until_one_of_its_steps_is_done() {
        let at = |start: u64| serde_json::json!({ "stage_two": { "start_step": start } });
        let none = serde_json::json!({});
        let unused = is_stage_two_unused;
        assert!(
            unused(&none, &at(60), 60)
                && unused(&at(60), &none, 60)
                && unused(&at(80), &at(60), 60)
        );
        assert!(
            !unused(&none, &at(59), 60)
                && !unused(&at(50), &none, 60)
                && !unused(&at(50), &at(70), 60)
        );
    }

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
