//! Protein variants: what differs from the wild type, the notation `A42G`, and the consensus.
//!
//! Pure functions of letters. Positions count from 1, as in the literature.

/// One exchanged residue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mutation {
    /// Letter of the wild type.
    pub from: char,
    /// Position from 1.
    pub position: usize,
    /// Letter of the variant.
    pub to: char,
}

impl std::fmt::Display for Mutation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}{}", self.from, self.position, self.to)
    }
}

/// Reads `A42G`, or several joined by `:`. None if `text` is not of this form.
pub fn parse_mutations(text: &str) -> Option<Vec<Mutation>> {
    text.split(':').map(parse_mutation).collect()
}

fn parse_mutation(text: &str) -> Option<Mutation> {
    let mut letters = text.chars();
    let (from, to) = (letters.next()?, letters.next_back()?);
    let digits = letters.as_str();
    if !from.is_ascii_alphabetic() || !to.is_ascii_alphabetic() {
        return None;
    }
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let position = digits.parse().ok().filter(|&position| position > 0)?;
    let (from, to) = (from.to_ascii_uppercase(), to.to_ascii_uppercase());
    Some(Mutation { from, position, to })
}

/// `wild_type` with `mutations` made.
///
/// # Errors
/// A sentence naming the mutation whose position or wild-type letter does not fit.
pub fn apply(wild_type: &str, mutations: &[Mutation]) -> Result<String, String> {
    let mut letters: Vec<char> = wild_type.chars().collect();
    let length = letters.len();
    for mutation in mutations {
        let Some(letter) = letters.get_mut(mutation.position - 1) else {
            return Err(format!("{mutation}: the wild type has only {length} residues"));
        };
        if *letter != mutation.from {
            return Err(format!(
                "{mutation}: the wild type has {letter} at position {}, not {}; is the numbering \
                 that of this sequence?",
                mutation.position, mutation.from
            ));
        }
        *letter = mutation.to;
    }
    Ok(letters.into_iter().collect())
}

/// Where `variant` differs from `wild_type`, which has the same length.
///
/// # Errors
/// A sentence with both lengths.
pub fn differences(wild_type: &str, variant: &str) -> Result<Vec<Mutation>, String> {
    let (wild, other) = (wild_type.chars().count(), variant.chars().count());
    if wild != other {
        return Err(format!(
            "it has {other} residues but the wild type has {wild}; insertions and deletions have \
             no masked-marginal score"
        ));
    }
    let pairs = wild_type.chars().zip(variant.chars()).zip(1..);
    Ok(pairs
        .filter(|((from, to), _)| from != to)
        .map(|((from, to), position)| Mutation { from, position, to })
        .collect())
}

/// The most frequent letter of each position; the first in the alphabet where two are as frequent.
/// None if the lengths differ or there is no sequence.
pub fn consensus<'a>(sequences: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let mut counts: Vec<std::collections::BTreeMap<char, usize>> = Vec::new();
    for (index, sequence) in sequences.into_iter().enumerate() {
        let letters: Vec<char> = sequence.chars().collect();
        if index == 0 {
            counts.resize_with(letters.len(), Default::default);
        }
        if letters.len() != counts.len() {
            return None;
        }
        counts.iter_mut().zip(letters).for_each(|(count, letter)| {
            *count.entry(letter).or_default() += 1;
        });
    }
    let winner = |count: &std::collections::BTreeMap<char, usize>| {
        // The reversed order makes `max_by_key`, which takes the last of equals, take the first.
        count.iter().rev().max_by_key(|(_, n)| **n).map(|(letter, _)| *letter)
    };
    (!counts.is_empty()).then(|| counts.iter().filter_map(winner).collect())
}

/// Upper case, without a final stop: what the notation and the comparison work on.
pub fn canonical_residues(sequence: &str) -> String {
    sequence.strip_suffix('*').unwrap_or(sequence).to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_notation_is_read_and_written_alike() {
        let mutations = parse_mutations("a42G:L1P").unwrap();
        assert_eq!(mutations[0], Mutation { from: 'A', position: 42, to: 'G' });
        assert_eq!(mutations[1].to_string(), "L1P");
        for other in ["", "A", "AG", "A0G", "42G", "A4.2G", "MKLV", "A42", "A42G:", "A+2G"] {
            assert_eq!(parse_mutations(other), None, "{other}");
        }
    }

    #[test]
    fn applied_mutations_are_the_differences_found() {
        let mutations = parse_mutations("K2R:V4A").unwrap();
        let variant = apply("MKLV", &mutations).unwrap();
        assert_eq!(variant, "MRLA");
        assert_eq!(differences("MKLV", &variant).unwrap(), mutations);
    }

    #[test]
    fn a_mutation_that_does_not_fit_the_wild_type_is_named() {
        let apply = |text| apply("MKLV", &parse_mutations(text).unwrap()).unwrap_err();
        assert!(apply("A2G").contains("A2G: the wild type has K at position 2, not A"));
        assert!(apply("A9G").contains("only 4 residues"));
        assert!(differences("MKLV", "MK").unwrap_err().contains("2 residues but"));
    }

    #[test]
    fn the_consensus_is_the_majority_of_each_position() {
        assert_eq!(consensus(["MKL", "MRL", "MKV"]).as_deref(), Some("MKL"));
        assert_eq!(consensus(["B", "A"]).as_deref(), Some("A"));
        assert_eq!(consensus(["MK", "M"]), None);
        assert_eq!(consensus([]), None);
    }
}
