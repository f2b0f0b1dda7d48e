//! A run of any family: trained, or planned alone.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use genesis_kernels::Kernels;
use genesis_train::cluster::preflight::program;
use genesis_train::cluster::{Cluster, ClusterError, Phase};
use genesis_train::device::{DeviceChoice, KernelChoice, OnDevice, on_device, require};
use genesis_train::family::Family;
use genesis_train::keys::{ParallelConfig, Root, RunFile, RunTable, environment, to_text};
use genesis_train::report::log::note_in;
use genesis_train::report::{
    End, FolderLock, How, Observer, ReportError, RunLog, Silent, sessions, write_html,
};
use genesis_train::trainer::{
    Decided, Outcome, Plan, Resume, Session, Start, TrainError, known_model, prepare, save_plan,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::start::{self, settle};
use super::{Face, dataset, preflight};
use crate::console;
use crate::exit::{Code, Failure, OrExit, code_of};
use crate::watch::ConsoleWatch;
use crate::{memory, ranks, signals, threads};

/// How a run is to be trained.
pub(crate) struct Training<'a> {
    pub(crate) from: start::From,
    pub(crate) stop: &'a AtomicBool,
}

/// Trains a run, or goes on with it.
pub(super) fn train<F: Face>(mut file: RunFile, asked: &Training<'_>) -> anyhow::Result<Code> {
    ranks::launched()?;
    tell(&file.notes);
    set_threads(&mut file);
    let mut config: F::Config = file.check(&environment).or_exit(Code::Usage)?;
    let (cluster, device) = ranks::join(config.run().device, *config.parallel())?;
    if !cluster.is_alone() && config.parallel().zero > 0 {
        memory::give_back();
    }
    let resume = settle(config.run_mut(), &asked.from)?;
    alike(cluster, &config)?;
    config.run_mut().device = device;
    let RunTable { dir, threads, device, .. } = config.run();
    let usual = ranks::threads(cluster).or_exit(Code::Unexpected)?;
    threads::start(threads.unwrap_or(usual))?;
    require(*device).or_exit(Code::Usage)?;
    let lock = by_first(cluster, Phase::Start, "taking the run folder", || {
        if resume == Resume::No {
            refuse_a_finished_name(dir)?;
        }
        FolderLock::take(dir).map_err(|error| report_failure(&error))
    })?;
    tell(lock.as_ref().map_or(&[], |lock| &lock.notes));
    let _signs = ranks::give_signs(cluster, dir, config.parallel().limits).or_exit(Code::Data)?;
    threads::inside(|| train_here::<F>(config, &resume, cluster, asked.stop))
}

/// Refuses ranks with another program or run file.
pub(super) fn alike<C: Root>(cluster: &Cluster, config: &C) -> anyhow::Result<()> {
    if !cluster.is_alone() {
        cluster.same("program", &program()).or_exit(Code::Usage)?;
    }
    cluster.same("run file", &to_text(config).or_exit(Code::Usage)?).or_exit(Code::Usage)
}

/// What the first rank makes, which writes the run folder; the others wait for it. All fail where it does.
pub(super) fn by_first<T>(
    cluster: &Cluster,
    phase: Phase,
    doing: &'static str,
    make: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<Option<T>> {
    cluster.begins(phase, doing);
    let made = if cluster.is_first() { make().map(Some) } else { Ok(None) };
    together(cluster, phase, doing, made)
}

/// `mine` if all ranks succeeded.
pub(super) fn together<T>(
    cluster: &Cluster,
    phase: Phase,
    doing: &'static str,
    mine: anyhow::Result<T>,
) -> anyhow::Result<T> {
    cluster.agree(phase, doing, mine.map_err(OfRank::Own)).map_err(|error| match error {
        OfRank::Own(error) => error,
        OfRank::Ranks(error) => Failure::error(Code::Data, error.to_string()),
    })
}

/// An error of this rank, or of what is between ranks.
enum OfRank {
    Own(anyhow::Error),
    Ranks(ClusterError),
}

impl From<ClusterError> for OfRank {
    fn from(error: ClusterError) -> Self {
        Self::Ranks(error)
    }
}

impl std::fmt::Display for OfRank {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Own(error) => write!(f, "{error:#}"),
            Self::Ranks(error) => write!(f, "{error}"),
        }
    }
}

