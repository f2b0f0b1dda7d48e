//! A tiny run on silicon that the program makes itself.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Device;
use genesis_data::ingest::Silent;
use genesis_data::structures::StructuresCorpus;
use genesis_data::structures::ingest_structures;
use genesis_kernels::{Cpu, Kernels};
use genesis_train::cluster::Cluster;
use genesis_train::family::Family as _;
use genesis_train::keys::RunFile;
use genesis_train::report::{CheckpointRecord, EvaluationRecord, Observer, StepRecord};
use genesis_train::structures::{Structures, StructuresConfig, StructuresPlan, resolve_structures};
use genesis_train::trainer::{Outcome, Resume, Session, TrainError, prepare};

/// Eight steps with everything that has a state: moments, average, plateau, stage two.
pub(crate) const SILICON: &str = r#"
run.dir = "DIR"
data.generate = { kind = "silicon", frames = 24, seed = 1 }
model = { kind = "mace", channels = 2, max_hidden_degree = 1, r_max_angstrom = 3.0, max_ell = 1, correlation = 2, num_bessel = 4, radial_widths = [4] }
objective = { energy_weight = 1.0, forces_weight = 10.0, stress_weight = 1.0 }
batch = { frames = 3 }
schedule = { steps = 8, peak_rate = 0.01, decay = { kind = "plateau", factor = 0.5, patience = 0 } }
stage_two = { start_step = 6, rate = 1e-3, energy_weight = 10.0, forces_weight = 10.0 }
average = { decay = 0.9 }
evaluation = { every = 1 }
checkpoint = { every = 2, keep_last = 2 }
"#;

/// The plan of a run file; `run` is its folder, where its dataset is made on first use.
pub(crate) fn plan(text: &str, run: &Path) -> (StructuresPlan, Arc<StructuresCorpus>) {
    let text = text.replace("DIR", &run.display().to_string());
    let config = config(&text);
    let folder = config.data.folder(run);
    if let Some(ingest) = config.data.ingest_plan(run).filter(|_| !folder.exists()) {
        std::fs::create_dir_all(run).unwrap();
        ingest_structures(&ingest, &Silent).unwrap();
    }
    let folders = [("dataset".to_owned(), folder)];
    let dataset = Arc::new(StructuresCorpus::open(&folders).unwrap());
    (resolve_structures(config, &dataset).unwrap(), dataset)
}

pub(crate) fn config(text: &str) -> StructuresConfig {
    RunFile::parse("test", text, &[]).unwrap().check(&|_| None).unwrap()
}

/// Remembers what it hears; sets the stop flag after `stop_after` steps.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) steps: Vec<StepRecord>,
    pub(crate) evaluations: Vec<EvaluationRecord>,
    pub(crate) checkpoints: Vec<CheckpointRecord>,
    pub(crate) notes: Vec<String>,
    stop_after: Option<u64>,
    stop: Arc<AtomicBool>,
}

impl Memory {
    /// Stops the run once `step` updates are done.
    pub(crate) fn stopping_after(step: u64) -> Self {
        Self { stop_after: Some(step), ..Self::default() }
    }

    /// Step, loss, rate and gradient norm, as bits.
    pub(crate) fn bits(&self) -> Vec<(u64, u64, u64, u64)> {
        let bits =
            |s: &StepRecord| (s.step, s.loss.to_bits(), s.lr.to_bits(), s.grad_norm.to_bits());
        self.steps.iter().map(bits).collect()
    }
}

impl Observer for Memory {
    fn step(&mut self, record: &StepRecord) {
        self.steps.push(record.clone());
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
    fn note(&mut self, text: &str) {
        self.notes.push(text.to_owned());
    }
}

/// Prepares and trains on the CPU.
pub(crate) fn run(
    run: &(StructuresPlan, Arc<StructuresCorpus>),
    memory: &mut Memory,
    resume: &Resume,
) -> Result<Outcome, TrainError> {
    run_on::<Cpu>(&Device::<Cpu>::default(), run, memory, resume)
}

/// Prepares and trains on a device.
pub(crate) fn run_on<B: Kernels>(
    device: &B::Device,
    (plan, dataset): &(StructuresPlan, Arc<StructuresCorpus>),
    memory: &mut Memory,
    resume: &Resume,
) -> Result<Outcome, TrainError> {
    let start = prepare(plan, resume)?;
    let stop = Arc::clone(&memory.stop);
    stop.store(false, Ordering::Relaxed);
    let cluster = &Cluster::alone();
    let session = Session { observer: memory, stop: &stop, start, cluster };
    Structures::train::<B>(plan, dataset, device, session)
}
