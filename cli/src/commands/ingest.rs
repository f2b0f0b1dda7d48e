//! `genesis ingest`: raw files to a dataset folder of Arrow shards.

use std::path::PathBuf;

use anyhow::anyhow;
use genesis_data::sequences::ingest::{DocumentRule, FormatChoice};
use genesis_data::sequences::{GenerateSequences, SequencesIngest, TokenizerChoice, ingest};
use genesis_data::structures::StructuresIngest;

use super::structures::{self, are_structures};
use crate::console::{self, IngestMeter};
use crate::exit::{Code, Failure, OrExit};
use crate::sequences::made::show;

/// Turn raw files into a dataset folder of Arrow shards.
///
/// Formats: plain text, JSONL, FASTA (protein or DNA), CSV, TSV, Parquet; for structures of atoms
/// extended XYZ, npz, JSONL, Parquet; gzip is recognised in any text. Folders stand for the files in
/// them. The same input gives the same bytes, whatever the number of threads. Rejected records are counted, listed in rejects.jsonl with file, line
/// and reason, and the first ones are shown. OUT appears whole or not at all.
///
/// Examples:
///   genesis ingest uniprot.fasta.gz --tokenizer amino-acid --out data/proteins
///   genesis ingest qm9.csv --column smiles --tokenizer smiles --out data/qm9
///   genesis ingest corpus.jsonl --column text --train-bpe 4096 --out data/corpus
///   genesis ingest train.xyz isolated_atoms.xyz --out data/acac
///   genesis ingest rmd17_ethanol.npz --set units.energy=kcal_per_mol --out data/ethanol
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
#[expect(clippy::struct_excessive_bools, reason = "switches of a command line")]
pub(crate) struct Args {
    /// Files or folders
    #[arg(required_unless_present = "generate")]
    inputs: Vec<PathBuf>,
    /// Dataset folder to create
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Format of the inputs [default: by the extension of each name]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// byte, amino-acid, nucleotide, smiles, or the path of a Hugging Face tokenizer.json
    #[arg(long, value_name = "NAME|FILE")]
    tokenizer: Option<String>,
    /// The inputs are structures of atoms; understood by itself of .xyz, .extxyz and .npz
    #[arg(long, conflicts_with_all = ["tokenizer", "train_bpe", "generate", "column", "format"])]
    structures: bool,
    /// Structures only: an option of [data.source], such as units.energy=hartree,
    /// keys.forces=dft_forces or validation='{ by = "count", frames = 50 }'; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    options: Vec<String>,
    /// Learn a byte-level BPE tokenizer with N tokens from the data
    #[arg(long, value_name = "N", conflicts_with = "tokenizer")]
    train_bpe: Option<u32>,
    /// Column of CSV, TSV and Parquet; field of JSONL, dotted for nested objects
    #[arg(long, visible_alias = "field", value_name = "NAME")]
    column: Option<String>,
    /// Plain text only, what a document is: file, line, paragraph, or pieces:BYTES (pieces of at
    /// least that many bytes, ended at a line end)
    #[arg(long, value_name = "RULE", default_value = "pieces:4096", value_parser = document_rule)]
    document: DocumentRule,
    /// Fraction of documents held out for validation, chosen by a hash of their text: stable when
    /// data are added
    #[arg(long, value_name = "FRACTION", default_value_t = 0.05)]
    validation: f64,
    /// Make data instead of reading any: molecules:COUNT
    #[arg(long, value_name = "KIND:COUNT", conflicts_with_all = ["inputs", "tokenizer"], value_parser = generator)]
    generate: Option<GenerateSequences>,
    /// Keep exact duplicates of documents
    #[arg(long)]
    keep_duplicates: bool,
    /// Fail when a larger fraction of the records is rejected
    #[arg(long, value_name = "FRACTION", default_value_t = 0.1)]
    max_rejected: f64,
    /// Reject longer records without reading them into memory
    #[arg(long, value_name = "BYTES", default_value_t = genesis_data::sequences::ingest::DEFAULT_MAX_RECORD_BYTES)]
    max_record_bytes: u64,
    /// Bytes of tokens after which a shard ends
    #[arg(long, value_name = "BYTES")]
    shard_bytes: Option<u64>,
    /// Short name of the dataset [default: that of the first input]
    #[arg(long)]
    name: Option<String>,
    /// A sentence about the data, kept in dataset.json
    #[arg(long, default_value = "")]
    description: String,
    /// Licence of the data, kept in dataset.json
    #[arg(long)]
    licence: Option<String>,
    /// Handling classification of the data, kept in dataset.json
    #[arg(long)]
    classification: Option<String>,
    /// Replace a dataset that is in OUT
    #[arg(long)]
    overwrite: bool,
    /// Print dataset.json instead of the summary
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    Text,
    Jsonl,
    Fasta,
    Csv,
    Tsv,
    Parquet,
}

