//! Why a text cannot become tokens. Ingest turns these into rejects, prompts into messages.

use crate::error::DataError;

/// A text that a tokenizer refuses. Offsets are bytes from the start of the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// Nothing is left to encode.
    #[error("there is no text in it")]
    Empty,
    /// A NUL byte, which marks the end of text in the byte tokenizer.
    #[error("NUL byte at offset {offset}; is this a binary file?")]
    Nul {
        /// Where.
        offset: usize,
    },
    /// A character that no sequence of this kind contains.
    #[error("{character:?} at offset {offset} is not a letter of {alphabet}")]
    Character {
        /// The character.
        character: char,
        /// Where.
        offset: usize,
        /// The alphabet, in words.
        alphabet: &'static str,
    },
    /// A stop codon before the end of a protein.
    #[error("`*` (stop) at offset {offset}, inside the protein; only the last residue may be `*`")]
    StopInside {
        /// Where.
        offset: usize,
    },
    /// A letter that a rule rejects.
    #[error("{letter:?} at offset {offset} is {what}, which is rejected here (`letters`)")]
    Ruled {
        /// The letter.
        letter: char,
        /// Where.
        offset: usize,
        /// What such letters are.
        what: &'static str,
    },
    /// A string that is not a sequence of SMILES tokens.
    #[error("not SMILES from offset {offset} on: `{near}`")]
    NotSmiles {
        /// Where the last token ended.
        offset: usize,
        /// The first characters that are not a token.
        near: String,
    },
    /// The `tokenizers` library refused the text.
    #[error("the tokenizer refused it: {message}")]
    Model {
        /// What it said.
        message: String,
    },
}

impl EncodeError {
    /// Short name under which rejects of this kind are counted.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Nul { .. } => "nul_byte",
            Self::Character { .. } => "character",
            Self::StopInside { .. } => "stop_inside",
            Self::Ruled { .. } => "letter",
            Self::NotSmiles { .. } => "not_smiles",
            Self::Model { .. } => "tokenizer",
        }
    }
}

impl From<EncodeError> for DataError {
    fn from(error: EncodeError) -> Self {
        Self::Tokenizer {
            tokenizer: "encode".to_owned(),
            problem: error.to_string(),
            fix: "correct the text, or use the tokenizer that belongs to it".to_owned(),
        }
    }
}
