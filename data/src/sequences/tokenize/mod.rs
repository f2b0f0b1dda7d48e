//! Text to token ids and back: one [`Tokenizer`] for every kind of sequence.
//!
//! Fixed alphabets (`byte`, `amino_acid`, `nucleotide`) and `smiles` are table look-ups; any
//! other `tokenizer.json` runs through the `tokenizers` library. Every tokenizer is saved as a
//! Hugging Face `tokenizer.json` that gives the same ids in transformers.
//! Not here: which documents exist and where they go (`ingest`).

mod balance;
mod byte;
mod declared;
mod error;
mod hugging_face;
mod json;
mod residue;
mod save;
mod smiles;
mod train_bpe;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use balance::{Imbalance, smiles_is_balanced};
pub use declared::end_tokens;
pub use error::EncodeError;
pub use smiles::{SMILES_PATTERN, smiles_tokens};
pub use train_bpe::{MIN_BPE_VOCABULARY, train_bpe};

use crate::error::{DataError, Result};
use crate::files::sha256_of_bytes;
use crate::sequences::card::TokenizerCard;
use hugging_face::Pretrained;
use residue::ResidueTable;
use smiles::SmilesTable;

/// The families of tokenizers; the name is `genesis_kind` in `tokenizer_config.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenizerKind {
    /// 256 ids, one per byte; id 0 ends a text.
    Byte,
    /// ESM-2's alphabet of 33 tokens.
    AminoAcid,
    /// A C G T N and the ambiguity codes of IUPAC.
    Nucleotide,
    /// Atom-wise tokens of SMILES strings.
    Smiles,
    /// Any `tokenizer.json`, trained here or elsewhere.
    HuggingFace,
}

impl TokenizerKind {
    /// The name used in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Byte => "byte",
            Self::AminoAcid => "amino_acid",
            Self::Nucleotide => "nucleotide",
            Self::Smiles => "smiles",
            Self::HuggingFace => "hugging_face",
        }
    }
}

/// The tokens with a meaning of their own, by what they mean.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SpecialTokens {
    pub(crate) bos: Option<u32>,
    pub(crate) eos: Option<u32>,
    pub(crate) pad: Option<u32>,
    pub(crate) mask: Option<u32>,
    pub(crate) unknown: Option<u32>,
}

/// Tokens that a tokenizer puts around a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) begin: Vec<u32>,
    pub(crate) end: Vec<u32>,
}

impl Frame {
    /// Of the kinds made here: one token or none on each side.
    fn of(special: SpecialTokens) -> Self {
        Self { begin: special.bos.into_iter().collect(), end: special.eos.into_iter().collect() }
    }
}

#[derive(Debug, Clone)]
enum Engine {
    Byte,
    Residue(Box<ResidueTable>),
    Smiles(Box<SmilesTable>),
    HuggingFace(Box<Pretrained>),
}

/// Turns text into ids and ids into text.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    kind: TokenizerKind,
    engine: Engine,
    /// Text of each id; empty where the vocabulary skips one.
    tokens: Vec<String>,
    /// Ids that stand for nothing.
    absent: BTreeSet<u32>,
    special: SpecialTokens,
    frame: Frame,
    special_ids: BTreeSet<u32>,
    /// The twenty amino acids, the four bases, or nothing.
    residues: Vec<u32>,
}

impl Tokenizer {
    /// One id per byte, 256 in all. Id 0 (NUL) ends a text, so a text holding NUL is refused.
    pub fn byte() -> Self {
        let special = SpecialTokens { eos: Some(byte::END), ..SpecialTokens::default() };
        Self {
            kind: TokenizerKind::Byte,
            engine: Engine::Byte,
            tokens: byte::shown_tokens(),
            absent: BTreeSet::new(),
            special,
            frame: Frame::of(special),
            special_ids: [byte::END].into(),
            residues: Vec::new(),
        }
    }

