//! The task of a model of sequences: packed batches of tokens, nats per label.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use burn::tensor::FloatDType;
use genesis_data::dataset::Split;
use genesis_data::sequences::SequencesDataset;
use genesis_data::sequences::{Objective, SequencesLoader};
use genesis_kernels::{Kernels, Precision};
use genesis_model::{Mode, ParamSpec, Params, TransformerConfig, specs};
use genesis_schema::{Seeds, TokenBatch};

use super::evaluation::{Evaluation, evaluate};
use super::figures::{BITS_PER_BYTE, PERPLEXITY, TOKENS, TOKENS_PER_S, VAL_LABELS};
use super::plan::SequencesPlan;
use super::sample::some_tokens;
use super::step;
use crate::checkpoint::CheckpointError;
use crate::checkpoint::host::to_f64;
use crate::report::{Figures, Observer};
use crate::trainer::gate::{Computed, Trial};
use crate::trainer::task::{Gradients, Measurement, Task};
use crate::trainer::{Outcome, Plan, Start, TrainError, follow};

/// Files of the dataset that travel with every checkpoint.
const TOKENIZER_FILES: [&str; 2] = ["tokenizer.json", "tokenizer_config.json"];

/// Trains a model of sequences from `start` to the last step of `plan`.
///
/// Continuing from the checkpoint of step `k` gives the bits of a run that was never interrupted:
/// batches, dropout masks and learning rates are functions of the step, and the checkpoint holds
/// the rest. `stop` is looked at after every step: the run then saves and returns.
///
/// # Errors
/// [`TrainError`]; the last checkpoint stays valid.
pub fn train<B: Kernels>(
    plan: &SequencesPlan,
    dataset: Arc<SequencesDataset>,
    device: &B::Device,
    observer: &mut dyn Observer,
    stop: &AtomicBool,
    start: Start,
) -> Result<Outcome, TrainError> {
    let plan = &match start.model() {
        Some(model) => plan.starting_from(model)?,
        None => plan.clone(),
    };
    let loader = Arc::new(SequencesLoader::new(dataset, plan.loader)?);
    let task = Sequences::<B> { plan, device, loader };
    follow(&plan.course()?, &task, observer, stop, start)
}

/// Learning to predict tokens.
struct Sequences<'a, B: Kernels> {
    plan: &'a SequencesPlan,
    device: &'a B::Device,
    loader: Arc<SequencesLoader>,
}

