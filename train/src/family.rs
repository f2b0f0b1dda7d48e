//! What a family of models is: everything that a command asks of it, in its own types.
//!
//! A wing implements [`Family`] once; `families` lists the wings. What is the same for every family is
//! written once over this trait. Not here: words for people, which the program has.

use std::path::{Path, PathBuf};

use genesis_data::dataset::Card;
use genesis_data::dataset::card::Part;
use genesis_data::error::DataError;
use genesis_data::ingest::{IngestError, IngestSummary, Progress};
use genesis_kernels::Kernels;
use serde_json::Value;

use crate::checkpoint::Checkpoint;
use crate::keys::{ConfigProblems, Root};
use crate::report::Declaration;
use crate::trainer::replay::replay;
use crate::trainer::{Outcome, Plan, RankOf, Replayed, Session, TrainError, Work};

/// A run that needs no files: it makes its own data.
#[derive(Debug, Clone, Copy)]
pub struct Example {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What is trained on what.
    pub about: &'static str,
    /// The run file.
    pub text: &'static str,
}

/// A family of models.
pub trait Family: 'static {
    /// What checkpoints call it.
    const NAME: &'static str;
    /// Values of `model.kind`.
    const KINDS: &'static [&'static str];
    /// Runs that need no files; the first is that of a command without arguments.
    const EXAMPLES: &'static [Example];
    /// What it declares to the report.
    const FIGURES: &'static Declaration;

    /// The run file.
    type Config: Root + Send;
    /// How a dataset is made.
    type Source;
    /// What only its datasets say of themselves.
    type Part: Part;
    /// What is learned from: one dataset or several.
    type Dataset: Send + Sync;
    /// A run file joined with its dataset.
    type Plan: Plan<Config = Self::Config> + Sync;

    /// Folders of the datasets of a run in `run_dir`, by name.
    fn folders(config: &Self::Config, run_dir: &Path) -> Vec<(String, PathBuf)>;

    /// How the run makes its only dataset; `None` if all it has are there already.
    fn source(config: &Self::Config, run_dir: &Path) -> Option<Self::Source>;

    /// Makes a dataset.
    ///
    /// # Errors
    /// What is wrong with the raw files, or with the folder.
    fn make(
        source: &Self::Source,
        progress: &dyn Progress,
    ) -> Result<IngestSummary<Self::Part>, IngestError>;

    /// What a dataset made from `source` records of its options.
    ///
    /// # Errors
    /// A value that cannot be recorded.
    fn options(source: &Self::Source) -> Result<Value, DataError>;

    /// What the dataset in `folder` recorded of its options.
    ///
    /// # Errors
    /// A card that is damaged.
    fn options_of(folder: &Path) -> Result<Value, DataError> {
        Ok(Card::<Self::Part>::load(folder)?.0.options)
    }

    /// Opens datasets by their names.
    ///
    /// # Errors
    /// A folder that is none, or a damaged one.
    fn open(folders: &[(String, PathBuf)]) -> Result<Self::Dataset, DataError>;

    /// Joins a run file with its datasets.
    ///
    /// # Errors
    /// Every way in which they do not fit.
    fn resolve(config: Self::Config, dataset: &Self::Dataset)
    -> Result<Self::Plan, ConfigProblems>;

    /// Does `work` with what `plan` is to learn, as a rank. The model, if there is one, is that it starts from.
    ///
    /// # Errors
    /// [`TrainError`]
    fn with_task<B: Kernels, W: Work>(
        plan: &Self::Plan,
        dataset: &Self::Dataset,
        device: &B::Device,
        on: (&RankOf<'_>, Option<&Value>),
        work: W,
    ) -> Result<W::Output, TrainError>;

    /// Trains from the start of the session to the last step of `plan`.
    ///
    /// Continuing from the checkpoint of step `k` gives the bits of a run that was never interrupted:
    /// data and rates are functions of the step, and the checkpoint holds the rest. A stop is
    /// looked for after every step: the run then saves and returns.
    ///
    /// # Errors
    /// [`TrainError`]; the last checkpoint stays valid.
    fn train<B: Kernels>(
        plan: &Self::Plan,
        dataset: &Self::Dataset,
        device: &B::Device,
        session: Session<'_>,
    ) -> Result<Outcome, TrainError> {
        let (rank, model) = (RankOf::own(session.cluster), session.start.model().cloned());
        Self::with_task::<B, _>(plan, dataset, device, (&rank, model.as_ref()), session)
    }

    /// Computes the step of the capsule in `kept` again, in this process alone.
    ///
    /// # Errors
    /// The capsule is damaged, or its data cannot be read.
    fn replay<B: Kernels>(
        plan: &Self::Plan,
        dataset: &Self::Dataset,
        device: &B::Device,
        kept: &Checkpoint,
    ) -> Result<Replayed, TrainError> {
        let model = Some(&kept.manifest.description.model);
        replay(kept, |rank, work| {
            Self::with_task::<B, _>(plan, dataset, device, (rank, model), work)
        })
    }
}
