//! Runs on atoms: the parts of `train` and `plan` that differ from runs on sequences.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use genesis_data::dataset::Split;
use genesis_data::dataset::card::CARD_FILE;
use genesis_data::structures::{StructuresCard, StructuresDataset};
use genesis_data::structures::{StructuresIngest, StructuresSummary, ingest_structures};
use genesis_kernels::Kernels;
use genesis_train::device::{KernelChoice, OnDevice, on_device};
use genesis_train::families::{AnyConfig, load_any};
use genesis_train::report::{Observer, RunLog};
use genesis_train::structures::settings::{StructuresDtype, StructuresNetwork};
use genesis_train::structures::{ErrorRow, EvaluationReport, evaluate_run, train_structures};
use genesis_train::structures::{StructuresConfig, StructuresPlan, resolve_structures};
use genesis_train::trainer::{Outcome, Plan, Resume, Start, TrainError, prepare, save_plan};

use super::train::{failure, finish};
use crate::console::{self, IngestMeter};
use crate::device::DeviceArgs;
use crate::exit::{Code, Failure, OrExit};
use crate::signals::stop_flag;
use crate::watch::ConsoleWatch;

/// Trains, evaluates and reports.
pub(super) fn train(
    config: StructuresConfig,
    resume: &Resume,
    stop: &AtomicBool,
) -> anyhow::Result<Code> {
    let run_dir = config.run.dir.clone();
    let dataset = dataset(&config, &run_dir)?;
    let plan = resolve_structures(config, &dataset).or_exit(Code::Usage)?;
    let start = prepare(&plan, resume).map_err(|error| failure(&error))?;
    save_plan(&plan).or_exit(Code::Data)?;
    announce(&plan);

    let tensorboard = plan.config.report.tensorboard;
    let mut log = RunLog::start(&run_dir, tensorboard, start.resumed_step()).or_exit(Code::Data)?;
    let mut watch = ConsoleWatch::new(plan.steps);
    let observer = &mut (&mut log, &mut watch);
    let work = Training { plan: &plan, dataset: Arc::clone(&dataset), observer, stop, start };
    let outcome = on_device(plan.config.run.device, KernelChoice::Own, work);
    log.finish().or_exit(Code::Data)?;
    let outcome = outcome.or_exit(Code::Usage)?.map_err(|error| failure(&error))?;
    let device = DeviceArgs { device: plan.config.run.device };
    if matches!(outcome, Outcome::Finished { .. })
        && let Some(report) = device.run(Evaluating { plan: &plan, dataset: &dataset, stop })?
    {
        show_evaluation(&report);
    }
    finish(&run_dir, outcome)
}

/// A run that is about to start.
struct Training<'a> {
    plan: &'a StructuresPlan,
    dataset: Arc<StructuresDataset>,
    observer: &'a mut dyn Observer,
    stop: &'a AtomicBool,
    start: Start,
}

impl OnDevice for Training<'_> {
    type Output = Result<Outcome, TrainError>;

    fn run<B: Kernels>(self, device: &B::Device) -> Self::Output {
        train_structures::<B>(self.plan, self.dataset, device, self.observer, self.stop, self.start)
    }
}

/// A run whose best checkpoint is about to be measured.
struct Evaluating<'a> {
    plan: &'a StructuresPlan,
    dataset: &'a Arc<StructuresDataset>,
    stop: &'a AtomicBool,
}

impl OnDevice for Evaluating<'_> {
    type Output = anyhow::Result<Option<EvaluationReport>>;

    fn run<B: Kernels>(self, device: &B::Device) -> Self::Output {
        evaluate_run::<B>(self.plan, self.dataset, device, self.stop).or_exit(Code::Data)
    }
}

/// The config of the run in `dir` if it is one on atoms.
pub(super) fn config_of_run(dir: &Path) -> anyhow::Result<Option<StructuresConfig>> {
    let file = dir.join("plan.toml");
    if !file.is_file() {
        return Ok(None);
    }
    match load_any(&file, &[]).or_exit(Code::Usage)? {
        AnyConfig::Sequences(_) => Ok(None),
        AnyConfig::Structures(mut config) => {
            // The folder may have been moved since.
            config.run.dir = dir.to_path_buf();
            Ok(Some(*config))
        }
    }
}

/// Measures the best checkpoint of a run again, on its own dataset or another one.
pub(super) fn evaluate(
    config: StructuresConfig,
    data: Option<&Path>,
    device: DeviceArgs,
    json: bool,
) -> anyhow::Result<Code> {
    let own = config.data.folder(&config.run.dir);
    let dataset = StructuresDataset::open(data.unwrap_or(&own)).or_exit(Code::Data)?;
    let plan = resolve_structures(config, &dataset).or_exit(Code::Usage)?;
    device.require_dtype(plan.dtype, "this run")?;
    let stop = &*stop_flag()?;
    let report = device.run(Evaluating { plan: &plan, dataset: &Arc::new(dataset), stop })?;
    let Some(report) = report else {
        return Err(Failure::error(Code::Stopped, "interrupted: nothing was written"));
    };
    if json {
        console::result(serde_json::to_string(&report.rows)?);
    } else {
        show_evaluation(&report);
    }
    Ok(Code::Done)
}

