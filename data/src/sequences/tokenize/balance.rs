//! Whether a SMILES string is well formed as a string: what generated molecules are counted by.
//!
//! Valences and aromaticity are not judged here; that needs a chemistry toolkit.

use std::collections::BTreeSet;

use super::{EncodeError, smiles_tokens};

/// Why a string is not balanced SMILES. Offsets are bytes from its start, white space trimmed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Imbalance {
    /// No atom at all.
    #[error("it is empty")]
    Empty,
    /// Something that is no SMILES token, an unclosed `[` included.
    #[error(transparent)]
    Token(#[from] EncodeError),
    /// `)` without `(`.
    #[error("`)` at offset {offset} closes nothing")]
    Close {
        /// Where.
        offset: usize,
    },
    /// `(` without `)`.
    #[error("{open} `(` left open")]
    Open {
        /// How many.
        open: usize,
    },
    /// `()`, or a branch before any atom.
    #[error("the branch at offset {offset} is empty or has no atom before it")]
    Branch {
        /// Where.
        offset: usize,
    },
    /// Ring-closure number that occurs once.
    #[error("ring closure {number} is never closed")]
    Ring {
        /// The number, without `%`.
        number: u8,
    },
    /// A bond or ring number with no atom where one must be.
    #[error("`{token}` at offset {offset} needs an atom {side} it")]
    Dangling {
        /// The token.
        token: String,
        /// Where.
        offset: usize,
        /// "before" or "after".
        side: &'static str,
    },
}

/// Checks that all is SMILES tokens, that brackets and parentheses pair up and none is empty,
/// that every ring-closure number (`1`, `%12`) is closed, and that bonds join two atoms.
///
/// # Errors
/// The first [`Imbalance`] found.
pub fn smiles_is_balanced(smiles: &str) -> Result<(), Imbalance> {
    let mut state = State::default();
    for token in smiles_tokens(smiles.trim()) {
        let token = token?;
        state.read(token)?;
        state.offset += token.len();
    }
    state.finish()
}

#[derive(Default)]
struct State {
    offset: usize,
    atoms: usize,
    branches: usize,
    /// Ring numbers that wait for their second occurrence.
    rings: BTreeSet<u8>,
    /// What stands directly before.
    last: Last,
}

#[derive(Default, Clone, PartialEq)]
enum Last {
    /// The start of the string or of a part after `.`.
    #[default]
    Start,
    Atom,
    Open,
    Close,
    Bond(String, usize),
}

impl State {
    fn read(&mut self, token: &str) -> Result<(), Imbalance> {
        match token.as_bytes()[0] {
            b'(' => self.open(),
            b')' => self.close(),
            b'.' | b'>' => self.part(token),
            b'0'..=b'9' | b'%' => self.ring(token),
            b'=' | b'#' | b'-' | b'/' | b'\\' | b':' | b'~' | b'$' => self.bond(token),
            _ => {
                self.atoms += 1;
                self.last = Last::Atom;
                Ok(())
            }
        }
    }

    fn open(&mut self) -> Result<(), Imbalance> {
        if !matches!(self.last, Last::Atom | Last::Close) {
            return Err(Imbalance::Branch { offset: self.offset });
        }
        self.branches += 1;
        self.last = Last::Open;
        Ok(())
    }

    fn close(&mut self) -> Result<(), Imbalance> {
        let offset = self.offset;
        self.whole_bond()?;
        if self.last == Last::Open {
            return Err(Imbalance::Branch { offset });
        }
        self.branches = self.branches.checked_sub(1).ok_or(Imbalance::Close { offset })?;
        self.last = Last::Close;
        Ok(())
    }

    fn part(&mut self, token: &str) -> Result<(), Imbalance> {
        self.whole_bond()?;
        // A reaction may begin or go on with `>`; `.` separates two molecules.
        if token == "." && self.last == Last::Start {
            return Err(self.dangling(token, "before"));
        }
        self.last = Last::Start;
        Ok(())
    }

    fn ring(&mut self, token: &str) -> Result<(), Imbalance> {
        // A bond may stand between atom and ring number: `C=1CCCCC1`.
        let after_atom = matches!(self.last, Last::Atom)
            || matches!(&self.last, Last::Bond(..) if self.atoms > 0);
        if !after_atom {
            return Err(self.dangling(token, "before"));
        }
        let number = token.trim_start_matches('%').parse().expect("one or two digits");
        if !self.rings.remove(&number) {
            self.rings.insert(number);
        }
        self.last = Last::Atom;
        Ok(())
    }

    fn bond(&mut self, token: &str) -> Result<(), Imbalance> {
        if !matches!(self.last, Last::Atom | Last::Close | Last::Open) {
            return Err(self.dangling(token, "before"));
        }
        self.last = Last::Bond(token.to_owned(), self.offset);
        Ok(())
    }

    fn whole_bond(&self) -> Result<(), Imbalance> {
        match &self.last {
            Last::Bond(token, offset) => {
                Err(Imbalance::Dangling { token: token.clone(), offset: *offset, side: "after" })
            }
            _ => Ok(()),
        }
    }

    fn dangling(&self, token: &str, side: &'static str) -> Imbalance {
        Imbalance::Dangling { token: token.to_owned(), offset: self.offset, side }
    }

    fn finish(self) -> Result<(), Imbalance> {
        self.whole_bond()?;
        if self.branches > 0 {
            return Err(Imbalance::Open { open: self.branches });
        }
        if let Some(&number) = self.rings.first() {
            return Err(Imbalance::Ring { number });
        }
        if self.atoms == 0 {
            return Err(Imbalance::Empty);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_formed_molecules_are_balanced() {
        for smiles in [
            "C",
            "CC(=O)Oc1ccccc1C(=O)O",
            "C%12CCCCC%12",
            "C=1CCCCC1",
            "[Na+].[Cl-]",
            "F/C=C/F",
            "C1CC1(C)(N)O",
            "C[C@@H](N)C(=O)O",
            "CC>>CO",
        ] {
            assert_eq!(smiles_is_balanced(smiles), Ok(()), "{smiles}");
        }
    }

    #[test]
    fn each_imbalance_is_told_apart() {
        let problem = |smiles: &str| smiles_is_balanced(smiles).expect_err(smiles);
        assert_eq!(problem(""), Imbalance::Empty);
        assert_eq!(problem("CC)"), Imbalance::Close { offset: 2 });
        assert_eq!(problem("C(C"), Imbalance::Open { open: 1 });
        assert_eq!(problem("C()C"), Imbalance::Branch { offset: 2 });
        assert_eq!(problem("(C)C"), Imbalance::Branch { offset: 0 });
        assert_eq!(problem("C1CC"), Imbalance::Ring { number: 1 });
        assert_eq!(problem("C%10CC1"), Imbalance::Ring { number: 1 });
        assert!(matches!(problem("C[NH"), Imbalance::Token(_)));
        assert!(matches!(problem("CQ"), Imbalance::Token(_)));
        assert!(matches!(problem("CC="), Imbalance::Dangling { side: "after", .. }));
        assert!(matches!(problem("=CC"), Imbalance::Dangling { side: "before", .. }));
        assert!(matches!(problem("C=#C"), Imbalance::Dangling { side: "before", .. }));
        assert!(matches!(problem("1CC1"), Imbalance::Dangling { side: "before", .. }));
        assert!(matches!(problem("C..C"), Imbalance::Dangling { side: "before", .. }));
        assert!(matches!(problem("C(=)C"), Imbalance::Dangling { side: "after", .. }));
    }
}
