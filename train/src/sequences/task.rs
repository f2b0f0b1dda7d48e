//! The task of a model of sequences: packed batches of tokens, nats per label.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use burn::tensor::FloatDType;
use genesis_data::dataset::Split;
use genesis_data::sequences::SequencesCorpus;
use genesis_data::sequences::{Objective, SequencesLoader};
use genesis_kernels::{Kernels, Precision};
use genesis_model::{Mode, ParamSpec, Params, TransformerConfig, specs};
use genesis_schema::{Sample, Seeds, TokenBatch};
use serde_json::Value;

use super::evaluation::Sums;
use super::figures::{BITS_PER_BYTE, PERPLEXITY, TOKENS, TOKENS_PER_S, VAL_LABELS};
use super::plan::SequencesPlan;
use super::sample::some_tokens;
use super::step;
use crate::checkpoint::CheckpointError;
use crate::checkpoint::host::to_f64;
use crate::cluster::{Cluster, Phase};
use crate::report::Figures;
use crate::report::audit::Delivered;
use crate::trainer::gate::{Computed, Trial};
use crate::trainer::task::{Gradients, Measurement, Part, Tally, Task, Work, delivered};
use crate::trainer::{Plan, RankOf, TrainError};

/// Places in a tally: labels, and tokens.
const LABELS: usize = 0;
const TOKENS_IN: usize = 1;
/// Files of the dataset that travel with every checkpoint.
const TOKENIZER_FILES: [&str; 2] = ["tokenizer.json", "tokenizer_config.json"];

