//! What becomes of a step that came to what is not finite.
//!
//! It is computed once more from the same samples: what came by accident, such as a flipped bit, is gone then, and the
//! run goes on with the second result. What comes again lies in the data, the rate or the program, and `[faults]`
//! says whether the run stops or leaves the step out. Every rank has the same losses and norms, so all decide alike.

use genesis_kernels::Kernels;

use super::error::TrainError;
use super::optim::GradientNorm;
use super::reduction::Reduced;
use super::task::{Tally, Task};
use super::watch::Reached;
use super::{COMPUTING, Run};
use crate::cluster::Phase;
use crate::keys::OnNonFinite;
use crate::report::{FaultRecord, Observer};

/// What a step came to in the end.
pub(super) struct Computed<B: Kernels> {
    pub(super) reduced: Reduced<B>,
    pub(super) norm: GradientNorm,
    /// Whether it is an update; else the step is left out.
    pub(super) is_sound: bool,
}

impl<B: Kernels, T: Task<B>> Run<'_, B, T> {
    /// Loss and gradients of the step numbered `step` from 0, once more if they are not finite.
    ///
    /// # Errors
    /// [`TrainError::NonFinite`] on every rank, where the run is to stop.
    pub(super) fn compute(
        &mut self,
        step: u64,
        rate: f64,
        (parts, whole): (&[Vec<T::Slice>], &Tally),
        observer: &mut dyn Observer,
    ) -> Result<Computed<B>, TrainError> {
        let first = self.attempt(step, parts, whole)?;
        if first.is_sound {
            return Ok(first);
        }
        let again = self.attempt(step, parts, whole)?;
        let decision = self.decide(&again);
        let reached = Reached { step: step + 1, loss: first.reduced.loss, rate, norm: &first.norm };
        let losses = &first.reduced.losses;
        let samples = self.samples(losses, parts)?;
        let found = reached.found(&self.state.params, samples);
        observer.fault(&FaultRecord {
            step: step + 1,
            loss: reached.loss.to_string(),
            grad_norm: reached.norm.total().to_string(),
            again_loss: again.reduced.loss.to_string(),
            again_grad_norm: again.norm.total().to_string(),
            gradients: found.gradients,
            ranks: found.samples.of_ranks,
            samples: found.samples.ids,
            decision: decision.to_owned(),
        });
        match decision {
            STOPPED => self.not_finite(reached, losses, parts),
            SKIPPED => {
                self.state.leave_out();
                Ok(again)
            }
            _ => Ok(again),
        }
    }

    fn attempt(
        &self,
        step: u64,
        parts: &[Vec<T::Slice>],
        whole: &Tally,
    ) -> Result<Computed<B>, TrainError> {
        self.cluster().begins(Phase::Step, COMPUTING);
        let reduced = self.gradients(step, parts, whole)?;
        let norm = self.reduction.norm(&reduced)?;
        let is_sound = reduced.loss.is_finite() && norm.total().is_finite();
        Ok(Computed { reduced, norm, is_sound })
    }

    fn decide(&self, again: &Computed<B>) -> &'static str {
        let faults = self.course.faults;
        let is_allowed =
            faults.non_finite == OnNonFinite::Skip && self.state.left_out < faults.budget;
        if again.is_sound {
            WENT_ON
        } else if is_allowed && self.can_be_gone_on_from(&self.state.params) {
            SKIPPED
        } else {
            STOPPED
        }
    }
}

const WENT_ON: &str = "went on: it was finite the second time";
const SKIPPED: &str = "left the step out";
const STOPPED: &str = "stopped";