/// `--threads` wins over the file, and the plan says so.
pub(super) fn set_threads(file: &mut RunFile) {
    if let Some(threads) = threads::given() {
        file.set(&format!("run.threads={threads}"));
    }
}

pub(super) fn tell(notes: &[String]) {
    for note in notes {
        console::note(format!("note: {note}"));
    }
}

fn train_here<F: Face>(
    config: F::Config,
    resume: &Resume,
    cluster: &Cluster,
    stop: &AtomicBool,
) -> anyhow::Result<Code> {
    let run_dir = config.run().dir.clone();
    let ready = ready::<F>(config, resume, cluster, stop).inspect_err(|error| {
        // A folder of another run is left alone; what cannot be noted is told below all the same.
        if *resume != Resume::No && cluster.is_first() {
            let _ = note_in(&run_dir, &format!("error: {error:#}"));
        }
    });
    let Ready { plan, dataset, start, mut log } = ready?;
    let fit = preflight::before_training::<F>(&plan, cluster, log.as_mut());
    let outcome =
        fit.and_then(|()| work::<F>(&plan, &dataset, log.as_mut(), stop, (start, cluster)));
    let Some(log) = log else {
        return Ok(match outcome? {
            Outcome::Finished { .. } => Code::Done,
            Outcome::Stopped { .. } => Code::Stopped,
        });
    };
    let ended = log.end_session(&end_of(&outcome)).map_err(|error| report_failure(&error));
    let page = write_html(&run_dir, &[F::FIGURES]).map_err(|error| report_failure(&error));
    let outcome = outcome?;
    ended?;
    Ok(finish(outcome, &page?, stop.load(Ordering::Relaxed)))
}

/// What the first step needs.
struct Ready<F: Family> {
    plan: F::Plan,
    dataset: Arc<F::Dataset>,
    start: Start,
    /// The first rank writes it.
    log: Option<RunLog>,
}

/// Everything that comes before the first step.
fn ready<F: Face>(
    config: F::Config,
    resume: &Resume,
    cluster: &Cluster,
    stop: &AtomicBool,
) -> anyhow::Result<Ready<F>> {
    let run_dir = config.run().dir.clone();
    let made = by_first(cluster, Phase::Dataset, "making its dataset", || {
        dataset::prepare::<F>(&config, &run_dir, stop)
    })?;
    let dataset = match made {
        Some(dataset) => Ok(dataset),
        None => F::open(&F::folders(&config, &run_dir)).map(Arc::new).or_exit(Code::Data),
    };
    let dataset = together(cluster, Phase::Data, "opening its dataset", dataset)?;
    let known = by_first(cluster, Phase::Start, "looking at its checkpoints", || {
        Ok(known_model(config.run()))
    })?;
    let known: Option<Value> = of_first(cluster, known.flatten())?;
    let plan = F::resolve(config, &dataset).or_exit(Code::Usage);
    let mut plan = together(cluster, Phase::Start, "making its plan", plan)?;
    if let Some(model) = known {
        plan.adopt(&model);
    }
    let digest = plan.course().map(|course| course.blend.digest());
    cluster.same("dataset", &digest.map_err(|error| failure(&error))?).or_exit(Code::Usage)?;
    let begun =
        by_first(cluster, Phase::Start, "finding its start", || begun(&plan, resume, cluster))?;
    let (start, log) = match begun {
        Some((start, log)) => (Some(start), Some(log)),
        None => (None, None),
    };
    let decided: Option<Decided> = of_first(cluster, start.as_ref().map(Start::decided))?;
    let start = match (start, decided) {
        (Some(start), _) => Ok(start),
        (None, Some(decided)) => Start::as_decided(&decided).map_err(|error| failure(&error)),
        (None, None) => Err(anyhow::anyhow!("the first rank decided nothing")),
    };
    let start = together(cluster, Phase::Start, "opening its checkpoint", start)?;
    Ok(Ready { plan, dataset, start, log })
}