/// Prints what a run would be.
pub(super) fn plan(config: StructuresConfig) -> anyhow::Result<Code> {
    let run_dir = config.run.dir.clone();
    let scratch = tempfile::TempDir::new()?;
    let is_there = config.data.folder(&run_dir).join(CARD_FILE).is_file();
    let made_here = config.data.ingest_plan(&run_dir).is_some() && !is_there;
    let dataset = dataset(&config, if made_here { scratch.path() } else { &run_dir })?;
    let frames = dataset.num_frames(Split::Train);
    let plan = resolve_structures(config, &dataset).or_exit(Code::Usage)?;
    plan.facts().iter().for_each(|(name, value)| console::result(format!("{name:<26}{value}")));
    let seen = plan.steps as f64 * plan.config.batch.frames as f64;
    let epochs = seen / frames.max(1) as f64;
    console::result(format!("{:<26}{epochs:.2}", "epochs"));
    // Weights, gradients and three moments.
    let bytes = if plan.config.precision.dtype == StructuresDtype::F64 { 8 } else { 4 };
    let memory = console::bytes(5 * bytes * plan.num_parameters);
    console::result(format!(
        "{:<26}{memory} (weights, gradients, moments)",
        "memory of parameters"
    ));
    Ok(Code::Done)
}

/// Opens the dataset of a run, making it first when the config names raw files or a generator.
fn dataset(config: &StructuresConfig, run_dir: &Path) -> anyhow::Result<Arc<StructuresDataset>> {
    let folder = config.data.folder(run_dir);
    if let Some(plan) = config.data.ingest_plan(run_dir) {
        // Neighbours are counted with the cut-off of the model, so that training need not.
        let StructuresNetwork::Mace(model) = &config.model;
        let plan = StructuresIngest { cutoff: model.r_max_angstrom, ..plan };
        if folder.join(CARD_FILE).is_file() {
            refuse_other_options(&plan, &folder)?;
        } else {
            let summary = ingest_structures(&plan, &IngestMeter::default()).or_exit(Code::Data)?;
            show(&summary, &folder);
        }
    }
    Ok(Arc::new(StructuresDataset::open(&folder).or_exit(Code::Data)?))
}

/// Refuses a dataset in the run folder that was made from other files or with other options.
fn refuse_other_options(plan: &StructuresIngest, folder: &Path) -> anyhow::Result<()> {
    let (card, _) = StructuresCard::load(folder).or_exit(Code::Data)?;
    let wanted = plan.recorded_options().or_exit(Code::Usage)?;
    if card.options == wanted {
        return Ok(());
    }
    let message = format!(
        "{}: this dataset was made with the options {}, but the config asks for {}; choose another \
         run.dir, or remove the folder to make it anew",
        folder.display(),
        card.options,
        wanted
    );
    Err(Failure::error(Code::Usage, message))
}

/// A new dataset in a few lines.
pub(super) fn show(summary: &StructuresSummary, folder: &Path) {
    let card = &summary.card;
    let state = if summary.unchanged { " (was there already, unchanged)" } else { "" };
    console::note(format!("{}: dataset {}{state}", folder.display(), &summary.digest[..12]));
    for split in Split::ALL {
        let found = card.splits.get(split);
        console::note(format!(
            "  {:<11}{:>9} structures {:>11} atoms; with energy {}, forces {}, stress {}",
            split.name(),
            console::count(found.frames),
            console::count(found.atoms),
            console::count(found.energy_per_atom.count),
            console::count(found.with_forces),
            console::count(found.with_stress),
        ));
    }
    summary.notes.iter().for_each(|note| console::note(format!("note: {note}")));
    summary.rejected.iter().take(3).for_each(|reject| console::note(format!("    {reject}")));
}

/// The plan in two lines.
fn announce(plan: &StructuresPlan) {
    console::note(format!(
        "{}: {} parameters, {} steps of {} structures, {:?}, on {}, {} threads",
        plan.config.run.dir.display(),
        console::count(plan.num_parameters),
        console::count(plan.steps),
        plan.config.batch.frames,
        plan.config.precision.dtype,
        plan.config.run.device,
        rayon::current_num_threads(),
    ));
}

/// The table at the end of a run.
fn show_evaluation(report: &EvaluationReport) {
    console::result(format!("errors of {} (root mean squares)", report.checkpoint));
    show_rows(&report.rows);
}

/// Errors as a table.
pub(super) fn show_rows(rows: &[ErrorRow]) {
    console::result(format!(
        "{:<24}{:>11}{:>14}{:>12}{:>12}{:>16}",
        "set", "structures", "E meV/atom", "E meV", "F meV/Å", "stress meV/Å^3"
    ));
    for row in rows {
        let number =
            |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.2}"));
        let part = if row.config_type == "all" {
            row.set.clone()
        } else {
            format!("  {} {}", row.head, row.config_type)
        };
        console::result(format!(
            "{part:<24}{:>11}{:>14}{:>12}{:>12}{:>16}",
            console::count(row.frames),
            number(row.energy_rmse_mev_per_atom),
            number(row.energy_rmse_mev),
            number(row.forces_rmse_mev_per_a),
            number(row.stress_rmse_mev_per_a3),
        ));
    }
}
