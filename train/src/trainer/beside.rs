//! Checkpoints of a run in progress: begun after a step, looked after between steps, waited for at the end.

use std::time::Instant;

use genesis_data::dataset::Loader as _;
use genesis_kernels::Kernels;
use genesis_model::Params;

use super::Run;
use super::error::TrainError;
use super::saving::{Moment, Progress, Saved, Writing};
use super::task::Task;
use crate::checkpoint::Saving;
use crate::cluster::Phase;
use crate::cluster::preflight::memory_available;
use crate::report::{CheckpointRecord, Observer};

impl<B: Kernels, T: Task<B>> Run<'_, B, T> {
    /// Begins the checkpoint after `step` updates, whose parameters to be evaluated are `evaluated`. Steps go on
    /// while it is written, unless there is no memory for that.
    pub(super) fn save(
        &mut self,
        evaluated: &Params<B>,
        step: u64,
        (is_best, saving): (bool, Saving),
        observer: &mut dyn Observer,
    ) -> Result<(), TrainError> {
        self.settle(observer)?;
        let begun = Instant::now();
        self.cluster().begins(Phase::Save, "saving a checkpoint");
        self.state.compare(self.cluster(), step)?;
        let at = Moment { step, position: self.task.loader().position(step)?, saving };
        let snapshot = self.state.snapshot(self.course, &self.reduction, evaluated, at);
        let waits = self.has_to_wait(snapshot.num_bytes(), observer)? || saving == Saving::Again;
        let (run, of) = ((self.course, &self.reduction), (at, is_best, begun));
        self.writing = Some(Writing::begin(run, snapshot, of)?);
        self.unplanned.begun();
        if waits { self.settle(observer) } else { Ok(()) }
    }

    /// Whether steps wait until a snapshot of `bytes` is written, on any rank.
    fn has_to_wait(&mut self, bytes: u64, observer: &mut dyn Observer) -> Result<bool, TrainError> {
        let config = &self.course.checkpoint;
        let room = match config.snapshot_mib {
            Some(mib) => mib.saturating_mul(1 << 20),
            None => memory_available().map_or(u64::MAX, |bytes| bytes / 2),
        };
        let [waits, too_large] = self.cluster().any([!config.background, bytes > room])?;
        if too_large && !waits && !std::mem::replace(&mut self.told_of_room, true) {
            let mib = |bytes: u64| bytes.div_ceil(1 << 20);
            let limit = if config.snapshot_mib.is_some() {
                "checkpoint.snapshot_mib"
            } else {
                "half of the memory that is free"
            };
            observer.note(&format!(
                "steps wait for checkpoints: a snapshot takes {} MiB, and {limit} is {} MiB",
                mib(bytes),
                mib(room)
            ));
        }
        Ok(waits || too_large)
    }

    /// Goes on with the checkpoint that is being written, where no rank is `busy` with it any more.
    ///
    /// # Errors
    /// On every rank, when writing failed on one.
    pub(super) fn look_after(
        &mut self,
        busy: bool,
        observer: &mut dyn Observer,
    ) -> Result<(), TrainError> {
        let Some(mut writing) = self.writing.take_if(|_| !busy) else { return Ok(()) };
        match writing.advance(self.course, self.reduction.cluster())? {
            Progress::Goes => self.writing = Some(writing),
            Progress::Done(saved) => self.saved(&writing, saved, observer),
        }
        Ok(())
    }

    /// Waits for the checkpoint that is being written, if there is one.
    ///
    /// # Errors
    /// On every rank, when writing failed on one.
    pub(super) fn settle(&mut self, observer: &mut dyn Observer) -> Result<(), TrainError> {
        while self.writing.is_some() {
            self.cluster().begins(Phase::Save, "saving a checkpoint");
            self.look_after(false, observer)?;
        }
        Ok(())
    }

    fn saved(&mut self, writing: &Writing, saved: Option<Saved>, observer: &mut dyn Observer) {
        self.unplanned.saved();
        let Some(saved) = saved else { return };
        observer.checkpoint(&CheckpointRecord {
            step: writing.at.step,
            path: saved.path,
            bytes: saved.num_bytes,
            seconds: writing.waited.as_secs_f64(),
            written_s: writing.begun.elapsed().as_secs_f64(),
            is_best: writing.is_best,
        });
        for path in saved.removed {
            observer.note(&format!("removed {}", path.display()));
        }
    }
}
