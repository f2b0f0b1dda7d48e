//! `genesis predict`: energies, forces and stress of structures.

use std::path::PathBuf;

use genesis_kernels::Kernels;
use genesis_train::device::OnDevice;
use genesis_train::structures::predict::PREFIX;
use genesis_train::structures::{PredictOptions, PredictReport, StructuresModel, predict_file};

use super::evaluate::{show_rejects, show_rows};
use super::options::ReadingArgs;
use crate::console;
use crate::device::DeviceArgs;
use crate::exit::{Code, OrExit};
use crate::threads;

/// Predict energies, forces and stress with a trained model of atoms.
///
/// Reads extended XYZ, npz, JSONL or Parquet (gzip is recognised in text), in the units and under
/// the keys of the data of the run unless told otherwise. Writes the format that OUT ends in: .xyz,
/// .extxyz, .jsonl, .csv (each also .gz), .npz or .parquet. All that came in goes out, labels that were
/// read in eV and Å; beside it stand predicted_energy in eV, predicted_forces in eV/Å and
/// predicted_stress in eV/Å^3. Where the inputs have labels, the errors against them are printed.
///
/// Examples:
///   genesis predict runs/acac test_MD_600K.xyz --out predicted.xyz
///   genesis predict runs/ethanol more.npz --units kcal/mol --out predicted.parquet
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
    /// What the names of results begin with; energy, forces and stress follow
    #[arg(long, value_name = "TEXT", default_value = PREFIX)]
    prefix: String,
    #[command(flatten)]
    reading: ReadingArgs,
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
        reading: args.reading.over(&model.reading)?,
        prefix: args.prefix.clone(),
        max_atoms: args.max_atoms as usize,
        head: args.head.clone(),
    };
    args.device.require_dtype(model.params.dtype(), "this model")?;
    let source = model.source.path.clone();
    let report = args.device.run(Predicting { model, options })?;
    show_rejects(&report.rejects);
    if let Some(first) = report.conflicts.first() {
        let count = console::count(report.conflicts.len() as u64);
        console::note(format!(
            "{count} labels are not compared with, as two keys disagree: {first}"
        ));
    }
    if report.shifted_free_atoms > 0 {
        let count = console::count(report.shifted_free_atoms);
        console::note(format!(
            "{count} structures are free atoms: this network does not give them E0; see \"Free atoms\" in \
             the guide on training"
        ));
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
