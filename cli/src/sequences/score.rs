//! `genesis score`: log-likelihoods of sequences and effects of variants.

use std::path::PathBuf;

use genesis_kernels::Kernels;
use genesis_train::device::OnDevice;
use genesis_train::sequences::inference::{ScoreOptions, ScoreTable, SequencesModel, score};

use super::model::open;
use super::records::{RecordArgs, show_reading};
use crate::console::{self, Counter};
use crate::device::DeviceArgs;
use crate::exit::{Code, OrExit};

/// Score sequences with a trained model.
///
/// Causal models give the log-likelihood of each sequence in nats. Masked models give the
/// masked-marginal score of each variant against the wild type (Meier et al. 2021): the sum over
/// mutated positions of log p(mutant) - log p(wild type), with that position masked; with
/// --pseudo-likelihood, the sum of log p(residue | rest) over all positions.
/// Files are read as `ingest` reads them. Records that cannot be scored are left out and listed. Where
/// there are measured values (FASTA headers that end in `|NUMBER`, a column `measured`, a number after a
/// variant), the Spearman rank correlation with them is printed.
///
/// Examples:
///   genesis score runs/proteins variants.fasta --out scores.csv
///   genesis score esm2 dms.csv --column mutant --measured DMS_score --wild-type wt.fasta
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Run folder, checkpoint folder or Hugging Face folder
    pub(super) model: PathBuf,
    /// Sequences: FASTA, FASTQ, CSV, TSV, JSONL, Parquet, or one a line (text also gzipped); with
    /// --wild-type also variants such as A42G, several in one separated by , ; : / or blanks
    input: PathBuf,
    /// Wild-type sequence of the variants: a file of one sequence or the letters themselves
    /// [default: the majority of the sequences at each position; a tie is refused]
    #[arg(long, value_name = "SEQUENCE|FILE")]
    wild_type: Option<String>,
    /// Masked models: pseudo-log-likelihood of each sequence instead of variant scores
    #[arg(long)]
    pseudo_likelihood: bool,
    /// Causal models: whether the token that ends a sequence is scored
    #[arg(long, value_enum, default_value_t = EndToken::Auto)]
    end_token: EndToken,
    #[command(flatten)]
    reading: RecordArgs,
    /// Tables: column of measured values [default: measured]
    #[arg(long, value_name = "NAME")]
    measured: Option<String>,
    /// Table to write: .csv, .jsonl or .parquet [default: only the summary is printed]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print the summary as one JSON line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

/// Whether the token that ends a sequence is scored.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum EndToken {
    /// Where the tokenizer marks texts, by a token before or behind them
    Auto,
    /// Always
    Yes,
    /// Never
    No,
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
            end_token: match args.end_token {
                EndToken::Auto => None,
                EndToken::Yes => Some(true),
                EndToken::No => Some(false),
            },
            reading: args.reading.options(args.measured.clone()),
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
    show_reading(&table.summary.notes, &table.summary.refused);
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
