//! `genesis export`: a checkpoint in the form that the rest of the field loads.

use std::path::PathBuf;

use genesis_train::sequences::huggingface::{self, ExportOptions, StoredDtype};
use genesis_train::structures::StructuresModel;
use genesis_train::structures::mace_torch as mace;

use crate::console;
use crate::exit::{Code, Failure, OrExit};

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
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Element type of the parameters [default: that of the folder it was imported from, else f32]
    #[arg(long, value_enum)]
    dtype: Option<Dtype>,
    /// Replace OUT if it exists
    #[arg(long)]
    overwrite: bool,
    /// Print export.json as one line
    #[arg(long)]
    json: bool,
}

/// Element types that `export` writes.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Dtype {
    /// Exactly what was trained
    F32,
    /// 11 bits of precision, largest number 65504
    F16,
    /// 8 bits of precision, the range of f32
    Bf16,
}

impl From<Dtype> for StoredDtype {
    fn from(dtype: Dtype) -> Self {
        match dtype {
            Dtype::F32 => Self::F32,
            Dtype::F16 => Self::F16,
            Dtype::Bf16 => Self::Bf16,
        }
    }
}

/// Formats that `export` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Folder for the transformers library
    Huggingface,
    /// Folder that mace-torch can rebuild, with the script that does it
    Mace,
}

impl Args {
    fn format(&self) -> Format {
        let of_atoms = || StructuresModel::is_at(&self.model);
        self.format.unwrap_or_else(|| if of_atoms() { Format::Mace } else { Format::Huggingface })
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    if args.format() == Format::Mace {
        return export_mace(args);
    }
    let options = ExportOptions { dtype: args.dtype.map(Into::into), overwrite: args.overwrite };
    let report = huggingface::export(&args.model, &args.out, &options).or_exit(Code::Data)?;
    if args.json {
        console::result(serde_json::to_string(&report)?);
        return Ok(Code::Done);
    }
    console::note(format!(
        "{}: {} with {} parameters; read back, its logits differ from the trained model's by at most \
         {:.1e} (bound {:.1e}: {})",
        args.out.display(),
        report.architecture.as_deref().unwrap_or("model"),
        console::count(report.num_parameters as u64),
        report.logits_max_abs,
        report.logits_bound,
        report.logits_bound_because,
    ));
    Ok(Code::Done)
}

fn export_mace(args: &Args) -> anyhow::Result<Code> {
    if args.dtype.is_some() {
        let message = "--dtype: folders of mace-torch hold f64; its loader takes a dtype";
        return Err(Failure::error(Code::Usage, message));
    }
    let report = mace::export(&args.model, &args.out, args.overwrite).or_exit(Code::Data)?;
    if args.json {
        console::result(serde_json::to_string(&report)?);
        return Ok(Code::Done);
    }
    console::note(format!(
        "{}: {} with {} parameters; read back, its predictions differ from the model's by at most \
         {:.1e} of their size (bound {:.1e}: {})",
        args.out.display(),
        report.architecture,
        console::count(report.num_parameters as u64),
        report.max_rel,
        report.bound,
        report.bound_because,
    ));
    Ok(Code::Done)
}
