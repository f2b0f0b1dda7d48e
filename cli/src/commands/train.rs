//! `genesis train`: a run from a config file, or the built-in quick start.

use std::path::PathBuf;

use genesis_train::keys::RunFile;

use super::settings::Settings;
use crate::exit::Code;
use crate::families;
use crate::family::{From, Training};
use crate::signals::{stop_after, stop_flag};

/// Train a model from a config file.
///
/// Without CONFIG, trains the built-in quick start: a small Llama on molecules that the program
/// makes itself; --example silicon is its counterpart for atoms. Everything of a run lies in its
/// folder: plan.toml, events.jsonl, run.log, tensorboard/, checkpoints/, report.html. Ctrl-C, SIGTERM
/// and what schedulers send save and stop; --resume goes on exactly. A file `save-now` in the run
/// folder asks for a checkpoint without a stop.
///
/// Examples:
///   genesis train
///   genesis train configs/transformer/shakespeare.toml --set run.dir=runs/a --set schedule.steps=500
///   genesis train configs/transformer/shakespeare.toml --set run.dir=runs/a --resume
///   genesis train runs/a/plan.toml --from 400 --set schedule.peak_rate=1e-4
///   genesis train --example silicon
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    #[command(flatten)]
    settings: Settings,
    /// Go on with the run in run.dir from its newest valid checkpoint
    #[arg(long)]
    resume: bool,
    /// Start from this checkpoint: a step of this run, where schedule.* and optimizer.* may change from
    /// there on; the folder of another run; or an imported model, whose weights are taken
    #[arg(long, value_name = "STEP|CHECKPOINT", conflicts_with = "resume")]
    from: Option<PathBuf>,
    /// Take only the weights of --from: a new run, a new optimizer, the first step
    #[arg(long, requires = "from")]
    weights_only: bool,
    /// Save and stop after so many minutes of this process, with exit code 5
    #[arg(long, value_name = "MINUTES", value_parser = minutes)]
    max_minutes: Option<f64>,
}

/// A time that a clock can wait for.
fn minutes(text: &str) -> Result<f64, String> {
    // A century; no run is longer, and the clock counts no further than it can.
    const MOST: f64 = 5e7;
    match text.parse() {
        Ok(minutes) if minutes > 0.0 && minutes <= MOST => Ok(minutes),
        _ => Err(format!("must be a number above 0, at most {MOST:.0}")),
    }
}

/// The run file that is meant.
pub(super) fn file(args: &Args) -> anyhow::Result<RunFile> {
    args.settings.read()
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    let stop = &stop_flag()?;
    if let Some(minutes) = args.max_minutes {
        stop_after(minutes, stop)?;
    }
    let file = file(args)?;
    let from = match &args.from {
        Some(path) => From::named(path, args.weights_only),
        None if args.resume => From::End,
        None => From::Beginning,
    };
    families::of_file(&file)?.train(file, &Training { from, stop })
}