    /// ESM-2's 33 tokens, in its order; a sequence becomes `<cls> … <eos>`.
    ///
    /// Lower case is folded, white space skipped, one final `*` (stop) dropped. A letter outside
    /// the alphabet (`J`) is `<unk>`; anything else is refused.
    pub fn amino_acid() -> Self {
        Self::residue(TokenizerKind::AminoAcid, ResidueTable::amino_acid())
    }

    /// `A C G T N`, the ten other ambiguity codes of IUPAC, five special tokens; a sequence
    /// becomes `<bos> … <eos>`.
    ///
    /// Lower case (soft masking) is folded, `U` is read as `T`, white space is skipped. Anything
    /// else is refused: a protein given as DNA does not pass unnoticed.
    pub fn nucleotide() -> Self {
        Self::residue(TokenizerKind::Nucleotide, ResidueTable::nucleotide())
    }

    fn residue(kind: TokenizerKind, table: ResidueTable) -> Self {
        Self {
            kind,
            tokens: table.tokens.iter().map(|&t| t.to_owned()).collect(),
            absent: BTreeSet::new(),
            special: table.special,
            frame: Frame::of(table.special),
            special_ids: table.special_ids(),
            residues: table.standard(),
            engine: Engine::Residue(Box::new(table)),
        }
    }

    /// Atom-wise SMILES tokens; `vocabulary` is what the data holds, in any order, without the
    /// special tokens. A string becomes `<bos> … <eos>`; a token not in it is `<unk>`.
    pub fn smiles(vocabulary: impl IntoIterator<Item = String>) -> Self {
        let table = SmilesTable::new(vocabulary);
        Self {
            kind: TokenizerKind::Smiles,
            tokens: table.tokens(),
            absent: BTreeSet::new(),
            special: smiles::SPECIAL,
            frame: Frame::of(smiles::SPECIAL),
            special_ids: smiles::special_ids(),
            residues: Vec::new(),
            engine: Engine::Smiles(Box::new(table)),
        }
    }

    fn pretrained(inner: Pretrained) -> Self {
        let tokens = inner.tokens();
        let absent = (0..).zip(&tokens).filter(|(_, token)| token.is_none()).map(|(id, _)| id);
        Self {
            kind: TokenizerKind::HuggingFace,
            absent: absent.collect(),
            tokens: tokens.into_iter().map(Option::unwrap_or_default).collect(),
            special: inner.special,
            frame: inner.frame.clone(),
            special_ids: inner.special_ids(),
            residues: Vec::new(),
            engine: Engine::HuggingFace(Box::new(inner)),
        }
    }

    /// Which family it is of.
    pub fn kind(&self) -> TokenizerKind {
        self.kind
    }

    /// Ids are `0..vocab_size`.
    pub fn vocab_size(&self) -> u32 {
        u32::try_from(self.tokens.len()).expect("checked when the tokenizer was made")
    }

    /// Token that is declared to begin a text (`<cls>` for proteins), whether the tokenizer puts it there
    /// or not.
    pub fn bos(&self) -> Option<u32> {
        self.special.bos
    }

    /// Token that ends a document, if there is one. Where the tokenizer itself puts none behind a text, it
    /// separates the documents of a dataset.
    pub fn eos(&self) -> Option<u32> {
        self.special.eos
    }

    /// Whether `id` stands for something: it is below the size, and the vocabulary does not skip it.
    pub fn has(&self, id: u32) -> bool {
        id < self.vocab_size() && !self.absent.contains(&id)
    }

    /// Token that stands for nothing, if this kind has one.
    pub fn pad(&self) -> Option<u32> {
        self.special.pad
    }

    /// Token that hides another one, if this kind has one.
    pub fn mask(&self) -> Option<u32> {
        self.special.mask
    }

    /// Token for what the vocabulary lacks, if this kind has one.
    pub fn unknown(&self) -> Option<u32> {
        self.special.unknown
    }

