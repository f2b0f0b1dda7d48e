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
        let Computed { reduced: Reduced { loss, losses, gradients, .. }, norm, .. } = first;
        // There may be no memory for both.
        drop(gradients);
        let again = self.attempt(step, parts, whole)?;
        let decision = self.decide(&again);
        let reached = Reached { step: step + 1, loss, rate, norm: &norm };
        let samples = self.samples(&losses, parts)?;
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
            decision: decision.told().to_owned(),
        });
        match decision {
            Decision::GoOn => {}
            Decision::LeaveOut => self.state.leave_out(),
            Decision::Stop => return self.not_finite(reached, &losses, parts),
        }
        Ok(again)
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

    fn decide(&self, again: &Computed<B>) -> Decision {
        let faults = self.course.faults;
        let is_allowed =
            faults.non_finite == OnNonFinite::Skip && self.state.left_out < faults.budget;
        if again.is_sound {
            Decision::GoOn
        } else if is_allowed && self.can_be_gone_on_from(&self.state.params) {
            Decision::LeaveOut
        } else {
            Decision::Stop
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Decision {
    GoOn,
    LeaveOut,
    Stop,
}

impl Decision {
    /// What the run did.
    fn told(self) -> &'static str {
        match self {
            Self::GoOn => "went on: it was finite the second time",
            Self::LeaveOut => "left the step out",
            Self::Stop => "stopped",
        }
    }
}