impl<B: Kernels> Task<B> for Sequences<'_, B> {
    type Slice = TokenBatch;
    type Loader = SequencesLoader;
    type Trial = TokenTrial;

    fn samples_are(&self) -> &'static str {
        "documents"
    }

    fn specs(&self) -> Arc<[ParamSpec]> {
        specs(&self.plan.model)
    }

    fn dtype(&self) -> FloatDType {
        FloatDType::F32
    }

    fn device(&self) -> &B::Device {
        self.device
    }

    fn loader(&self) -> &Arc<SequencesLoader> {
        &self.loader
    }

    fn gradients(
        &self,
        step: u64,
        params: &Params<B>,
        slices: &[TokenBatch],
    ) -> Result<Gradients<B>, TrainError> {
        if step::count_labels(slices) == 0 {
            return Err(TrainError::NoLabels { step: step + 1, documents: documents(slices) });
        }
        let dropout = Seeds::new(self.plan.config.run.seed).stream("dropout");
        let loader = &self.plan.loader;
        let slices_per_step = (loader.accumulation * loader.world) as u64;
        let first_slice = step * slices_per_step + (loader.rank * loader.accumulation) as u64;
        let mode = |slice| Mode::training(self.plan.precision, dropout, first_slice + slice);
        Ok(step::accumulate(&self.plan.model, params, slices, mode, self.device))
    }

    fn trial(&self, slices: &[TokenBatch]) -> Option<TokenTrial> {
        let batch = some_tokens(slices);
        (batch.num_labels() > 0).then(|| TokenTrial {
            config: self.plan.model.clone(),
            precision: self.plan.precision,
            batch,
        })
    }

    fn size(&self, slices: &[TokenBatch]) -> u64 {
        slices.iter().map(|batch| batch.num_tokens() as u64).sum()
    }

    fn rates(&self, slices: &[TokenBatch], seconds: f64, seen: u64) -> Figures {
        let tokens = <Self as Task<B>>::size(self, slices) as f64;
        let per_s = tokens / seconds.max(f64::MIN_POSITIVE);
        Figures::default().with(&TOKENS_PER_S, per_s).with(&TOKENS, seen)
    }

    fn sample_ids(&self, slices: &[TokenBatch]) -> Vec<u64> {
        documents(slices)
    }

    fn evaluate(
        &self,
        _step: u64,
        params: &Params<B>,
        stop: &AtomicBool,
    ) -> Result<Option<Measurement>, TrainError> {
        let config = &self.plan.config.evaluation;
        let loader = &self.plan.loader;
        let per_slice = loader.sequences_per_step / (loader.accumulation * loader.world).max(1);
        let per_batch = config.sequences_per_batch.unwrap_or(per_slice);
        let batches = self.loader.validation(config.max_sequences, per_batch);
        let (model, precision) = (&self.plan.model, self.plan.precision);
        let found = evaluate(model, params, batches, precision, self.device, stop)?;
        Ok(found.map(|found| self.measurement(&found)))
    }

    fn attachments(&self) -> Result<BTreeMap<String, Vec<u8>>, TrainError> {
        let mut files = BTreeMap::new();
        for name in TOKENIZER_FILES {
            let path = self.loader.dataset().root().join(name);
            if path.is_file() {
                let bytes = std::fs::read(&path).map_err(CheckpointError::io("read", &path))?;
                files.insert(name.to_owned(), bytes);
            }
        }
        Ok(files)
    }
}

impl<B: Kernels> Sequences<'_, B> {
    fn measurement(&self, found: &Evaluation) -> Measurement {
        let causal = matches!(self.plan.loader.objective, Objective::Causal { .. });
        let part = &self.loader.dataset().card().part;
        let split = part.splits.get(Split::Validation);
        let bits = found.bits_per_byte(split, &part.tokenizer.unlabelled);
        Measurement {
            loss: found.loss,
            figures: Figures::default()
                .with(&PERPLEXITY, found.perplexity())
                .with_known(&BITS_PER_BYTE, bits.filter(|_| causal))
                .with(&VAL_LABELS, found.num_labels),
            baseline: Some(format!(
                "validation: {} labels; a model that ignores its input could reach {:.4} nats \
                 (their unigram entropy)",
                found.num_labels, found.unigram_entropy
            )),
        }
    }
}

/// Documents of a step, ascending, each once.
pub fn documents(slices: &[TokenBatch]) -> Vec<u64> {
    let mut ids: Vec<u64> = slices.iter().flat_map(|batch| batch.document_ids.clone()).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// A network and a few tokens.
pub(crate) struct TokenTrial {
    pub(crate) config: TransformerConfig,
    pub(crate) precision: Precision,
    pub(crate) batch: TokenBatch,
}

impl Trial for TokenTrial {
    fn compute<B: Kernels>(
        &self,
        params: &Params<B>,
        device: &B::Device,
    ) -> Result<Computed, TrainError> {
        let dropout = Seeds::new(0).stream("gate");
        let mode = |slice| Mode::training(self.precision, dropout, slice);
        let slices = std::slice::from_ref(&self.batch);
        let (loss, gradients) = step::accumulate(&self.config, params, slices, mode, device);
        Ok(Computed { loss, gradients: to_f64(&gradients) })
    }

    fn describe(&self) -> String {
        let (segments, tokens) = (self.batch.num_segments(), self.batch.num_tokens());
        format!("{tokens} tokens of {segments} sequences")
    }
}
