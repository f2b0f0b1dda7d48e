//! What commands do with a family of models, whichever it is.
//!
//! [`Face`] is what a family adds to [`Family`] for people: words and figures. [`AnyFace`] is the same
//! without its types, which is all that commands see. [`mod@ingest`] makes datasets of any family, [`run`] trains any
//! family, `planning` says what that will cost, [`forecast`] on many ranks too, [`preflight`] whether ranks and hosts are
//! fit for it, [`replay`] computes a step again.

pub(crate) mod dataset;
pub(crate) mod forecast;
pub(crate) mod ingest;
pub(crate) mod options;
mod planning;
pub(crate) mod preflight;
pub(crate) mod replay;
pub(crate) mod run;
mod sources;
mod start;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use genesis_data::ingest::IngestSummary;
use genesis_train::checkpoint::Checkpoint;
use genesis_train::device::DeviceChoice;
use genesis_train::family::Family;
use genesis_train::keys::{ParallelConfig, RunFile};
use genesis_train::report::Observer;
use serde_json::Value;

use crate::device::DeviceArgs;
use crate::exit::{Code, Failure};
pub(crate) use ingest::{Ingest, Takes};
pub(crate) use run::Training;
pub(crate) use start::From;

/// A family of models, for people.
pub(crate) trait Face: Family + Sync {
    /// Commands that are for this family alone.
    const OWN_COMMANDS: &'static [&'static str];
    /// Formats that its models are exported in, the usual one first.
    const FORMATS: &'static [&'static str];
    /// What `ingest` takes of it.
    const TAKES: &'static Takes;
    /// Flags of `evaluate` that are not for every family, and that it takes.
    const EVALUATE_FLAGS: &'static [&'static str] = &[];

    /// How the dataset is made that an ingest asks for.
    fn asked(asked: Ingest) -> anyhow::Result<Self::Source>;

    /// Shows a dataset that was just made in `folder`.
    fn show_made(made: &IngestSummary<Self::Part>, folder: &Path);

    /// Data of a step and arithmetic, such as `16 sequences, f32`.
    fn step_of(plan: &Self::Plan) -> String;

    /// What a forecast needs to know of a plan.
    fn numbers(plan: &Self::Plan) -> Numbers;

    /// What a rank of so many keeps for the backward pass, if that is known.
    fn activations_bytes(_plan: &Self::Plan, _ranks: u64) -> Option<u64> {
        None
    }

    /// What the run of `plan` will cost.
    fn cost(plan: &Self::Plan, dataset: &Self::Dataset) -> anyhow::Result<Cost>;

    /// What follows the last step of a run.
    fn conclude(
        _plan: &Self::Plan,
        _dataset: &Arc<Self::Dataset>,
        _observer: &mut dyn Observer,
        _stop: &AtomicBool,
    ) -> anyhow::Result<()> {
        Ok(())
    }

    /// Measures a trained model and prints what was found.
    fn evaluate(asked: &Evaluation<'_>) -> anyhow::Result<()>;

    /// Whether `folder` is of another program and holds a model of this family.
    fn reads(_folder: &Path) -> bool {
        false
    }

    /// Writes a model for another program.
    fn export(_asked: &Export<'_>) -> anyhow::Result<()> {
        Err(no_exchange(Self::NAME))
    }

    /// Compares a folder of another program with its reference outputs.
    fn check(_folder: &Path, _oracle: &Path) -> anyhow::Result<Value> {
        Err(no_exchange(Self::NAME))
    }

    /// Makes a checkpoint of a folder of another program.
    fn import(_folder: &Path, _out: &Path) -> anyhow::Result<()> {
        Err(no_exchange(Self::NAME))
    }
}

/// A family whose models no other program takes.
fn no_exchange(family: &str) -> anyhow::Error {
    let message = format!("models of {family} have no format of another program");
    Failure::error(Code::Usage, message)
}

/// What a forecast needs to know of a plan.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Numbers {
    /// Samples of a step, over all ranks.
    pub(crate) samples: usize,
    /// Slices of a step where one rank computes it; at least, where that depends on the samples.
    pub(crate) slices: usize,
    /// What a sample is, such as `sequences`.
    pub(crate) what: &'static str,
    /// Bytes of a number of the model.
    pub(crate) element_bytes: u64,
    /// `[parallel]`.
    pub(crate) parallel: ParallelConfig,
}

/// What a run will cost.
#[derive(Debug)]
pub(crate) struct Cost {
    /// Name and value, for people.
    pub(crate) lines: Vec<(&'static str, String)>,
    /// Lines of tables, for people.
    pub(crate) tables: Vec<Vec<String>>,
    /// One object, for programs.
    pub(crate) json: Value,
}

/// A model that is to be measured.
pub(crate) struct Evaluation<'a> {
    pub(crate) model: &'a Path,
    pub(crate) data: Option<&'a Path>,
    pub(crate) max_sequences: Option<usize>,
    /// `--units` and every `--set`: how files of structures are read.
    pub(crate) reading: (Option<&'a str>, &'a [String]),
    pub(crate) json: bool,
    pub(crate) device: DeviceArgs,
    pub(crate) stop: &'a AtomicBool,
}

