//! `genesis plan`: what a run will cost, without starting it.

use std::sync::Arc;

use anyhow::Context;
use genesis_data::dataset::Split;
use genesis_data::dataset::card::CARD_FILE;
use genesis_data::sequences::SequencesDataset;
use genesis_train::device::{DeviceChoice, KernelChoice, on_device};
use genesis_train::families::AnyConfig;
use genesis_train::sequences::{Estimate, SequencesConfig, estimate, resolve};
use genesis_train::trainer::Plan;
use tempfile::TempDir;

use super::doctor::Products;
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
        AnyConfig::Structures(config) => return atoms::plan(*config),
    };
    let (dataset, _scratch) = dataset(&config)?;
    let plan = resolve(config, &dataset).or_exit(Code::Usage)?;
    // A run can be planned where its device is not.
    let device = plan.config.run.device;
    let flops_per_s = on_device(device, KernelChoice::Own, Products).ok();
    let estimate = estimate(&plan, dataset.card().splits.get(Split::Train), flops_per_s);
    if args.json {
        console::result(serde_json::to_string(&estimate)?);
    } else {
        plan.facts().iter().for_each(|(name, value)| line(name, value));
        show(&estimate, flops_per_s, device);
    }
    Ok(Code::Done)
}

/// The dataset of the run; one that the run would make is made in a scratch folder, unless the run
/// folder has it already.
fn dataset(config: &SequencesConfig) -> anyhow::Result<(Arc<SequencesDataset>, Option<TempDir>)> {
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

fn show(estimate: &Estimate, flops_per_s: Option<f64>, device: DeviceChoice) {
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
    let time = match estimate.seconds.zip(flops_per_s) {
        Some((seconds, rate)) => format!(
            "{} (products alone, at the {:.0} GFLOP/s measured now on {device})",
            console::duration(seconds),
            rate / 1e9
        ),
        None => format!("unknown: {device} is not here to be measured"),
    };
    line("Time, at least", time);
}
