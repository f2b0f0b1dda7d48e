//! The training loop, top to bottom.
//!
//! Reading order: [`blend`] (from what), [`plan`] and [`course`] (what is to be done), [`prepare`] (where a run starts),
//! `Run` (the loop), `task` (what a family of models adds to it), `state` (what training changes),
//! `shards`, `reduction`, `resident` and `sums` (gradients of parts and ranks to those of a step), `saving`, [`schedule`] and [`plateau`] (its rate), [`optim`]
//! (gradients to updates), [`gate`] (whether a device computes what the CPU does), [`watch`], `faults` and `diverged`
//! (steps that cannot be trusted), [`capsule`] and [`mod@replay`] (computing them again).
//! The loop is generic over backend and task, owns nothing that a checkpoint does not hold, and
//! prints nothing: an [`Observer`] hears what happens.

mod audit;
mod beside;
pub mod blend;
pub mod capsule;
mod changes;
mod clock;
pub mod course;
mod diverged;
mod due;
pub mod error;
mod faults;
pub mod gate;
mod job;
pub mod optim;
pub mod plan;
pub mod plateau;
mod reduction;
pub mod replay;
mod resident;
pub mod resume;
mod roll_back;
mod saving;
pub mod schedule;
mod shards;
mod share;
mod snapshot;
mod state;
mod sums;
pub(crate) mod task;
pub mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use burn::tensor::FloatDType;
use genesis_data::dataset::{Loader, Prefetch};
use genesis_kernels::Kernels;

use crate::checkpoint::{Metrics, Saving};
use crate::cluster::{Cluster, Phase};
use crate::report::{EvaluationRecord, Observer, StepRecord};
use audit::Audit;
pub use blend::Blend;
use clock::Clock;
pub use course::{CHECKPOINTS_FOLDER, Course, StageTwo};
pub(crate) use course::{inherit, to_json};
pub use due::SAVE_FILE;
use due::{Due, Unplanned};
pub use error::{Diverged, TrainError};
use faults::{Asked, Computed};
pub use gate::{GateReport, Mismatch};
use optim::{GradientNorm, clip_scale};
pub(crate) use plan::available_threads;
pub use plan::{DATASET_FOLDER, Plan, facts, save_plan};
use reduction::{Reduced, Reduction};
pub use replay::{Found, Replayed, Shared};
pub use resume::{Branch, Decided, Resume, Start, is_of_run, known_model, prepare};
use saving::Writing;
pub use share::RankOf;
pub(crate) use share::Share;
use state::State;
use sums::{Add as _, tree};
pub use task::Work;
use task::{Gradients, Part, Tally, Task};
use watch::Reached;

/// What ranks do most of the time, in messages.
const COMPUTING: &str = "computing gradients";

/// Steps made ahead by the loader's threads.
const PREFETCH_STEPS: usize = 2;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All steps are done.
    Finished {
        /// Updates done.
        step: u64,
    },
    /// The stop flag was set; the checkpoint of this step is written.
    Stopped {
        /// Updates done.
        step: u64,
    },
}

/// One process of a run, from where it starts to where it stops.
pub struct Session<'a> {
    /// Hears what happens.
    pub observer: &'a mut dyn Observer,
    /// Asks for a stop: the run then saves and returns.
    pub stop: &'a AtomicBool,
    /// Where the run starts.
    pub start: Start,
    /// The ranks that train together.
    pub cluster: &'a Cluster,
}

/// Training: the loop of every family.
impl Work for Session<'_> {
    type Output = Outcome;

    fn on<B: Kernels, T: Task<B>>(self, course: &Course, task: &T) -> Result<Outcome, TrainError> {
        let Session { observer, stop, start, cluster } = self;
        let double = task.dtype() == FloatDType::F64;
        let reduction = Reduction::new(cluster, course.summing, &task.specs(), double);
        let state = State::<B>::begin(course, task, &start, &reduction);
        let state = cluster.agree(Phase::Start, "loading its state", state)?;
        let notes = start.notes.iter().cloned().chain(reduction.sentence());
        notes.for_each(|note| observer.note(&note));
        if !gate::is_the_reference::<B>() && start.step() < course.steps() {
            let passed = pass_gate(task, &state, start.step(), observer);
            cluster.agree(Phase::Start, "passing the parity gate", passed)?;
        }
        let audit = Audit::begin(course, cluster, start.step())?;
        let mut run = Run {
            wall_before: state.wall_seconds,
            course,
            task,
            reduction,
            state,
            audit,
            clock: Clock::start(),
            unplanned: Unplanned::of(course),
            told_baseline: false,
            writing: None,
            told_of_room: false,
        };
        run.steps(start.step(), observer, stop)
    }
}

