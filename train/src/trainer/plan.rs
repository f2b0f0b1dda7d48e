//! What every family's plan can tell: the course of its run, and what `plan.toml` holds.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use super::course::Course;
use super::error::TrainError;
use crate::checkpoint::Checkpoint;
use crate::keys::{ConfigProblems, PLAN_FILE, Root, to_text};

/// Folder of a run that holds the dataset it made itself.
pub const DATASET_FOLDER: &str = "dataset";

/// A run file joined with its dataset, fixed before the first step.
pub trait Plan {
    /// The run file.
    type Config: Root;

    /// The file it came from, every default filled in.
    fn config(&self) -> &Self::Config;

    /// Trained parameters.
    fn num_parameters(&self) -> u64;

    /// Whether TensorBoard event files are written.
    fn tensorboard(&self) -> bool;

    /// What was derived from the file and the data, as name and value.
    fn facts(&self) -> Vec<(&'static str, String)>;

    /// Takes from the model of a checkpoint what a run file cannot say of it.
    fn adopt(&mut self, _model: &serde_json::Value) {}

    /// What the loop needs of it.
    ///
    /// # Errors
    /// [`TrainError::Unstorable`] when a value cannot be written into a checkpoint.
    fn course(&self) -> Result<Course, TrainError>;

    /// Refuses a checkpoint that the keys of both would let pass.
    ///
    /// # Errors
    /// [`TrainError`] saying what about it does not fit the data.
    fn check_start(&self, _checkpoint: &Checkpoint) -> Result<(), TrainError> {
        Ok(())
    }
}

/// Threads of a run whose file names none: those of the pool that will work, all cores if no one
/// said otherwise.
pub(crate) fn available_threads() -> usize {
    rayon::current_num_threads()
}

/// What was derived from the file and the data, and what the file leaves to the program.
pub fn facts<P: Plan>(plan: &P) -> Vec<(&'static str, String)> {
    let checkpoints = plan.course().map(|course| course.checkpoint.when());
    plan.facts().into_iter().chain(checkpoints.ok().map(|when| ("Checkpoints", when))).collect()
}

/// Writes `plan.toml` into the run folder: a run file that reads back as the plan's, with what was
/// derived from it as comments on top.
///
/// # Errors
/// The file cannot be written.
pub fn save_plan(plan: &impl Plan) -> Result<PathBuf, ConfigProblems> {
    let run_dir = &plan.config().run().dir;
    let path = run_dir.join(PLAN_FILE);
    let mut text = String::new();
    for (name, value) in facts(plan) {
        let _ = writeln!(text, "# {name}: {value}");
    }
    let _ = write!(text, "\n{}", to_text(plan.config())?);
    let temporary = run_dir.join("plan.toml.tmp");
    fs::create_dir_all(run_dir)
        .and_then(|()| fs::write(&temporary, text))
        .and_then(|()| fs::rename(&temporary, &path))
        .map_err(|error| {
            ConfigProblems::whole(path.display().to_string(), format!("cannot write it: {error}"))
        })?;
    Ok(path)
}
