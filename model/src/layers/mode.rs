//! How a forward pass is run: arithmetic, and dropout if it is a training pass.

use burn::tensor::Tensor;
use genesis_kernels::{DropoutMask, Kernels, Precision, dropout};
use genesis_schema::Stream;

/// Arithmetic and dropout of one forward pass.
#[derive(Debug, Clone, Copy)]
pub struct Mode {
    /// Arithmetic of matrix products and attention.
    pub precision: Precision,
    /// Stream and number of the pass. The number must differ between passes whose masks have to
    /// differ: optimizer steps, accumulation slices and ranks.
    pub dropout: Option<(Stream, u64)>,
}

/// A place where elements are dropped; every site has its own mask.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Site {
    Embedding,
    Attention { layer: usize },
    FeedForward { layer: usize },
}

impl Site {
    fn number(self) -> u64 {
        match self {
            Self::Embedding => 0,
            Self::Attention { layer } => 1 + 2 * layer as u64,
            Self::FeedForward { layer } => 2 + 2 * layer as u64,
        }
    }
}

impl Mode {
    /// No dropout.
    pub fn inference(precision: Precision) -> Self {
        Self { precision, dropout: None }
    }

    /// Dropout at the configured rates, with the masks of pass number `pass` of `stream`.
    pub fn training(precision: Precision, stream: Stream, pass: u64) -> Self {
        Self { precision, dropout: Some((stream, pass)) }
    }

    /// Whether elements are dropped at this rate.
    pub(crate) fn drops(&self, rate: f64) -> bool {
        self.dropout.is_some() && rate > 0.0
    }

    /// `x` with elements dropped with probability `rate` and the rest scaled by `1 / (1 - rate)`;
    /// `x` itself outside training.
    pub(crate) fn drop<B: Kernels>(&self, x: Tensor<B, 2>, rate: f64, site: Site) -> Tensor<B, 2> {
        match self.dropout {
            Some((stream, pass)) if rate > 0.0 => {
                let key = stream.word(pass, site.number());
                dropout::dropout(x, &DropoutMask { rate, key, index: 0 })
            }
            _ => x,
        }
    }
}
