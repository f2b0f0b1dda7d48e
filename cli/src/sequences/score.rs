//! `genesis score`: log-likelihoods of sequences and effects of variants.

use std::path::PathBuf;

use genesis_kernels::Kernels;
use genesis_train::device::OnDevice;
use genesis_train::sequences::inference::{ScoreOptions, ScoreTable, SequencesModel, score};

use super::model::open;
use crate::console::{self, Counter};
use crate::device::DeviceArgs;
use crate::exit::{Code, OrExit};

/// Score sequences with a trained model.
///
/// Causal models give the log-likelihood of each sequence in nats. Masked models give the
/// masked-marginal score of each variant against the wild type (Meier et al. 2021): the sum over
/// mutated positions of log p(mutant) - log p(wild type), with that position masked; with
/// --pseudo-likelihood, the sum of log p(residue | rest) over all positions.
/// When FASTA headers end in `|NUMBER`, the Spearman rank correlation with these numbers is printed.
///
/// Example: genesis score runs/proteins variants.fasta --out scores.csv
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Run folder, checkpoint folder or Hugging Face folder
    pub(super) model: PathBuf,
    /// Sequences: FASTA (also gzipped), one sequence a line, or variants such as A42G with
    /// --wild-type
    input: PathBuf,
    /// Wild-type sequence of the variants: a FASTA file or the letters themselves
    /// [default: the consensus of the sequences]
    #[arg(long, value_name = "SEQUENCE|FILE")]
    wild_type: Option<String>,
    /// Masked models: pseudo-log-likelihood of each sequence instead of variant scores
    #[arg(long)]
    pseudo_likelihood: bool,
    /// Table to write: .csv, .jsonl or .parquet [default: only the summary is printed]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print the summary as one JSON line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

/// What is about to be scored.
struct Scoring<'a> {
    model: SequencesModel,
    args: &'a Args,
}

impl OnDevice for Scoring<'_> {
    type Output = anyhow::Result<ScoreTable>;

    fn run<B: Kernels>(self, device: &B::Device) -> Self::Output {
        let (model, args) = (self.model.on::<B>(device), self.args);
        let mut meter = Counter::new("score", "sequences");
        let options = ScoreOptions {
            wild_type: args.wild_type.clone(),
            pseudo_likelihood: args.pseudo_likelihood,
        };
        let set = &mut |done, total| meter.set(done, total);
        let table = score(&model, &args.input, &options, set).or_exit(Code::Data)?;
        meter.finish();
        Ok(table)
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    let model = open(&args.model)?;
    let table = args.device.run(Scoring { model, args })?;
    if let Some(out) = &args.out {
        table.write(out).or_exit(Code::Data)?;
    }
    if args.json {
        console::result(serde_json::to_string(&table.summary)?);
    } else {
        console::result(table.summary.to_string());
    }
    Ok(Code::Done)
}
