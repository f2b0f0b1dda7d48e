//! Letters of sequences that are no residue: gaps, insertions, stops, and the letter for anything.
//!
//! Alignments are given as sequences, pseudogenes hold stops, assemblies are half `N`. What becomes of
//! such letters is a rule that is said, for an ingest and for every use of a model alike; it works on the
//! text before a tokenizer sees it.
//!
//! | letters | by default | because |
//! |---|---|---|
//! | gaps, `-` and `.` | `strip` | they belong to an alignment; without them a row is the sequence itself |
//! | insertions, lower case | `keep` | residues like any other in A3M, soft masking in genomes; read as upper case |
//! | stops inside, `*` | `reject` | what follows is no part of the protein |
//! | `N` of bases | `mask` | nobody knows the base: it is read and never learned |
//! | `X` of proteins | `keep` | a token of its own, as ESM-2 was trained |

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tokenize::{EncodeError, Tokenizer, TokenizerKind};
use crate::error::{DataError, Result};

/// What becomes of letters of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LetterRule {
    /// They are tokens.
    Keep,
    /// They are left out.
    Strip,
    /// A sequence that has any is rejected.
    Reject,
    /// They are tokens that a model reads and does not learn to predict.
    Mask,
}

/// The rules that were said; what was not has its default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LetterRules {
    /// Gaps, `-` and `.`: `strip` (the default) or `reject`; of proteins also `keep` or `mask`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gaps: Option<LetterRule>,
    /// Lower case, insertions in A3M: `keep` as upper case (the default), `strip` or `reject`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insertions: Option<LetterRule>,
    /// `*` inside a protein: `reject` (the default), `strip`, or `keep` as `X`. A last one is dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stops: Option<LetterRule>,
    /// `N` of bases (by default `mask`) and `X` of proteins (by default `keep`): any rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<LetterRule>,
}

impl LetterRules {
    /// Whether nothing was said.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How often letters of each kind were met.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LetterCounts {
    /// `-` and `.`.
    pub gaps: u64,
    /// Lower case.
    pub insertions: u64,
    /// `*` inside.
    pub stops: u64,
    /// `N` or `X`.
    pub unknown: u64,
}

impl std::ops::AddAssign for LetterCounts {
    fn add_assign(&mut self, other: Self) {
        self.gaps += other.gaps;
        self.insertions += other.insertions;
        self.stops += other.stops;
        self.unknown += other.unknown;
    }
}

/// The rules of one alphabet, all of them settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Letters {
    protein: bool,
    gaps: LetterRule,
    insertions: LetterRule,
    stops: LetterRule,
    unknown: LetterRule,
}

/// A text after the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruled<'t> {
    /// What a tokenizer is given.
    pub text: Cow<'t, str>,
    /// What was met in it.
    pub met: LetterCounts,
}

impl Letters {
    /// The rules for texts of `tokenizer`; `None` where letters are no residues.
    ///
    /// # Errors
    /// A rule that its letters cannot have, or that was said of a tokenizer without such letters.
    pub fn of(rules: &LetterRules, tokenizer: &Tokenizer) -> Result<Option<Self>> {
        Self::of_kind(rules, tokenizer.kind())
    }

    /// As [`Letters::of`], by the kind of a tokenizer.
    ///
    /// # Errors
    /// As there.
    pub fn of_kind(rules: &LetterRules, kind: TokenizerKind) -> Result<Option<Self>> {
        use LetterRule::{Keep, Mask, Reject, Strip};
        let protein = kind == TokenizerKind::AminoAcid;
        if !protein && kind != TokenizerKind::Nucleotide {
            if rules.is_default() {
                return Ok(None);
            }
            let problem = format!("it is given, but the tokenizer is {}", kind.name());
            let fix = "leave it out: it is for amino acids and nucleotides";
            return Err(DataError::invalid("letters", problem, fix));
        }
        let gaps: &[LetterRule] =
            if protein { &[Strip, Reject, Keep, Mask] } else { &[Strip, Reject] };
        let stops: &[LetterRule] = if protein { &[Reject, Strip, Keep] } else { &[] };
        let any: &[LetterRule] =
            if protein { &[Keep, Mask, Strip, Reject] } else { &[Mask, Keep, Strip, Reject] };
        Ok(Some(Self {
            protein,
            gaps: settle("letters.gaps", rules.gaps, gaps)?,
            insertions: settle("letters.insertions", rules.insertions, &[Keep, Strip, Reject])?,
            stops: settle("letters.stops", rules.stops, stops)?,
            unknown: settle("letters.unknown", rules.unknown, any)?,
        }))
    }

    /// The letter that stands for any residue.
    fn any(self) -> char {
        if self.protein { 'X' } else { 'N' }
    }

