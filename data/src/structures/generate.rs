//! Labelled structures that the program makes itself, so that a first run needs no download.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A built-in generator of labelled structures. The same values give the same structures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum GenerateStructures {
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

impl GenerateStructures {
    /// Its name in a config.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Silicon { .. } => "silicon",
        }
    }
}
