//! The wild type that variants are compared with: given, or the majority of the sequences.

use std::path::Path;

use genesis_data::formats::FORMATS;
use genesis_data::sequences::LetterRules;
use genesis_data::sequences::letters::Letters;
use genesis_data::sequences::tokenize::Tokenizer;
use genesis_kernels::Kernels;

use super::batches::{self, End};
use super::error::InferenceError;
use super::letters::ModelLetters;
use super::load::SequencesModel;
use super::records::{Record, RecordOptions, Records, Refused, read_records};
use super::variants::{Mutation, Variant, apply, consensus, parse_variant};

/// A wild type.
pub(super) struct WildType {
    /// Its letters as the tokenizer reads them.
    pub(super) text: String,
    /// Where it comes from, in words.
    pub(super) from: String,
}

impl WildType {
    /// Its tokens.
    pub(super) fn tokens<B: Kernels>(
        &self,
        model: &SequencesModel<B>,
        end: End,
    ) -> Result<Vec<u32>, InferenceError> {
        let tokenizer = model.tokenizer()?;
        batches::encode_text(model, tokenizer, &self.text, end)
            .map_err(|problem| InferenceError::Text { what: "wild type", problem })
    }
}

/// The wild type that was given: the one sequence of a file, or the sequence itself, by the same rules for
/// letters as its variants.
pub(super) fn given(
    tokenizer: &Tokenizer,
    given: &str,
    letters: LetterRules,
) -> Result<WildType, InferenceError> {
    let path = Path::new(given);
    let text = if path.is_file() {
        let options = RecordOptions { letters, ..RecordOptions::default() };
        match read_records(path, &options, tokenizer, &ModelLetters::default())? {
            Records { read, refused, .. } if read.len() == 1 && refused.is_empty() => {
                read[0].sequence.clone()
            }
            Records { read, refused, .. } => {
                let count = read.len() + refused.len();
                let problem = format!("it holds {count} sequences; the wild type is one");
                return Err(InferenceError::input(path, problem));
            }
        }
    } else {
        if is_file_name(path) {
            return Err(InferenceError::Text {
                what: "wild type",
                problem: format!("there is no file `{given}`"),
            });
        }
        ruled(tokenizer, given, letters)?
    };
    let text = tokenizer.canonical(&text);
    tokenizer.encode(&text, &mut Vec::new()).map_err(|error| InferenceError::Text {
        what: "wild type",
        problem: format!("`{given}` is neither a file nor a sequence: {error}"),
    })?;
    Ok(WildType { text, from: "given".to_owned() })
}

/// The letters of a wild type that stands on the command line, by the rules.
fn ruled(tokenizer: &Tokenizer, given: &str, rules: LetterRules) -> Result<String, InferenceError> {
    let wrong = |problem: String| InferenceError::Text { what: "wild type", problem };
    let letters = Letters::of(&rules, tokenizer);
    let Some(letters) = letters.map_err(|error| wrong(error.to_string()))? else {
        return Ok(given.to_owned());
    };
    let ruled = letters.rule(given).map_err(|error| wrong(error.to_string()))?;
    Ok(ruled.text.into_owned())
}

/// Whether a text ends as the name of a file does.
fn is_file_name(path: &Path) -> bool {
    let plain = if path.extension().is_some_and(|it| it == "gz") {
        path.with_extension("")
    } else {
        path.to_path_buf()
    };
    let extension = plain.extension().unwrap_or_default().to_string_lossy().into_owned();
    FORMATS.iter().any(|format| format.extensions.contains(&extension.as_str()))
}

/// The letter that most sequences have, at each position.
pub(super) fn majority(
    tokenizer: &Tokenizer,
    input: &Path,
    records: &[Record],
) -> Result<WildType, InferenceError> {
    let sequences: Vec<String> =
        records.iter().map(|record| tokenizer.canonical(&record.sequence)).collect();
    let text = consensus(sequences.iter().map(String::as_str)).map_err(|problem| {
        let fix = "give --wild-type, or ask for --pseudo-likelihood";
        InferenceError::input(input, format!("{problem}; {fix}"))
    })?;
    Ok(WildType { text, from: format!("consensus of {} sequences", records.len()) })
}

/// Records as the tokenizer reads them; `A42G`, also with a measured value, becomes the sequence that it
/// stands for. What is not understood whole is refused.
pub(super) fn expand_variants(
    tokenizer: &Tokenizer,
    wild_type: &WildType,
    records: &mut Vec<Record>,
    refused: &mut Vec<Refused>,
) {
    for mut record in std::mem::take(records) {
        match expand(tokenizer, wild_type, &mut record) {
            Ok(()) => records.push(record),
            Err(problem) => refused.push(record.refused(problem)),
        }
    }
}

fn expand(tokenizer: &Tokenizer, wild_type: &WildType, record: &mut Record) -> Result<(), String> {
    let Some(Variant { mutations, measured }) = parse_variant(&record.sequence)? else {
        record.sequence = tokenizer.canonical(&record.sequence);
        return Ok(());
    };
    let letter =
        |letter: char| tokenizer.canonical(&letter.to_string()).chars().next().unwrap_or(letter);
    let read = |it: Mutation| Mutation { from: letter(it.from), to: letter(it.to), ..it };
    let mutations: Vec<Mutation> = mutations.into_iter().map(read).collect();
    record.sequence = apply(&wild_type.text, &mutations)?;
    let names: Vec<String> = mutations.iter().map(ToString::to_string).collect();
    // A list has no names of its own; a table or FASTA keeps those it has.
    if record.id == record.line.to_string() {
        record.id = names.join(":");
    }
    if measured.is_some() {
        record.measured = measured;
    }
    Ok(())
}