    /// Ids of `tokenizer` that are read and not learned, ascending.
    pub fn unlabelled(self, tokenizer: &Tokenizer) -> Vec<u32> {
        let mut letters = Vec::new();
        if self.gaps == LetterRule::Mask {
            letters.extend(['-', '.']);
        }
        if self.unknown == LetterRule::Mask {
            letters.push(self.any());
        }
        let spelled = |id: &u32| {
            let mut text = tokenizer.token_text(*id).unwrap_or_default().chars();
            text.next().is_some_and(|it| letters.contains(&it)) && text.next().is_none()
        };
        (0..tokenizer.vocab_size()).filter(spelled).collect()
    }

    /// `text` by the rules.
    ///
    /// # Errors
    /// A letter that is rejected, with its place.
    pub fn rule(self, text: &str) -> Result<Ruled<'_>, EncodeError> {
        let stop = self.protein.then(|| last_stop(text)).flatten();
        let mut met = LetterCounts::default();
        let mut changed = false;
        let mut ruled = String::new();
        for (offset, letter) in text.char_indices() {
            let is_stop = self.protein && letter == '*' && Some(offset) != stop;
            let Some((rule, what)) = self.rule_of(letter, is_stop, &mut met) else {
                if changed {
                    ruled.push(letter);
                }
                continue;
            };
            if rule == LetterRule::Reject && !is_stop {
                return Err(EncodeError::Ruled { letter, offset, what });
            }
            if is_stop && rule == LetterRule::Reject {
                return Err(EncodeError::StopInside { offset });
            }
            let kept = if is_stop { self.any() } else { letter };
            if rule != LetterRule::Strip && !is_stop {
                if changed {
                    ruled.push(letter);
                }
                continue;
            }
            if !changed {
                ruled.push_str(&text[..offset]);
                changed = true;
            }
            if rule != LetterRule::Strip {
                ruled.push(kept);
            }
        }
        let text = if changed { Cow::Owned(ruled) } else { Cow::Borrowed(text) };
        Ok(Ruled { text, met })
    }

    /// The rule for a letter that has one, and what such letters are; counts it.
    fn rule_of(
        self,
        letter: char,
        is_stop: bool,
        met: &mut LetterCounts,
    ) -> Option<(LetterRule, &'static str)> {
        if is_stop {
            met.stops += 1;
            return Some((self.stops, "a stop"));
        }
        if letter == '-' || letter == '.' {
            met.gaps += 1;
            return Some((self.gaps, "a gap"));
        }
        let any = letter.eq_ignore_ascii_case(&self.any());
        met.unknown += u64::from(any);
        if letter.is_ascii_lowercase() {
            met.insertions += 1;
            if !any || self.insertions != LetterRule::Keep {
                return Some((self.insertions, "an insertion (lower case)"));
            }
        }
        any.then_some((self.unknown, "any residue"))
    }

    /// The rules in words, with what was met.
    pub fn told(self, met: &LetterCounts) -> String {
        let case = if self.insertions == LetterRule::Keep {
            "read as upper case".to_owned()
        } else {
            told(self.insertions)
        };
        let mut all = vec![
            ("gaps".to_owned(), told(self.gaps), met.gaps),
            ("lower case".to_owned(), case, met.insertions),
            (self.any().to_string(), told(self.unknown), met.unknown),
        ];
        if self.protein {
            let rule = if self.stops == LetterRule::Keep {
                "read as X".to_owned()
            } else {
                told(self.stops)
            };
            all.push(("stops inside".to_owned(), rule, met.stops));
        }
        let all = all.into_iter().map(|(what, rule, count)| match count {
            0 => format!("{what} {rule}"),
            _ => format!("{what} {rule} ({count} met)"),
        });
        format!("letters: {}", all.collect::<Vec<_>>().join(", "))
    }

    /// Whether letters were met that change what a text is, or what is learned of it.
    pub fn matter(self, met: &LetterCounts) -> bool {
        met.gaps + met.stops > 0
            || (met.unknown > 0 && self.unknown != LetterRule::Keep)
            || (met.insertions > 0 && self.insertions != LetterRule::Keep)
    }
}

/// Where the stop that ends a protein stands: only blanks and gaps follow it.
fn last_stop(text: &str) -> Option<usize> {
    let body = text.trim_end_matches([' ', '\t', '\r', '\n', '-', '.']);
    body.ends_with('*').then(|| body.len() - 1)
}

fn told(rule: LetterRule) -> String {
    match rule {
        LetterRule::Keep => "kept",
        LetterRule::Strip => "left out",
        LetterRule::Reject => "rejected",
        LetterRule::Mask => "read and not learned",
    }
    .to_owned()
}