/// Computes a few samples of the first step on the CPU too, and goes on if the results agree.
fn pass_gate<B: Kernels, T: Task<B>>(
    task: &T,
    state: &State<B>,
    step: u64,
    observer: &mut dyn Observer,
) -> Result<(), TrainError> {
    observer.note(&gate::kernels_of::<B>(task.device()));
    let parts = next_step(&mut Arc::clone(task.loader()).prefetch(step, 1), step)?;
    match parts.first().and_then(|slices| task.trial(slices)) {
        Some(trial) => {
            observer.note(&gate::pass(&trial, &state.params, task.device())?.sentence());
        }
        None => observer.note("parity gate: nothing to compute, the first step has no label"),
    }
    Ok(())
}

/// A run in progress.
struct Run<'a, B: Kernels, T> {
    course: &'a Course,
    task: &'a T,
    reduction: Reduction,
    state: State<B>,
    audit: Audit,
    clock: Clock,
    wall_before: f64,
    unplanned: Unplanned,
    told_baseline: bool,
    /// The checkpoint that is being written.
    writing: Option<Writing>,
    told_of_room: bool,
}

impl<B: Kernels, T: Task<B>> Run<'_, B, T> {
    fn steps(
        &mut self,
        first_step: u64,
        observer: &mut dyn Observer,
        stop: &AtomicBool,
    ) -> Result<Outcome, TrainError> {
        if !self.make_up_evaluation(first_step, observer, stop)? {
            return Ok(Outcome::Stopped { step: first_step });
        }
        let mut batches = Arc::clone(self.task.loader()).prefetch(first_step, PREFETCH_STEPS);
        for step in first_step..self.course.steps() {
            let rate = self.state.rate(self.course, step);
            self.cluster().begins(Phase::Data, "reading its samples");
            let parts = self.clock.begin_step(|| next_step(&mut batches, step));
            let parts = self.cluster().agree(Phase::Data, "reading its samples", parts)?;
            let whole = self.tally(&parts)?;
            let asked = Asked { step, rate, parts: &parts, whole: &whole };
            let computed = self.compute(&asked, observer)?;
            let is_sound = computed.is_sound();
            let Computed { reduced, norm, .. } = computed;
            let Reduced { loss, losses, gradients, .. } = reduced;
            let done = step + 1;
            let reached = Reached { step: done, loss, rate, norm: &norm, jump: None };
            let due = Due::after(done, self.course);
            let audited = self.audit.record(self.task, done, &parts);
            let mut reported = Ok(());
            if is_sound {
                let scale = clip_scale(&norm, self.course.optimizer.clip_norm());
                self.state.update(&self.reduction, gradients, scale, rate, step)?;
                let record = self.account(done, loss, rate, &norm, &whole);
                let record = StepRecord { evaluation_follows: due.evaluation, ..record };
                reported = report(&record, observer);
            }
            self.cluster().agree(Phase::Step, "writing its records", audited.and(reported))?;
            let is_best = due.evaluation && self.evaluate(done, observer, stop)?;
            let skipped = due.evaluation && self.state.metrics.validation_loss.is_none();
            let [asked_to_stop, asked_to_save, busy] = self.asked(stop)?;
            self.look_after(busy, observer)?;
            let stopping = asked_to_stop && (skipped || done < self.course.steps());
            if due.checkpoint || stopping || asked_to_save {
                let evaluated = self.state.evaluated(&self.reduction)?.into_owned();
                if !self.can_be_gone_on_from(&evaluated) {
                    return self.diverged(reached, &losses, &parts);
                }
                self.save(&evaluated, done, (is_best, Saving::New), observer)?;
            }
            if stopping {
                self.settle(observer)?;
                return Ok(Outcome::Stopped { step: done });
            }
        }
        self.settle(observer)?;
        Ok(Outcome::Finished { step: self.course.steps().max(first_step) })
    }

    fn cluster(&self) -> &Cluster {
        self.reduction.cluster()
    }

    /// Whether any rank was asked to stop, the first one to save, and whether any is busy with a checkpoint.
    fn asked(&mut self, stop: &AtomicBool) -> Result<[bool; 3], TrainError> {
        let save = self.cluster().is_first() && self.unplanned.is_due();
        let busy = self.writing.as_ref().is_some_and(Writing::is_at_work);
        Ok(self.cluster().any([stop.load(Ordering::Relaxed), save, busy])?)
    }

    /// What the step holds over all parts and ranks.
    fn tally(&self, parts: &[Vec<T::Slice>]) -> Result<Tally, TrainError> {
        let sum = |all: &mut dyn Iterator<Item = Tally>| {
            tree(all.map(Ok::<_, TrainError>)).map(Option::unwrap_or_default)
        };
        let mine = sum(&mut parts.iter().map(|slices| self.task.tally(slices)))?;
        sum(&mut self.cluster().gather(&mine)?.into_iter())
    }

    /// Loss and gradients of the step over all parts and ranks.
    fn gradients(
        &self,
        step: u64,
        parts: &[Vec<T::Slice>],
        whole: &Tally,
    ) -> Result<Reduced<B>, TrainError> {
        let of_part = |(number, slices): (usize, &Vec<T::Slice>)| {
            self.cluster().begins(Phase::Step, COMPUTING);
            self.task.gradients(step, &self.state.params, &Part { number, slices }, whole)
        };
        let over_ranks = |mine: Result<Option<Gradients<B>>, TrainError>| {
            let mine = self.cluster().agree(Phase::Step, COMPUTING, mine)?.unwrap_or_default();
            self.reduction.reduce(mine)
        };
        let parts = parts.iter().enumerate();
        if !self.reduction.follows_each_part() {
            return over_ranks(tree(parts.map(of_part)));
        }
        let sum = parts.map(|part| over_ranks(of_part(part).map(Some)));
        let sum = sum.reduce(|sum, part| Ok(sum?.add(part?)));
        sum.unwrap_or_else(|| over_ranks(Ok(None)))
    }

    /// Measures after `step` updates what a stop left out, so that resuming skips nothing. Returns
    /// whether to go on: `false` when a stop came again.
    fn make_up_evaluation(
        &mut self,
        step: u64,
        observer: &mut dyn Observer,
        stop: &AtomicBool,
    ) -> Result<bool, TrainError> {
        if !self.state.misses_evaluation || !Due::after(step, self.course).evaluation {
            return Ok(true);
        }
        let is_best = self.evaluate(step, observer, stop)?;
        if self.state.metrics.validation_loss.is_some() {
            let evaluated = self.state.evaluated(&self.reduction)?.into_owned();
            self.save(&evaluated, step, (is_best, Saving::Again), observer)?;
            return Ok(true);
        }
        Ok(self.cluster().any([stop.load(Ordering::Relaxed)])? == [false])
    }

    /// Counts the step, and describes it.
    fn account(
        &mut self,
        step: u64,
        loss: f64,
        lr: f64,
        norm: &GradientNorm,
        whole: &Tally,
    ) -> StepRecord {
        let stage = self.course.stage(step - 1);
        self.state.metrics = Metrics { train_loss: Some(loss), validation_loss: None, stage };
        self.state.tokens_seen += self.task.size(whole);
        self.state.wall_seconds = self.wall_before + self.clock.run_seconds();
        StepRecord {
            step,
            loss,
            lr,
            grad_norm: norm.total(),
            figures: self.task.rates(whole, self.clock.step_seconds(), self.state.tokens_seen),
            wall_s: self.state.wall_seconds,
            data_wait_s: self.clock.waiting_seconds(),
            evaluation_follows: false,
        }
    }

    /// Measures the validation loss; says whether it is the lowest of its stage so far.
    fn evaluate(
        &mut self,
        step: u64,
        observer: &mut dyn Observer,
        stop: &AtomicBool,
    ) -> Result<bool, TrainError> {
        let started = Instant::now();
        self.cluster().begins(Phase::Step, "evaluating");
        let evaluated = self.state.evaluated(&self.reduction)?;
        let Some(found) = self.task.evaluate(step, &evaluated, self.cluster(), stop)? else {
            return Ok(false);
        };
        if !std::mem::replace(&mut self.told_baseline, true)
            && let Some(baseline) = &found.baseline
        {
            observer.note(baseline);
        }
        observer.evaluation(&EvaluationRecord {
            step,
            val_loss: found.loss,
            val_losses: found.of_sources,
            figures: found.figures,
            val_s: started.elapsed().as_secs_f64(),
        });
        if !found.loss.is_finite() {
            let seen = "it is never the best, and no rate depends on it";
            observer.note(&format!("step {step}: the validation loss is {}; {seen}", found.loss));
        }
        let recorded = self.state.record(self.course, step, found.loss);
        if let Some(scale) = recorded.rate_falls_to {
            observer.note(&format!("step {step}: plateau, the rate is scaled by {scale:.3e} now"));
        }
        Ok(recorded.is_best)
    }
}

fn report(record: &StepRecord, observer: &mut dyn Observer) -> Result<(), TrainError> {
    observer.step(record);
    match observer.failure() {
        Some(reason) => Err(TrainError::Report { step: record.step, reason }),
        None => Ok(()),
    }
}

fn next_step<S: Send + 'static>(
    batches: &mut Prefetch<Vec<S>>,
    step: u64,
) -> Result<Vec<Vec<S>>, TrainError> {
    match batches.next() {
        Some(Ok((made, parts))) => {
            assert_eq!(made, step, "the loader delivers steps in order");
            Ok(parts)
        }
        Some(Err(error)) => Err(error.into()),
        None => Err(TrainError::LoaderEnded { step: step + 1 }),
    }
}