    /// Whether `id` is special: never corrupted, not part of decoded text.
    pub fn is_special(&self, id: u32) -> bool {
        self.special_ids.contains(&id)
    }

    /// The token `id` as people read it; `None` if there is no such id.
    pub fn token_text(&self, id: u32) -> Option<&str> {
        self.tokens.get(id as usize).map(String::as_str)
    }

    /// Ids of the twenty standard amino acids, or of A C G T; empty for other kinds.
    pub fn residues(&self) -> &[u32] {
        &self.residues
    }

    /// What the dataset card says of this tokenizer.
    pub fn card(&self) -> TokenizerCard {
        TokenizerCard {
            kind: self.kind.name().to_owned(),
            vocab_size: self.vocab_size(),
            bos: self.frame.begin.first().copied(),
            eos: self.frame.end.last().copied().or(self.special.eos),
            pad: self.special.pad,
            mask: self.special.mask,
            unknown: self.special.unknown,
            special: self.special_ids.iter().copied().collect(),
            standard: self.residues.clone(),
            unlabelled: Vec::new(),
        }
    }

    /// SHA-256 over what decides which ids a text has and what they mean: vocabulary, merges, normaliser,
    /// special tokens, and what is put around a text. Equal for equal tokenizers, whatever their files.
    ///
    /// # Errors
    /// The `tokenizers` library cannot write the tokenizer down: a bug.
    pub fn digest(&self) -> Result<String> {
        let rules = match &self.engine {
            Engine::HuggingFace(inner) => inner.identity()?,
            _ => json::tokenizer_json(self),
        };
        let SpecialTokens { bos, eos, pad, mask, unknown } = self.special;
        let Frame { begin, end } = &self.frame;
        let whole = serde_json::json!([rules, begin, end, bos, eos, pad, mask, unknown]);
        Ok(sha256_of_bytes(whole.to_string().as_bytes()))
    }

    /// Appends `text` as a whole document: as [`Tokenizer::encode_framed`], and where the tokenizer puts no
    /// token behind a text, the one that separates documents.
    ///
    /// Names of special tokens in the text are text, not tokens: data cannot forge them.
    /// On an error `ids` is left as it was.
    pub fn encode(&self, text: &str, ids: &mut Vec<u32>) -> Result<(), EncodeError> {
        self.encode_part(text, (true, true), ids)
    }

    /// Appends `text` as a part of a document: as [`Tokenizer::encode`], with what begins a document
    /// and what ends one where it does. On an error `ids` is left as it was.
    ///
    /// # Errors
    /// A text that the tokenizer refuses, or of which nothing is left.
    pub fn encode_part(
        &self,
        text: &str,
        (begins, ends): (bool, bool),
        ids: &mut Vec<u32>,
    ) -> Result<(), EncodeError> {
        let separator = if self.frame.end.is_empty() { self.special.eos } else { None };
        let begin = if begins { &*self.frame.begin } else { &[] };
        let end = if ends { &*self.frame.end } else { &[] };
        self.encode_between(text, begin, end, ids)?;
        ids.extend(separator.filter(|_| ends));
        Ok(())
    }

    /// Appends `text` with the tokens that the tokenizer itself puts around it, as transformers does.
    /// On an error `ids` is left as it was.
    ///
    /// # Errors
    /// A text that the tokenizer refuses, or of which nothing is left.
    pub fn encode_framed(&self, text: &str, ids: &mut Vec<u32>) -> Result<(), EncodeError> {
        self.encode_between(text, &self.frame.begin, &self.frame.end, ids)
    }

    fn encode_between(
        &self,
        text: &str,
        begin: &[u32],
        end: &[u32],
        ids: &mut Vec<u32>,
    ) -> Result<(), EncodeError> {
        let before = ids.len();
        ids.extend(begin);
        let start = ids.len();
        let mut body = self.encode_piece(text, ids);
        if body.is_ok() && ids.len() == start {
            body = Err(EncodeError::Empty);
        }
        match body {
            Ok(()) => ids.extend(end),
            Err(_) => ids.truncate(before),
        }
        body
    }

