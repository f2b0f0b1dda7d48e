//! Alphabets of one letter per residue, proteins and nucleic acids: a table of 256 entries.

use std::collections::BTreeSet;

use super::{EncodeError, SpecialTokens};

/// ESM-2's alphabet, ids in this order.
///
/// Source: Lin et al., doi:10.1126/science.ade2574; the order is that of the published
/// `vocab.txt` of the ESM-2 checkpoints.
pub(super) const AMINO_ACID: [&str; 33] = [
    "<cls>", "<pad>", "<eos>", "<unk>", "L", "A", "G", "V", "S", "E", "R", "T", "I", "D", "P", "K",
    "Q", "N", "F", "Y", "M", "H", "W", "C", "X", "B", "U", "Z", "O", ".", "-", "<null_1>",
    "<mask>",
];

/// Bases and the ambiguity codes of IUPAC (NC-IUB 1984, doi:10.1093/nar/13.9.3021).
pub(super) const NUCLEOTIDE: [&str; 20] = [
    "<pad>", "<bos>", "<eos>", "<unk>", "<mask>", "A", "C", "G", "T", "N", "R", "Y", "S", "W", "K",
    "M", "B", "D", "H", "V",
];

/// What the table says of a byte that is no token; ids are far below.
const REFUSED: u8 = 255;
const SKIPPED: u8 = 254;

/// The look-up of one alphabet.
#[derive(Debug, Clone)]
pub(super) struct ResidueTable {
    pub(super) tokens: &'static [&'static str],
    pub(super) special: SpecialTokens,
    alphabet: &'static str,
    /// A final `*` is a stop and is dropped.
    stop: bool,
    id_of_byte: [u8; 256],
    standard: &'static str,
}

impl ResidueTable {
    pub(super) fn amino_acid() -> Self {
        let special = SpecialTokens {
            bos: Some(0),
            pad: Some(1),
            eos: Some(2),
            unknown: Some(3),
            mask: Some(32),
        };
        let mut id_of_byte = table(&AMINO_ACID);
        // The one letter that ESM-2 lacks (leucine or isoleucine): unknown, as there.
        id_of_byte[usize::from(b'J')] = 3;
        id_of_byte[usize::from(b'j')] = 3;
        Self {
            tokens: &AMINO_ACID,
            special,
            alphabet: "the amino acid alphabet",
            stop: true,
            id_of_byte,
            standard: "LAGVSERTIDPKQNFYMHWC",
        }
    }

    pub(super) fn nucleotide() -> Self {
        let special = SpecialTokens {
            pad: Some(0),
            bos: Some(1),
            eos: Some(2),
            unknown: Some(3),
            mask: Some(4),
        };
        let mut id_of_byte = table(&NUCLEOTIDE);
        id_of_byte[usize::from(b'U')] = id_of_byte[usize::from(b'T')];
        id_of_byte[usize::from(b'u')] = id_of_byte[usize::from(b'T')];
        Self {
            tokens: &NUCLEOTIDE,
            special,
            alphabet: "the nucleotide alphabet (ACGTU and IUPAC codes)",
            stop: false,
            id_of_byte,
            standard: "ACGT",
        }
    }

    pub(super) fn encode(&self, text: &str, ids: &mut Vec<u32>) -> Result<(), EncodeError> {
        let body = self.without_stop(text);
        ids.reserve(body.len());
        for (offset, byte) in body.bytes().enumerate() {
            match self.id_of_byte[usize::from(byte)] {
                SKIPPED => {}
                REFUSED => return Err(self.refusal(body, offset)),
                id => ids.push(u32::from(id)),
            }
        }
        Ok(())
    }

    /// The letters that are tokens, as the tokens spell them; letters that are none as they are.
    pub(super) fn canonical(&self, text: &str) -> String {
        let spelled = |letter: char| {
            let id =
                u8::try_from(letter).map_or(REFUSED, |byte| self.id_of_byte[usize::from(byte)]);
            let token = self.tokens.get(usize::from(id)).and_then(|token| token.chars().next());
            match id {
                SKIPPED => None,
                // A letter without a token of its own, such as J of proteins.
                _ if token.is_none_or(|token| token == '<') => Some(letter.to_ascii_uppercase()),
                _ => token,
            }
        };
        self.without_stop(text).chars().filter_map(spelled).collect()
    }

    fn without_stop<'t>(&self, text: &'t str) -> &'t str {
        let trimmed = text.trim_end_matches([' ', '\t', '\r', '\n']);
        if self.stop { trimmed.strip_suffix('*').unwrap_or(trimmed) } else { trimmed }
    }

    /// ASCII before it was accepted, so `offset` begins a character.
    fn refusal(&self, body: &str, offset: usize) -> EncodeError {
        let character = body[offset..].chars().next().expect("offset is inside the text");
        match character {
            '\0' => EncodeError::Nul { offset },
            '*' if self.stop => EncodeError::StopInside { offset },
            _ => EncodeError::Character { character, offset, alphabet: self.alphabet },
        }
    }

    /// Tokens written in angle brackets.
    pub(super) fn special_ids(&self) -> BTreeSet<u32> {
        (0u32..).zip(self.tokens).filter(|(_, t)| t.starts_with('<')).map(|(id, _)| id).collect()
    }

    /// The unambiguous residues.
    pub(super) fn standard(&self) -> Vec<u32> {
        self.standard.bytes().map(|b| u32::from(self.id_of_byte[usize::from(b)])).collect()
    }
}

fn table(tokens: &[&str]) -> [u8; 256] {
    let mut table = [REFUSED; 256];
    for byte in *b" \t\r\n" {
        table[usize::from(byte)] = SKIPPED;
    }
    for (id, token) in (0u8..).zip(tokens) {
        if let [letter] = token.as_bytes() {
            table[usize::from(letter.to_ascii_uppercase())] = id;
            table[usize::from(letter.to_ascii_lowercase())] = id;
        }
    }
    table
}
