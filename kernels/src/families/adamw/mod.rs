//! One step of AdamW, or of Adam with AMSGrad, on a flat buffer of parameters.
//!
//! ```text
//! both      g <- grad_scale g
//! AdamW     p <- p (1 - rate decay)
//!           m <- m + (1 - beta1) (g - m)
//!           v <- beta2 v + (1 - beta2) g^2
//!           p <- p - rate / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon)
//! AMSGrad   g <- g + decay p
//!           m, v as above; u <- max(u, v)
//!           p <- p - rate / (1 - beta1^t) * m / (sqrt(u) / sqrt(1 - beta2^t) + epsilon)
//! layout    p, g, m, v, u [P]; t counts from 1
//! dtypes    f32 or f64; the scalar factors are computed in f64
//! ordering  elementwise, deterministic
//! source    Loshchilov and Hutter, "Decoupled Weight Decay Regularization", arXiv:1711.05101,
//!           in the order of operations of torch.optim.AdamW; AMSGrad: Reddi et al., "On the
//!           Convergence of Adam and Beyond", arXiv:1904.09237, as torch.optim.Adam(amsgrad=True)
//! ```
//!
//! No op: an update is not differentiated.

pub(crate) mod cases;
#[expect(clippy::inline_always, reason = "inlining carries the instruction set into the loops")]
pub(crate) mod cpu;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
pub(crate) mod gpu;
pub mod reference;
pub mod roofline;
#[cfg(test)]
mod tests;
#[cfg(all(test, feature = "wgpu"))]
mod wgpu_tests;

use burn::tensor::{Tensor, backend::Backend};

use crate::dispatch::{CHECKED, kernels};
use crate::shape::assert_shape;

/// The scalars of one step.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct AdamwStep {
    /// Learning rate of this step.
    pub rate: f64,
    /// Decay of the first moment, in `[0, 1)`.
    pub beta1: f64,
    /// Decay of the second moment, in `[0, 1)`.
    pub beta2: f64,
    /// Added to the root of the corrected second moment.
    pub epsilon: f64,
    /// Weight decay: of AdamW decoupled, per unit of rate; of AMSGrad a term of the gradient.
    pub weight_decay: f64,
    /// Number of this step, from 1.
    pub step: u64,
    /// Factor of the gradient before all else: 1, or what brings it to the largest norm.
    pub grad_scale: f64,
}

impl AdamwStep {
    /// `1 - rate * weight_decay`, the factor of the decay.
    pub fn keep(&self) -> f64 {
        1.0 - self.rate * self.weight_decay
    }

    /// `rate / (1 - beta1^t)`.
    pub fn step_size(&self) -> f64 {
        self.rate / (1.0 - power(self.beta1, self.step))
    }

    /// `sqrt(1 - beta2^t)`.
    pub fn second_correction(&self) -> f64 {
        (1.0 - power(self.beta2, self.step)).sqrt()
    }
}

/// Parameters and state of Adam with AMSGrad, all `[P]`.
#[derive(Debug, Clone)]
pub struct AmsgradState<B: Backend> {
    /// Parameters, `p`.
    pub param: Tensor<B, 1>,
    /// First moments, `m`.
    pub first: Tensor<B, 1>,
    /// Second moments, `v`.
    pub second: Tensor<B, 1>,
    /// Largest second moments so far, `u`.
    pub largest: Tensor<B, 1>,
}

fn power(base: f64, step: u64) -> f64 {
    assert!(step > 0, "adamw: `step` is 0 but counts from 1");
    base.powf(step as f64)
}

kernels! {
    pub trait AdamwKernels: Backend {
        fn adamw(
            param: Tensor<Self, 1>,
            grad: Tensor<Self, 1>,
            first: Tensor<Self, 1>,
            second: Tensor<Self, 1>,
            step: &AdamwStep,
        ) -> (Tensor<Self, 1>, Tensor<Self, 1>, Tensor<Self, 1>) {
            reference::step(param, grad, first, second, step)
        }
        fn amsgrad(
            state: AmsgradState<Self>,
            grad: Tensor<Self, 1>,
            step: &AdamwStep,
        ) -> AmsgradState<Self> {
            reference::amsgrad(state, grad, step)
        }
    }
    cpu {
        adamw: cpu::step,
        amsgrad: cpu::amsgrad,
    }
    gpu {
        adamw: gpu::adamw,
        amsgrad: gpu::amsgrad,
    }
    autodiff {}
}

/// One step on flat buffers `[P]`: `(parameters, first moments, second moments)`.
pub fn adamw<B: AdamwKernels>(
    param: Tensor<B, 1>,
    grad: Tensor<B, 1>,
    first: Tensor<B, 1>,
    second: Tensor<B, 1>,
    step: &AdamwStep,
) -> (Tensor<B, 1>, Tensor<B, 1>, Tensor<B, 1>) {
    for (name, other) in [("grad", &grad), ("first", &first), ("second", &second)] {
        assert_shape("adamw", name, other.dims(), param.dims(), "`param` fixes P");
    }
    <B as AdamwKernels>::adamw(CHECKED, param, grad, first, second, step)
}

/// One step of Adam with AMSGrad and coupled decay.
pub fn amsgrad<B: AdamwKernels>(
    state: AmsgradState<B>,
    grad: Tensor<B, 1>,
    step: &AdamwStep,
) -> AmsgradState<B> {
    let AmsgradState { param, first, second, largest } = &state;
    let others = [("grad", &grad), ("first", first), ("second", second), ("largest", largest)];
    for (name, other) in others {
        assert_shape("amsgrad", name, other.dims(), param.dims(), "`param` fixes P");
    }
    <B as AdamwKernels>::amsgrad(CHECKED, state, grad, step)
}
