//! `genesis export`: a checkpoint in the form that the rest of the field loads.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;

use crate::exit::Code;
use crate::families;
use crate::family::Export;

/// Export a trained model so that other programs can load it.
///
/// `huggingface` writes config.json, model.safetensors, tokenizer.json and generation_config.json;
/// transformers loads the folder as GPT2LMHeadModel, LlamaForCausalLM or EsmForMaskedLM.
/// The export is read back, its logits are compared with the trained model's, and the largest
/// difference is stored in export.json; an export that differs is refused.
///
/// `mace` writes config.json, model.safetensors and load_mace.py, which rebuilds the torch model.
/// It is read back too, and must predict the same energies, forces and stress.
///
/// Examples:
///   genesis export runs/quickstart exported
///   genesis export runs/acac exported --format mace
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Run folder (its best checkpoint, else its newest) or checkpoint folder
    model: PathBuf,
    /// Folder to create
    out: PathBuf,
    /// Target format [default: mace for a model of atoms, else huggingface]
    #[arg(long, value_parser = PossibleValuesParser::new(families::formats()))]
    format: Option<String>,
    /// Element type of the parameters: f32 is exactly what was trained, f16 has 11 bits of precision
    /// and 65504 as its largest number, bf16 has 8 bits of precision and the range of f32 [default:
    /// that of the folder it was imported from, else f32]
    #[arg(long, value_parser = ["f32", "f16", "bf16"])]
    dtype: Option<String>,
    /// Replace OUT if it exists
    #[arg(long)]
    overwrite: bool,
    /// Print export.json as one line
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    let family = match args.format.as_deref().and_then(families::of_format) {
        Some(family) => family,
        None => families::of_model(&args.model)?,
    };
    family.export(&Export {
        model: &args.model,
        out: &args.out,
        dtype: args.dtype.as_deref(),
        overwrite: args.overwrite,
        json: args.json,
    })?;
    Ok(Code::Done)
}
