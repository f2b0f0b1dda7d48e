//! What follows a step: an evaluation, a checkpoint, both or neither; and saves that the clock or a
//! person asks for.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::course::Course;

/// A file of this name in the run folder asks for a checkpoint after the step that is going on.
pub const SAVE_FILE: &str = "save-now";
/// Time between two looks for it: a step may take a millisecond, and the folder may be far away.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What is due after `step` updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) evaluation: bool,
    pub(super) checkpoint: bool,
}

impl Due {
    /// The last step gets both. A checkpoint is evaluated too when the best one is to be kept:
    /// without a loss there would be nothing to compare. A stop leaves time for the save alone; what
    /// it skips is made up on resuming.
    pub(super) fn after(step: u64, course: &Course) -> Self {
        let last = step == course.steps();
        let every = |interval: Option<u64>| interval.is_some_and(|n| step.is_multiple_of(n));
        let config = &course.checkpoint;
        let checkpoint = last || every(config.every);
        let wanted = every(course.evaluation_every) || (checkpoint && config.keep_best > 0);
        Self { evaluation: step > 0 && (last || wanted), checkpoint }
    }
}

/// Saves between those of the plan: every so many minutes, or because [`SAVE_FILE`] is there. They
/// are not evaluated, so the clock changes nothing in what is learned or found best.
#[derive(Debug)]
pub(super) struct Unplanned {
    every: Option<Duration>,
    last_save: Instant,
    last_look: Instant,
    file: PathBuf,
    /// A checkpoint is being written, and whether the file asked for it.
    is_begun: bool,
    answers: bool,
}

impl Unplanned {
    /// Counts from now.
    pub(super) fn of(course: &Course) -> Self {
        let minutes = course.checkpoint.minutes();
        let now = Instant::now();
        Self {
            every: minutes.map(|minutes| Duration::from_secs_f64(60.0 * minutes)),
            last_save: now,
            last_look: now,
            file: course.run_dir.join(SAVE_FILE),
            is_begun: false,
            answers: false,
        }
    }

    /// Whether a save is asked for now.
    pub(super) fn is_due(&mut self) -> bool {
        let by_the_clock = |every| self.last_save.elapsed() >= every;
        !self.is_begun && (self.every.is_some_and(by_the_clock) || self.is_asked_for())
    }

    fn is_asked_for(&mut self) -> bool {
        if self.last_look.elapsed() < LOOK_EVERY {
            return false;
        }
        self.last_look = Instant::now();
        self.file.exists()
    }

    /// A checkpoint is being written.
    pub(super) fn begun(&mut self) {
        self.last_save = Instant::now();
        self.is_begun = true;
        self.answers = self.file.exists();
    }

    /// It was written. The file that asked for it is taken away; where that fails, it asks again.
    pub(super) fn saved(&mut self) {
        self.is_begun = false;
        if self.answers {
            let _ = std::fs::remove_file(&self.file);
        }
    }
}
