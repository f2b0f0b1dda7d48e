//! A run of any family: trained, or planned alone.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use genesis_data::dataset::card::CARD_FILE;
use genesis_kernels::Kernels;
use genesis_train::device::{KernelChoice, OnDevice, on_device, require};
use genesis_train::keys::{Root, RunFile, RunTable, environment};
use genesis_train::report::{Observer, RunLog, write_html};
use genesis_train::trainer::{Outcome, Plan, Resume, Start, TrainError, prepare, save_plan};
use tempfile::TempDir;

use super::{Face, dataset};
use crate::console;
use crate::exit::{Code, Failure, OrExit};
use crate::threads;
use crate::watch::ConsoleWatch;

/// How a run is to be trained.
pub(crate) struct Training<'a> {
    pub(crate) resume: Resume,
    pub(crate) stop: &'a AtomicBool,
}

/// Trains a run, or goes on with it.
pub(super) fn train<F: Face>(file: RunFile, asked: &Training<'_>) -> anyhow::Result<Code> {
    let config: F::Config = file.check(&environment).or_exit(Code::Usage)?;
    let RunTable { dir, threads, device, .. } = config.run();
    if let Some(threads) = threads {
        threads::start(*threads);
    }
    require(*device).or_exit(Code::Usage)?;
    if asked.resume == Resume::No {
        refuse_a_finished_name(dir)?;
    }
    threads::inside(|| train_here::<F>(config, asked))
}

fn train_here<F: Face>(config: F::Config, asked: &Training<'_>) -> anyhow::Result<Code> {
    let run_dir = config.run().dir.clone();
    let dataset = dataset::prepare::<F>(&config, &run_dir)?;
    let plan = F::resolve(config, &dataset).or_exit(Code::Usage)?;
    let start = prepare(&plan, &asked.resume).map_err(|error| failure(&error))?;
    save_plan(&plan).or_exit(Code::Data)?;
    let steps = plan.course().map_err(|error| failure(&error))?.steps();
    announce::<F>(&plan, steps);

    let resumed = start.resumed_step();
    let mut log = RunLog::start(&run_dir, plan.tensorboard(), resumed).or_exit(Code::Data)?;
    let mut watch = ConsoleWatch::new(steps);
    let observer = &mut (&mut log, &mut watch);
    let stop = asked.stop;
    let work = Started::<F> { plan: &plan, dataset: Arc::clone(&dataset), observer, stop, start };
    let outcome = on_device(plan.config().run().device, KernelChoice::Own, work);
    let outcome = outcome.or_exit(Code::Usage)?.map_err(|error| failure(&error));
    let concluded = match outcome {
        Ok(Outcome::Finished { .. }) => {
            F::conclude(&plan, &dataset, &mut (&mut log, &mut watch), stop)
        }
        _ => Ok(()),
    };
    log.finish().or_exit(Code::Data)?;
    concluded?;
    finish::<F>(&run_dir, outcome?)
}

/// A run that is about to start.
struct Started<'a, F: Face> {
    plan: &'a F::Plan,
    dataset: Arc<F::Dataset>,
    observer: &'a mut dyn Observer,
    stop: &'a AtomicBool,
    start: Start,
}

impl<F: Face> OnDevice for Started<'_, F> {
    type Output = Result<Outcome, TrainError>;

    fn run<B: Kernels>(self, device: &B::Device) -> Self::Output {
        F::train::<B>(self.plan, self.dataset, device, self.observer, self.stop, self.start)
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
fn announce<F: Face>(plan: &F::Plan, steps: u64) {
    let run = plan.config().run();
    console::note(format!(
        "{}: {} parameters, {} steps of {}, on {}, {} threads",
        run.dir.display(),
        console::count(plan.num_parameters()),
        console::count(steps),
        F::step_of(plan),
        run.device,
        rayon::current_num_threads(),
    ));
}

fn finish<F: Face>(run_dir: &Path, outcome: Outcome) -> anyhow::Result<Code> {
    let page = write_html(run_dir, &[F::FIGURES]).or_exit(Code::Data)?;
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

fn failure(error: &TrainError) -> anyhow::Error {
    let code = match error {
        TrainError::NonFinite(_) => Code::NonFinite,
        TrainError::Gate(_) => Code::Unexpected,
        TrainError::Changed { .. } | TrainError::RunExists { .. } => Code::Usage,
        _ => Code::Data,
    };
    Failure::error(code, error.to_string())
}

/// Prints what a run will cost, without starting it.
pub(super) fn plan<F: Face>(file: RunFile, json: bool) -> anyhow::Result<()> {
    let config: F::Config = file.check(&environment).or_exit(Code::Usage)?;
    let (dataset, _scratch) = dataset_to_plan::<F>(&config)?;
    let plan = F::resolve(config, &dataset).or_exit(Code::Usage)?;
    let cost = F::cost(&plan, &dataset)?;
    if json {
        console::result(cost.json.to_string());
    } else {
        let line = |(name, value)| console::result(format!("{name:<38}{value}"));
        plan.facts().into_iter().chain(cost.lines).for_each(line);
    }
    Ok(())
}

/// The dataset of the run; one that the run would make is made in a scratch folder, unless the run
/// folder has it already.
fn dataset_to_plan<F: Face>(
    config: &F::Config,
) -> anyhow::Result<(Arc<F::Dataset>, Option<TempDir>)> {
    let run_dir = &config.run().dir;
    let is_there = F::folder(config, run_dir).join(CARD_FILE).is_file();
    if is_there || F::source(config, run_dir).is_none() {
        return Ok((dataset::prepare::<F>(config, run_dir)?, None));
    }
    let scratch = TempDir::new().context("cannot make a scratch folder for the dataset")?;
    let dataset = dataset::prepare::<F>(config, scratch.path())?;
    Ok((dataset, Some(scratch)))
}
