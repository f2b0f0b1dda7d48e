//! A run file joined with its dataset: the immutable plan that everything below works from.

use std::path::PathBuf;
use std::sync::Arc;

use genesis_data::dataset::Split;
use genesis_data::sequences::SequencesCard;
use genesis_data::sequences::SequencesCorpus;
use genesis_data::sequences::{Objective, Rows, SequencesLoaderPlan};
use genesis_kernels::Precision;
use genesis_model::{ModelConfig, TransformerConfig, specs};
use serde_json::Value;

use super::settings::{ObjectiveConfig, SequencesConfig};
use super::{Sequences, identity, packing, sources};
use crate::checkpoint::Checkpoint;
use crate::family::Family;
use crate::keys::{ConfigProblem, ConfigProblems, may_change};
use crate::report::{grouped, scaled};
use crate::trainer::{
    Blend, Course, Plan, RankOf, Share, TrainError, available_threads, inherit, to_json,
};

/// What does not fit, in messages.
const PLACE: &str = "the run and its dataset";

/// Everything a run needs to know, fixed before the first step.
#[derive(Debug, Clone)]
pub struct SequencesPlan {
    /// The file it came from, every default filled in; what `plan.toml` holds.
    pub config: SequencesConfig,
    /// The network, vocabulary included.
    pub model: TransformerConfig,
    /// Sample order and packing.
    pub loader: SequencesLoaderPlan,
    /// Optimizer steps of the run.
    pub steps: u64,
    /// Tokens of one optimizer step over all ranks: exact for causal objectives; for masked ones
    /// the expectation, from the mean length of documents; of packed ones the mean over rows.
    pub tokens_per_step: u64,
    /// Trained parameters.
    pub num_parameters: u64,
    /// Arithmetic of matrix products.
    pub precision: Precision,
    /// CPU threads.
    pub threads: usize,
    /// What it learns from.
    pub blend: Blend,
    /// Rows of each of its datasets; none where documents are not packed.
    pub rows: Vec<Arc<Rows>>,
    /// Kind of the dataset's tokenizer, e.g. `byte`.
    pub tokenizer_kind: String,
    /// Folder of the dataset whose tokenizer all have, if it lies in one.
    pub dataset: Option<PathBuf>,
}

/// Joins `config` with its datasets.
///
/// # Errors
/// Every way in which they do not fit: model sizes, model kind against objective, contexts, a
/// tokenizer without the tokens that the objective needs, datasets of different tokenizers.
pub fn resolve(
    config: SequencesConfig,
    corpus: &SequencesCorpus,
) -> Result<SequencesPlan, ConfigProblems> {
    let dataset = Some(corpus.first().root().to_path_buf());
    let found = |problem| ConfigProblems::new(PLACE, vec![problem]);
    let rows = packing::rows(&config, corpus).map_err(found)?;
    let blend = if config.data.mixture.is_empty() {
        Blend::sole(corpus.first().digest())
    } else {
        sources::blend(&config, corpus, &rows).map_err(found)?
    };
    let plan = resolve_card(config, &sources::joined(corpus, &blend), "")?;
    let tokens_per_step = sources::tokens_per_step(&plan.config, corpus, &blend, &rows);
    let blend = blend.packed(rows.iter().map(|rows| rows.described()));
    Ok(SequencesPlan { tokens_per_step, blend, rows, dataset, ..plan })
}

