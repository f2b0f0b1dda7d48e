//! The tokenizer of a plan; two kinds are learned in a first pass over the data.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::document::checked_text;
use super::{SequencesIngest, TokenizerChoice};
use crate::error::{DataError, Result};
use crate::formats::Text;
use crate::ingest::inputs::total_bytes;
use crate::ingest::pipeline::{Pieces, Records};
use crate::ingest::{IngestError, Progress};
use crate::sequences::tokenize::{Tokenizer, smiles_tokens, train_bpe};

/// A larger vocabulary of SMILES tokens means that the text is not SMILES.
const MAX_SMILES_TOKENS: usize = 1 << 14;
/// Text that BPE training reads; more changes little and its memory would grow.
const MAX_BPE_BYTES: usize = 256 << 20;

pub(crate) fn tokenizer(
    plan: &SequencesIngest,
    records: &Records<'_, Text>,
    progress: &dyn Progress,
) -> std::result::Result<Tokenizer, IngestError> {
    Ok(match &plan.tokenizer {
        TokenizerChoice::Byte => Tokenizer::byte(),
        TokenizerChoice::AminoAcid => Tokenizer::amino_acid(),
        TokenizerChoice::Nucleotide => Tokenizer::nucleotide(),
        TokenizerChoice::File(path) if path.is_dir() => Tokenizer::load(path)?,
        TokenizerChoice::File(path) => Tokenizer::from_file(path)?,
        TokenizerChoice::Smiles => {
            progress.phase("vocabulary", total_bytes(records.sources));
            smiles(&mut Pieces::new(records), progress)?
        }
        TokenizerChoice::TrainBpe { vocab_size } => {
            progress
                .phase("train tokenizer", total_bytes(records.sources).min(MAX_BPE_BYTES as u64));
            bpe(Pieces::new(records), *vocab_size, progress)?
        }
    })
}

fn smiles(reader: &mut Pieces<'_, Text>, progress: &dyn Progress) -> Result<Tokenizer> {
    let mut vocabulary = BTreeSet::new();
    while let Some(piece) = reader.next_piece()? {
        let texts =
            piece.records.par_iter().filter_map(|placed| placed.record.content.as_ref().ok());
        let found = texts.fold(BTreeSet::new, |found, text| add_tokens(found, text)).reduce(
            BTreeSet::new,
            |mut a, b| {
                a.extend(b);
                a
            },
        );
        vocabulary.extend(found.into_iter().map(str::to_owned));
        if vocabulary.len() > MAX_SMILES_TOKENS {
            let found = format!("the data hold over {MAX_SMILES_TOKENS} different SMILES tokens");
            return Err(DataError::invalid("tokenizer", found, "check that they are SMILES"));
        }
        progress.advance(piece.file_bytes, piece.records.len() as u64);
    }
    Ok(Tokenizer::smiles(vocabulary))
}

/// Tokens of strings that are SMILES throughout; the others will be rejected.
fn add_tokens<'t>(mut vocabulary: BTreeSet<&'t str>, text: &'t [u8]) -> BTreeSet<&'t str> {
    if let Ok(text) = checked_text(text) {
        let tokens: std::result::Result<Vec<&str>, _> = smiles_tokens(text).collect();
        vocabulary.extend(tokens.unwrap_or_default());
    }
    vocabulary
}

fn bpe(reader: Pieces<'_, Text>, vocab_size: u32, progress: &dyn Progress) -> Result<Tokenizer> {
    let failure = Mutex::new(None);
    let texts =
        Texts { reader, records: Vec::new(), left: MAX_BPE_BYTES, progress, failure: &failure };
    let trained = train_bpe(texts.flatten(), vocab_size);
    match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => trained,
    }
}

/// Pieces of readable texts; a failure to read ends them and is kept aside.
struct Texts<'r, 'p> {
    reader: Pieces<'p, Text>,
    records: Vec<String>,
    left: usize,
    progress: &'r dyn Progress,
    failure: &'r Mutex<Option<DataError>>,
}

impl Iterator for Texts<'_, '_> {
    type Item = Vec<String>;

    fn next(&mut self) -> Option<Vec<String>> {
        if self.left == 0 {
            return None;
        }
        let piece = self.reader.next_piece().unwrap_or_else(|error| {
            *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            None
        })?;
        self.progress.advance(piece.file_bytes, piece.records.len() as u64);
        for placed in &piece.records {
            let Ok(bytes) = &placed.record.content else { continue };
            let Ok(text) = checked_text(bytes) else { continue };
            self.left = self.left.saturating_sub(text.len());
            self.records.push(text.to_owned());
        }
        Some(std::mem::take(&mut self.records))
    }
}
