//! Going on with the parameters of an older step: the newest checkpoint that is valid.
//!
//! The steps since then count as done without an update, so position, rates and records go on as they are, and a run
//! that is killed before its next checkpoint comes to the same again.

use genesis_kernels::Kernels;

use super::Run;
use super::error::TrainError;
use super::resume::{Decided, Start};
use super::state::State;
use super::task::Task;
use crate::checkpoint::{self, Checkpoint};
use crate::cluster::Phase;
use crate::report::Observer;

/// What ranks do here, in messages.
const DOING: &str = "going back to a checkpoint";

impl<B: Kernels, T: Task<B>> Run<'_, B, T> {
    /// The newest valid checkpoint of the run, the same on all ranks, which take part. One that is being written
    /// is waited for.
    ///
    /// # Errors
    /// A rank cannot read it.
    pub(super) fn newest_checkpoint(
        &mut self,
        observer: &mut dyn Observer,
    ) -> Result<Option<Checkpoint>, TrainError> {
        self.settle(observer)?;
        let found = if self.cluster().is_first() { self.newest(observer) } else { Ok(None) };
        let found = self.cluster().agree(Phase::Start, DOING, found)?;
        if self.cluster().is_alone() {
            return Ok(found);
        }
        let decided = found.as_ref().map(|it| Decided::trained(&it.path));
        let said = serde_json::to_vec(&decided).expect("a path that was written before");
        let said = self.cluster().from_first(said)?;
        let decided: Option<Decided> =
            serde_json::from_slice(&said).expect("the first rank wrote it so");
        let open = |decided: Decided| Start::as_decided(&decided).map(|start| start.checkpoint);
        let opened = match found {
            Some(found) => Ok(Some(found)),
            None => decided.map(open).transpose().map(Option::flatten),
        };
        self.cluster().agree(Phase::Start, DOING, opened)
    }

    fn newest(&self, observer: &mut dyn Observer) -> Result<Option<Checkpoint>, TrainError> {
        let latest = checkpoint::latest(&self.course.checkpoints_dir())?;
        for rejection in &latest.rejections {
            observer.note(&format!("passed over {}", rejection.reason));
        }
        Ok(latest.checkpoint)
    }

    /// Takes the parameters and all that belongs to them from `checkpoint`; `done` steps count as done.
    pub(super) fn go_back(&mut self, checkpoint: Checkpoint, done: u64) -> Result<(), TrainError> {
        let start = Start::trained_by(checkpoint);
        let lost = done - start.step();
        let State { tokens_seen, wall_seconds, left_out, went_on, watch, .. } =
            std::mem::replace(&mut self.state, State::nothing(self.course));
        let begun = State::begin(self.course, self.task, &start, &self.reduction);
        let begun = self.cluster().agree(Phase::Start, DOING, begun)?;
        let counted = State { tokens_seen, wall_seconds, left_out, went_on, watch, ..begun };
        self.state = State { misses_evaluation: false, ..counted };
        self.state.leave_out(lost);
        Ok(())
    }
}
