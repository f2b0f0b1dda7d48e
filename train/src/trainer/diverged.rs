//! What a run says, on all its ranks, where a step cannot be trusted and it stops.

use std::collections::BTreeSet;

use genesis_kernels::Kernels;
use genesis_model::Params;

use super::error::TrainError;
use super::optim::GradientNorm;
use super::task::Task;
use super::watch::{Reached, Samples};
use super::{COMPUTING, Run};
use crate::cluster::Phase;

impl<B: Kernels, T: Task<B>> Run<'_, B, T> {
    /// The error of every rank where a step stops the run, with the samples of the ranks whose own loss was not
    /// finite.
    pub(super) fn diverged<R>(
        &self,
        reached: Reached<'_>,
        losses: &[f64],
        parts: &[Vec<T::Slice>],
    ) -> Result<R, TrainError> {
        let mut found = reached.found(&self.state.params, self.samples(losses, parts)?);
        found.checkpoints = self.course.steps_with_checkpoint();
        self.cluster().agree(Phase::Step, COMPUTING, Err(TrainError::Diverged(Box::new(found))))
    }

    pub(super) fn samples(
        &self,
        losses: &[f64],
        parts: &[Vec<T::Slice>],
    ) -> Result<Samples, TrainError> {
        let mine = parts.iter().flat_map(|slices| self.task.sample_ids(slices));
        let mine: Vec<u8> = mine.flat_map(u64::to_le_bytes).collect();
        let all = self.cluster().gather_bytes(&mine)?;
        let diverged: Vec<usize> =
            (0..all.len()).filter(|&rank| !losses[rank].is_finite()).collect();
        let is_told = !diverged.is_empty() && diverged.len() < all.len();
        let of_rank = |(rank, _): &(usize, &Vec<u8>)| !is_told || diverged.contains(rank);
        let bytes = all.iter().enumerate().filter(of_rank).flat_map(|(_, it)| it.as_chunks().0);
        let ids: BTreeSet<u64> = bytes.map(|it| u64::from_le_bytes(*it)).collect();
        let of_ranks = diverged.into_iter().filter(|_| is_told);
        Ok(Samples {
            are: self.task.samples_are(),
            ids: ids.into_iter().collect(),
            of_ranks: of_ranks.map(|rank| self.cluster().who(rank)).collect(),
        })
    }

    /// Parameters that are not finite are no checkpoint: what is saved can be gone on from.
    pub(super) fn can_be_gone_on_from(&self, evaluated: &Params<B>) -> bool {
        let all = [self.state.params.values(), evaluated.values()];
        all.iter().all(|values| GradientNorm::of(values).non_finite().is_empty())
    }
}
