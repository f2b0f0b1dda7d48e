//! `genesis ingest`: raw files to a dataset folder of Arrow shards.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use genesis_data::formats::{DocumentRule, FORMATS, FormatChoice};
use genesis_train::family::Family as _;
use genesis_train::structures::Structures;
use toml::Value;

use crate::exit::Code;
use crate::families;
use crate::family::Ingest;
use crate::family::ingest::Generate;
use crate::family::options::Flag;

/// Turn raw files into a dataset folder of Arrow shards.
///
/// Formats: plain text, JSONL, FASTA (protein or DNA), FASTQ, CSV, TSV, SMILES (.smi), Parquet; for structures of atoms
/// extended XYZ, npz, JSONL, Parquet; gzip is recognised in any text. Folders stand for the files in
/// them. The same input gives the same bytes, whatever the number of threads. Rejected records are counted, listed in rejects.jsonl with file, line
/// and reason, and the first ones are shown. Records read, kept, rejected and dropped always add up. OUT appears whole or not at all.
///
/// Examples:
///   genesis ingest uniprot.fasta.gz --tokenizer amino-acid --out data/proteins
///   genesis ingest qm9.csv --column smiles --tokenizer smiles --out data/qm9
///   genesis ingest molecules.smi --tokenizer smiles --out data/molecules
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
    #[arg(long, value_parser = format)]
    format: Option<FormatChoice>,
    /// byte, amino-acid, nucleotide, smiles, the path of a Hugging Face tokenizer.json, or a run, whose
    /// tokenizer is taken
    #[arg(long, value_name = "NAME|FILE")]
    tokenizer: Option<String>,
    /// What the inputs hold [default: structures if all are .xyz, .extxyz or .npz, else sequences]
    #[arg(long, value_name = "FAMILY", value_parser = PossibleValuesParser::new(families::names()))]
    kind: Option<String>,
    /// The same as --kind structures
    #[arg(long, conflicts_with = "kind")]
    structures: bool,
    /// An option of [data.source], such as quotes=text or long_records=reject; for structures
    /// units.energy=hartree, keys.forces=dft_forces or validation='{ by = "count", frames = 50 }';
    /// may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    options: Vec<String>,
    /// Learn a byte-level BPE tokenizer with N tokens from the data
    #[arg(long, value_name = "N", conflicts_with = "tokenizer")]
    train_bpe: Option<u32>,
    /// Column of CSV, TSV and Parquet; field of JSONL, dotted for nested objects
    #[arg(long, visible_alias = "field", value_name = "NAME")]
    column: Option<String>,
    /// Whether the first line of CSV, TSV or a list of SMILES names the columns [default: by usual names
    /// in it; else the ingest asks]
    #[arg(long, value_name = "BOOL")]
    header: Option<bool>,
    /// Plain text only, what a document is: file, line, paragraph, or pieces:BYTES (pieces of at
    /// least that many bytes, ended at a line end) [default: pieces:4096]
    #[arg(long, value_name = "RULE", value_parser = document_rule)]
    document: Option<DocumentRule>,
    /// Fraction held out for validation, chosen by a hash of the tokens (structures: of atoms and
    /// cell): stable when data are added [default: 0.05]
    #[arg(long, value_name = "FRACTION")]
    validation: Option<f64>,
    /// Make data instead of reading any: molecules:COUNT, or silicon:COUNT for structures
    #[arg(long, value_name = "KIND:COUNT", conflicts_with_all = ["inputs", "tokenizer", "train_bpe"], value_parser = generator)]
    generate: Option<Generate>,
    /// Keep documents with the tokens of an earlier one
    #[arg(long)]
    keep_duplicates: bool,
    /// Fail when a larger fraction of the records, or of their bytes, is rejected [default: 0.1]
    #[arg(long, value_name = "FRACTION")]
    max_rejected: Option<f64>,
    /// Reject longer records, and cut those of FASTA, without reading them whole into memory
    /// [default: 67108864]
    #[arg(long, value_name = "BYTES")]
    max_record_bytes: Option<u64>,
    /// Bytes after which a shard ends (of its tokens; structures: of the shard)
    #[arg(long, value_name = "BYTES")]
    shard_bytes: Option<u64>,
    /// Short name of the dataset [default: that of the first input]
    #[arg(long)]
    name: Option<String>,
    /// A sentence about the data, kept in dataset.json
    #[arg(long)]
    description: Option<String>,
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

fn format(text: &str) -> Result<FormatChoice, String> {
    FormatChoice::named(text).ok_or_else(|| {
        let names: Vec<&str> = FORMATS.iter().map(|format| format.name).collect();
        format!("must be one of {}", names.join(", "))
    })
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

fn generator(text: &str) -> Result<Generate, String> {
    let (kind, count) = text.split_once(':').unwrap_or((text, ""));
    let known = families::generators();
    if !known.contains(&kind) {
        let all: Vec<String> = known.iter().map(|known| format!("{known}:COUNT")).collect();
        return Err(format!("must be {}", all.join(" or ")));
    }
    let count =
        count.parse().map_err(|error| format!("`{count}` is not a number of {kind}: {error}"))?;
    Ok((kind.to_owned(), count))
}

impl Args {
    /// What flags say of keys.
    fn flags(&self) -> anyhow::Result<Vec<Flag>> {
        let bytes = |count: u64| i64::try_from(count).map(Value::from);
        let text = |text: &Option<String>| text.clone().map(Value::from);
        let format = self.format.map(Value::try_from).transpose()?;
        let longest = self.max_record_bytes.map(bytes).transpose()?;
        let document = self.document.map(Value::try_from).transpose()?;
        let threads = i64::try_from(rayon::current_num_threads())?;
        let flags = [
            ("--format", "format", format),
            ("--validation", "validation_fraction", self.validation.map(Value::from)),
            ("--max-rejected", "max_reject_fraction", self.max_rejected.map(Value::from)),
            ("--max-record-bytes", "max_record_bytes", longest),
            ("--shard-bytes", "max_shard_bytes", self.shard_bytes.map(bytes).transpose()?),
            ("--keep-duplicates", "keep_duplicates", self.keep_duplicates.then(|| true.into())),
            ("--name", "name", text(&self.name)),
            ("--description", "description", text(&self.description)),
            ("--licence", "licence", text(&self.licence)),
            ("--classification", "classification", text(&self.classification)),
            ("--overwrite", "overwrite", self.overwrite.then(|| true.into())),
            ("--threads", "threads", Some(threads.into())),
            ("--tokenizer", "tokenizer", text(&self.tokenizer)),
            ("--train-bpe", "tokenizer", self.train_bpe.map(Value::from)),
            ("--column", "column", text(&self.column)),
            ("--header", "header", self.header.map(Value::from)),
            ("--document", "documents", document),
        ];
        Ok(flags.into_iter().filter_map(|(flag, key, value)| Some((flag, key, value?))).collect())
    }
}

pub(crate) fn run(args: Args) -> anyhow::Result<Code> {
    let flags = args.flags()?;
    let Args { inputs, out, generate, options, json, format, .. } = args;
    let kind = args.kind.or_else(|| args.structures.then(|| Structures::NAME.to_owned()));
    let generator = generate.as_ref().map(|(kind, _)| kind.as_str());
    let family = families::of_ingest(kind.as_deref(), generator, format, &inputs)?;
    family.ingest(Ingest { inputs, out, generate, flags, options, json }, &families::flags())
}
