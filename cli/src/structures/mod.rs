//! Models of structures of atoms: what commands say of them, and the commands that they alone have.
#![expect(clippy::doc_markdown, reason = "doc comments of arguments are the help on the terminal")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Subcommand;
use genesis_data::dataset::Split;
use genesis_data::structures::{StructuresCorpus, StructuresIngest, StructuresSummary};
use genesis_train::report::Observer;
use genesis_train::structures::settings::StructuresDtype;
use genesis_train::structures::{Structures, StructuresPlan, mace_torch};
use serde_json::{Value, json};

use crate::console;
use crate::exit::Code;
use crate::family::{Cost, Evaluation, Export, Face, Ingest, Numbers, Takes};

mod evaluate;
mod exchange;
mod ingest;
mod made;
mod md;
pub(crate) mod options;
mod predict;

/// Commands of models of structures.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Predict(predict::Args),
    Md(md::Args),
}

impl Command {
    /// The model that is meant.
    pub(crate) fn model(&self) -> &Path {
        match self {
            Self::Predict(args) => &args.model,
            Self::Md(args) => &args.model,
        }
    }

    pub(crate) fn run(self) -> anyhow::Result<Code> {
        match self {
            Self::Predict(args) => predict::run(&args),
            Self::Md(args) => md::run(&args),
        }
    }
}

impl Face for Structures {
    const OWN_COMMANDS: &'static [&'static str] = &["predict", "md"];
    const FORMATS: &'static [&'static str] = &["mace"];
    const TAKES: &'static Takes = &ingest::TAKES;
    const EVALUATE_FLAGS: &'static [&'static str] = &["--units", "--set"];

    fn asked(asked: Ingest) -> anyhow::Result<StructuresIngest> {
        ingest::plan(asked)
    }

    fn show_made(made: &StructuresSummary, folder: &Path) {
        made::show(made, folder);
    }

    fn step_of(plan: &StructuresPlan) -> String {
        let (frames, dtype) = (plan.config.batch.frames, plan.config.precision.dtype);
        format!("{frames} structures, {dtype:?}")
    }

    fn numbers(plan: &StructuresPlan) -> Numbers {
        let element_bytes = if plan.config.precision.dtype == StructuresDtype::F64 { 8 } else { 4 };
        let (samples, parallel) = (plan.config.batch.frames, plan.config.parallel);
        Numbers { samples, slices: 1, what: "structures", element_bytes, parallel }
    }

    fn cost(plan: &StructuresPlan, dataset: &StructuresCorpus) -> anyhow::Result<Cost> {
        let seen = plan.steps as f64 * plan.config.batch.frames as f64;
        let begins = dataset
            .members()
            .iter()
            .filter(|it| plan.blend.mixture.stretch(0).weights.contains_key(&it.name));
        let frames: u64 = begins.map(|it| it.dataset.num_frames(Split::Train)).sum();
        let epochs = seen / frames.max(1) as f64;
        // Weights, gradients and three moments.
        let parameters_bytes = 5 * Self::numbers(plan).element_bytes * plan.num_parameters;
        let memory = console::bytes(parameters_bytes);
        Ok(Cost {
            lines: vec![
                ("Epochs", format!("{epochs:.2}")),
                ("Memory of parameters", format!("{memory} (weights, gradients, moments)")),
            ],
            tables: Vec::new(),
            json: json!({
                "num_parameters": plan.num_parameters,
                "parameters_bytes": parameters_bytes,
                "structures_per_step": plan.config.batch.frames,
                "total_structures": seen,
                "epochs": epochs,
            }),
        })
    }

    fn conclude(
        plan: &StructuresPlan,
        dataset: &Arc<StructuresCorpus>,
        _observer: &mut dyn Observer,
        stop: &AtomicBool,
    ) -> anyhow::Result<()> {
        evaluate::conclude(plan, dataset, stop)
    }

    fn evaluate(asked: &Evaluation<'_>) -> anyhow::Result<()> {
        evaluate::run(asked)
    }

    fn reads(folder: &Path) -> bool {
        mace_torch::is_mace_folder(folder)
    }

    fn export(asked: &Export<'_>) -> anyhow::Result<()> {
        exchange::export(asked)
    }

    fn check(folder: &Path, oracle: &Path) -> anyhow::Result<Value> {
        exchange::check(folder, oracle)
    }

    fn import(folder: &Path, out: &Path) -> anyhow::Result<()> {
        exchange::import(folder, out)
    }
}
