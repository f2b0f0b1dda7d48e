//! What becomes of a step that cannot be trusted: loss or gradients are not finite, or jump.
//!
//! It is computed once more from the same samples: what came by accident, such as a flipped bit, is gone then, and the
//! run goes on with the second result. What comes again lies in the data, the rate or the program, and `[faults]`
//! says whether the run stops, leaves the step out, or goes on with older parameters. Every rank has the same losses,
//! norms and running means, so all decide alike. Not here: what is kept of such a step ([`super::capsule`]).

use genesis_kernels::Kernels;

use super::error::TrainError;
use super::optim::GradientNorm;
use super::reduction::Reduced;
use super::task::{Tally, Task};
use super::watch::{Jump, Reached};
use super::{COMPUTING, Run};
use crate::checkpoint::Checkpoint;
use crate::cluster::Phase;
use crate::keys::{OnNonFinite, OnSpike};
use crate::report::{FaultRecord, Observer};

/// What a step came to.
pub(super) struct Computed<B: Kernels> {
    pub(super) reduced: Reduced<B>,
    pub(super) norm: GradientNorm,
    /// Why it is not trusted.
    pub(super) fault: Option<Fault>,
}

impl<B: Kernels> Computed<B> {
    /// Whether it is an update; else the step is left out.
    pub(super) fn is_sound(&self) -> bool {
        self.fault.is_none()
    }
}

/// Why a step is not trusted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    NotFinite,
    Jump(Jump),
}

impl Fault {
    fn jump(self) -> Option<Jump> {
        match self {
            Self::NotFinite => None,
            Self::Jump(jump) => Some(jump),
        }
    }

    fn told(self) -> String {
        self.jump().map_or_else(|| "not finite".to_owned(), |jump| jump.to_string())
    }
}

/// What the loop knows of a step before it is computed.
#[derive(Debug)]
pub(super) struct Asked<'a, S> {
    /// Its number from 0.
    pub(super) step: u64,
    pub(super) rate: f64,
    pub(super) parts: &'a [Vec<S>],
    pub(super) whole: &'a Tally,
}

