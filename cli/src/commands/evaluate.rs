//! `genesis evaluate`: how good a trained model is on a dataset.

use std::path::PathBuf;

use crate::device::DeviceArgs;
use crate::exit::Code;
use crate::families;
use crate::family::Evaluation;
use crate::signals::stop_flag;
use crate::structures::options::ReadingArgs;
use crate::threads;

/// Evaluate a trained model on a dataset folder, or a model of structures on a file of them.
///
/// Prints mean loss in nats per token, perplexity, bits per byte where the dataset knows its bytes,
/// and the unigram entropy of the same tokens: the loss of a model that knows only frequencies.
/// Of a run on atoms, the errors of energies, forces and stress on validation and test structures.
///
/// Examples:
///   genesis evaluate runs/shakespeare --data runs/shakespeare/dataset
///   genesis evaluate runs/ethanol --data test.npz --units kcal/mol
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Run folder, checkpoint folder or Hugging Face folder
    model: PathBuf,
    /// Dataset folder [default: the one that the run was trained on], or a file of structures
    #[arg(long, value_name = "DIR|FILE")]
    data: Option<PathBuf>,
    #[command(flatten)]
    reading: ReadingArgs,
    /// Models of sequences: at most this many sequences [default: all]
    #[arg(long, value_name = "N")]
    max_sequences: Option<usize>,
    /// Print one JSON line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    let stop = &*stop_flag()?;
    let asked = Evaluation {
        model: &args.model,
        data: args.data.as_deref(),
        max_sequences: args.max_sequences,
        reading: (args.reading.units.as_deref(), &args.reading.options),
        json: args.json,
        device: args.device,
        stop,
    };
    threads::inside(|| families::of_model(&args.model)?.evaluate(&asked))?;
    Ok(Code::Done)
}
