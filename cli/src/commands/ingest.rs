//! `genesis ingest`: raw files to a dataset folder of Arrow shards.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use genesis_data::formats::{DocumentRule, FORMATS, FormatChoice};
use genesis_data::sequences::{
    GenerateSequences, SequencesIngest, TokenizerChoice, ingest_sequences,
};
use genesis_data::structures::{GenerateStructures, StructuresIngest};
use genesis_train::exchange::choose;
use toml::Value;

use super::ingest_keys::{Flag, with_options};
use super::structures::{self, are_structures};
use crate::console;
use crate::exit::{Code, Failure, OrExit};
use crate::family::dataset::ingest;
use crate::sequences::made::show;
use crate::signals::stop_flag;

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
    /// The inputs are structures of atoms; understood by itself of .xyz, .extxyz and .npz
    #[arg(long)]
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
    #[arg(long, value_name = "KIND:COUNT", conflicts_with_all = ["inputs", "tokenizer"], value_parser = generator)]
    generate: Option<Generator>,
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

/// What the program can make itself.
#[derive(Debug, Clone)]
enum Generator {
    Sequences(GenerateSequences),
    Structures(GenerateStructures),
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

fn generator(text: &str) -> Result<Generator, String> {
    let (kind, count) = text.split_once(':').unwrap_or((text, ""));
    let number =
        || count.parse().map_err(|error| format!("`{count}` is not a number of {kind}: {error}"));
    match kind {
        "molecules" => {
            let generate = GenerateSequences::Molecules { count: number()?, seed: 0 };
            Ok(Generator::Sequences(generate))
        }
        "silicon" => {
            let generate = GenerateStructures::Silicon { frames: number()?, seed: 0 };
            Ok(Generator::Structures(generate))
        }
        _ => Err("must be molecules:COUNT or silicon:COUNT".to_owned()),
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
            run if Path::new(run).join("checkpoints").is_dir() => {
                let (checkpoint, _) = choose(Path::new(run)).or_exit(Code::Data)?;
                console::note(format!("the tokenizer is that of {}", checkpoint.path.display()));
                TokenizerChoice::File(checkpoint.path)
            }
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

    /// Whether structures of atoms are asked for.
    fn are_structures(&self) -> bool {
        let only_structures = |choice| match choice {
            FormatChoice::Is(format) => !format.holds_documents(),
            FormatChoice::Guess => false,
        };
        self.structures
            || matches!(self.generate, Some(Generator::Structures(_)))
            || self.format.is_some_and(only_structures)
            || are_structures(&self.inputs)
    }

    /// Refuses what says how text becomes tokens.
    fn refuse_text_options(&self) -> anyhow::Result<()> {
        let of_text = [
            ("--tokenizer", self.tokenizer.is_some()),
            ("--train-bpe", self.train_bpe.is_some()),
            ("--column", self.column.is_some()),
            ("--header", self.header.is_some()),
            ("--document", self.document.is_some()),
            ("--generate molecules", matches!(self.generate, Some(Generator::Sequences(_)))),
        ];
        let Some((flag, _)) = of_text.into_iter().find(|&(_, given)| given) else { return Ok(()) };
        let message = format!(
            "{flag}: the inputs are structures of atoms, which take no such option; leave it out \
             (keys of labels are set by --set keys.energy=NAME)"
        );
        Err(Failure::error(Code::Usage, message))
    }

    /// What flags say of keys, those that both kinds have.
    fn flags(&self) -> anyhow::Result<Vec<Flag>> {
        let bytes = |count: u64| i64::try_from(count).map(Value::from);
        let text = |text: &Option<String>| text.clone().map(Value::from);
        let format = self.format.map(Value::try_from).transpose()?;
        let longest = self.max_record_bytes.map(bytes).transpose()?;
        let flags = [
            ("--format", "format", format),
            ("--max-rejected", "max_reject_fraction", self.max_rejected.map(Value::from)),
            ("--max-record-bytes", "max_record_bytes", longest),
            ("--shard-bytes", "max_shard_bytes", self.shard_bytes.map(bytes).transpose()?),
            ("--keep-duplicates", "keep_duplicates", self.keep_duplicates.then(|| true.into())),
            ("--name", "name", text(&self.name)),
            ("--description", "description", text(&self.description)),
            ("--licence", "licence", text(&self.licence)),
            ("--classification", "classification", text(&self.classification)),
        ];
        Ok(flags.into_iter().filter_map(|(flag, key, value)| Some((flag, key, value?))).collect())
    }

    fn structure_plan(self) -> anyhow::Result<StructuresIngest> {
        self.refuse_text_options()?;
        let mut flags = self.flags()?;
        if let Some(fraction) = self.validation {
            let by = [("by", Value::from("fraction")), ("fraction", Value::from(fraction))];
            let by = by.map(|(key, value)| (key.to_owned(), value)).into_iter().collect();
            flags.push(("--validation", "validation", Value::Table(by)));
        }
        let base = match self.generate {
            Some(Generator::Structures(generate)) => {
                StructuresIngest::of_generated(generate, self.out)
            }
            _ => StructuresIngest::new(self.inputs, self.out),
        };
        let plan = with_options(&base, &self.options, flags, "atoms-data.md")?;
        let threads = Some(rayon::current_num_threads());
        Ok(StructuresIngest { overwrite: self.overwrite, threads, ..plan })
    }

    fn plan(self) -> anyhow::Result<SequencesIngest> {
        let mut flags = self.flags()?;
        let own = [
            ("--validation", "validation_fraction", self.validation.map(Value::from)),
            ("--column", "column", self.column.clone().map(Value::from)),
            ("--header", "header", self.header.map(Value::from)),
            ("--document", "documents", self.document.map(Value::try_from).transpose()?),
        ];
        flags.extend(own.into_iter().filter_map(|(flag, key, value)| Some((flag, key, value?))));
        let base = match &self.generate {
            Some(Generator::Sequences(generate)) => {
                SequencesIngest::of_generated(generate.clone(), self.out.clone())
            }
            _ => SequencesIngest::new(self.inputs.clone(), self.tokenizer()?, self.out.clone()),
        };
        let plan = with_options(&base, &self.options, flags, "train-on-your-data.md")?;
        let threads = Some(rayon::current_num_threads());
        Ok(SequencesIngest { overwrite: self.overwrite, threads, ..plan })
    }
}

pub(crate) fn run(args: Args) -> anyhow::Result<Code> {
    let json = args.json;
    if args.are_structures() {
        return structures::run(&args.structure_plan()?, json);
    }
    let plan = args.plan()?;
    let summary = ingest(&*stop_flag()?, |meter| ingest_sequences(&plan, meter))?;
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
