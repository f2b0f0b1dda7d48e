//! Data that the program makes itself, so that a first run needs no download.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ingest::TokenizerChoice;
use super::molecules::molecule;

/// A built-in generator. The same values give the same records, on any machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum GenerateSequences {
    /// Small organic molecules as SMILES strings.
    Molecules {
        /// Strings to make; the few that repeat an earlier one are dropped by the ingest.
        count: u64,
        /// Which ones.
        #[serde(default)]
        seed: u64,
    },
}

impl GenerateSequences {
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
    pub(crate) fn record(&self, index: u64) -> Option<String> {
        match *self {
            Self::Molecules { count, seed } => (index < count).then(|| molecule(seed, index)),
        }
    }
}
