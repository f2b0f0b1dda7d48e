//! Probabilities of a masked model at single masked places of one sequence.

use std::collections::BTreeMap;

use genesis_data::sequences::tokenize::Tokenizer;
use genesis_kernels::Kernels;
use genesis_schema::TokenBatch;

use super::batches;
use super::error::InferenceError;
use super::load::SequencesModel;
use super::sampling::log_sum_exp;

/// `log p(token at place | all other tokens)` for some places of one sequence.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MaskedMarginals {
    /// `[V]` log-probabilities by place.
    by_place: BTreeMap<usize, Vec<f64>>,
}

impl MaskedMarginals {
    /// Masks each of `places` alone; `progress` gets places done and all.
    ///
    /// # Errors
    /// A causal model, a tokenizer without mask token, NaN logits.
    pub(crate) fn compute<B: Kernels>(
        model: &SequencesModel<B>,
        tokenizer: &Tokenizer,
        tokens: &[u32],
        places: &[usize],
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Self, InferenceError> {
        let mask = tokenizer.mask().ok_or_else(|| InferenceError::Unsuitable {
            path: model.source.path.clone(),
            problem: "its tokenizer has no mask token, so nothing can be masked".to_owned(),
        })?;
        let vocabulary = model.config.vocab_size;
        let mut by_place = BTreeMap::new();
        for run in batches::runs(&vec![tokens.len(); places.len()], vocabulary) {
            let mut batch = TokenBatch::default();
            for &place in &places[run.clone()] {
                let mut masked = tokens.to_vec();
                masked[place] = mask;
                batches::push(&mut batch, &masked);
            }
            let logits = model.logits(&batch);
            for (segment, &place) in places[run].iter().enumerate() {
                let row = segment * tokens.len() + place;
                let logits = &logits[row * vocabulary..][..vocabulary];
                if logits.iter().any(|logit| logit.is_nan()) {
                    return Err(InferenceError::NotFinite { tokens: tokens.len() });
                }
                let total = log_sum_exp(logits);
                by_place.insert(place, logits.iter().map(|&x| f64::from(x) - total).collect());
            }
            progress(by_place.len() as u64, places.len() as u64);
        }
        Ok(Self { by_place })
    }

    /// Log-probability of `token` at `place`, one of the places asked for.
    pub(crate) fn log_p(&self, place: usize, token: u32) -> f64 {
        self.by_place[&place][token as usize]
    }
}
