//! Documents packed in rows: the rows of every dataset of a run, and what people are told of them.
//!
//! Not here: which document goes where (`genesis_data::sequences::packing`).

use std::sync::Arc;

use genesis_data::sequences::{Packing, Rows, SequencesCorpus, rows_of};

use super::plan::SequencesPlan;
use super::settings::{PackingConfig, SequencesConfig};
use crate::keys::ConfigProblem;
use crate::report::grouped;

/// The rows of every dataset of `corpus`, in order; none where documents are not packed.
///
/// # Errors
/// A dataset that cannot be packed.
pub(super) fn rows(
    config: &SequencesConfig,
    corpus: &SequencesCorpus,
) -> Result<Vec<Arc<Rows>>, ConfigProblem> {
    let Some(PackingConfig::BestFit { window }) = config.batch.packing else {
        return Ok(Vec::new());
    };
    let packing = Packing { context: config.objective.context(), window };
    let rows = rows_of(corpus, packing, config.run.seed);
    rows.map_err(|error| ConfigProblem::at("batch.packing", error.to_string()))
}

/// Tokens of a row, the mean rounded up.
pub(super) fn tokens_per_row(rows: &Rows) -> u64 {
    rows.num_tokens().div_ceil(rows.num_rows())
}

impl SequencesPlan {
    /// Rows of an epoch of all datasets that the run begins with; none where documents are not packed.
    pub(super) fn rows_per_epoch(&self) -> Option<u64> {
        let begins = |name: &str| self.blend.mixture.stretch(0).weights.contains_key(name);
        let sources = self.blend.mixture.sources.iter().zip(&self.rows);
        let begun = sources.filter(|(source, _)| begins(&source.name));
        (!self.rows.is_empty()).then(|| begun.map(|(_, rows)| rows.num_rows()).sum())
    }

    /// How documents are packed: a line for all, and one a dataset.
    pub(super) fn packing_facts(&self) -> Vec<(&'static str, String)> {
        let Some(PackingConfig::BestFit { window }) = self.config.batch.packing else {
            return Vec::new();
        };
        let how = format!(
            "best fit, whole documents in rows of at most {} tokens, {} documents at a time",
            grouped(self.config.objective.context() as u64),
            grouped(window)
        );
        let names = self.blend.mixture.sources.iter().map(|source| source.name.as_str());
        let lines = names.zip(&self.rows).map(|(name, rows)| ("Rows", said(name, rows)));
        [("Packing", how)].into_iter().chain(lines).collect()
    }
}

fn said(name: &str, rows: &Rows) -> String {
    let (cut, pieces) = rows.cut();
    format!(
        "{name}: {} an epoch, {:.2} % padding, {} longer documents cut into {} pieces",
        grouped(rows.num_rows()),
        100.0 * rows.padding(),
        grouped(cut),
        grouped(pieces)
    )
}
