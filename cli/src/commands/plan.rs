//! `genesis plan`: what a run will cost, without starting it.

use std::sync::Arc;

use anyhow::Context;
use genesis_data::card::{CARD_FILE, Split};
use genesis_data::shards::Dataset;
use genesis_train::config::{AnyConfig, Estimate, RunConfig, estimate, resolve};
use tempfile::TempDir;

use super::doctor::matmul_gflops;
use super::settings::Settings;
use super::{atoms, dataset};
use crate::console;
use crate::exit::{Code, OrExit};

/// Check a config and print what the run would cost.
///
/// Prints parameters, memory, tokens, steps, checkpoint size, FLOPs and an estimate of the time.
/// Nothing is trained. The dataset must exist, or be a source that can be ingested.
///
/// Example: genesis plan configs/transformer/shakespeare.toml --set batch.sequences=64
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    #[command(flatten)]
    settings: Settings,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    let config = match args.settings.read()? {
        AnyConfig::Sequences(config) => *config,
        AnyConfig::Atoms(config) => return atoms::plan(*config),
    };
    let (dataset, _scratch) = dataset(&config)?;
    let plan = resolve(config, &dataset).or_exit(Code::Usage)?;
    let flops_per_s = 1e9 * matmul_gflops();
    let estimate = estimate(&plan, dataset.card().splits.get(Split::Train), Some(flops_per_s));
    if args.json {
        console::result(serde_json::to_string(&estimate)?);
    } else {
        plan.facts().iter().for_each(|(name, value)| line(name, value));
        show(&estimate, flops_per_s);
    }
    Ok(Code::Done)
}

/// The dataset of the run; one that the run would make is made in a scratch folder, unless the run
/// folder has it already.
fn dataset(config: &RunConfig) -> anyhow::Result<(Arc<Dataset>, Option<TempDir>)> {
    let run_dir = &config.run.dir;
    let is_there = config.data.folder(run_dir).join(CARD_FILE).is_file();
    if is_there || config.data.ingest_plan(run_dir).is_none() {
        return Ok((dataset::prepare(config, run_dir)?, None));
    }
    let scratch = TempDir::new().context("cannot make a scratch folder for the dataset")?;
    let dataset = dataset::prepare(config, scratch.path())?;
    Ok((dataset, Some(scratch)))
}

fn line(name: &str, value: impl std::fmt::Display) {
    console::result(format!("{name:<38}{value}"));
}

fn show(estimate: &Estimate, flops_per_s: f64) {
    let memory = format!(
        "{} = weights {} + gradients {} + moments {} + activations {} (estimate)",
        console::bytes(estimate.total_bytes),
        console::bytes(estimate.weights_bytes),
        console::bytes(estimate.gradients_bytes),
        console::bytes(estimate.moments_bytes),
        console::bytes(estimate.activations_bytes),
    );
    line("Embedding parameters", console::count(estimate.num_embedding_parameters));
    line("Memory", memory);
    line("Checkpoint", console::bytes(estimate.checkpoint_bytes));
    line("Tokens in all", console::count(estimate.total_tokens));
    line("Epochs", format!("{:.2}", estimate.epochs));
    line("FLOPs in all", format!("{:.3e}", estimate.total_flops));
    if let Some(seconds) = estimate.seconds {
        let at_least = console::duration(seconds);
        let rate = flops_per_s / 1e9;
        line(
            "Time, at least",
            format!("{at_least} (products alone, at the {rate:.0} GFLOP/s measured now)"),
        );
    }
}
