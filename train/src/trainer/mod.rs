//! The training loop, top to bottom.
//!
//! Reading order: [`prepare`] (where a run starts), [`train`] (the loop), [`step`] (the gradient of
//! one step), [`watch`] (when to stop). The loop is generic over the backend, owns nothing that a
//! checkpoint does not hold, and prints nothing: an [`Observer`] hears what happens.

mod clock;
mod due;
pub mod error;
pub mod resume;
mod state;
pub mod step;
pub mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use burn::tensor::Tensor;
use genesis_data::card::Split;
use genesis_data::loader::{Loader, Objective, Prefetch};
use genesis_data::shards::Dataset;
use genesis_kernels::Kernels;
use genesis_model::Mode;
use genesis_schema::{Seeds, TokenBatch};

use crate::config::RunPlan;
use crate::evaluate::{Evaluation, evaluate};
use crate::optim::{GradientNorm, clip};
use crate::report::{CheckpointRecord, EvaluationRecord, Observer, StepRecord};
use crate::schedule::Schedule;
use clock::Clock;
use due::Due;
pub use error::{NonFinite, TrainError};
pub use resume::{Resume, Start, prepare};
use state::State;
use watch::Watch;

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

/// Trains from `start` to the last step of `plan`.
///
/// Continuing from the checkpoint of step `k` gives the bits of a run that was never interrupted:
/// batches, dropout masks and learning rates are functions of the step, and the checkpoint holds
/// the rest. `stop` is looked at after every step: the run then saves and returns.
///
/// # Errors
/// [`TrainError`]; the last checkpoint stays valid.
#[expect(clippy::needless_pass_by_value, reason = "a start is good for one run")]
pub fn train<B: Kernels>(
    plan: &RunPlan,
    dataset: Arc<Dataset>,
    device: &B::Device,
    observer: &mut dyn Observer,
    stop: &AtomicBool,
    start: Start,
) -> Result<Outcome, TrainError> {
    let loader = Arc::new(Loader::new(dataset, plan.loader)?);
    let state = State::<B>::begin(plan, &start, &loader, device)?;
    start.notes.iter().for_each(|note| observer.note(note));
    let clock = Clock::start();
    let wall_before = state.wall_seconds;
    let mut run = Run { plan, device, loader, state, clock, wall_before, told_baseline: false };
    run.steps(start.step(), observer, stop)
}

/// A run in progress.
struct Run<'a, B: Kernels> {
    plan: &'a RunPlan,
    device: &'a B::Device,
    loader: Arc<Loader>,
    state: State<B>,
    clock: Clock,
    wall_before: f64,
    told_baseline: bool,
}

