//! `genesis train`: a run from a config file, or the built-in quick start.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use genesis_data::sequences::SequencesDataset;
use genesis_kernels::Kernels;
use genesis_train::device::{KernelChoice, OnDevice, on_device, require};
use genesis_train::families::{AnyConfig, DECLARATIONS};
use genesis_train::report::{Observer, RunLog, SampleRecord, write_html};
use genesis_train::sequences::inference::{GenerateOptions, Sample, SequencesModel, generate};
use genesis_train::sequences::settings::Compute;
use genesis_train::sequences::{SequencesConfig, SequencesPlan, resolve, train};
use genesis_train::trainer::{Outcome, Resume, Start, TrainError, prepare, save_plan};

use super::model::open;
use super::settings::Settings;
use super::{atoms, dataset};
use crate::console;
use crate::exit::{Code, Failure, OrExit};
use crate::signals::stop_flag;
use crate::threads;
use crate::watch::ConsoleWatch;

/// Train a model from a config file.
///
/// Without CONFIG, trains the built-in quick start: a small Llama on molecules that the program
/// makes itself; --example silicon is its counterpart for atoms. Everything of a run lies in its
/// folder: plan.toml, events.jsonl, tensorboard/, checkpoints/, report.html. Ctrl-C or SIGTERM saves and stops; --resume goes on exactly.
///
/// Examples:
///   genesis train
///   genesis train configs/transformer/shakespeare.toml --set run.dir=runs/a --set schedule.steps=500
///   genesis train configs/transformer/shakespeare.toml --set run.dir=runs/a --resume
///   genesis train --example silicon
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    #[command(flatten)]
    settings: Settings,
    /// Go on with the run in run.dir from its newest valid checkpoint
    #[arg(long)]
    resume: bool,
    /// Start from this checkpoint: one of this run, or the weights of an imported model
    #[arg(long, value_name = "CHECKPOINT", conflicts_with = "resume")]
    from: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    let stop = stop_flag()?;
    let config = args.settings.read()?;
    if let Some(threads) = config.run().threads {
        threads::start(threads);
    }
    require(config.run().device).or_exit(Code::Usage)?;
    let resume = args.resume();
    if resume == Resume::No {
        refuse_a_finished_name(&config.run().dir)?;
    }
    threads::inside(|| match config {
        AnyConfig::Sequences(config) => train_sequences(*config, &resume, &stop),
        AnyConfig::Structures(config) => atoms::train(*config, &resume, &stop),
    })
}

fn train_sequences(
    config: SequencesConfig,
    resume: &Resume,
    stop: &AtomicBool,
) -> anyhow::Result<Code> {
    let run_dir = config.run.dir.clone();
    let dataset = dataset::prepare(&config, &run_dir)?;
    let plan = resolve(config, &dataset).or_exit(Code::Usage)?;
    let start = prepare(&plan, resume).map_err(|error| failure(&error))?;
    save_plan(&plan).or_exit(Code::Data)?;
    announce(&plan);

    let tensorboard = plan.config.report.tensorboard;
    let mut log = RunLog::start(&run_dir, tensorboard, start.resumed_step()).or_exit(Code::Data)?;
    let mut watch = ConsoleWatch::new(plan.steps);
    let observer = &mut (&mut log, &mut watch);
    let work = Training { plan: &plan, dataset, observer, stop, start };
    let outcome = on_device(plan.config.run.device, KernelChoice::Own, work);
    let outcome = outcome.or_exit(Code::Usage)?.map_err(|error| failure(&error));
    if matches!(outcome, Ok(Outcome::Finished { .. })) {
        draw_samples(&plan, &mut (&mut log, &mut watch))?;
    }
    log.finish().or_exit(Code::Data)?;
    finish(&run_dir, outcome?)
}

/// A run that is about to start.
struct Training<'a> {
    plan: &'a SequencesPlan,
    dataset: Arc<SequencesDataset>,
    observer: &'a mut dyn Observer,
    stop: &'a AtomicBool,
    start: Start,
}

