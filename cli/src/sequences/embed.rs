//! `genesis embed`: hidden states of sequences, per token or averaged.

use std::path::PathBuf;

use genesis_kernels::Kernels;
use genesis_train::device::OnDevice;
use genesis_train::sequences::inference::{EmbedOptions, EmbedSummary, SequencesModel, embed};

use super::model::open;
use super::records::{RecordArgs, show_reading};
use crate::console::{self, Counter};
use crate::device::DeviceArgs;
use crate::exit::{Code, OrExit};

/// Write the model's representation of every sequence of a file.
///
/// The default is one vector per sequence, the mean over its tokens without special ones.
/// OUT ends in .safetensors (one tensor per sequence id) or .parquet (columns id, embedding). The input
/// is read as `ingest` reads it. Records that cannot be used are left out and listed.
///
/// Example: genesis embed runs/proteins proteins.fasta --out embeddings.parquet
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Run folder, checkpoint folder or Hugging Face folder
    pub(super) model: PathBuf,
    /// Sequences: FASTA, FASTQ, CSV, TSV, JSONL, Parquet, or one a line (text also gzipped)
    input: PathBuf,
    #[command(flatten)]
    reading: RecordArgs,
    /// File to write: .safetensors or .parquet
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// One vector per token (residue) instead of the mean
    #[arg(long)]
    per_token: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

/// What is about to be embedded.
struct Embedding<'a> {
    model: SequencesModel,
    args: &'a Args,
}

impl OnDevice for Embedding<'_> {
    type Output = anyhow::Result<EmbedSummary>;

    fn run<B: Kernels>(self, device: &B::Device) -> Self::Output {
        let (model, args) = (self.model.on::<B>(device), self.args);
        let mut meter = Counter::new("embed", "sequences");
        let options =
            EmbedOptions { per_token: args.per_token, reading: args.reading.options(None) };
        let set = &mut |done, total| meter.set(done, total);
        let summary = embed(&model, &args.input, &args.out, &options, set).or_exit(Code::Data)?;
        meter.finish();
        Ok(summary)
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    let model = open(&args.model)?;
    let summary = args.device.run(Embedding { model, args })?;
    show_reading(&summary.notes, &summary.refused);
    console::note(format!(
        "{} sequences, {} tokens, width {} -> {}",
        console::count(summary.num_sequences as u64),
        console::count(summary.num_tokens as u64),
        summary.width,
        summary.out.display()
    ));
    Ok(Code::Done)
}
