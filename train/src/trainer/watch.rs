//! Stops a run at the first number that is not finite, and notes losses that jump.
//!
//! Attribution costs nothing until it is needed: the norm of every gradient is there already.

use genesis_kernels::Kernels;
use genesis_model::{ParamSpec, Params};

use super::error::NonFinite;
use super::optim::GradientNorm;

/// Weight of the newest loss in the running mean and variance: a memory of about fifty steps.
const NEWEST: f64 = 0.02;
/// Steps before a jump is judged.
const WARM_UP: u64 = 50;
/// Standard deviations above the running mean that count as a jump.
const JUMP: f64 = 6.0;

/// Running statistics of the loss. Not saved: they decide what is noted, never what is trained.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    seen: u64,
    mean: f64,
    variance: f64,
}

impl Watch {
    /// Takes the loss of a step; returns a sentence when it jumped.
    pub fn observe(&mut self, loss: f64) -> Option<String> {
        let deviation = loss - self.mean;
        let scale = self.variance.sqrt();
        let jumped = self.seen >= WARM_UP && deviation > JUMP * scale;
        let note = jumped.then(|| {
            format!("loss {loss:.4} is {deviation:.4} above its running mean {:.4} (standard deviation {scale:.4})", self.mean)
        });
        if self.seen == 0 {
            self.mean = loss;
        } else {
            self.mean += NEWEST * deviation;
            self.variance = (1.0 - NEWEST) * (self.variance + NEWEST * deviation * deviation);
        }
        self.seen += 1;
        note
    }
}

/// What a step was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Samples {
    /// What they are called: documents, structures.
    pub are: &'static str,
    /// Their numbers in the training split, ascending, each once.
    pub ids: Vec<u64>,
    /// The ranks that they are of, where not all ranks had a loss that is not finite.
    pub of_ranks: Vec<String>,
}

/// What a step came to.
#[derive(Debug, Clone, Copy)]
pub struct Reached<'a> {
    /// The step, counted from 1.
    pub step: u64,
    /// Its loss.
    pub loss: f64,
    /// Its learning rate.
    pub rate: f64,
    /// Norms of its gradients.
    pub norm: &'a GradientNorm,
}

impl Reached<'_> {
    /// Whether loss and gradients are finite.
    pub fn is_finite(&self) -> bool {
        self.loss.is_finite() && self.norm.total().is_finite()
    }

    /// What of it, or of the `params`, is not finite.
    pub fn found<B: Kernels>(&self, params: &Params<B>, samples: Samples) -> NonFinite {
        let names = |places: Vec<usize>| {
            places.into_iter().map(|at| name(&params.specs()[at])).collect::<Vec<_>>()
        };
        NonFinite {
            step: self.step,
            loss: self.loss,
            grad_norm: self.norm.total(),
            rate: self.rate,
            gradients: names(self.norm.non_finite()),
            parameters: names(GradientNorm::of(params.values()).non_finite()),
            samples,
            checkpoints: Vec::new(),
        }
    }
}

fn name(spec: &ParamSpec) -> String {
    spec.name.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_is_noted_and_ordinary_noise_is_not() {
        let mut watch = Watch::default();
        for step in 0..200 {
            let noise = if step % 2 == 0 { 0.05 } else { -0.05 };
            assert_eq!(watch.observe(3.0 - f64::from(step) * 1e-3 + noise), None, "step {step}");
        }
        assert!(watch.observe(4.5).is_some_and(|note| note.contains("4.5")));
    }
}