impl OnDevice for Training<'_> {
    type Output = Result<Outcome, TrainError>;

    fn run<B: Kernels>(self, device: &B::Device) -> Self::Output {
        train::<B>(self.plan, self.dataset, device, self.observer, self.stop, self.start)
    }
}

impl Args {
    fn resume(&self) -> Resume {
        match &self.from {
            Some(path) => Resume::Path(path.clone()),
            None if self.resume => Resume::Auto,
            None => Resume::No,
        }
    }
}

/// Refuses before any work when the folder holds a run already.
fn refuse_a_finished_name(run_dir: &Path) -> anyhow::Result<()> {
    let events = run_dir.join("events.jsonl");
    if !events.exists() {
        return Ok(());
    }
    let message = format!(
        "{} holds a run already: continue it with --resume, or choose another folder with \
         --set run.dir=...",
        run_dir.display()
    );
    Err(Failure::error(Code::Usage, message))
}

/// The plan in two lines.
fn announce(plan: &SequencesPlan) {
    console::note(format!(
        "{}: {} parameters, {} steps of {} sequences, {}, on {}, {} threads",
        plan.config.run.dir.display(),
        console::count(plan.num_parameters),
        console::count(plan.steps),
        plan.config.batch.sequences,
        compute(&plan.config),
        plan.config.run.device,
        rayon::current_num_threads(),
    ));
}

fn compute(config: &SequencesConfig) -> &'static str {
    match config.precision.compute {
        Compute::F32 => "f32",
        Compute::Bf16 => "bf16 products, f32 sums",
    }
}

/// The samples that the config asks for, into the report and onto the console.
fn draw_samples(plan: &SequencesPlan, observer: &mut dyn Observer) -> anyhow::Result<()> {
    let Some(wanted) = &plan.config.report.sample else { return Ok(()) };
    let model = open(&plan.config.run.dir)?;
    let options = GenerateOptions {
        count: wanted.count as u64,
        max_tokens: Some(wanted.max_tokens),
        temperature: wanted.temperature,
        top_k: wanted.top_k,
        top_p: wanted.top_p,
        seed: plan.config.run.seed,
    };
    let step = plan.steps;
    let mut take = |sample: Sample| {
        let (prompt, text) = (sample.prompt, sample.text);
        observer.sample(&SampleRecord { step, prompt, text });
    };
    let drawing = Drawing { model, prompts: &wanted.prompts, options: &options, take: &mut take };
    on_device(plan.config.run.device, KernelChoice::Own, drawing).or_exit(Code::Usage)?
}

/// Samples that are about to be drawn.
pub(super) struct Drawing<'a> {
    pub(super) model: SequencesModel,
    pub(super) prompts: &'a [String],
    pub(super) options: &'a GenerateOptions,
    pub(super) take: &'a mut dyn FnMut(Sample),
}

impl OnDevice for Drawing<'_> {
    type Output = anyhow::Result<()>;

    fn run<B: Kernels>(self, device: &B::Device) -> anyhow::Result<()> {
        let model = self.model.on::<B>(device);
        let mut prompts = self.prompts.iter();
        prompts.try_for_each(|prompt| {
            generate(&model, prompt, self.options, self.take).or_exit(Code::Data)
        })
    }
}

pub(super) fn finish(run_dir: &Path, outcome: Outcome) -> anyhow::Result<Code> {
    let page = write_html(run_dir, &DECLARATIONS).or_exit(Code::Data)?;
    match outcome {
        Outcome::Finished { step } => {
            console::note(format!("finished after {step} steps: {}", page.display()));
            Ok(Code::Done)
        }
        Outcome::Stopped { step } => {
            console::note(format!("stopped and saved after step {step}; go on with --resume"));
            Ok(Code::Stopped)
        }
    }
}

pub(super) fn failure(error: &TrainError) -> anyhow::Error {
    let code = match error {
        TrainError::NonFinite(_) => Code::NonFinite,
        TrainError::Gate(_) => Code::Unexpected,
        TrainError::Changed { .. } | TrainError::RunExists { .. } => Code::Usage,
        _ => Code::Data,
    };
    Failure::error(code, error.to_string())
}