/// As [`resolve`], from the dataset's card alone.
pub fn resolve_card(
    config: SequencesConfig,
    card: &SequencesCard,
    dataset_digest: &str,
) -> Result<SequencesPlan, ConfigProblems> {
    let tokenizer = &card.part.tokenizer;
    let model = config.model.clone().with_special_tokens(tokenizer.mask, tokenizer.pad);
    let model = model.resolve(tokenizer.vocab_size as usize);
    let mut problems: Vec<ConfigProblem> = match &model {
        Ok(model) => fit(&config, model, card),
        Err(found) => found.problems.iter().map(|p| ConfigProblem::at("model", p)).collect(),
    };
    if card.part.splits.train.documents == 0 {
        problems.push(ConfigProblem::at("data", "the training split has no documents"));
    }
    let (Ok(model), true) = (model, problems.is_empty()) else {
        return Err(ConfigProblems::new(PLACE, problems));
    };
    let num_parameters = specs(&model).iter().map(|spec| spec.num_elements() as u64).sum();
    let objective = match config.objective {
        ObjectiveConfig::Causal { context } => Objective::Causal { context },
        ObjectiveConfig::Masked { context, mask_rate } => {
            Objective::Masked { context, rate: mask_rate }
        }
    };
    Ok(SequencesPlan {
        loader: SequencesLoaderPlan {
            objective,
            sequences_per_step: config.batch.sequences,
            accumulation: config.batch.accumulation,
            apart: false,
            rank: 0,
            world: 1,
            seed: config.run.seed,
        },
        steps: config.schedule.steps,
        tokens_per_step: tokens_per_step(&config, card),
        num_parameters,
        precision: config.precision.compute.into(),
        threads: config.run.threads.unwrap_or_else(available_threads),
        blend: Blend::sole(dataset_digest),
        rows: Vec::new(),
        tokenizer_kind: tokenizer.kind.clone(),
        dataset: None,
        model,
        config,
    })
}

/// What must hold between objective, model and tokenizer.
fn fit(
    config: &SequencesConfig,
    model: &TransformerConfig,
    card: &SequencesCard,
) -> Vec<ConfigProblem> {
    let mut problems = Vec::new();
    let mut require = |holds: bool, path: &str, message: String| {
        if !holds {
            problems.push(ConfigProblem::at(path, message));
        }
    };
    let masked = matches!(config.objective, ObjectiveConfig::Masked { .. });
    let (kind, other) = if masked { ("masked", "causal") } else { ("causal", "masked") };
    require(
        masked != model.causal(),
        "objective.kind",
        format!("is \"{kind}\", but this kind of model is {other}; change one of the two"),
    );
    let (wanted, room) = (config.objective.context(), model.context);
    require(
        wanted <= room,
        "objective.context",
        format!("is {wanted}, but `model.context` is {room}; lower one or raise the other"),
    );
    let tokenizer = &card.part.tokenizer;
    require(
        !masked || tokenizer.mask.is_some(),
        "objective.kind",
        format!(
            "is \"masked\", but the tokenizer of the dataset (`{}`) has no mask token; ingest \
             with one that has, e.g. `amino_acid`",
            tokenizer.kind
        ),
    );
    problems
}

fn tokens_per_step(config: &SequencesConfig, card: &SequencesCard) -> u64 {
    tokens_per_sequence(config, card) * config.batch.sequences as u64
}

/// Tokens of a sample of training: exact, or the mean over whole documents.
pub(super) fn tokens_per_sequence(config: &SequencesConfig, card: &SequencesCard) -> u64 {
    let train = card.part.splits.get(Split::Train);
    let context = config.objective.context() as u64;
    match config.objective {
        ObjectiveConfig::Causal { .. } => context,
        ObjectiveConfig::Masked { .. } => {
            train.tokens.div_ceil(train.documents.max(1)).min(context)
        }
    }
}

impl SequencesPlan {
    /// The plan of a run that starts from a checkpoint of `model`: what a run file cannot say of a network
    /// is as there.
    ///
    /// # Errors
    /// [`TrainError`] if the model cannot be described.
    pub fn starting_from(&self, model: &Value) -> Result<Self, TrainError> {
        let mut described = to_json(&self.model)?;
        inherit(&mut described, model, &self.inherited());
        let model = serde_json::from_value(described)
            .map_err(|error| TrainError::Unstorable { reason: error.to_string() })?;
        Ok(Self { model, ..self.clone() })
    }

