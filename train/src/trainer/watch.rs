//! Losses and gradient norms that jump, and what is known of a step that cannot be trusted.
//!
//! Attribution costs nothing until it is needed: the norm of every gradient is there already.

use std::fmt;

use genesis_kernels::Kernels;
use genesis_model::{ParamSpec, Params};

use super::error::Diverged;
use super::optim::GradientNorm;
use crate::checkpoint::{Running, Watched};

/// Weight of the newest value in the running mean and variance: a memory of about fifty steps.
const NEWEST: f64 = 0.02;
/// Steps before a jump is judged.
const WARM_UP: u64 = 50;
/// Least standard deviation that is believed, over the mean: rounding is no jump.
const LEAST: f64 = 1e-6;

/// What a run remembers of its losses and gradient norms; every checkpoint keeps it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Watch {
    /// Standard deviations above the running mean that count as a jump.
    deviations: f64,
    state: Watched,
}

impl Watch {
    /// Counts as a jump what is more than `deviations` above the mean, continuing from `state`.
    pub fn new(deviations: f64, state: Option<Watched>) -> Self {
        Self { deviations, state: state.unwrap_or_default() }
    }

    /// What a checkpoint keeps.
    pub fn state(&self) -> Watched {
        self.state
    }

    /// How loss or gradient norm of a step jump, if they do.
    pub fn jump(&self, loss: f64, grad_norm: f64) -> Option<Jump> {
        let of = |what, value, running: Running| {
            let spread = spread(running);
            let limit = running.mean + self.deviations * spread;
            let jumps = running.seen >= WARM_UP && value > limit;
            jumps.then_some(Jump { what, value, mean: running.mean, spread })
        };
        let Watched { loss: losses, grad_norm: norms } = self.state;
        of("loss", loss, losses).or_else(|| of("gradient norm", grad_norm, norms))
    }

    /// Takes in a step. A jump counts as the largest value that would be none: one alone hides no later one, and a
    /// level that lasts becomes the usual one.
    pub fn take(&mut self, loss: f64, grad_norm: f64) {
        let deviations = self.deviations;
        let add = |running: &mut Running, value: f64| {
            if !value.is_finite() {
                return;
            }
            let most = running.mean + deviations * spread(*running);
            let value = if running.seen >= WARM_UP { value.min(most) } else { value };
            let deviation = value - running.mean;
            if running.seen == 0 {
                running.mean = value;
            } else {
                running.mean += NEWEST * deviation;
                let grown = running.variance + NEWEST * deviation * deviation;
                running.variance = (1.0 - NEWEST) * grown;
            }
            running.seen += 1;
        };
        add(&mut self.state.loss, loss);
        add(&mut self.state.grad_norm, grad_norm);
    }
}

fn spread(running: Running) -> f64 {
    running.variance.sqrt().max(LEAST * running.mean.abs())
}

/// A value far above its running mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Jump {
    what: &'static str,
    value: f64,
    mean: f64,
    /// Standard deviation.
    spread: f64,
}

impl fmt::Display for Jump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, value, mean, spread } = *self;
        let times = (value - mean) / spread;
        write!(
            f,
            "{what} {value:.4} is {times:.1} standard deviations of {spread:.4} above its running mean {mean:.4}"
        )
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
    /// How it jumps, where that is why it is not trusted.
    pub jump: Option<Jump>,
}

impl Reached<'_> {
    /// What of it, or of the `params`, is not finite.
    pub fn found<B: Kernels>(&self, params: &Params<B>, samples: Samples) -> Diverged {
        let names = |places: Vec<usize>| {
            places.into_iter().map(|at| name(&params.specs()[at])).collect::<Vec<_>>()
        };
        Diverged {
            step: self.step,
            loss: self.loss,
            grad_norm: self.norm.total(),
            rate: self.rate,
            jump: self.jump,
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

    /// After `steps` steps of ordinary noise.
    fn after(steps: u64) -> Watch {
        let mut watch = Watch::new(6.0, None);
        for step in 0..steps {
            let noise = if step % 2 == 0 { 0.05 } else { -0.05 };
            let (loss, norm) = (3.0 - step as f64 * 1e-3 + noise, 1.0 + noise);
            assert_eq!(watch.jump(loss, norm), None, "step {step}");
            watch.take(loss, norm);
        }
        watch
    }

    #[test]
    fn a_jump_is_seen_in_either_number_and_ordinary_noise_is_not() {
        let watch = after(200);
        let jump = watch.jump(4.5, 1.0).expect("of the loss");
        assert!(jump.to_string().starts_with("loss 4.5000 is "), "{jump}");
        let jump = watch.jump(2.8, 40.0).expect("of the norm");
        assert!(jump.to_string().starts_with("gradient norm 40.0000 is "), "{jump}");
        assert_eq!(after(49).jump(1e9, 1.0), None, "too early to tell");
    }

    #[test]
    fn a_jump_hides_no_later_one_and_a_level_that_lasts_becomes_the_usual_one() {
        let mut watch = after(200);
        watch.take(1e6, 1.0);
        assert!(watch.jump(4.5, 1.0).is_some());
        (0..400).for_each(|_| watch.take(6.0, 1.0));
        assert_eq!(watch.jump(6.0, 1.0), None);
    }

    #[test]
    fn what_is_constant_jumps_by_more_than_rounding() {
        let mut watch = Watch::new(6.0, None);
        (0..60).for_each(|_| watch.take(2.0, 1.0));
        assert_eq!(watch.jump(2.0 + 1e-9, 1.0), None);
        assert!(watch.jump(2.1, 1.0).is_some());
    }

    #[test]
    fn what_a_checkpoint_keeps_goes_on_as_if_nothing_had_been() {
        let mut straight = after(100);
        let text = serde_json::to_string(&straight.state()).unwrap();
        let mut resumed = Watch::new(6.0, Some(serde_json::from_str(&text).unwrap()));
        for watch in [&mut straight, &mut resumed] {
            watch.take(2.9, 1.01);
        }
        assert_eq!(straight, resumed);
    }
}
