//! Variants of a wild type: the notation `A42G`, what differs, and the consensus.
//!
//! Pure functions of letters. Positions count from 1, as in the literature.

use std::collections::{BTreeMap, BTreeSet};

/// One exchanged letter.
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

/// A variant as a line of a list says it.
#[derive(Debug, Clone, PartialEq)]
pub struct Variant {
    /// What is exchanged.
    pub mutations: Vec<Mutation>,
    /// A number after them: a measured value, as written.
    pub measured: Option<String>,
}

/// What separates mutations from each other and from a measured value.
const SEPARATORS: [char; 6] = [',', ';', ':', '/', ' ', '\t'];

/// Reads `A42G`, several of them separated by `,` `;` `:` `/` or blanks, and a number after them.
/// `None` if `text` does not begin as a variant does: it may be a sequence.
///
/// # Errors
/// A sentence naming the part of a variant that is understood neither as a mutation nor as a value, or a
/// position that is exchanged twice. A variant is read whole or not at all.
pub fn parse_variant(text: &str) -> Result<Option<Variant>, String> {
    let mut parts = text.split(SEPARATORS).filter(|part| !part.is_empty()).peekable();
    let mut mutations = Vec::new();
    while let Some(mutation) = parts.peek().and_then(|part| parse_mutation(part)) {
        mutations.push(mutation);
        parts.next();
    }
    if mutations.is_empty() {
        return Ok(None);
    }
    let rest: Vec<&str> = parts.collect();
    let measured = match rest[..] {
        [] => None,
        [value] if value.parse::<f64>().is_ok() => Some(value.to_owned()),
        [part, ..] => {
            return Err(format!(
                "`{part}` of `{}` is neither a mutation such as A42G nor, at the end, a measured \
                 value",
                text.trim()
            ));
        }
    };
    let mut seen = BTreeSet::new();
    match mutations.iter().find(|mutation| !seen.insert(mutation.position)) {
        Some(twice) => Err(format!("{twice}: position {} is exchanged twice", twice.position)),
        None => Ok(Some(Variant { mutations, measured })),
    }
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
            return Err(format!("{mutation}: the wild type has only {length} letters"));
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
            "it has {other} letters but the wild type has {wild}; insertions and deletions have \
             no masked-marginal score"
        ));
    }
    let pairs = wild_type.chars().zip(variant.chars()).zip(1..);
    Ok(pairs
        .filter(|((from, to), _)| from != to)
        .map(|((from, to), position)| Mutation { from, position, to })
        .collect())
}

/// The letter that more sequences have than any other, at each position.
///
/// # Errors
/// A sentence: fewer than two sequences, other lengths, or a position where two letters are as
/// frequent, so that there is no majority.
pub fn consensus<'a>(sequences: impl IntoIterator<Item = &'a str>) -> Result<String, String> {
    let mut counts: Vec<BTreeMap<char, usize>> = Vec::new();
    let mut total = 0;
    for sequence in sequences {
        let letters: Vec<char> = sequence.chars().collect();
        if total == 0 {
            counts.resize_with(letters.len(), Default::default);
        }
        if letters.len() != counts.len() {
            return Err("the sequences differ in length, so they have no consensus".to_owned());
        }
        counts.iter_mut().zip(letters).for_each(|(count, letter)| {
            *count.entry(letter).or_default() += 1;
        });
        total += 1;
    }
    if total < 2 {
        return Err(format!("a consensus of {total} sequence is no wild type"));
    }
    counts.iter().zip(1..).map(|(count, position)| majority(count, position)).collect()
}

fn majority(count: &BTreeMap<char, usize>, position: usize) -> Result<char, String> {
    let most = count.values().copied().max().unwrap_or(0);
    let winners: Vec<char> =
        count.iter().filter(|(_, n)| **n == most).map(|(letter, _)| *letter).collect();
    if let [letter] = winners[..] {
        return Ok(letter);
    }
    let shown: Vec<String> = winners.iter().map(ToString::to_string).collect();
    Err(format!(
        "the consensus has no majority at position {position}: {} occur {most} times each",
        shown.join(" and ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutations(text: &str) -> Vec<Mutation> {
        parse_variant(text).unwrap().unwrap().mutations
    }

    #[test]
    fn the_notation_is_read_whole_whatever_separates_it() {
        for text in ["A42G:L1P", "A42G,L1P", "A42G;L1P", "A42G L1P", "A42G/L1P"] {
            let found = mutations(text);
            assert_eq!(found[0], Mutation { from: 'A', position: 42, to: 'G' }, "{text}");
            assert_eq!(found[1].to_string(), "L1P", "{text}");
        }
        let value = |text: &str| parse_variant(text).unwrap().unwrap().measured;
        assert_eq!(value("A42G, L1P\t-1.5e-3").as_deref(), Some("-1.5e-3"));
        assert_eq!(value("A42G,"), None);
        for other in ["", "A", "AG", "A0G", "42G", "A4.2G", "MKLV", "A42", "A-2G", "CC(=O)O"] {
            assert_eq!(parse_variant(other), Ok(None), "{other}");
        }
    }

    #[test]
    fn a_variant_with_a_part_that_is_not_understood_is_refused_whole() {
        for (text, part) in [
            ("A4G,Q9*", "`Q9*`"),
            ("A4G;p.Gln9Leu", "`p.Gln9Leu`"),
            ("A4G 1.5 2.5", "`1.5`"),
            ("A4G:1.5:Q9L", "`1.5`"),
            ("A4G:A4L", "position 4"),
        ] {
            let error = parse_variant(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn applied_mutations_are_the_differences_found() {
        let made = mutations("K2R:V4A");
        let variant = apply("MKLV", &made).unwrap();
        assert_eq!(variant, "MRLA");
        assert_eq!(differences("MKLV", &variant).unwrap(), made);
    }

    #[test]
    fn a_mutation_that_does_not_fit_the_wild_type_is_named() {
        let apply = |text| apply("MKLV", &mutations(text)).unwrap_err();
        assert!(apply("A2G").contains("A2G: the wild type has K at position 2, not A"));
        assert!(apply("A9G").contains("only 4 letters"));
        assert!(differences("MKLV", "MK").unwrap_err().contains("2 letters but"));
    }

    #[test]
    fn the_consensus_is_the_majority_of_each_position_and_a_tie_is_none() {
        assert_eq!(consensus(["MKL", "MRL", "MKV"]).as_deref(), Ok("MKL"));
        let tie = consensus(["MKA", "MKB"]).unwrap_err();
        assert!(tie.contains("position 3") && tie.contains("A and B occur 1 times"), "{tie}");
        assert!(consensus(["A", "A", "B", "B", "C"]).is_err(), "a tie of the most frequent");
        assert!(consensus(["MK", "M"]).unwrap_err().contains("length"));
        assert!(consensus(["MK"]).unwrap_err().contains("1 sequence"));
        assert!(consensus([]).is_err());
    }
}
