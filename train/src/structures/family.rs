//! Models of structures of atoms as a family.

use std::path::{Path, PathBuf};

use genesis_data::error::DataError;
use genesis_data::ingest::{IngestError, Progress};
use genesis_data::structures::StructuresCorpus;
use genesis_data::structures::card::StructuresPart;
use genesis_data::structures::{StructuresIngest, StructuresSummary, ingest_structures};
use genesis_kernels::Kernels;
use serde_json::Value;

use super::settings::StructuresNetwork;
use super::{StructuresConfig, StructuresPlan, figures, resolve_structures, task};
use crate::family::{Example, Family};
use crate::keys::ConfigProblems;
use crate::report::Declaration;
use crate::trainer::{RankOf, TrainError, Work};

/// Models of structures of atoms.
#[derive(Debug, Clone, Copy)]
pub struct Structures;

impl Family for Structures {
    const NAME: &'static str = "structures";
    const KINDS: &'static [&'static str] = &["mace"];
    const EXAMPLES: &'static [Example] = &[Example {
        name: "silicon",
        about: "A small MACE on crystals of silicon",
        text: include_str!("../../../configs/equivariant/quickstart.toml"),
    }];
    const FIGURES: &'static Declaration = &figures::DECLARATION;

    type Config = StructuresConfig;
    type Source = StructuresIngest;
    type Part = StructuresPart;
    type Dataset = StructuresCorpus;
    type Plan = StructuresPlan;

    fn folders(config: &StructuresConfig, run_dir: &Path) -> Vec<(String, PathBuf)> {
        config.data.folders(run_dir)
    }

    /// Neighbours are counted with the cut-off of the model, so that training need not.
    fn source(config: &StructuresConfig, run_dir: &Path) -> Option<StructuresIngest> {
        let StructuresNetwork::Mace(model) = &config.model;
        let plan = config.data.ingest_plan(run_dir)?;
        Some(StructuresIngest { cutoff: model.r_max_angstrom, ..plan })
    }

    fn make(
        source: &StructuresIngest,
        progress: &dyn Progress,
    ) -> Result<StructuresSummary, IngestError> {
        ingest_structures(source, progress)
    }

    fn options(source: &StructuresIngest) -> Result<Value, DataError> {
        source.recorded_options()
    }

    fn open(folders: &[(String, PathBuf)]) -> Result<StructuresCorpus, DataError> {
        StructuresCorpus::open(folders)
    }

    fn resolve(
        config: StructuresConfig,
        dataset: &StructuresCorpus,
    ) -> Result<StructuresPlan, ConfigProblems> {
        resolve_structures(config, dataset)
    }

    fn with_task<B: Kernels, W: Work>(
        plan: &StructuresPlan,
        dataset: &StructuresCorpus,
        device: &B::Device,
        on: (&RankOf<'_>, Option<&Value>),
        work: W,
    ) -> Result<W::Output, TrainError> {
        task::with_task::<B, W>(plan, dataset, device, on.0, work)
    }
}
