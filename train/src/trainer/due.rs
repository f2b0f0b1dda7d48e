//! What follows a step: an evaluation, a checkpoint, both or neither.

use super::course::Course;

/// What is due after `step` updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) evaluation: bool,
    pub(super) checkpoint: bool,
}

impl Due {
    /// The last step gets both. A checkpoint is evaluated too when the best one is to be kept:
    /// without a loss there would be nothing to compare. A stop leaves time for the save alone,
    /// unless the learning rate depends on the evaluation.
    pub(super) fn after(step: u64, course: &Course, stopping: bool) -> Self {
        let last = step == course.steps();
        let every = |interval: Option<u64>| interval.is_some_and(|n| step.is_multiple_of(n));
        let config = &course.checkpoint;
        let checkpoint = last || stopping || every(config.every);
        let wanted = every(course.evaluation_every) || (checkpoint && config.keep_best);
        let needed = course.plateau_listens(step);
        Self { evaluation: last || needed || (wanted && !stopping), checkpoint }
    }
}