/// Where the run starts, and its records, which the first rank writes.
fn begun<P: Plan>(plan: &P, resume: &Resume, cluster: &Cluster) -> anyhow::Result<(Start, RunLog)> {
    let run_dir = &plan.config().run().dir;
    let start = prepare(plan, resume).map_err(|error| failure(&error))?;
    save_plan(plan).or_exit(Code::Data)?;
    let resumed = start.resumed_step();
    let mut log = RunLog::start(run_dir, plan.tensorboard(), resumed).or_exit(Code::Data)?;
    let branch = start.branch.as_ref().map_or(&[][..], |branch| &branch.changes);
    let (ranks, threads) = (cluster.world(), rayon::current_num_threads());
    log.begin_session(ranks, threads, start.step(), (branch, &start.declared))
        .or_exit(Code::Data)?;
    if let Some(before) = ranks_before(run_dir).filter(|before| *before != ranks) {
        let note =
            format!("ranks: {ranks} now, {before} before; the same samples, in the same order");
        log.note(&note);
        console::note(note);
    }
    Ok((start, log))
}

/// Ranks of the session before the one that just began.
fn ranks_before(run_dir: &Path) -> Option<usize> {
    sessions::read(run_dir).iter().rev().nth(1).map(|session| session.ranks)
}

/// What the first rank found, on every rank.
pub(super) fn of_first<T: Serialize + DeserializeOwned>(
    cluster: &Cluster,
    found: Option<T>,
) -> anyhow::Result<Option<T>> {
    if cluster.is_alone() {
        return Ok(found);
    }
    let said = serde_json::to_vec(&found).context("what the first rank found cannot be written")?;
    let said = cluster.from_first(said).or_exit(Code::Unexpected)?;
    serde_json::from_slice(&said).context("what the first rank found cannot be read")
}

/// Trains, and does what follows the last step.
fn work<F: Face>(
    plan: &F::Plan,
    dataset: &Arc<F::Dataset>,
    log: Option<&mut RunLog>,
    stop: &AtomicBool,
    (start, cluster): (Start, &Cluster),
) -> anyhow::Result<Outcome> {
    let course = plan.course().map_err(|error| failure(&error))?;
    announce::<F>(plan, course.steps());
    console::note(format!("checkpoints: {}", course.checkpoint.when()));
    let (mut watch, mut silent) = (ConsoleWatch::new(course.steps()), Silent);
    let mut both = log.map(|log| (log, &mut watch));
    let observer: &mut dyn Observer = match &mut both {
        Some(both) => both,
        None => &mut silent,
    };
    let session = Session { observer: &mut *observer, stop, start, cluster };
    let started = Started::<F> { plan, dataset, session };
    let outcome = on_device(plan.config().run().device, KernelChoice::Own, started);
    let outcome = outcome.or_exit(Code::Usage)?.map_err(|error| failure(&error))?;
    let finished = matches!(outcome, Outcome::Finished { .. });
    by_first(cluster, Phase::Save, "doing what follows the last step", || {
        if finished { F::conclude(plan, dataset, observer, stop) } else { Ok(()) }
    })?;
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
    dataset: &'a F::Dataset,
    session: Session<'a>,
}

impl<F: Face> OnDevice for Started<'_, F> {
    type Output = Result<Outcome, TrainError>;

    fn run<B: Kernels>(self, device: &B::Device) -> Self::Output {
        F::train::<B>(self.plan, self.dataset, device, self.session)
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

pub(super) fn failure(error: &TrainError) -> anyhow::Error {
    let code = match error {
        TrainError::Diverged(_) => Code::NonFinite,
        TrainError::Gate(_) => Code::Unexpected,
        TrainError::Changed { .. } | TrainError::RunExists { .. } => Code::Usage,
        _ => Code::Data,
    };
    Failure::error(code, error.to_string())
}

/// Where the run of a file is computed, and how its ranks train together.
pub(super) fn ranks<F: Face>(file: RunFile) -> anyhow::Result<(DeviceChoice, ParallelConfig)> {
    let config: F::Config = file.check(&environment).or_exit(Code::Usage)?;
    Ok((config.run().device, *config.parallel()))
}
