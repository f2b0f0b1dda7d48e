//! Models of sequences as a family.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use genesis_data::error::DataError;
use genesis_data::ingest::{IngestError, Progress};
use genesis_data::sequences::SequencesCard;
use genesis_data::sequences::SequencesDataset;
use genesis_data::sequences::{SequencesIngest, SequencesSummary, ingest_sequences};
use genesis_kernels::Kernels;
use serde_json::Value;

use super::{SequencesConfig, SequencesPlan, figures, resolve, train};
use crate::family::{Example, Family};
use crate::keys::ConfigProblems;
use crate::report::Declaration;
use crate::trainer::{Outcome, Session, TrainError};

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
    type Made = SequencesSummary;
    type Dataset = SequencesDataset;
    type Plan = SequencesPlan;

    fn folder(config: &SequencesConfig, run_dir: &Path) -> PathBuf {
        config.data.folder(run_dir)
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

    fn options_of(folder: &Path) -> Result<Value, DataError> {
        Ok(SequencesCard::load(folder)?.0.options)
    }

    fn open(folder: &Path) -> Result<SequencesDataset, DataError> {
        SequencesDataset::open(folder)
    }

    fn resolve(
        config: SequencesConfig,
        dataset: &SequencesDataset,
    ) -> Result<SequencesPlan, ConfigProblems> {
        resolve(config, dataset)
    }

    fn train<B: Kernels>(
        plan: &SequencesPlan,
        dataset: Arc<SequencesDataset>,
        device: &B::Device,
        session: Session<'_>,
    ) -> Result<Outcome, TrainError> {
        train::<B>(plan, dataset, device, session)
    }
}
