//! What a run will cost, without starting it.

use std::sync::Arc;

use anyhow::Context;
use genesis_data::dataset::card::CARD_FILE;
use genesis_train::cluster::forecast::States;
use genesis_train::keys::{OptimizerConfig, Root, RunFile, environment};
use genesis_train::trainer::{Plan, facts};
use tempfile::TempDir;

use super::run::{failure, set_threads, tell};
use super::{Face, Numbers, dataset, forecast};
use crate::exit::{Code, OrExit};
use crate::{console, signals, threads};

/// Prints what a run will cost, without starting it.
pub(super) fn plan<F: Face>(
    mut file: RunFile,
    json: bool,
    asked: &forecast::Asked,
) -> anyhow::Result<()> {
    tell(&file.notes);
    set_threads(&mut file);
    let config: F::Config = file.check(&environment).or_exit(Code::Usage)?;
    threads::start(config.run().threads.unwrap_or(0))?;
    let (dataset, _scratch) = dataset_to_plan::<F>(&config)?;
    let plan = F::resolve(config, &dataset).or_exit(Code::Usage)?;
    let mut cost = F::cost(&plan, &dataset)?;
    forecast::add::<F>(&mut cost, &plan, asked)?;
    if json {
        console::result(cost.json.to_string());
    } else {
        let line = |(name, value)| console::result(format!("{name:<38}{value}"));
        facts(&plan).into_iter().chain(cost.lines).for_each(line);
        cost.tables.into_iter().flatten().for_each(console::result);
    }
    Ok(())
}

/// The dataset of the run; one that the run would make is made in a scratch folder, unless the run
/// folder has it already.
pub(super) fn dataset_to_plan<F: Face>(
    config: &F::Config,
) -> anyhow::Result<(Arc<F::Dataset>, Option<TempDir>)> {
    let run_dir = &config.run().dir;
    let stop = &*signals::stop_flag()?;
    let folders = F::folders(config, run_dir);
    let is_there = folders.iter().all(|(_, folder)| folder.join(CARD_FILE).is_file());
    if is_there || F::source(config, run_dir).is_none() {
        return Ok((dataset::prepare::<F>(config, run_dir, stop)?, None));
    }
    let scratch = TempDir::new().context("cannot make a scratch folder for the dataset")?;
    let dataset = dataset::prepare::<F>(config, scratch.path(), stop)?;
    Ok((dataset, Some(scratch)))
}

/// What training the model of `plan` keeps of each parameter.
pub(super) fn states<F: Face>(plan: &F::Plan) -> anyhow::Result<States> {
    let course = plan.course().map_err(|error| failure(&error))?;
    let num_moments = match course.optimizer {
        OptimizerConfig::Adamw { .. } => 2,
        OptimizerConfig::Amsgrad { .. } => 3,
    };
    let Numbers { element_bytes, slices, parallel, .. } = F::numbers(plan);
    let slices = if parallel.deterministic { parallel.parts() } else { slices };
    Ok(States {
        num_parameters: plan.num_parameters(),
        element_bytes,
        num_moments,
        has_average: course.average.is_some(),
        num_slices: slices as u64,
        bucket_bytes: parallel.bucket_bytes() as u64,
    })
}