impl<B: Kernels> Run<'_, B> {
    fn steps(
        &mut self,
        first_step: u64,
        observer: &mut dyn Observer,
        stop: &AtomicBool,
    ) -> Result<Outcome, TrainError> {
        let schedule = Schedule::new(&self.plan.config.schedule);
        let mut batches = Arc::clone(&self.loader).prefetch(first_step, PREFETCH_STEPS);
        let mut watch = Watch::default();
        for step in first_step..self.plan.steps {
            let rate = schedule.rate(step);
            let slices = self.clock.begin_step(|| next_step(&mut batches, step))?;
            let (loss, gradients) = self.gradients(step, &slices)?;
            let norm = GradientNorm::of(&gradients);
            self.check_finite(step, loss, rate, &norm, &slices)?;
            let gradients = clip(gradients, &norm, self.plan.config.optimizer.clip_norm());
            self.update(gradients, rate);

            let done = step + 1;
            let stopping = stop.load(Ordering::Relaxed) && done < self.plan.steps;
            let due = Due::after(done, self.plan, stopping);
            let record = self.account(done, loss, rate, &norm, &slices);
            let record = StepRecord { evaluation_follows: due.evaluation, ..record };
            report(&record, observer)?;
            if let Some(jump) = watch.observe(loss) {
                observer.note(&format!("step {done}: {jump}"));
            }
            let is_best = due.evaluation && self.evaluate(done, observer, stop)?;
            if due.checkpoint {
                self.save(done, is_best, observer)?;
            }
            if stopping {
                return Ok(Outcome::Stopped { step: done });
            }
        }
        Ok(Outcome::Finished { step: self.plan.steps.max(first_step) })
    }

    /// Mean loss of a step and its gradients, over all accumulation slices.
    fn gradients(
        &self,
        step: u64,
        slices: &[TokenBatch],
    ) -> Result<(f64, Vec<Tensor<B, 1>>), TrainError> {
        if step::count_labels(slices) == 0 {
            let documents = watch::documents(slices);
            return Err(TrainError::NoLabels { step: step + 1, documents });
        }
        let dropout = Seeds::new(self.plan.config.run.seed).stream("dropout");
        let loader = &self.plan.loader;
        let slices_per_step = (loader.accumulation * loader.world) as u64;
        let first_slice = step * slices_per_step + (loader.rank * loader.accumulation) as u64;
        let mode = |slice| Mode::training(self.plan.precision, dropout, first_slice + slice);
        Ok(step::accumulate(&self.plan.model, &self.state.params, slices, mode, self.device))
    }

    fn check_finite(
        &self,
        step: u64,
        loss: f64,
        rate: f64,
        norm: &GradientNorm,
        slices: &[TokenBatch],
    ) -> Result<(), TrainError> {
        match watch::diagnose(step + 1, loss, rate, norm, &self.state.params, slices) {
            Some(found) => Err(TrainError::NonFinite(Box::new(found))),
            None => Ok(()),
        }
    }

    fn update(&mut self, gradients: Vec<Tensor<B, 1>>, rate: f64) {
        self.state.params = self.state.optimizer.step(&self.state.params, gradients, rate);
    }

    /// Counts the step, and describes it.
    fn account(
        &mut self,
        step: u64,
        loss: f64,
        lr: f64,
        norm: &GradientNorm,
        slices: &[TokenBatch],
    ) -> StepRecord {
        let tokens: u64 = slices.iter().map(|batch| batch.num_tokens() as u64).sum();
        let seconds = self.clock.step_seconds();
        self.state.metrics =
            crate::checkpoint::Metrics { train_loss: Some(loss), ..Default::default() };
        self.state.tokens_seen += tokens;
        self.state.wall_seconds = self.wall_before + self.clock.run_seconds();
        StepRecord {
            step,
            loss,
            lr,
            grad_norm: norm.total(),
            tokens_per_s: tokens as f64 / seconds.max(f64::MIN_POSITIVE),
            tokens: self.state.tokens_seen,
            wall_s: self.state.wall_seconds,
            data_wait_s: self.clock.waiting_seconds(),
            evaluation_follows: false,
        }
    }

    /// Measures the validation loss; says whether it is the lowest so far.
    fn evaluate(
        &mut self,
        step: u64,
        observer: &mut dyn Observer,
        stop: &AtomicBool,
    ) -> Result<bool, TrainError> {
        let started = Instant::now();
        let config = &self.plan.config.evaluation;
        let per_slice = self.plan.loader.sequences_per_step
            / (self.plan.loader.accumulation * self.plan.loader.world).max(1);
        let per_batch = config.sequences_per_batch.unwrap_or(per_slice);
        let batches = self.loader.validation(config.max_sequences, per_batch);
        let (model, precision) = (&self.plan.model, self.plan.precision);
        let params = &self.state.params;
        let Some(found) = evaluate(model, params, batches, precision, self.device, stop)? else {
            return Ok(false);
        };
        if !std::mem::replace(&mut self.told_baseline, true) {
            observer.note(&format!(
                "validation: {} labels; a model that ignores its input could reach {:.4} nats \
                 (their unigram entropy)",
                found.num_labels, found.unigram_entropy
            ));
        }
        observer.evaluation(&self.evaluation_record(step, &found, started));
        Ok(self.state.record(step, &found))
    }

    fn evaluation_record(
        &self,
        step: u64,
        found: &Evaluation,
        started: Instant,
    ) -> EvaluationRecord {
        let causal = matches!(self.plan.loader.objective, Objective::Causal { .. });
        let split = self.loader.dataset().card().splits.get(Split::Validation);
        EvaluationRecord {
            step,
            val_loss: found.loss,
            perplexity: Some(found.perplexity()),
            bits_per_byte: found.bits_per_byte(split).filter(|_| causal),
            val_labels: found.num_labels,
            val_s: started.elapsed().as_secs_f64(),
        }
    }

    fn save(
        &self,
        step: u64,
        is_best: bool,
        observer: &mut dyn Observer,
    ) -> Result<(), TrainError> {
        let started = Instant::now();
        let saved = self.state.save(self.plan, &self.loader, step)?;
        let seconds = started.elapsed().as_secs_f64();
        observer.checkpoint(&CheckpointRecord {
            step,
            path: saved.path,
            bytes: saved.num_bytes,
            seconds,
            is_best,
        });
        for path in saved.removed {
            observer.note(&format!("removed {}", path.display()));
        }
        Ok(())
    }
}

fn report(record: &StepRecord, observer: &mut dyn Observer) -> Result<(), TrainError> {
    observer.step(record);
    match observer.failure() {
        Some(reason) => Err(TrainError::Report { step: record.step, reason }),
        None => Ok(()),
    }
}

fn next_step(batches: &mut Prefetch, step: u64) -> Result<Vec<TokenBatch>, TrainError> {
    match batches.next() {
        Some(Ok((made, slices))) => {
            assert_eq!(made, step, "the loader delivers steps in order");
            Ok(slices)
        }
        Some(Err(error)) => Err(error.into()),
        None => Err(TrainError::LoaderEnded { step: step + 1 }),
    }
}
