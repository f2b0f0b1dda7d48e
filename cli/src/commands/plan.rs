//! `genesis plan`: what a run will cost, without starting it.

use super::settings::Settings;
use crate::exit::Code;
use crate::families;

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
    let file = args.settings.read()?;
    families::of_file(&file)?.plan(file, args.json)?;
    Ok(Code::Done)
}
