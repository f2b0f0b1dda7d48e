//! A run of any family: trained, or planned alone.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use genesis_data::dataset::card::CARD_FILE;
use genesis_kernels::Kernels;
use genesis_train::device::{KernelChoice, OnDevice, on_device, require};
use genesis_train::family::Family;
use genesis_train::keys::{Root, RunFile, RunTable, environment};
use genesis_train::report::log::note_in;
use genesis_train::report::{End, FolderLock, How, Observer, ReportError, RunLog, write_html};
use genesis_train::trainer::{
    Outcome, Plan, Resume, Start, TrainError, facts, known_model, prepare, save_plan,
};
use tempfile::TempDir;

use super::start::{From, settle};
use super::{Face, dataset};
use crate::console;
use crate::exit::{Code, Failure, OrExit, code_of};
use crate::watch::ConsoleWatch;
use crate::{signals, threads};

/// How a run is to be trained.
pub(crate) struct Training<'a> {
    pub(crate) from: From,
    pub(crate) stop: &'a AtomicBool,
}

/// Trains a run, or goes on with it.
pub(super) fn train<F: Face>(mut file: RunFile, asked: &Training<'_>) -> anyhow::Result<Code> {
    tell(&file.notes);
    set_threads(&mut file);
    let mut config: F::Config = file.check(&environment).or_exit(Code::Usage)?;
    let resume = settle(config.run_mut(), &asked.from)?;
    let RunTable { dir, threads, device, .. } = config.run();
    threads::start(threads.unwrap_or(0))?;
    require(*device).or_exit(Code::Usage)?;
    if resume == Resume::No {
        refuse_a_finished_name(dir)?;
    }
    let lock = FolderLock::take(dir).map_err(|error| report_failure(&error))?;
    tell(&lock.notes);
    threads::inside(|| train_here::<F>(config, &resume, asked.stop))
}

/// `--threads` wins over the file, and the plan says so.
fn set_threads(file: &mut RunFile) {
    if let Some(threads) = threads::given() {
        file.set(&format!("run.threads={threads}"));
    }
}

fn tell(notes: &[String]) {
    for note in notes {
        console::note(format!("note: {note}"));
    }
}

fn train_here<F: Face>(
    config: F::Config,
    resume: &Resume,
    stop: &AtomicBool,
) -> anyhow::Result<Code> {
    let run_dir = config.run().dir.clone();
    let ready = ready::<F>(config, resume, stop).inspect_err(|error| {
        // A folder of another run is left alone; what cannot be noted is told below all the same.
        if *resume != Resume::No {
            let _ = note_in(&run_dir, &format!("error: {error:#}"));
        }
    });
    let (plan, dataset, start, mut log) = ready?;
    let outcome = work::<F>(&plan, &dataset, &mut log, stop, start);
    let ended = log.end_session(&end_of(&outcome)).map_err(|error| report_failure(&error));
    let page = write_html(&run_dir, &[F::FIGURES]).map_err(|error| report_failure(&error));
    let outcome = outcome?;
    ended?;
    Ok(finish(outcome, &page?, stop.load(Ordering::Relaxed)))
}

type Ready<F> = (<F as Family>::Plan, Arc<<F as Family>::Dataset>, Start, RunLog);

/// Everything that comes before the first step.
fn ready<F: Face>(
    config: F::Config,
    resume: &Resume,
    stop: &AtomicBool,
) -> anyhow::Result<Ready<F>> {
    let run_dir = config.run().dir.clone();
    let dataset = dataset::prepare::<F>(&config, &run_dir, stop)?;
    let known = known_model(config.run());
    let mut plan = F::resolve(config, &dataset).or_exit(Code::Usage)?;
    if let Some(model) = known {
        plan.adopt(&model);
    }
    let start = prepare(&plan, resume).map_err(|error| failure(&error))?;
    save_plan(&plan).or_exit(Code::Data)?;
    let resumed = start.resumed_step();
    let mut log = RunLog::start(&run_dir, plan.tensorboard(), resumed).or_exit(Code::Data)?;
    let branch = start.branch.as_ref().map_or(&[][..], |branch| &branch.changes);
    log.begin_session(rayon::current_num_threads(), start.step(), branch).or_exit(Code::Data)?;
    Ok((plan, dataset, start, log))
}

