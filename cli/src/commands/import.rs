//! `genesis import`: a Hugging Face or mace-torch folder as a checkpoint, or its comparison with an
//! oracle.

use std::path::PathBuf;

use genesis_train::sequences::huggingface::{self, check};
use genesis_train::structures::mace_torch as mace;

use crate::console;
use crate::exit::{Code, OrExit};

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
    if mace::is_mace_folder(&args.dir) {
        return import_mace(args);
    }
    if let Some(oracle) = &args.check {
        let report = check(&args.dir, oracle).or_exit(Code::Data)?;
        console::result(serde_json::to_string(&report)?);
    }
    if let Some(out) = &args.out {
        let report = huggingface::import(&args.dir, out).or_exit(Code::Data)?;
        console::note(format!(
            "{}: {} with {} parameters in {} tensors, tokenizer {}",
            report.checkpoint.display(),
            report.family,
            console::count(report.num_parameters as u64),
            report.num_tensors,
            report.tokenizer.as_deref().unwrap_or("none"),
        ));
        report.notes.iter().for_each(|note| console::note(format!("note: {note}")));
    }
    Ok(Code::Done)
}

fn import_mace(args: &Args) -> anyhow::Result<Code> {
    if let Some(oracle) = &args.check {
        let report = mace::check(&args.dir, oracle).or_exit(Code::Data)?;
        console::result(serde_json::to_string(&report)?);
    }
    if let Some(out) = &args.out {
        let report = mace::import(&args.dir, out).or_exit(Code::Data)?;
        console::note(format!(
            "{}: MACE with {} parameters for {} elements",
            report.checkpoint.display(),
            console::count(report.num_parameters as u64),
            report.num_elements,
        ));
    }
    Ok(Code::Done)
}