/// The rule that was said, else the first of those that can be.
fn settle(key: &str, said: Option<LetterRule>, can: &[LetterRule]) -> Result<LetterRule> {
    match (said, can) {
        // Bases have no stops: `*` is no letter of theirs.
        (None, []) => Ok(LetterRule::Reject),
        (None, [usual, ..]) => Ok(*usual),
        (Some(rule), _) if can.contains(&rule) => Ok(rule),
        (Some(rule), _) => {
            let name = |rule: &LetterRule| format!("{rule:?}").to_lowercase();
            let names: Vec<String> = can.iter().map(name).collect();
            let problem = format!("the alphabet cannot `{}` such letters", name(&rule));
            let fix = match &names[..] {
                [] => "leave it out".to_owned(),
                names => format!("choose {}", names.join(", ")),
            };
            Err(DataError::invalid(key, problem, fix))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use LetterRule::{Keep, Mask, Reject, Strip};

    fn letters(rules: LetterRules, kind: TokenizerKind) -> Letters {
        Letters::of_kind(&rules, kind).unwrap().unwrap()
    }

    fn ruled(rules: LetterRules, text: &str) -> String {
        let letters = letters(rules, TokenizerKind::AminoAcid);
        letters.rule(text).map_or_else(|e| e.to_string(), |it| it.text.into_owned())
    }

    #[test]
    fn a_row_of_an_alignment_is_its_sequence_by_default() {
        let usual = LetterRules::default();
        assert_eq!(ruled(usual, "MK-t.yI--"), "MKtyI");
        assert_eq!(
            ruled(usual, "MKV*---"),
            "MKV*",
            "a stop that ends a protein may have gaps behind it"
        );
        assert!(matches!(
            letters(usual, TokenizerKind::AminoAcid).rule("MKX"),
            Ok(Ruled { text: Cow::Borrowed("MKX"), .. })
        ));
        let met = letters(usual, TokenizerKind::AminoAcid).rule("MK-t.yXx*").unwrap().met;
        assert_eq!(met, LetterCounts { gaps: 2, insertions: 3, stops: 0, unknown: 2 });
    }

    #[test]
    fn every_rule_does_what_it_says() {
        let gaps = |rule| LetterRules { gaps: Some(rule), ..LetterRules::default() };
        assert_eq!(ruled(gaps(Keep), "M-k"), "M-k");
        assert_eq!(ruled(gaps(Mask), "M-k"), "M-k");
        assert!(ruled(gaps(Reject), "M-k").contains("'-' at offset 1"));
        let insertions = |rule| LetterRules { insertions: Some(rule), ..LetterRules::default() };
        assert_eq!(ruled(insertions(Strip), "MktxV"), "MV");
        assert!(ruled(insertions(Reject), "MktV").contains("'k' at offset 1"));
        let stops = |rule| LetterRules { stops: Some(rule), ..LetterRules::default() };
        assert_eq!(ruled(stops(Strip), "M*K*V*"), "MKV*");
        assert_eq!(ruled(stops(Keep), "M*K*"), "MXK*");
        assert!(ruled(LetterRules::default(), "M-*K").contains("offset 2"));
        let unknown = |rule| LetterRules { unknown: Some(rule), ..LetterRules::default() };
        assert_eq!(ruled(unknown(Strip), "MXxK"), "MK");
        assert!(ruled(unknown(Reject), "MXK").contains("'X' at offset 1"));
    }

    #[test]
    fn bases_have_n_without_a_label_and_no_token_for_gaps() {
        let tokenizer = Tokenizer::nucleotide();
        let usual = Letters::of(&LetterRules::default(), &tokenizer).unwrap().unwrap();
        let ids = usual.unlabelled(&tokenizer);
        assert_eq!(
            ids.iter().map(|&id| tokenizer.token_text(id).unwrap()).collect::<Vec<_>>(),
            ["N"]
        );
        assert_eq!(usual.rule("AC-gn").unwrap().text, "ACgn");
        for rules in [
            LetterRules { gaps: Some(Keep), ..LetterRules::default() },
            LetterRules { stops: Some(Strip), ..LetterRules::default() },
            LetterRules { insertions: Some(Mask), ..LetterRules::default() },
        ] {
            let error = Letters::of(&rules, &tokenizer).unwrap_err().to_string();
            assert!(error.contains("letters.") && error.contains("fix:"), "{error}");
        }
        assert!(Letters::of(&LetterRules::default(), &Tokenizer::byte()).unwrap().is_none());
        let gaps = LetterRules { gaps: Some(Strip), ..LetterRules::default() };
        assert!(Letters::of(&gaps, &Tokenizer::byte()).unwrap_err().to_string().contains("byte"));
    }

    #[test]
    fn gaps_that_are_not_learned_are_both_of_them() {
        let tokenizer = Tokenizer::amino_acid();
        let rules = LetterRules { gaps: Some(Mask), ..LetterRules::default() };
        let ids = Letters::of(&rules, &tokenizer).unwrap().unwrap().unlabelled(&tokenizer);
        assert_eq!(
            ids.iter().map(|&id| tokenizer.token_text(id).unwrap()).collect::<Vec<_>>(),
            [".", "-"]
        );
    }
}