/// Trains, and does what follows the last step.
fn work<F: Face>(
    plan: &F::Plan,
    dataset: &Arc<F::Dataset>,
    log: &mut RunLog,
    stop: &AtomicBool,
    start: Start,
) -> anyhow::Result<Outcome> {
    let course = plan.course().map_err(|error| failure(&error))?;
    announce::<F>(plan, course.steps());
    console::note(format!("checkpoints: {}", course.checkpoint.when()));
    let mut watch = ConsoleWatch::new(course.steps());
    let observer = &mut (log, &mut watch);
    let started = Started::<F> { plan, dataset: Arc::clone(dataset), observer, stop, start };
    let outcome = on_device(plan.config().run().device, KernelChoice::Own, started);
    let outcome = outcome.or_exit(Code::Usage)?.map_err(|error| failure(&error))?;
    if let Outcome::Finished { .. } = outcome {
        F::conclude(plan, dataset, observer, stop)?;
    }
    Ok(outcome)
}

/// What the records say of the end of a session.
fn end_of(outcome: &anyhow::Result<Outcome>) -> End {
    match outcome {
        Ok(Outcome::Finished { step }) => End::now(How::Finished, format!("{step} steps")),
        Ok(Outcome::Stopped { step }) => {
            let reason = signals::reason().unwrap_or("a stop was asked for");
            End::now(How::Stopped, format!("{reason}, after step {step}"))
        }
        Err(error) => {
            let not_finite = code_of(error) == Code::NonFinite;
            let how = if not_finite { How::NotFinite } else { How::Failed };
            End::now(how, format!("{error:#}"))
        }
    }
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

/// Says how it ended; a stop may have cut short what follows the last step.
fn finish(outcome: Outcome, page: &Path, stopped: bool) -> Code {
    match outcome {
        Outcome::Finished { step } if stopped => {
            console::note(format!(
                "finished after {step} steps: {}; what follows the last step was cut short, \
                 --resume makes it up",
                page.display()
            ));
            Code::Stopped
        }
        Outcome::Finished { step } => {
            console::note(format!("finished after {step} steps: {}", page.display()));
            Code::Done
        }
        Outcome::Stopped { step } => {
            console::note(format!("stopped and saved after step {step}; go on with --resume"));
            Code::Stopped
        }
    }
}

fn report_failure(error: &ReportError) -> anyhow::Error {
    let code = if matches!(error, ReportError::Held { .. }) { Code::Usage } else { Code::Data };
    Failure::error(code, error.to_string())
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
pub(super) fn plan<F: Face>(mut file: RunFile, json: bool) -> anyhow::Result<()> {
    tell(&file.notes);
    set_threads(&mut file);
    let config: F::Config = file.check(&environment).or_exit(Code::Usage)?;
    threads::start(config.run().threads.unwrap_or(0))?;
    let (dataset, _scratch) = dataset_to_plan::<F>(&config)?;
    let plan = F::resolve(config, &dataset).or_exit(Code::Usage)?;
    let cost = F::cost(&plan, &dataset)?;
    if json {
        console::result(cost.json.to_string());
    } else {
        let line = |(name, value)| console::result(format!("{name:<38}{value}"));
        facts(&plan).into_iter().chain(cost.lines).for_each(line);
    }
    Ok(())
}

/// The dataset of the run; one that the run would make is made in a scratch folder, unless the run
/// folder has it already.
fn dataset_to_plan<F: Face>(
    config: &F::Config,
) -> anyhow::Result<(Arc<F::Dataset>, Option<TempDir>)> {
    let run_dir = &config.run().dir;
    let stop = &*signals::stop_flag()?;
    let is_there = F::folder(config, run_dir).join(CARD_FILE).is_file();
    if is_there || F::source(config, run_dir).is_none() {
        return Ok((dataset::prepare::<F>(config, run_dir, stop)?, None));
    }
    let scratch = TempDir::new().context("cannot make a scratch folder for the dataset")?;
    let dataset = dataset::prepare::<F>(config, scratch.path(), stop)?;
    Ok((dataset, Some(scratch)))
}
