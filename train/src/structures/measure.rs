//! Predictions of many batches, with the loss they add up to.

use std::sync::atomic::{AtomicBool, Ordering};

use genesis_data::error::DataError;
use genesis_kernels::Kernels;
use genesis_model::Params;
use genesis_model::equivariant::{
    Blueprint, LossConfig, LossCounts, LossTerms, Prediction, Wanted, predict,
};
use genesis_schema::GraphBatch;

use super::error::StructuresError;
use crate::cluster::{Cluster, ClusterError};

/// A trained network, and what is asked of it.
#[derive(Debug, Clone, Copy)]
pub struct Measuring<'a, B: Kernels> {
    /// The network.
    pub blueprint: &'a Blueprint,
    /// Its parameters.
    pub params: &'a Params<B>,
    /// What is computed besides energies.
    pub wanted: Wanted,
    /// The loss.
    pub loss: &'a LossConfig,
    /// Sizes of all batches together.
    pub counts: LossCounts,
}

impl<B: Kernels> Measuring<'_, B> {
    /// Predicts every batch, tells `visit`, and adds up the loss. `None` when `stop` was set
    /// meanwhile: half a set has no comparable figure.
    ///
    /// # Errors
    /// The first batch that cannot be read or does not fit the network.
    pub fn run(
        &self,
        batches: impl Iterator<Item = Result<GraphBatch, DataError>>,
        stop: &AtomicBool,
        visit: impl FnMut(&GraphBatch, &Prediction),
    ) -> Result<Option<LossTerms>, StructuresError> {
        Ok(self.each(batches, stop, visit)?.map(|terms| sum(&terms)))
    }

    /// As [`Measuring::run`], the loss batch by batch.
    pub(super) fn each(
        &self,
        batches: impl Iterator<Item = Result<GraphBatch, DataError>>,
        stop: &AtomicBool,
        mut visit: impl FnMut(&GraphBatch, &Prediction),
    ) -> Result<Option<Vec<LossTerms>>, StructuresError> {
        let mut all = Vec::new();
        for batch in batches {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let batch = batch?;
            let found = predict(self.blueprint, self.params, &batch, self.wanted)?;
            all.push(self.loss.evaluate(&found, &batch, self.counts)?);
            visit(&batch, &found);
        }
        Ok(Some(all))
    }
}

fn sum(all: &[LossTerms]) -> LossTerms {
    let mut sum = LossTerms::default();
    for terms in all {
        sum.energy += terms.energy;
        sum.forces += terms.forces;
        sum.stress += terms.stress;
    }
    sum
}

/// Both together.
pub(super) fn added(a: LossTerms, b: LossTerms) -> LossTerms {
    sum(&[a, b])
}

/// Terms that were divided by the sizes `whole`, divided by `own` instead. Energies and stress are a mean over
/// structures, forces over atoms.
pub(super) fn rescaled(terms: LossTerms, whole: LossCounts, own: LossCounts) -> LossTerms {
    let (graphs, atoms) = (whole.graphs / own.graphs, whole.atoms / own.atoms);
    LossTerms {
        energy: terms.energy * graphs,
        forces: terms.forces * atoms,
        stress: terms.stress * graphs,
    }
}

/// The loss over the batches of all ranks, of which each has one in turn: added in the order of batches, so that
/// any number of ranks gives the same bits. `None` when any rank has none.
pub(super) fn over_ranks(
    mine: Option<Vec<LossTerms>>,
    cluster: &Cluster,
) -> Result<Option<LossTerms>, ClusterError> {
    let numbers = |terms: &LossTerms| [terms.energy, terms.forces, terms.stress];
    let terms = |[energy, forces, stress]: [f64; 3]| LossTerms { energy, forces, stress };
    let mine = mine.map(|mine| mine.iter().map(numbers).collect::<Vec<_>>());
    let all = cluster.in_turn(mine.as_deref())?;
    Ok(all.map(|all| sum(&all.into_iter().map(terms).collect::<Vec<_>>())))
}
