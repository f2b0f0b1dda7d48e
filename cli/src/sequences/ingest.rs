//! What `ingest` asks of documents of tokens.

use std::path::{Path, PathBuf};

use genesis_data::sequences::{GenerateSequences, SequencesIngest, TokenizerChoice};
use genesis_train::exchange::choose;
use toml::Value;

use crate::console;
use crate::exit::{Code, Failure, OrExit};
use crate::family::{Ingest, Takes};

pub(super) static TAKES: Takes = Takes {
    flags: &["--tokenizer", "--train-bpe", "--column", "--header", "--document"],
    generators: &["molecules"],
    tables: &["letters"],
    ..Takes::of("train-on-your-data.md")
};

/// How the dataset is made that is asked for.
pub(super) fn plan(mut asked: Ingest) -> anyhow::Result<SequencesIngest> {
    let (inputs, out) = (asked.inputs.clone(), asked.out.clone());
    let base = match asked.generate {
        Some((_, count)) => {
            SequencesIngest::of_generated(GenerateSequences::Molecules { count, seed: 0 }, out)
        }
        None => SequencesIngest::new(inputs, tokenizer(&mut asked)?, out),
    };
    asked.over(&base, &TAKES)
}

fn tokenizer(asked: &mut Ingest) -> anyhow::Result<TokenizerChoice> {
    if let Some(Value::Integer(vocab_size)) = asked.take("--train-bpe") {
        let vocab_size = u32::try_from(vocab_size)?;
        return Ok(TokenizerChoice::TrainBpe { vocab_size });
    }
    let Some(Value::String(name)) = asked.take("--tokenizer") else {
        let message = "--tokenizer or --train-bpe is missing: say how text becomes tokens; for \
                       structures of atoms in other files than .xyz and .npz add --structures";
        return Err(Failure::error(Code::Usage, message));
    };
    Ok(match &*name {
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
