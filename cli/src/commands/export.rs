//! `genesis export`: a checkpoint in the form that the rest of the field loads.

use std::path::PathBuf;

use genesis_train::export::huggingface::{self, ExportOptions};

use crate::console;
use crate::exit::{Code, OrExit};

/// Export a trained model so that other programs can load it.
///
/// `huggingface` writes config.json, model.safetensors, tokenizer.json and generation_config.json;
/// transformers loads the folder as GPT2LMHeadModel, LlamaForCausalLM or EsmForMaskedLM.
/// The export is read back, its logits are compared with the trained model's, and the largest
/// difference is stored in export.json; an export that differs is refused.
///
/// Example: genesis export runs/quickstart exported
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Run folder (its best checkpoint, else its newest) or checkpoint folder
    model: PathBuf,
    /// Folder to create
    out: PathBuf,
    /// Target format
    #[arg(long, value_enum, default_value_t = Format::Huggingface)]
    format: Format,
    /// Replace OUT if it exists
    #[arg(long)]
    overwrite: bool,
}

/// Formats that `export` writes.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Format {
    /// Folder for the transformers library
    Huggingface,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    let Format::Huggingface = args.format;
    let options = ExportOptions { dtype: None, overwrite: args.overwrite };
    let report = huggingface::export(&args.model, &args.out, &options).or_exit(Code::Data)?;
    console::result(serde_json::to_string(&report)?);
    Ok(Code::Done)
}
