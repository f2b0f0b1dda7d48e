//! `genesis predict`: energies, forces and stress of structures.

use std::path::PathBuf;

use genesis_data::formats::FormatChoice;
use genesis_kernels::Kernels;
use genesis_train::device::OnDevice;
use genesis_train::structures::{PredictOptions, PredictReport, StructuresModel, predict_file};

use super::evaluate::show_rows;
use crate::console;
use crate::device::DeviceArgs;
use crate::exit::{Code, OrExit};
use crate::threads;

/// Predict energies, forces and stress with a trained model of atoms.
///
/// Reads extended XYZ, npz, JSONL or Parquet (gzip is recognised in text) and writes extended XYZ,
/// or a table when OUT ends in .parquet: energy in eV, forces in eV/Å, stress in eV/Å^3. Where the
/// inputs have labels, the errors against them are printed.
///
/// Example: genesis predict runs/acac test_MD_600K.xyz --out predicted.xyz
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Run folder (its best checkpoint, else its newest), checkpoint folder or mace-torch folder
    pub(super) model: PathBuf,
    /// Files or folders of structures
    #[arg(required = true)]
    inputs: Vec<PathBuf>,
    /// File to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Head for structures that name none
    #[arg(long)]
    head: Option<String>,
    /// Atoms of one batch at most; changes memory and speed only
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    max_atoms: u32,
    /// Print one JSON line instead of the table
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

/// Structures that are about to be predicted.
struct Predicting {
    model: StructuresModel,
    options: PredictOptions,
}

impl OnDevice for Predicting {
    type Output = anyhow::Result<PredictReport>;

    fn run<B: Kernels>(self, device: &B::Device) -> Self::Output {
        predict_file(&self.model.on::<B>(device), &self.options).or_exit(Code::Data)
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    threads::inside(|| run_inside(args))
}

fn run_inside(args: &Args) -> anyhow::Result<Code> {
    let model = StructuresModel::open(&args.model).or_exit(Code::Data)?;
    let options = PredictOptions {
        inputs: args.inputs.clone(),
        output: args.out.clone(),
        format: FormatChoice::Guess,
        max_atoms: args.max_atoms as usize,
        head: args.head.clone(),
    };
    args.device.require_dtype(model.params.dtype(), "this model")?;
    let source = model.source.path.clone();
    let report = args.device.run(Predicting { model, options })?;
    for reject in report.rejects.iter().take(3) {
        console::note(format!("left out: {reject}"));
    }
    if report.rejects.len() > 3 {
        console::note(format!("left out: {} structures in all", report.rejects.len()));
    }
    if args.json {
        console::result(serde_json::to_string(&report)?);
        return Ok(Code::Done);
    }
    console::note(format!(
        "{}: {} structures, {} atoms, by {}",
        args.out.display(),
        console::count(report.structures),
        console::count(report.atoms),
        source.display(),
    ));
    if !report.errors.is_empty() {
        show_rows(&report.errors);
    }
    Ok(Code::Done)
}
