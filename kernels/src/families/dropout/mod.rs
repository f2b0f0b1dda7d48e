//! Dropout whose mask is a pure function of a key and a counter, so nothing is stored: the
//! backward pass, a resumed run and another backend all draw the same mask.
//!
//! ```text
//! maths     y[e] = x[e] / (1 - rate) if u[e] >= floor(rate 2^32) else x[e] * 0
//!           u[e] = first word of Philox4x32-10(key, counter = [e_lo, e_hi, index_lo, index_hi])
//!           e = row-major element number; the backward is the same function of the gradient
//! layout    x, y [N, C]
//! dtypes    f32 or f64
//! ordering  elementwise, deterministic
//! source    Srivastava et al., JMLR 15 (2014) 1929; Salmon et al., SC 2011,
//!           doi:10.1145/2063384.2063405
//! ```
//!
//! A dropped NaN stays NaN (`NaN * 0`): a broken activation is never hidden.

pub(crate) mod cases;
#[expect(clippy::inline_always, reason = "inlining carries the instruction set into the loops")]
pub(crate) mod cpu;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
pub(crate) mod gpu;
mod op;
#[expect(clippy::inline_always, reason = "inlining carries the instruction set into the loops")]
mod philox;
pub mod reference;
pub mod roofline;
#[cfg(test)]
mod tests;
#[cfg(all(test, feature = "wgpu"))]
mod wgpu_tests;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::dispatch::{CHECKED, kernels};

pub use philox::philox4x32;

/// Which elements a call drops.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct DropoutMask {
    /// Probability of dropping, in `[0, 1)`.
    pub rate: f64,
    /// Key of the generator: a word of the caller's named random stream. Low half first.
    pub key: u64,
    /// Second half of the counter: what tells two calls under one key apart.
    pub index: u64,
}

impl DropoutMask {
    /// Words below this drop their element.
    fn threshold(&self) -> u32 {
        let rate = self.rate;
        assert!((0.0..1.0).contains(&rate), "dropout: the rate is {rate} but must be in 0..1");
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in 0..2^32")]
        let threshold = (rate * 4_294_967_296.0) as u32;
        threshold
    }

    /// Whether row-major element number `lane` is kept.
    pub fn keeps(&self, lane: u64) -> bool {
        philox4x32(self.key, lane, self.index)[0] >= self.threshold()
    }

    /// Factor of a kept element: `1 / (1 - rate)`.
    pub fn scale(&self) -> f64 {
        1.0 / (1.0 - self.rate)
    }
}

kernels! {
    pub trait DropoutKernels: Backend {
        fn dropout(x: Tensor<Self, 2>, mask: &DropoutMask) -> Tensor<Self, 2> {
            reference::forward(x, mask)
        }
    }
    cpu {
        dropout: cpu::forward,
    }
    gpu {
        dropout: gpu::forward,
    }
    autodiff {
        dropout: op::tracked,
    }
}

/// Elements of `x` kept with probability `1 - rate` and scaled up. The backward is the same
/// function of the gradient.
pub fn dropout<B: DropoutKernels>(x: Tensor<B, 2>, mask: &DropoutMask) -> Tensor<B, 2> {
    <B as DropoutKernels>::dropout(CHECKED, x, mask)
}