impl<B: Kernels, T: Task<B>> Run<'_, B, T> {
    /// Loss and gradients of a step, once more if they cannot be trusted. What comes of that is done.
    ///
    /// # Errors
    /// [`TrainError::Diverged`] on every rank, where the run is to stop.
    pub(super) fn compute(
        &mut self,
        asked: &Asked<'_, T::Slice>,
        observer: &mut dyn Observer,
    ) -> Result<Computed<B>, TrainError> {
        let mut first = self.attempt(asked)?;
        let Some(fault) = first.fault else {
            self.watched(asked.step, &first, observer);
            return Ok(first);
        };
        // There may be no memory for the gradients of both.
        first.reduced.gradients.clear();
        let again = self.attempt(asked)?;
        let decision = self.decide(&again, observer)?;
        self.tell(asked, (&first, fault), (&again, &decision), observer)?;
        self.watched(asked.step, &again, observer);
        match decision {
            Decision::GoOn => {}
            Decision::LeaveOut => self.state.leave_out(1),
            Decision::GoBack(checkpoint) => self.go_back(*checkpoint, asked.step + 1)?,
            Decision::Stop => {
                let losses = &first.reduced.losses;
                return self.diverged(reached(asked, &first, fault), losses, asked.parts);
            }
        }
        Ok(again)
    }

    fn attempt(&self, asked: &Asked<'_, T::Slice>) -> Result<Computed<B>, TrainError> {
        self.cluster().begins(Phase::Step, COMPUTING);
        let reduced = self.gradients(asked.step, asked.parts, asked.whole)?;
        let norm = self.reduction.norm(&reduced)?;
        let fault = self.fault(reduced.loss, norm.total());
        Ok(Computed { reduced, norm, fault })
    }

    fn fault(&self, loss: f64, norm: f64) -> Option<Fault> {
        if !(loss.is_finite() && norm.is_finite()) {
            return Some(Fault::NotFinite);
        }
        let judged = self.course.faults.spike != OnSpike::Note;
        judged.then(|| self.state.watch.jump(loss, norm)).flatten().map(Fault::Jump)
    }

    /// Remembers a step, and notes a jump that has no other consequence.
    fn watched(&mut self, step: u64, computed: &Computed<B>, observer: &mut dyn Observer) {
        let (loss, norm) = (computed.reduced.loss, computed.norm.total());
        let is_noted = computed.is_sound() && self.course.faults.spike == OnSpike::Note;
        if let Some(jump) = self.state.watch.jump(loss, norm).filter(|_| is_noted) {
            observer.note(&format!("step {}: {jump}", step + 1));
        }
        self.state.watch.take(loss, norm);
    }

    /// All ranks decide together.
    fn decide(
        &mut self,
        again: &Computed<B>,
        observer: &mut dyn Observer,
    ) -> Result<Decision, TrainError> {
        let faults = self.course.faults;
        let policy = match again.fault {
            None => return Ok(Decision::GoOn),
            Some(Fault::NotFinite) => faults.non_finite,
            Some(Fault::Jump(_)) => faults.spike.policy().unwrap_or(OnNonFinite::Stop),
        };
        if policy != OnNonFinite::Stop && self.state.went_on >= faults.budget() {
            observer.note(&format!(
                "faults.budget is spent: the run went on {} times",
                faults.budget()
            ));
            return Ok(Decision::Stop);
        }
        Ok(match policy {
            OnNonFinite::Skip if self.can_be_gone_on_from(&self.state.params) => Decision::LeaveOut,
            OnNonFinite::Stop | OnNonFinite::Skip => Decision::Stop,
            OnNonFinite::RollBack => {
                if let Some(checkpoint) = self.newest_checkpoint(observer)? {
                    Decision::GoBack(Box::new(checkpoint))
                } else {
                    observer.note("there is no valid checkpoint to roll back to");
                    Decision::Stop
                }
            }
        })
    }

    /// Records the fault, and keeps what is needed to compute the step again.
    fn tell(
        &self,
        asked: &Asked<'_, T::Slice>,
        (first, fault): (&Computed<B>, Fault),
        (again, decision): (&Computed<B>, &Decision),
        observer: &mut dyn Observer,
    ) -> Result<(), TrainError> {
        let samples = self.samples(&first.reduced.losses, asked.parts)?;
        let found = reached(asked, first, fault).found(&self.state.params, samples);
        let told = (fault.told(), decision.told());
        let capsule = self.keep_capsule(asked, [first, again], (&told.0, &told.1), observer)?;
        observer.fault(&FaultRecord {
            step: asked.step + 1,
            cause: told.0,
            loss: first.reduced.loss.to_string(),
            grad_norm: first.norm.total().to_string(),
            again_loss: again.reduced.loss.to_string(),
            again_grad_norm: again.norm.total().to_string(),
            gradients: found.gradients,
            ranks: found.samples.of_ranks,
            samples: found.samples.ids,
            decision: told.1,
            capsule,
        });
        Ok(())
    }
}

fn reached<'a, B: Kernels, S>(
    asked: &Asked<'_, S>,
    computed: &'a Computed<B>,
    fault: Fault,
) -> Reached<'a> {
    Reached {
        step: asked.step + 1,
        loss: computed.reduced.loss,
        rate: asked.rate,
        norm: &computed.norm,
        jump: fault.jump(),
    }
}

#[derive(Debug)]
enum Decision {
    GoOn,
    LeaveOut,
    /// To the parameters of this checkpoint.
    GoBack(Box<Checkpoint>),
    Stop,
}

impl Decision {
    /// What the run did.
    fn told(&self) -> String {
        match self {
            Self::GoOn => "went on: it did not come again".to_owned(),
            Self::LeaveOut => "left the step out".to_owned(),
            Self::GoBack(checkpoint) => format!(
                "went back to the parameters after {} steps and left out those since then",
                checkpoint.manifest.description.step
            ),
            Self::Stop => "stopped".to_owned(),
        }
    }
}