/// Does `work` with what `plan` is to learn, as `rank`, starting from `model` if it is given.
pub(super) fn with_task<B: Kernels, W: Work>(
    plan: &SequencesPlan,
    corpus: &SequencesCorpus,
    device: &B::Device,
    (rank, model): (&RankOf<'_>, Option<&Value>),
    work: W,
) -> Result<W::Output, TrainError> {
    let plan = &match model {
        Some(model) => plan.starting_from(model)?,
        None => plan.clone(),
    };
    let mixture = plan.blend.mixture.mixture(plan.config.batch.sequences as u64)?;
    let share = plan.loader_on(rank)?;
    let loader = SequencesLoader::packed(corpus.clone(), Arc::new(mixture), share, &plan.rows);
    let loader = loader.map_err(TrainError::from);
    let loader = rank.cluster.agree(Phase::Data, "opening its data", loader)?;
    let measured = plan.blend.measured_in(corpus);
    let task = Sequences::<B> { plan, device, loader: Arc::new(loader), measured };
    work.on(&plan.course()?, &task)
}

/// Learning to predict tokens.
struct Sequences<'a, B: Kernels> {
    plan: &'a SequencesPlan,
    device: &'a B::Device,
    loader: Arc<SequencesLoader>,
    /// Sources whose validation split is measured.
    measured: Vec<usize>,
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

    fn tally(&self, slices: &[TokenBatch]) -> Tally {
        let tokens: usize = slices.iter().map(TokenBatch::num_tokens).sum();
        vec![step::count_labels(slices) as f64, tokens as f64]
    }

    fn gradients(
        &self,
        step: u64,
        params: &Params<B>,
        part: &Part<'_, TokenBatch>,
        whole: &Tally,
    ) -> Result<Gradients<B>, TrainError> {
        let num_labels = whole[LABELS];
        if num_labels <= 0.0 {
            let documents = documents(part.slices);
            return Err(TrainError::NoLabels { step: step + 1, documents });
        }
        let dropout = Seeds::new(self.plan.config.run.seed).stream("dropout");
        let loader = self.loader.plan();
        let slices_per_step = (loader.accumulation * loader.world) as u64;
        let before = loader.rank * loader.accumulation + part.number * part.slices.len();
        let first_slice = step * slices_per_step + before as u64;
        let mode = |slice| Mode::training(self.plan.precision, dropout, first_slice + slice);
        let model = &self.plan.model;
        Ok(step::accumulate(model, params, part.slices, num_labels, mode, self.device))
    }

    fn trial(&self, slices: &[TokenBatch]) -> Option<TokenTrial> {
        let batch = some_tokens(slices);
        (batch.num_labels() > 0).then(|| TokenTrial {
            config: self.plan.model.clone(),
            precision: self.plan.precision,
            batch,
        })
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    fn size(&self, whole: &Tally) -> u64 {
        whole[TOKENS_IN] as u64
    }

    fn rates(&self, whole: &Tally, seconds: f64, seen: u64) -> Figures {
        let per_s = whole[TOKENS_IN] / seconds.max(f64::MIN_POSITIVE);
        Figures::default().with(&TOKENS_PER_S, per_s).with(&TOKENS, seen)
    }

    fn sample_ids(&self, slices: &[TokenBatch]) -> Vec<u64> {
        documents(slices)
    }

    fn delivered(&self, slice: &TokenBatch) -> Vec<Delivered> {
        let members = self.loader.corpus().members();
        let mut first = 0;
        let of = |sample: &Sample| {
            let range = first..first + sample.units as usize;
            first = range.end;
            let tokens = slice.tokens[range.clone()].iter().flat_map(|it| it.to_le_bytes());
            let labels = slice.labels[range].iter().flat_map(|it| it.to_le_bytes());
            let content: Vec<u8> = tokens.chain(labels).collect();
            delivered(sample, &members[sample.source as usize].name, &content)
        };
        slice.samples.iter().map(of).collect()
    }

    fn evaluate(
        &self,
        _step: u64,
        params: &Params<B>,
        cluster: &Cluster,
        stop: &AtomicBool,
    ) -> Result<Option<Measurement>, TrainError> {
        let config = &self.plan.config.evaluation;
        let batch = &self.plan.config.batch;
        let per_slice = batch.sequences / batch.accumulation.max(1);
        let per_batch = config.sequences_per_batch.unwrap_or(per_slice);
        let (model, precision) = (&self.plan.model, self.plan.precision);
        let mut all = Vec::new();
        for batches in self.loader.validations(&self.measured, config.max_sequences, per_batch) {
            let mine = cluster.turns(batches);
            let sums = Sums::of(model, params, mine, precision, self.device, stop);
            let sums = cluster.agree(Phase::Step, "evaluating", sums.map_err(TrainError::from))?;
            let Some(sums) = Sums::over_ranks(sums.as_ref(), cluster)? else { return Ok(None) };
            all.push(sums);
        }
        Ok(self.measurement(all))
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
    /// What the sums of the measured sources come to; nothing without labels.
    fn measurement(&self, all: Vec<Sums>) -> Option<Measurement> {
        let causal = matches!(self.plan.loader.objective, Objective::Causal { .. });
        let members = self.measured.iter().map(|&source| &self.loader.corpus().members()[source]);
        let (mut learned, mut of_sources) = ((0, 0), BTreeMap::new());
        for (member, sums) in members.zip(&all) {
            let part = &member.dataset.card().part;
            let split = part.splits.get(Split::Validation);
            let (tokens, bytes) = split.learned(&part.tokenizer.unlabelled);
            learned = (learned.0 + tokens, learned.1 + bytes);
            if let Some(found) = sums.clone().finish().filter(|_| all.len() > 1) {
                of_sources.insert(member.name.clone(), found.loss);
            }
        }
        let found = Sums::joined(all).finish()?;
        let bits = found.bits_per_byte(learned);
        Some(Measurement {
            loss: found.loss,
            of_sources,
            figures: Figures::default()
                .with(&PERPLEXITY, found.perplexity())
                .with_known(&BITS_PER_BYTE, bits.filter(|_| causal))
                .with(&VAL_LABELS, found.num_labels),
            baseline: Some(format!(
                "validation: {} labels; a model that ignores its input could reach {:.4} nats \
                 (their unigram entropy)",
                found.num_labels, found.unigram_entropy
            )),
        })
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
        let labels = step::count_labels(slices) as f64;
        let (loss, gradients) =
            step::accumulate(&self.config, params, slices, labels, mode, device);
        Ok(Computed { loss, gradients: to_f64(&gradients) })
    }

    fn describe(&self) -> String {
        let (segments, tokens) = (self.batch.num_segments(), self.batch.num_tokens());
        format!("{tokens} tokens of {segments} sequences")
    }
}
