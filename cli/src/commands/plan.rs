//! `genesis plan`: what a run will cost, without starting it.

use genesis_train::families::schema;
use genesis_train::keys::page;

use super::settings::Settings;
use crate::exit::Code;
use crate::family::forecast::Asked;
use crate::{console, families};

/// Check a config and print what the run would cost.
///
/// Prints parameters, memory, tokens, steps, checkpoint size, FLOPs and an estimate of the time.
/// Nothing is trained. The dataset must exist, or be a source that can be ingested. With --nodes it also
/// forecasts steps on many hosts, from the time of a step on one and a model of the network.
///
/// Examples:
///   genesis plan configs/transformer/shakespeare.toml --set batch.sequences=64
///   genesis plan run.toml --nodes 16 --gpus-per-node 8 --link ndr400 --link-within nvlink4 \
///     --step-seconds 0.41 --grow
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    forecast: Asked,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Print what a run file may say, of any family, and stop
    #[arg(long, value_enum, value_name = "FORM", exclusive = true)]
    keys: Option<Keys>,
}

/// How the keys of run files are printed.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Keys {
    /// Markdown
    Page,
    /// A JSON schema, from which an editor completes and checks keys
    Schema,
}

impl Keys {
    fn text(self) -> anyhow::Result<String> {
        let schema = schema();
        Ok(match self {
            Self::Page => page(&schema).trim_end().to_owned(),
            Self::Schema => serde_json::to_string_pretty(&schema)?,
        })
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    if let Some(keys) = args.keys {
        console::result(keys.text()?);
        return Ok(Code::Done);
    }
    let file = args.settings.read()?;
    families::of_file(&file)?.plan(file, args.json, &args.forecast)?;
    Ok(Code::Done)
}
