//! Sizes that occur in our models.

use std::str::FromStr;

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

    /// Sizes of a transformer.
    pub(super) fn sequences(self) -> Sequences {
        let sizes = |batch, context, width, heads, hidden, vocabulary| Sequences {
            batch,
            context,
            width,
            heads,
            hidden,
            vocabulary,
        };
        match self {
            Self::Small => sizes(2, 12, 32, 2, 64, 65),
            Self::Model => sizes(16, 256, 384, 6, 1024, 65),
            Self::Large => sizes(4, 1024, 1024, 16, 2816, 32_000),
        }
    }

    /// Sizes of an equivariant network.
    pub(super) fn atoms(self) -> Atoms {
        match self {
            Self::Small => Atoms { nodes: 12, neighbors: 5, channels: 8, degree: 1 },
            Self::Model => Atoms { nodes: 150, neighbors: 12, channels: 32, degree: 1 },
            Self::Large => Atoms { nodes: 1000, neighbors: 40, channels: 64, degree: 2 },
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

/// A batch of a transformer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sequences {
    pub(super) batch: usize,
    pub(super) context: usize,
    pub(super) width: usize,
    pub(super) heads: usize,
    pub(super) hidden: usize,
    pub(super) vocabulary: usize,
}

impl Sequences {
    pub(super) fn tokens(&self) -> usize {
        self.batch * self.context
    }

    /// Of a head.
    pub(super) fn head_width(&self) -> usize {
        self.width / self.heads
    }
}

/// A batch of an equivariant network, harmonics to degree 3, three species.
#[derive(Debug, Clone, Copy)]
pub(super) struct Atoms {
    pub(super) nodes: usize,
    pub(super) neighbors: usize,
    pub(super) channels: usize,
    /// Highest of the features.
    pub(super) degree: usize,
}

impl Atoms {
    pub(super) fn edges(&self) -> usize {
        self.nodes * self.neighbors
    }

    /// Rows of radial weights: an edge and its reverse share one.
    pub(super) fn rows(&self) -> usize {
        self.edges() / 2
    }
}