    /// What a rank of `cluster` loads.
    pub(super) fn loader_on(&self, rank: &RankOf<'_>) -> Result<SequencesLoaderPlan, TrainError> {
        let (batch, parallel) = (&self.config.batch, &self.config.parallel);
        let share = Share::of(rank, parallel, batch.sequences, batch.accumulation)?;
        let Share { rank, world, parts, apart } = share;
        Ok(SequencesLoaderPlan { accumulation: parts, apart, rank, world, ..self.loader })
    }

    /// What the run file does not say: padding and mask where it gives none, and frequencies that a file of
    /// ESM-2 stores.
    fn inherited(&self) -> Vec<&'static str> {
        let (pad, mask) = match &self.config.model {
            ModelConfig::Esm2(config) => (config.pad_token.is_none(), config.mask_token.is_none()),
            ModelConfig::Gpt2(_) | ModelConfig::Llama(_) => (true, true),
        };
        let mut inherited = vec!["/rotary/stored_frequencies"];
        inherited.extend(pad.then_some("/pad_token"));
        inherited.extend(mask.then_some("/mask_token"));
        inherited
    }
}

impl Plan for SequencesPlan {
    type Config = SequencesConfig;

    fn config(&self) -> &SequencesConfig {
        &self.config
    }

    fn num_parameters(&self) -> u64 {
        self.num_parameters
    }

    fn tensorboard(&self) -> bool {
        self.config.report.tensorboard
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let flops = genesis_model::flops_per_token(&self.model, self.model.context as f64);
        let TransformerConfig { num_layers, width, num_heads, .. } = self.model;
        let family = format!("{:?}", self.model.family).to_lowercase();
        vec![
            ("Model", format!("{family}, {num_layers} layers, {num_heads} heads, width {width}")),
            ("Parameters", grouped(self.num_parameters)),
            ("Vocabulary", format!("{}, {}", self.model.vocab_size, self.tokenizer_kind)),
            ("Steps planned", grouped(self.steps)),
            ("Tokens per step", grouped(self.tokens_per_step)),
            ("Model FLOPs per token at full context", scaled(flops, "FLOP")),
            ("Matrix products in", format!("{:?}", self.config.precision.compute).to_lowercase()),
            ("Device", self.config.run.device.to_string()),
            ("Threads", self.threads.to_string()),
            ("Seed", self.config.run.seed.to_string()),
            ("Dataset digest", self.blend.digest()),
        ]
        .into_iter()
        .chain(self.blend.facts())
        .chain(self.packing_facts())
        .collect()
    }

    /// Frequencies of rotary positions that a published model stores, and the padding token of models
    /// whose tables have no key for it.
    fn adopt(&mut self, model: &serde_json::Value) {
        let Ok(theirs) = serde_json::from_value::<TransformerConfig>(model.clone()) else { return };
        if let (Some(ours), Some(theirs)) = (&mut self.model.rotary, theirs.rotary) {
            ours.stored_frequencies = theirs.stored_frequencies;
        }
        self.model.pad_token = self.model.pad_token.or(theirs.pad_token);
    }

    fn course(&self) -> Result<Course, TrainError> {
        let config = &self.config;
        Ok(Course {
            family: Sequences::NAME,
            run_dir: config.run.dir.clone(),
            seed: config.run.seed,
            schedule: config.schedule,
            stage_two: None,
            optimizer: config.optimizer,
            average: config.average,
            summing: (&config.parallel).into(),
            evaluation_every: config.evaluation.every,
            audit: config.report.audit,
            checkpoint: config.checkpoint,
            faults: config.faults,
            model: to_json(&self.model)?,
            config: to_json(config)?,
            blend: self.blend.clone(),
            tokenizer_kind: self.tokenizer_kind.clone(),
            inherited: self.inherited(),
            may_change: may_change::<SequencesConfig>(),
        })
    }

    fn check_start(&self, checkpoint: &Checkpoint) -> Result<(), TrainError> {
        match &self.dataset {
            Some(dataset) => identity::check_start(checkpoint, dataset),
            None => Ok(()),
        }
    }
}
