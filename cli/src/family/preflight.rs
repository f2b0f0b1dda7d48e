//! Preflight of a run: are the ranks and their hosts fit for it?

use std::path::Path;

use genesis_data::dataset::card::CARD_FILE;
use genesis_train::checkpoint::format::digest_of;
use genesis_train::checkpoint::naming::committed_steps;
use genesis_train::cluster::preflight::{self, Demand, Length, Report};
use genesis_train::cluster::{Cluster, Phase};
use genesis_train::device::{DeviceChoice, KernelChoice, on_device, require};
use genesis_train::keys::{ParallelConfig, Root, RunFile, environment};
use genesis_train::report::{Observer, RunLog};
use genesis_train::trainer::Plan;

use super::Face;
use super::planning::{dataset_to_plan, states};
use super::run::{alike, by_first, failure, of_first, set_threads, tell, together};
use crate::exit::{Code, Failure, OrExit};
use crate::products::Products;
use crate::{console, ranks, threads};

/// What was found, in the run folder.
const PREFLIGHT_FILE: &str = "preflight.json";

/// What a run on several ranks does before its first step: measured in seconds, told, kept in its records. Too
/// little room or memory is an error.
pub(super) fn before_training<F: Face>(
    plan: &F::Plan,
    cluster: &Cluster,
    log: Option<&mut RunLog>,
) -> anyhow::Result<()> {
    if cluster.is_alone() {
        return Ok(());
    }
    let demand = together(cluster, Phase::Start, "planning", demand::<F>(plan, cluster.world()))?;
    let report = measured(cluster, Length::Short, Some(&demand), plan.config().run().device)?;
    let kept = match log {
        None => Ok(()),
        Some(log) => {
            let lines = report.lines();
            for line in &lines {
                log.note(line);
                console::note(line);
            }
            keep(&report, &plan.config().run().dir)
        }
    };
    together(cluster, Phase::Start, "keeping what the preflight found", kept)?;
    fit(cluster, &report)
}

fn keep(report: &Report, run_dir: &Path) -> anyhow::Result<()> {
    let path = run_dir.join(PREFLIGHT_FILE);
    let text = serde_json::to_string_pretty(report)?;
    std::fs::write(&path, text + "\n").map_err(|error| {
        let message = format!(
            "{}: cannot write it: {error}; free space, or choose another run.dir",
            path.display()
        );
        Failure::error(Code::Data, message)
    })
}

/// An error on every rank where the report refuses the run.
fn fit(cluster: &Cluster, report: &Report) -> anyhow::Result<()> {
    let fit = match report.refusal() {
        None => Ok(()),
        Some(message) => Err(Failure::error(Code::Data, message)),
    };
    together(cluster, Phase::Start, "passing the preflight", fit)
}

/// Measures the ranks, whose products run on `device`.
fn measured(
    cluster: &Cluster,
    length: Length,
    demand: Option<&Demand>,
    device: DeviceChoice,
) -> anyhow::Result<Report> {
    // All at once, as they will work.
    cluster.barrier().or_exit(Code::Unexpected)?;
    let products = Products { side: length.side() };
    let rate = on_device(device, KernelChoice::Own, products).or_exit(Code::Usage);
    let rate = together(cluster, Phase::Start, "multiplying matrices", rate)?;
    preflight::run(cluster, length, demand, rate).or_exit(Code::Unexpected)
}

/// What the run of `plan` needs of its hosts, on so many ranks.
fn demand<F: Face>(plan: &F::Plan, ranks: usize) -> anyhow::Result<Demand> {
    let states = states::<F>(plan)?;
    let run = plan.config().run();
    let course = plan.course().map_err(|error| failure(&error))?;
    let kept = course.checkpoint.kept(course.steps());
    let there = committed_steps(&course.checkpoints_dir()).len();
    let activations = F::activations_bytes(plan, ranks as u64).unwrap_or(0);
    let zero = F::numbers(plan).parallel.zero;
    let memory = states.of_rank(zero, ranks as u64).total() + activations;
    Ok(Demand {
        folder: course.checkpoints_dir(),
        checkpoint_bytes: states.checkpoint_bytes(),
        // One is written before one is removed.
        checkpoints: (kept + 1).saturating_sub(there).max(1) as u64,
        rank_bytes: (run.device == DeviceChoice::Cpu).then_some(memory),
    })
}

/// `genesis preflight RUN.toml`.
pub(super) fn of_run<F: Face>(mut file: RunFile, json: bool) -> anyhow::Result<Code> {
    ranks::launched()?;
    tell(&file.notes);
    set_threads(&mut file);
    let mut config: F::Config = file.check(&environment).or_exit(Code::Usage)?;
    let (cluster, device) = ranks::join(config.run().device, *config.parallel())?;
    alike(cluster, &config)?;
    config.run_mut().device = device;
    let run = config.run();
    let usual = ranks::threads(cluster).or_exit(Code::Unexpected)?;
    threads::start(run.threads.unwrap_or(usual))?;
    require(device).or_exit(Code::Usage)?;
    let demand = demand_of::<F>(config, cluster)?;
    checked(cluster, Some(&demand), device, json)
}

/// `genesis preflight` without a run.
pub(crate) fn of_ranks(json: bool) -> anyhow::Result<Code> {
    let (cluster, _) = ranks::join(DeviceChoice::Cpu, ParallelConfig::default())?;
    if !cluster.is_alone() {
        cluster.same("program", &preflight::program()).or_exit(Code::Usage)?;
    }
    threads::start(ranks::threads(cluster).or_exit(Code::Unexpected)?)?;
    checked(cluster, None, DeviceChoice::Cpu, json)
}

/// Measures at length and prints.
fn checked(
    cluster: &Cluster,
    demand: Option<&Demand>,
    device: DeviceChoice,
    json: bool,
) -> anyhow::Result<Code> {
    let report = threads::inside(|| measured(cluster, Length::Full, demand, device))?;
    if cluster.is_first() && json {
        console::result(serde_json::to_string(&report)?);
    } else if cluster.is_first() {
        report.lines().iter().for_each(console::result);
    }
    fit(cluster, &report)?;
    Ok(Code::Done)
}

/// What the run of `config` needs. A dataset that is there is the same on all ranks; one that the run would make
/// is made aside, by the first rank.
fn demand_of<F: Face>(config: F::Config, cluster: &Cluster) -> anyhow::Result<Demand> {
    let run_dir = config.run().dir.clone();
    for (_, folder) in F::folders(&config, &run_dir) {
        let card = folder.join(CARD_FILE);
        let digest = match std::fs::read_to_string(&card) {
            Ok(text) => digest_of(&text.into()),
            Err(error) => format!("no {} ({})", card.display(), error.kind()),
        };
        cluster.same("dataset", &digest).or_exit(Code::Usage)?;
    }
    let made = by_first(cluster, Phase::Start, "making its plan", || {
        let (dataset, _scratch) = dataset_to_plan::<F>(&config)?;
        let plan = F::resolve(config, &dataset).or_exit(Code::Usage)?;
        demand::<F>(&plan, cluster.world())
    })?;
    of_first(cluster, made)?.ok_or_else(|| anyhow::anyhow!("the first rank planned nothing"))
}
