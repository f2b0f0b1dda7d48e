//! Data that the program makes itself, so that a first run needs no download.

mod molecules;
mod silicon;

use serde::{Deserialize, Serialize};

use super::TokenizerChoice;
pub use molecules::molecule;
pub use silicon::{Labelled, SiliconFrame, SiliconFrames, stillinger_weber};

/// A built-in generator. The same values give the same records, on any machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Generate {
    /// Small organic molecules as SMILES strings.
    Molecules {
        /// Strings to make; the few that repeat an earlier one are dropped by the ingest.
        count: u64,
        /// Which ones.
        #[serde(default)]
        seed: u64,
    },
}

impl Generate {
    /// Its name in a config.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Molecules { .. } => "molecules",
        }
    }

    /// The tokenizer that suits it.
    pub fn tokenizer(&self) -> TokenizerChoice {
        match self {
            Self::Molecules { .. } => TokenizerChoice::Smiles,
        }
    }

    /// Record number `index`; `None` after the last.
    pub(super) fn record(&self, index: u64) -> Option<String> {
        match *self {
            Self::Molecules { count, seed } => (index < count).then(|| molecule(seed, index)),
        }
    }
}

/// A built-in generator of labelled structures. The same values give the same structures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum GenerateAtoms {
    /// Silicon crystals of 8 to 64 atoms at 300, 600 and 1200 K, by molecular dynamics of the
    /// Stillinger-Weber potential, with its energies, forces and stress.
    Silicon {
        /// Structures to make.
        frames: u64,
        /// Which ones.
        #[serde(default)]
        seed: u64,
    },
}

impl GenerateAtoms {
    /// Its name in a config.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Silicon { .. } => "silicon",
        }
    }
}
