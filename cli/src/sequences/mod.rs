//! Models of sequences: what commands say of them, and the commands that they alone have.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Subcommand;
use genesis_data::sequences::{SequencesCorpus, SequencesIngest, SequencesSummary};
use genesis_train::report::Observer;
use genesis_train::sequences::settings::Compute;
use genesis_train::sequences::{FLOAT_BYTES, Sequences, SequencesPlan, activations_bytes};
use serde_json::Value;

use crate::exit::Code;
use crate::family::{Cost, Evaluation, Export, Face, Ingest, Numbers, Takes};

mod cost;
mod embed;
mod evaluate;
mod exchange;
mod generate;
mod ingest;
mod made;
mod model;
mod overlap;
mod records;
mod samples;
mod score;

/// Commands of models of sequences.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Generate(generate::Args),
    Embed(embed::Args),
    Score(score::Args),
}

impl Command {
    /// The model that is meant.
    pub(crate) fn model(&self) -> &Path {
        match self {
            Self::Generate(args) => &args.model,
            Self::Embed(args) => &args.model,
            Self::Score(args) => &args.model,
        }
    }

    pub(crate) fn run(self) -> anyhow::Result<Code> {
        match self {
            Self::Generate(args) => generate::run(&args),
            Self::Embed(args) => embed::run(&args),
            Self::Score(args) => score::run(&args),
        }
    }
}

impl Face for Sequences {
    const OWN_COMMANDS: &'static [&'static str] = &["generate", "embed", "score"];
    const FORMATS: &'static [&'static str] = &["huggingface"];
    const TAKES: &'static Takes = &ingest::TAKES;
    const EVALUATE_FLAGS: &'static [&'static str] = &["--max-sequences"];

    fn asked(asked: Ingest) -> anyhow::Result<SequencesIngest> {
        ingest::plan(asked)
    }

    fn show_made(made: &SequencesSummary, folder: &Path) {
        made.notes.iter().for_each(|note| crate::console::note(format!("note: {note}")));
        made::show(made, &folder.display().to_string());
    }

    fn step_of(plan: &SequencesPlan) -> String {
        let arithmetic = match plan.config.precision.compute {
            Compute::F32 => "f32",
            Compute::Bf16 => "bf16 products, f32 sums",
        };
        format!("{} sequences, {arithmetic}", plan.config.batch.sequences)
    }

    fn numbers(plan: &SequencesPlan) -> Numbers {
        let (samples, parallel) = (plan.config.batch.sequences, plan.config.parallel);
        let slices = plan.config.batch.accumulation;
        Numbers { samples, slices, what: "sequences", element_bytes: FLOAT_BYTES, parallel }
    }

    fn activations_bytes(plan: &SequencesPlan, ranks: u64) -> Option<u64> {
        Some(activations_bytes(plan, ranks))
    }

    fn cost(plan: &SequencesPlan, dataset: &SequencesCorpus) -> anyhow::Result<Cost> {
        cost::of(plan, dataset)
    }

    fn conclude(
        plan: &SequencesPlan,
        _dataset: &Arc<SequencesCorpus>,
        observer: &mut dyn Observer,
        stop: &AtomicBool,
    ) -> anyhow::Result<()> {
        samples::draw(plan, observer, stop)
    }

    fn evaluate(asked: &Evaluation<'_>) -> anyhow::Result<()> {
        evaluate::run(asked)
    }

    fn reads(folder: &Path) -> bool {
        exchange::reads(folder)
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
