//! Models of sequences as a family.

use std::path::{Path, PathBuf};

use genesis_data::error::DataError;
use genesis_data::ingest::{IngestError, Progress};
use genesis_data::sequences::SequencesCorpus;
use genesis_data::sequences::card::SequencesPart;
use genesis_data::sequences::{SequencesIngest, SequencesSummary, ingest_sequences};
use genesis_kernels::Kernels;
use serde_json::Value;

use super::{SequencesConfig, SequencesPlan, figures, resolve, task};
use crate::family::{Example, Family};
use crate::keys::ConfigProblems;
use crate::report::Declaration;
use crate::trainer::{RankOf, TrainError, Work};

/// Models of sequences.
#[derive(Debug, Clone, Copy)]
pub struct Sequences;

impl Family for Sequences {
    const NAME: &'static str = "sequences";
    const KINDS: &'static [&'static str] = &["gpt2", "llama", "esm2"];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "molecules",
        about: "A small Llama on molecules written as SMILES",
        text: include_str!("../../../configs/transformer/quickstart.toml"),
    }];
    const FIGURES: &'static Declaration = &figures::DECLARATION;

    type Config = SequencesConfig;
    type Source = SequencesIngest;
    type Part = SequencesPart;
    type Dataset = SequencesCorpus;
    type Plan = SequencesPlan;

    fn folders(config: &SequencesConfig, run_dir: &Path) -> Vec<(String, PathBuf)> {
        config.data.folders(run_dir)
    }

    fn source(config: &SequencesConfig, run_dir: &Path) -> Option<SequencesIngest> {
        config.data.ingest_plan(run_dir)
    }

    fn make(
        source: &SequencesIngest,
        progress: &dyn Progress,
    ) -> Result<SequencesSummary, IngestError> {
        ingest_sequences(source, progress)
    }

    fn options(source: &SequencesIngest) -> Result<Value, DataError> {
        source.recorded_options()
    }

    fn open(folders: &[(String, PathBuf)]) -> Result<SequencesCorpus, DataError> {
        SequencesCorpus::open(folders)
    }

    fn resolve(
        config: SequencesConfig,
        dataset: &SequencesCorpus,
    ) -> Result<SequencesPlan, ConfigProblems> {
        resolve(config, dataset)
    }

    fn with_task<B: Kernels, W: Work>(
        plan: &SequencesPlan,
        dataset: &SequencesCorpus,
        device: &B::Device,
        on: (&RankOf<'_>, Option<&Value>),
        work: W,
    ) -> Result<W::Output, TrainError> {
        task::with_task::<B, W>(plan, dataset, device, on, work)
    }
}