impl From<Format> for FormatChoice {
    fn from(format: Format) -> Self {
        match format {
            Format::Text => Self::Text,
            Format::Jsonl => Self::Jsonl,
            Format::Fasta => Self::Fasta,
            Format::Csv => Self::Csv,
            Format::Tsv => Self::Tsv,
            Format::Parquet => Self::Parquet,
        }
    }
}

fn document_rule(text: &str) -> Result<DocumentRule, String> {
    match text.split_once(':') {
        None if text == "file" => Ok(DocumentRule::File),
        None if text == "line" => Ok(DocumentRule::Line),
        None if text == "paragraph" => Ok(DocumentRule::Paragraph),
        Some(("pieces", bytes)) => match bytes.parse() {
            Ok(min_bytes) => Ok(DocumentRule::Pieces { min_bytes }),
            Err(error) => Err(format!("`{bytes}` is not a number of bytes: {error}")),
        },
        _ => Err("must be file, line, paragraph or pieces:BYTES".to_owned()),
    }
}

fn generator(text: &str) -> Result<GenerateSequences, String> {
    match text.split_once(':') {
        Some(("molecules", count)) => match count.parse() {
            Ok(count) => Ok(GenerateSequences::Molecules { count, seed: 0 }),
            Err(error) => Err(format!("`{count}` is not a number of molecules: {error}")),
        },
        _ => Err("must be molecules:COUNT".to_owned()),
    }
}

impl Args {
    fn tokenizer(&self) -> anyhow::Result<TokenizerChoice> {
        if let Some(vocab_size) = self.train_bpe {
            return Ok(TokenizerChoice::TrainBpe { vocab_size });
        }
        let Some(name) = self.tokenizer.as_deref() else {
            let message = "--tokenizer or --train-bpe is missing: say how text becomes tokens; for \
                           structures of atoms in other files than .xyz and .npz add --structures";
            return Err(Failure::error(Code::Usage, message));
        };
        Ok(match name {
            "byte" => TokenizerChoice::Byte,
            "amino-acid" | "amino_acid" => TokenizerChoice::AminoAcid,
            "nucleotide" => TokenizerChoice::Nucleotide,
            "smiles" => TokenizerChoice::Smiles,
            path if PathBuf::from(path).exists() => TokenizerChoice::File(path.into()),
            other => {
                let message = format!(
                    "--tokenizer {other}: neither a known name (byte, amino-acid, nucleotide, \
                     smiles) nor a file that exists"
                );
                return Err(Failure::error(Code::Usage, message));
            }
        })
    }

    fn structure_plan(self) -> anyhow::Result<StructuresIngest> {
        let plan = structures::with_options(&self.inputs, &self.out, &self.options)?;
        Ok(StructuresIngest {
            max_shard_bytes: self.shard_bytes.or(plan.max_shard_bytes),
            keep_duplicates: self.keep_duplicates || plan.keep_duplicates,
            overwrite: self.overwrite,
            threads: Some(rayon::current_num_threads()),
            name: self.name.or(plan.name),
            description: self.description,
            licence: self.licence,
            classification: self.classification,
            ..plan
        })
    }

    fn plan(self) -> anyhow::Result<SequencesIngest> {
        if let Some(option) = self.options.first() {
            let message = format!("--set {option}: only for structures of atoms; see --help");
            return Err(Failure::error(Code::Usage, message));
        }

        let base = if let Some(generate) = &self.generate {
            SequencesIngest::of_generated(generate.clone(), self.out.clone())
        } else {
            SequencesIngest::new(self.inputs.clone(), self.tokenizer()?, self.out.clone())
        };
        Ok(SequencesIngest {
            format: self.format.map_or(FormatChoice::Guess, Into::into),
            documents: self.document,
            column: self.column,
            validation_fraction: self.validation,
            max_shard_bytes: self.shard_bytes,
            max_record_bytes: self.max_record_bytes,
            max_reject_fraction: self.max_rejected,
            keep_duplicates: self.keep_duplicates,
            overwrite: self.overwrite,
            threads: Some(rayon::current_num_threads()),
            name: self.name,
            description: self.description,
            licence: self.licence,
            classification: self.classification,
            ..base
        })
    }
}

pub(crate) fn run(args: Args) -> anyhow::Result<Code> {
    let json = args.json;
    if args.structures || are_structures(&args.inputs) {
        return structures::run(&args.structure_plan()?, json);
    }
    let plan = args.plan()?;
    let summary = ingest(&plan, &IngestMeter::default()).or_exit(Code::Data)?;
    summary.notes.iter().for_each(|note| console::note(format!("note: {note}")));
    if json {
        let card =
            serde_json::to_string(&summary.card).map_err(|e| anyhow!("dataset.json: {e}"))?;
        console::result(card);
    } else {
        show(&summary, &plan.output.display().to_string());
    }
    Ok(Code::Done)
}
