//! `[precision]` of a run on sequences: the arithmetic of its matrix products.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[precision]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PrecisionConfig {
    /// Arithmetic of matrix products; weights, moments and sums are always f32.
    #[serde(default)]
    pub compute: Compute,
}

/// Arithmetic of matrix products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compute {
    /// 32-bit operands and sums.
    #[default]
    F32,
    /// Operands rounded to bf16, sums in f32.
    Bf16,
}

impl From<Compute> for genesis_kernels::Precision {
    fn from(compute: Compute) -> Self {
        match compute {
            Compute::F32 => Self::Full,
            Compute::Bf16 => Self::Bf16Mixed,
        }
    }
}
