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
        mut visit: impl FnMut(&GraphBatch, &Prediction),
    ) -> Result<Option<LossTerms>, StructuresError> {
        let mut sum = LossTerms::default();
        for batch in batches {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let batch = batch?;
            let found = predict(self.blueprint, self.params, &batch, self.wanted)?;
            let terms = self.loss.evaluate(&found, &batch, self.counts)?;
            sum.energy += terms.energy;
            sum.forces += terms.forces;
            sum.stress += terms.stress;
            visit(&batch, &found);
        }
        Ok(Some(sum))
    }
}
