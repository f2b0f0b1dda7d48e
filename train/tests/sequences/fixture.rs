//! A tiny run for one test: a dataset folder, a plan, and an observer that remembers.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Device;
use genesis_data::dataset::Split;
use genesis_data::dataset::card::{Part as _, RejectsCard, SCHEMA_VERSION, ShardCard};
use genesis_data::sequences::SequencesCard;
use genesis_data::sequences::card::{
    SequencesPart, SplitCard, SplitRule, Splits, TokenType, TokenizerCard,
};
use genesis_data::sequences::shards::{ShardLimits, ShardWriter};
use genesis_data::sequences::{SequencesCorpus, SequencesDataset};
use genesis_kernels::{Cpu, Kernels};
use genesis_schema::Seeds;
use genesis_train::cluster::Cluster;
use genesis_train::family::Family as _;
use genesis_train::report::{
    CheckpointRecord, EvaluationRecord, FaultRecord, Observer, StepRecord,
};
use genesis_train::sequences::{Sequences, SequencesConfig, SequencesPlan, resolve};
use genesis_train::trainer::{Outcome, Resume, Session, TrainError, prepare};

/// Letters 4 to 23 in a pattern that can be learned, between the tokens of ESM-2.
fn document(split: Split, number: u64) -> Vec<u32> {
    let stream = Seeds::new(7).stream(split.name());
    let length = 5 + stream.below(number, 0, 30);
    let first = stream.below(number, 1, 20);
    let letter = |place: u64| {
        let noise = u64::from(stream.below(number, 10 + place, 8) == 0);
        4 + u32::try_from((first + 3 * place + noise) % 20).unwrap()
    };
    std::iter::once(0).chain((0..length).map(letter)).chain([2]).collect()
}

/// Writes a dataset of 90 training and 12 validation documents into `root`.
pub(crate) fn dataset(root: &Path) -> Arc<SequencesCorpus> {
    write_dataset(root, 0, 90);
    Arc::new(SequencesCorpus::sole(Arc::new(SequencesDataset::open(root).unwrap())))
}

/// Three datasets of different size and content in folders of `root`: `big`, `middle` and `small`.
pub(crate) fn three_datasets(root: &Path) -> Vec<(String, std::path::PathBuf)> {
    let dataset = |&(name, first, documents): &(&str, u64, u64)| {
        let folder = root.join(name);
        write_dataset(&folder, first, documents);
        (name.to_owned(), folder)
    };
    [("big", 1000, 60), ("middle", 2000, 20), ("small", 3000, 3)].iter().map(dataset).collect()
}

/// Writes so many training and 12 validation documents, numbered from `first`, into `root`.
fn write_dataset(root: &Path, first: u64, documents: u64) {
    std::fs::create_dir_all(root).unwrap();
    let limits = ShardLimits { batch_tokens: 200, batch_rows: 5, shard_bytes: 4000 };
    let mut splits = Splits { train: SplitCard::new(33), validation: SplitCard::new(33) };
    let mut shards = Vec::new();
    for (split, count) in [(Split::Train, documents), (Split::Validation, 12)] {
        let mut writer = ShardWriter::create(root, split, TokenType::U8, limits).unwrap();
        let counts = match split {
            Split::Train => &mut splits.train,
            Split::Validation | Split::Test => &mut splits.validation,
        };
        for number in 0..count {
            let tokens = document(split, first + number);
            writer.push(&tokens, number, 0).unwrap();
            counts.count(tokens.iter().copied(), tokens.len() as u64);
        }
        shards.extend(writer.finish().unwrap());
    }
    std::fs::write(root.join("tokenizer.json"), "{}").unwrap();
    card(splits, shards).save(root).unwrap();
}

fn card(splits: Splits, shards: Vec<ShardCard<SequencesPart>>) -> SequencesCard {
    let tokenizer = TokenizerCard {
        kind: "amino_acid".to_owned(),
        vocab_size: 33,
        bos: Some(0),
        eos: Some(2),
        pad: Some(1),
        mask: Some(32),
        unknown: Some(3),
        special: vec![0, 1, 2, 3, 32],
        standard: (4..24).collect(),
        unlabelled: Vec::new(),
    };
    SequencesCard {
        schema_version: SCHEMA_VERSION,
        kind: SequencesPart::KIND.into(),
        name: "fixture".to_owned(),
        description: "made by a test".to_owned(),
        part: SequencesPart {
            tokenizer,
            token_type: TokenType::U8,
            splits,
            split_rule: SplitRule { hash: "none".to_owned(), validation_fraction: 0.1 },
        },
        rejects: RejectsCard::default(),
        duplicates_dropped: 0,
        held_out_seen_in_training: None,
        sources: Vec::new(),
        options: serde_json::Value::Null,
        licence: None,
        classification: None,
        code_version: "test".to_owned(),
        files: Vec::new(),
        shards,
    }
}

