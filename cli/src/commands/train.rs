//! `genesis train`: a run from a config file, or the built-in quick start.

use std::path::PathBuf;

use genesis_train::trainer::Resume;

use super::settings::Settings;
use crate::exit::Code;
use crate::families;
use crate::family::Training;
use crate::signals::stop_flag;

/// Train a model from a config file.
///
/// Without CONFIG, trains the built-in quick start: a small Llama on molecules that the program
/// makes itself; --example silicon is its counterpart for atoms. Everything of a run lies in its
/// folder: plan.toml, events.jsonl, tensorboard/, checkpoints/, report.html. Ctrl-C or SIGTERM saves and stops; --resume goes on exactly.
///
/// Examples:
///   genesis train
///   genesis train configs/transformer/shakespeare.toml --set run.dir=runs/a --set schedule.steps=500
///   genesis train configs/transformer/shakespeare.toml --set run.dir=runs/a --resume
///   genesis train --example silicon
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    #[command(flatten)]
    settings: Settings,
    /// Go on with the run in run.dir from its newest valid checkpoint
    #[arg(long)]
    resume: bool,
    /// Start from this checkpoint: one of this run, or the weights of an imported model
    #[arg(long, value_name = "CHECKPOINT", conflicts_with = "resume")]
    from: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    let stop = &*stop_flag()?;
    let file = args.settings.read()?;
    let resume = match &args.from {
        Some(path) => Resume::Path(path.clone()),
        None if args.resume => Resume::Auto,
        None => Resume::No,
    };
    families::of_file(&file)?.train(file, &Training { resume, stop })
}