impl Evaluation<'_> {
    /// Refuses flags that are for another family alone.
    fn refuse_others<F: Face>(&self) -> anyhow::Result<()> {
        let given = [
            ("--max-sequences", self.max_sequences.is_some()),
            ("--units", self.reading.0.is_some()),
            ("--set", !self.reading.1.is_empty()),
        ];
        let is_other = |(flag, given): &(&str, bool)| *given && !F::EVALUATE_FLAGS.contains(flag);
        let Some((flag, _)) = given.into_iter().find(is_other) else { return Ok(()) };
        let message = format!("{flag}: a model of {} takes no such option; leave it out", F::NAME);
        Err(Failure::error(Code::Usage, message))
    }

    /// What was measured, or why nothing was: it was stopped, or there was `nothing`.
    pub(crate) fn found<T>(&self, found: Option<T>, nothing: &str) -> anyhow::Result<T> {
        found.ok_or_else(|| {
            if self.stop.load(Ordering::Relaxed) {
                Failure::error(Code::Stopped, "interrupted: nothing was evaluated")
            } else {
                Failure::error(Code::Data, format!("nothing was evaluated: {nothing}"))
            }
        })
    }
}

/// A model that is to be written for another program.
pub(crate) struct Export<'a> {
    pub(crate) model: &'a Path,
    pub(crate) out: &'a Path,
    pub(crate) dtype: Option<&'a str>,
    pub(crate) overwrite: bool,
    pub(crate) json: bool,
}

/// A family without its types.
pub(crate) trait AnyFace: Sync {
    fn name(&self) -> &'static str;
    fn own_commands(&self) -> &'static [&'static str];
    fn formats(&self) -> &'static [&'static str];
    fn takes(&self) -> &'static Takes;
    fn ingest(&self, asked: Ingest, own: &[&str]) -> anyhow::Result<Code>;
    fn train(&self, file: RunFile, asked: &Training<'_>) -> anyhow::Result<Code>;
    fn plan(&self, file: RunFile, json: bool, asked: &forecast::Asked) -> anyhow::Result<()>;
    fn preflight(&self, file: RunFile, json: bool) -> anyhow::Result<Code>;
    fn ranks(&self, file: RunFile) -> anyhow::Result<(DeviceChoice, ParallelConfig)>;
    fn replay(&self, kept: &Checkpoint, asked: &replay::Asked) -> anyhow::Result<()>;
    fn evaluate(&self, asked: &Evaluation<'_>) -> anyhow::Result<()>;
    fn reads(&self, folder: &Path) -> bool;
    fn export(&self, asked: &Export<'_>) -> anyhow::Result<()>;
    fn check(&self, folder: &Path, oracle: &Path) -> anyhow::Result<Value>;
    fn import(&self, folder: &Path, out: &Path) -> anyhow::Result<()>;
}

/// The face of `F`.
pub(crate) struct Of<F>(pub(crate) F);

impl<F: Face> AnyFace for Of<F> {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn own_commands(&self) -> &'static [&'static str] {
        F::OWN_COMMANDS
    }

    fn formats(&self) -> &'static [&'static str] {
        F::FORMATS
    }

    fn takes(&self) -> &'static Takes {
        F::TAKES
    }

    fn ingest(&self, asked: Ingest, own: &[&str]) -> anyhow::Result<Code> {
        ingest::run::<F>(asked, own)
    }

    fn train(&self, file: RunFile, asked: &Training<'_>) -> anyhow::Result<Code> {
        run::train::<F>(file, asked)
    }

    fn plan(&self, file: RunFile, json: bool, asked: &forecast::Asked) -> anyhow::Result<()> {
        planning::plan::<F>(file, json, asked)
    }

    fn preflight(&self, file: RunFile, json: bool) -> anyhow::Result<Code> {
        preflight::of_run::<F>(file, json)
    }

    fn ranks(&self, file: RunFile) -> anyhow::Result<(DeviceChoice, ParallelConfig)> {
        run::ranks::<F>(file)
    }

    fn replay(&self, kept: &Checkpoint, asked: &replay::Asked) -> anyhow::Result<()> {
        replay::replay::<F>(kept, asked)
    }

    fn evaluate(&self, asked: &Evaluation<'_>) -> anyhow::Result<()> {
        asked.refuse_others::<F>()?;
        F::evaluate(asked)
    }

    fn reads(&self, folder: &Path) -> bool {
        F::reads(folder)
    }

    fn export(&self, asked: &Export<'_>) -> anyhow::Result<()> {
        F::export(asked)
    }

    fn check(&self, folder: &Path, oracle: &Path) -> anyhow::Result<Value> {
        F::check(folder, oracle)
    }

    fn import(&self, folder: &Path, out: &Path) -> anyhow::Result<()> {
        F::import(folder, out)
    }
}

/// The run folder's `plan.toml`, if `model` is a run folder.
pub(crate) fn plan_of_run(model: &Path) -> anyhow::Result<Option<RunFile>> {
    let path: PathBuf = model.join(genesis_train::report::summary::PLAN_FILE);
    if !path.is_file() {
        return Ok(None);
    }
    crate::exit::OrExit::or_exit(RunFile::read(&path, &[]), Code::Usage).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::code_of;

    #[test]
    fn an_interrupted_evaluation_ends_as_stopped_and_an_empty_one_as_bad_data() {
        let stop = AtomicBool::new(false);
        let asked = Evaluation {
            model: Path::new("run"),
            data: None,
            max_sequences: None,
            reading: (None, &[]),
            json: false,
            device: DeviceArgs { device: DeviceChoice::Cpu },
            stop: &stop,
        };
        let none = || asked.found(None::<u8>, "no labels").unwrap_err();
        assert_eq!(code_of(&none()), Code::Data);
        stop.store(true, Ordering::Relaxed);
        assert_eq!(code_of(&none()), Code::Stopped);
        assert_eq!(asked.found(Some(7), "no labels").unwrap(), 7);
    }
}
