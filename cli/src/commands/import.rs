//! `genesis import`: a Hugging Face or mace-torch folder as a checkpoint, or its comparison with an
//! oracle.

use std::path::PathBuf;

use crate::console;
use crate::exit::Code;
use crate::families;

/// Import a Hugging Face model folder (GPT-2, Llama or ESM-2) or a mace-torch folder.
///
/// With OUT, writes a checkpoint that every other command takes. With --check, compares the
/// imported model with reference outputs and prints one JSON line: largest logits difference,
/// relative loss difference, worst relative gradient error and its parameter, worst relative
/// difference of the loss curve. The file holds input_ids, labels, attention_mask, logits, loss,
/// grad.NAME and curve; docs/guides/exchange-with-hugging-face.md has the details.
///
/// A mace-torch folder holds config.json (its hyper-parameters) and model.safetensors (its state
/// dict). With --check it also holds frames.extxyz, and the JSON line has the differences of
/// energies, forces, stress, edges, loss, gradients and a curve of AMSGrad steps.
///
/// Examples:
///   genesis import esm2_t6_8M checkpoints/esm2-8m
///   genesis import mace_folder checkpoints/mace
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Folder with config.json and model.safetensors
    dir: PathBuf,
    /// Checkpoint folder to create
    #[arg(required_unless_present = "check")]
    out: Option<PathBuf>,
    /// Safetensors file of reference outputs to compare with
    #[arg(long, value_name = "ORACLE")]
    check: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    let family = families::of_model(&args.dir)?;
    if let Some(oracle) = &args.check {
        console::result(family.check(&args.dir, oracle)?.to_string());
    }
    if let Some(out) = &args.out {
        family.import(&args.dir, out)?;
    }
    Ok(Code::Done)
}
