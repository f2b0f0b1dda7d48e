//! Training steps of a masked protein model on real proteins: packed end to end, or each padded to
//! the longest of its batch. The same proteins in the same order; only real residues count.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use genesis_data::dataset::Loader;
use genesis_data::ingest::Silent;
use genesis_data::sequences::{Objective, SequencesDataset, SequencesLoader, SequencesLoaderPlan};
use genesis_data::sequences::{SequencesIngest, TokenizerChoice, ingest_sequences};
use genesis_kernels::{Kernels, Precision};
use genesis_model::TransformerConfig;
use genesis_model::transformer::{Activation, Family, Rotary};
use genesis_schema::{IGNORE, TokenBatch};
use serde::{Deserialize, Serialize};

use super::transformer::Training;
use super::{CaseError, Fields, Repeats, put};

/// Longest window of a protein, tokens.
const CONTEXT: usize = 1024;
/// Fraction of residues that are hidden: that of ESM-2.
const MASK_RATE: f64 = 0.15;
/// Of ESM-2's alphabet.
const VOCABULARY: usize = 33;
const PAD: u32 = 1;
const MASK: u32 = 32;

/// Proteins, and how they lie in a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProteinsCase {
    /// FASTA files or folders of them.
    pub inputs: Vec<PathBuf>,
    /// Whether every protein is padded to the longest of its batch.
    pub padded: bool,
    /// Proteins of a step.
    pub batch: usize,
    /// How often.
    pub repeats: Repeats,
}

impl ProteinsCase {
    pub(super) fn measure<B: Kernels>(&self, device: &B::Device) -> Result<Fields, CaseError> {
        let scratch = tempfile::tempdir()?;
        let packed = self.batches(&scratch.path().join("dataset"))?;
        let mut training = Training::<B>::start(config(), Precision::Full, device)?;
        let (mut seconds, mut real, mut computed) = (0.0, 0, 0);
        for (step, batch) in packed.iter().enumerate() {
            let fed = if self.padded { padded(batch) } else { batch.clone() };
            let taken = training.step(&fed);
            if step >= self.repeats.warmup {
                seconds += taken;
                real += batch.num_tokens();
                computed += fed.num_tokens();
            }
        }
        let mut fields = Fields::new();
        put(&mut fields, "tokens_per_s", real as f64 / seconds);
        put(&mut fields, "real_tokens", real);
        put(&mut fields, "computed_tokens", computed);
        put(&mut fields, "params", training.params.num_elements());
        put(&mut fields, "loss", training.loss);
        Ok(fields)
    }

    /// The first steps of a run on these proteins.
    fn batches(&self, folder: &Path) -> Result<Vec<TokenBatch>, CaseError> {
        let tokenizer = TokenizerChoice::AminoAcid;
        let plan = SequencesIngest::new(self.inputs.clone(), tokenizer, folder.to_path_buf());
        ingest_sequences(&plan, &Silent)?;
        let plan = SequencesLoaderPlan {
            objective: Objective::Masked { context: CONTEXT, rate: MASK_RATE },
            sequences_per_step: self.batch,
            accumulation: 1,
            apart: false,
            rank: 0,
            world: 1,
            seed: 1,
        };
        let loader = SequencesLoader::new(Arc::new(SequencesDataset::open(folder)?), plan)?;
        let mut batches = Vec::new();
        for step in 0..self.repeats.total() as u64 {
            batches.extend(loader.step(step)?);
        }
        Ok(batches)
    }
}

/// The smallest published ESM-2: 6 layers of width 320.
fn config() -> TransformerConfig {
    TransformerConfig {
        family: Family::Esm2,
        vocab_size: VOCABULARY,
        context: CONTEXT,
        num_layers: 6,
        num_heads: 20,
        num_key_heads: 20,
        head_width: 16,
        width: 320,
        feed_forward_width: 1280,
        activation: Activation::Gelu,
        norm_epsilon: 1e-5,
        rotary: Some(Rotary::new(10_000.0)),
        attention_bias: true,
        feed_forward_bias: true,
        tied_head: true,
        bidirectional: false,
        embedding_norm: false,
        token_dropout: true,
        mask_token: Some(MASK),
        pad_token: Some(PAD),
        dropout: 0.0,
        embedding_dropout: 0.0,
        initialiser_std: 0.02,
    }
}

/// The same segments, each filled up to the longest with padding that has no label.
fn padded(batch: &TokenBatch) -> TokenBatch {
    let bounds: Vec<(usize, usize)> =
        batch.cu_seqlens.windows(2).map(|pair| (pair[0] as usize, pair[1] as usize)).collect();
    let longest = bounds.iter().map(|(start, end)| end - start).max().unwrap_or(0);
    let mut out = TokenBatch::default();
    for (&(start, end), &id) in bounds.iter().zip(&batch.document_ids) {
        let (mut tokens, mut labels) =
            (batch.tokens[start..end].to_vec(), batch.labels[start..end].to_vec());
        tokens.resize(longest, PAD);
        labels.resize(longest, IGNORE);
        out.push_segment(&tokens, &labels, batch.positions[start], id);
    }
    out
}

#[cfg(test)]
mod tests {
    use burn::backend::flex::FlexDevice;
    use genesis_kernels::Cpu;

    use super::*;

    #[test]
    fn padding_fills_every_segment_to_the_longest_and_adds_no_label() {
        let mut batch = TokenBatch::default();
        batch.push_segment(&[0, 5, 2], &[IGNORE, 6, IGNORE], 0, 3);
        batch.push_segment(&[0, 2], &[4, IGNORE], 0, 9);
        let filled = padded(&batch);
        assert_eq!(filled.cu_seqlens, [0, 3, 6]);
        assert_eq!(filled.tokens, [0, 5, 2, 0, 2, PAD]);
        assert_eq!(filled.num_labels(), batch.num_labels());
        assert_eq!(filled.document_ids, [3, 9]);
    }

    #[test]
    fn packed_and_padded_steps_count_the_same_residues() {
        let folder = tempfile::tempdir().unwrap();
        let fasta = folder.path().join("proteins.fasta");
        let record =
            |i: usize| format!(">p{i}\n{}\n", "ACDEFGHIKL".repeat(1 + i % 7) + &"MNP".repeat(i));
        std::fs::write(&fasta, (0..24).map(record).collect::<String>()).unwrap();
        let case = |padded| ProteinsCase {
            inputs: vec![fasta.clone()],
            padded,
            batch: 2,
            repeats: Repeats { warmup: 0, steps: 1 },
        };
        let [packed, padded] =
            [false, true].map(|padded| case(padded).measure::<Cpu>(&FlexDevice).unwrap());
        assert_eq!(packed["real_tokens"], padded["real_tokens"]);
        assert_eq!(packed["computed_tokens"], packed["real_tokens"]);
        assert!(padded["computed_tokens"].as_u64() >= packed["computed_tokens"].as_u64());
    }
}
