//! Sizes that occur in our models.

use std::str::FromStr;

use genesis_kernels::cases::{Atoms, Sequences, Sizes};

/// A set of shapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShapeSet {
    /// Tiny: whether everything runs.
    Small,
    /// A step of a small model on a workstation.
    Model,
    /// A step of a larger one.
    Large,
}

impl ShapeSet {
    /// Names on the command line.
    pub const NAMES: [&'static str; 3] = ["small", "model", "large"];

    /// The sizes.
    pub(super) fn sizes(self) -> Sizes {
        let sequences = |[batch, context, width, heads, hidden, vocabulary]: [usize; 6]| {
            Sequences { batch, context, width, heads, hidden, vocabulary }
        };
        match self {
            Self::Small => Sizes {
                sequences: sequences([2, 12, 32, 2, 64, 65]),
                atoms: Atoms { nodes: 12, neighbors: 5, channels: 8, degree: 1 },
                parameters: 1_000,
            },
            Self::Model => Sizes {
                sequences: sequences([16, 256, 384, 6, 1024, 65]),
                atoms: Atoms { nodes: 150, neighbors: 12, channels: 32, degree: 1 },
                parameters: 10_000_000,
            },
            Self::Large => Sizes {
                sequences: sequences([4, 1024, 1024, 16, 2816, 32_000]),
                atoms: Atoms { nodes: 1000, neighbors: 40, channels: 64, degree: 2 },
                parameters: 50_000_000,
            },
        }
    }
}

impl FromStr for ShapeSet {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "small" => Ok(Self::Small),
            "model" => Ok(Self::Model),
            "large" => Ok(Self::Large),
            _ => Err(format!("no set of shapes is called `{name}`: {}", Self::NAMES.join(", "))),
        }
    }
}