    /// How many tokens [`Tokenizer::encode_framed`] puts before a text and after it.
    pub fn frame(&self) -> (usize, usize) {
        (self.frame.begin.len(), self.frame.end.len())
    }

    /// The letters of `text` as the tokenizer reads them: of residues without white space and a final
    /// stop, in upper case, `U` as `T` in nucleotides; SMILES without white space around. Of other kinds
    /// the text as it is.
    pub fn canonical(&self, text: &str) -> String {
        match &self.engine {
            Engine::Residue(table) => table.canonical(text),
            Engine::Smiles(_) => text.trim_ascii().to_owned(),
            Engine::Byte | Engine::HuggingFace(_) => text.to_owned(),
        }
    }

    /// `text` as the beginning of a document: begin token and body, no end token.
    ///
    /// Names of special tokens such as `<mask>` become those tokens. An empty text is allowed.
    pub fn encode_prompt(&self, text: &str) -> Result<Vec<u32>, EncodeError> {
        let mut ids = self.frame.begin.clone();
        match &self.engine {
            Engine::Byte => byte::encode(text, &mut ids)?,
            Engine::HuggingFace(inner) => inner.encode_prompt(text, &mut ids)?,
            Engine::Residue(_) | Engine::Smiles(_) => self.encode_marked(text, &mut ids)?,
        }
        Ok(ids)
    }

    /// A piece of text in which no special token is spelled out.
    fn encode_piece(&self, text: &str, ids: &mut Vec<u32>) -> Result<(), EncodeError> {
        match &self.engine {
            Engine::Byte => byte::encode(text, ids),
            Engine::Residue(table) => table.encode(text, ids),
            Engine::Smiles(table) => table.encode(text, ids),
            Engine::HuggingFace(inner) => inner.encode_body(text, ids),
        }
    }

    fn encode_marked(&self, text: &str, ids: &mut Vec<u32>) -> Result<(), EncodeError> {
        let mut rest = text;
        while let Some((at, id)) = self.first_special(rest) {
            self.encode_piece(&rest[..at], ids)?;
            ids.push(id);
            rest = &rest[at + self.tokens[id as usize].len()..];
        }
        self.encode_piece(rest, ids)
    }

    /// The first special token spelled in `text`. Their names all begin with `<`, and none is
    /// the beginning of another.
    fn first_special(&self, text: &str) -> Option<(usize, u32)> {
        text.match_indices('<').find_map(|(at, _)| {
            let spelled = |id: &&u32| text[at..].starts_with(&self.tokens[**id as usize]);
            self.special_ids.iter().find(spelled).map(|&id| (at, id))
        })
    }

    /// The text of `ids`, special tokens and unknown ids left out.
    ///
    /// Bytes that are not UTF-8, as when generation stops inside a character, become U+FFFD.
    pub fn decode(&self, ids: &[u32]) -> String {
        let plain =
            ids.iter().copied().filter(|&id| !self.is_special(id) && id < self.vocab_size());
        match &self.engine {
            Engine::Byte => byte::decode(plain),
            Engine::HuggingFace(inner) => inner.decode(&plain.collect::<Vec<_>>()),
            Engine::Residue(_) | Engine::Smiles(_) => {
                plain.map(|id| self.tokens[id as usize].as_str()).collect()
            }
        }
    }
}

/// A tokenizer that cannot be made or loaded.
pub(crate) fn problem(
    tokenizer: impl Into<String>,
    problem: impl Into<String>,
    fix: impl Into<String>,
) -> DataError {
    DataError::Tokenizer { tokenizer: tokenizer.into(), problem: problem.into(), fix: fix.into() }
}

#[cfg(test)]
mod framing_tests;
#[cfg(test)]
mod tests;