/// A causal run of eight steps; `extra` lines of TOML are put at the end.
pub(crate) const CAUSAL: &str = r#"
run.dir = "DIR"
data.dataset = "DATA"
model = { kind = "llama", context = 16, num_layers = 1, num_heads = 2, width = 16, dropout = 0.1 }
objective = { kind = "causal", context = 16 }
batch = { sequences = 4, accumulation = 1 }
optimizer = { kind = "adamw", clip_norm = 1.0 }
schedule = { steps = 8, peak_rate = 0.01, warmup_steps = 2, decay = { kind = "cosine" } }
evaluation = { every = 3 }
checkpoint = { every = 2, keep_last = 2 }
"#;

/// A masked run of eight steps with two accumulation slices.
pub(crate) const MASKED: &str = r#"
run.dir = "DIR"
data.dataset = "DATA"
model = { kind = "esm2", context = 40, num_layers = 1, num_heads = 2, width = 16, mask_token = 32, pad_token = 1 }
objective = { kind = "masked", context = 40, mask_rate = 0.3 }
batch = { sequences = 6, accumulation = 2 }
schedule = { steps = 8, peak_rate = 0.01, decay = { kind = "linear", steps = 3 } }
evaluation = { every = 3 }
checkpoint = { every = 2, keep_last = 2 }
precision = { compute = "bf16" }
"#;

/// The plan of a run file; `run` is its folder.
pub(crate) fn plan(text: &str, run: &Path, dataset: &SequencesCorpus) -> SequencesPlan {
    let text = text.replace("DIR", &run.display().to_string()).replace("DATA", "dataset");
    let config: SequencesConfig = toml::from_str(&text).unwrap();
    resolve(config, dataset).unwrap()
}

/// Remembers what it hears; sets the stop flag after `stop_after` steps.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) steps: Vec<StepRecord>,
    pub(crate) evaluations: Vec<EvaluationRecord>,
    pub(crate) checkpoints: Vec<CheckpointRecord>,
    pub(crate) faults: Vec<FaultRecord>,
    pub(crate) notes: Vec<String>,
    pub(crate) stop_after: Option<u64>,
    /// A folder that is made after so many steps.
    pub(crate) makes_after: Option<(u64, PathBuf)>,
    pub(crate) stop: Arc<AtomicBool>,
}

impl Memory {
    /// Stops the run once `step` updates are done.
    pub(crate) fn stopping_after(step: u64) -> Self {
        Self { stop_after: Some(step), ..Self::default() }
    }

    /// Step, loss and gradient norm, as bits.
    pub(crate) fn bits(&self) -> Vec<(u64, u64, u64)> {
        self.steps.iter().map(|s| (s.step, s.loss.to_bits(), s.grad_norm.to_bits())).collect()
    }

    /// Step and validation loss, as bits.
    pub(crate) fn evaluation_bits(&self) -> Vec<(u64, u64)> {
        self.evaluations.iter().map(|e| (e.step, e.val_loss.to_bits())).collect()
    }
}

impl Observer for Memory {
    fn step(&mut self, record: &StepRecord) {
        self.steps.push(record.clone());
        if let Some((_, folder)) = self.makes_after.take_if(|(step, _)| *step == record.step) {
            std::fs::create_dir_all(folder).unwrap();
        }
        if self.stop_after.is_some_and(|step| record.step >= step) {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
    fn evaluation(&mut self, record: &EvaluationRecord) {
        self.evaluations.push(record.clone());
    }
    fn checkpoint(&mut self, record: &CheckpointRecord) {
        self.checkpoints.push(record.clone());
    }
    fn fault(&mut self, record: &FaultRecord) {
        self.faults.push(record.clone());
    }
    fn note(&mut self, text: &str) {
        self.notes.push(text.to_owned());
    }
}

/// Prepares and trains on the CPU.
pub(crate) fn run(
    plan: &SequencesPlan,
    dataset: &Arc<SequencesCorpus>,
    memory: &mut Memory,
    resume: &Resume,
) -> Result<Outcome, TrainError> {
    run_on::<Cpu>(&Device::<Cpu>::default(), plan, dataset, memory, resume)
}

/// Prepares and trains on a device.
pub(crate) fn run_on<B: Kernels>(
    device: &B::Device,
    plan: &SequencesPlan,
    dataset: &Arc<SequencesCorpus>,
    memory: &mut Memory,
    resume: &Resume,
) -> Result<Outcome, TrainError> {
    let start = prepare(plan, resume)?;
    let stop = Arc::clone(&memory.stop);
    stop.store(false, Ordering::Relaxed);
    let cluster = &Cluster::alone();
    let session = Session { observer: memory, stop: &stop, start, cluster };
    Sequences::train::<B>(plan, dataset, device, session)
}
