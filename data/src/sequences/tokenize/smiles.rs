//! Atom-wise tokens of SMILES strings: a scanner equal to the published regular expression.

use std::collections::{BTreeMap, BTreeSet};

use super::{EncodeError, SpecialTokens};

/// The tokens of a SMILES string; the whole string must be covered.
///
/// Source: Schwaller et al., "Molecular Transformer", doi:10.1021/acscentsci.9b00576.
pub const SMILES_PATTERN: &str = r"(\[[^\]]+]|Br?|Cl?|N|O|S|P|F|I|b|c|n|o|s|p|\(|\)|\.|=|#|-|\+|\\|\/|:|~|@|\?|>|\*|\$|\%[0-9]{2}|[0-9])";

pub(super) const SPECIAL_TOKENS: [&str; 5] = ["<pad>", "<bos>", "<eos>", "<unk>", "<mask>"];
pub(super) const SPECIAL: SpecialTokens =
    SpecialTokens { pad: Some(0), bos: Some(1), eos: Some(2), unknown: Some(3), mask: Some(4) };
const UNKNOWN: u32 = 3;

pub(super) fn special_ids() -> BTreeSet<u32> {
    (0u32..).take(SPECIAL_TOKENS.len()).collect()
}

/// Bytes of the token that begins at the start of `text`, by [`SMILES_PATTERN`].
fn token_length(text: &[u8]) -> Option<usize> {
    let second = text.get(1).copied();
    match *text.first()? {
        b'[' => match memchr::memchr(b']', text)? {
            // The class `[^\]]+` wants at least one character.
            1 => None,
            close => Some(close + 1),
        },
        b'B' if second == Some(b'r') => Some(2),
        b'C' if second == Some(b'l') => Some(2),
        b'%' => match text {
            [_, a, b, ..] if a.is_ascii_digit() && b.is_ascii_digit() => Some(3),
            _ => None,
        },
        b'B'
        | b'C'
        | b'N'
        | b'O'
        | b'S'
        | b'P'
        | b'F'
        | b'I'
        | b'b'
        | b'c'
        | b'n'
        | b'o'
        | b's'
        | b'p'
        | b'('
        | b')'
        | b'.'
        | b'='
        | b'#'
        | b'-'
        | b'+'
        | b'\\'
        | b'/'
        | b':'
        | b'~'
        | b'@'
        | b'?'
        | b'>'
        | b'*'
        | b'$'
        | b'0'..=b'9' => Some(1),
        _ => None,
    }
}

/// The tokens of a SMILES string, white space around it ignored.
///
/// # Errors
/// [`EncodeError::NotSmiles`] with the offset of the first byte that begins no token.
pub fn smiles_tokens(text: &str) -> impl Iterator<Item = Result<&str, EncodeError>> {
    let mut offset = text.len() - text.trim_start().len();
    let end = offset + text.trim().len();
    std::iter::from_fn(move || {
        if offset >= end {
            return None;
        }
        let Some(length) = token_length(&text.as_bytes()[offset..end]) else {
            let near = text[offset..end].chars().take(12).collect();
            let error = EncodeError::NotSmiles { offset, near };
            offset = end;
            return Some(Err(error));
        };
        let token = &text[offset..offset + length];
        offset += length;
        Some(Ok(token))
    })
}

/// The look-up of one vocabulary.
#[derive(Debug, Clone)]
pub(super) struct SmilesTable {
    /// Id of each one-byte token.
    id_of_byte: [Option<u32>; 256],
    id_of_token: BTreeMap<String, u32>,
}

impl SmilesTable {
    /// Sorts the vocabulary by token, after the special ones.
    pub(super) fn new(vocabulary: impl IntoIterator<Item = String>) -> Self {
        let sorted: BTreeSet<String> = vocabulary.into_iter().collect();
        let first = u32::try_from(SPECIAL_TOKENS.len()).expect("five");
        let id_of_token: BTreeMap<String, u32> = sorted.into_iter().zip(first..).collect();
        let mut id_of_byte = [None; 256];
        for (token, &id) in &id_of_token {
            if let [byte] = token.as_bytes() {
                id_of_byte[usize::from(*byte)] = Some(id);
            }
        }
        Self { id_of_byte, id_of_token }
    }

    /// All tokens by id.
    pub(super) fn tokens(&self) -> Vec<String> {
        let special = SPECIAL_TOKENS.iter().map(|&t| t.to_owned());
        special.chain(self.id_of_token.keys().cloned()).collect()
    }

    pub(super) fn encode(&self, text: &str, ids: &mut Vec<u32>) -> Result<(), EncodeError> {
        for token in smiles_tokens(text) {
            let token = token?;
            let id = match token.as_bytes() {
                [byte] => self.id_of_byte[usize::from(*byte)],
                _ => self.id_of_token.get(token).copied(),
            };
            ids.push(id.unwrap_or(UNKNOWN));
        }
        Ok(())
    }
}
