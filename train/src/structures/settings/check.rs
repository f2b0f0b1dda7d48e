//! Checks of meaning of a run file of atoms: ranges, and values that must fit each other. What
//! follows from the dataset is checked when the plan is made.

use genesis_data::structures::GenerateStructures;
use genesis_model::equivariant::Penalty;

use super::{
    StageTwoConfig, StructuresBatch, StructuresConfig, StructuresData, StructuresDtype,
    StructuresNetwork, StructuresObjective, StructuresWeighting,
};
use crate::keys::{ConfigProblem, Found, OfEveryRun};

/// Every problem of meaning in `config`.
pub(super) fn check(config: &StructuresConfig) -> Vec<ConfigProblem> {
    let mut found = Found::default();
    check_data(&mut found, &config.data);
    found.check_mixture(config.data.keys(), config.schedule.steps);
    check_model(&mut found, &config.model);
    check_objective(&mut found, &config.objective);
    check_batch(&mut found, config.batch);
    check_precision(&mut found, config);
    found.check_every_run(&OfEveryRun {
        run: &config.run,
        optimizer: &config.optimizer,
        schedule: &config.schedule,
        average: config.average,
        evaluation_every: config.evaluation.every,
        checkpoint: &config.checkpoint,
        faults: &config.faults,
    });
    if let Some(stage) = &config.stage_two {
        check_stage_two(&mut found, stage, config.schedule.steps);
    }
    found.at_least("evaluation.every", config.evaluation.every.unwrap_or(1), 1);
    found.check_parallel(&config.parallel, ("batch.frames", config.batch.frames), None);
    found.0
}

fn check_data(found: &mut Found, data: &StructuresData) {
    found.exactly_one(
        "data",
        &[
            ("dataset", data.dataset.is_some()),
            ("source", data.source.is_some()),
            ("generate", data.generate.is_some()),
            ("mixture", !data.mixture.is_empty()),
        ],
    );
    let plain = data.weighting == StructuresWeighting::Samples;
    found.require(plain || !data.mixture.is_empty(), "data.weighting", || {
        "is only for several datasets, in `data.mixture`; remove the key".to_owned()
    });
    if let Some(source) = &data.source {
        found.require(!source.inputs.is_empty(), "data.source.inputs", || {
            "is empty, must name a file".to_owned()
        });
        found.require(source.output.as_os_str().is_empty(), "data.source.output", || {
            "follows from `run.dir`; remove the key".to_owned()
        });
        found.require(source.generate.is_none(), "data.source.generate", || {
            "belongs one table higher: use `data.generate` instead of `data.source`".to_owned()
        });
    }
    if let Some(GenerateStructures::Silicon { frames, .. }) = data.generate {
        found.at_least("data.generate.frames", frames, 2);
    }
}

fn check_model(found: &mut Found, StructuresNetwork::Mace(model): &StructuresNetwork) {
    found.at_least("model.channels", model.channels as u64, 1);
    found.positive("model.r_max_angstrom", model.r_max_angstrom);
    for (path, value) in
        [("model.avg_num_neighbors", model.avg_num_neighbors), ("model.scale", model.scale)]
    {
        found.positive(path, value.unwrap_or(1.0));
    }
    let shift = model.shift_ev.unwrap_or(0.0);
    found.require(shift.is_finite(), "model.shift_ev", || format!("is {shift}, must be finite"));
}

fn check_objective(found: &mut Found, objective: &StructuresObjective) {
    let StructuresObjective { loss, energy_weight, forces_weight, stress_weight } = *objective;
    check_weights(found, "objective", [energy_weight, forces_weight, stress_weight]);
    if let Penalty::Huber { delta } | Penalty::Universal { delta } = loss {
        found.positive("objective.loss.delta", delta);
    }
}

fn check_weights(found: &mut Found, table: &str, weights: [f64; 3]) {
    for (key, weight) in ["energy_weight", "forces_weight", "stress_weight"].iter().zip(weights) {
        found.not_negative(&format!("{table}.{key}"), weight);
    }
    found.require(weights.iter().any(|&weight| weight > 0.0), table, || {
        "has no weight above 0, so there is nothing to learn".to_owned()
    });
}

fn check_batch(found: &mut Found, batch: StructuresBatch) {
    found.at_least("batch.frames", batch.frames as u64, 1);
    found.at_least("batch.max_atoms", batch.max_atoms as u64, 1);
    found.at_least("batch.max_edges", batch.max_edges as u64, 1);
}

fn check_precision(found: &mut Found, config: &StructuresConfig) {
    let (device, dtype) = (config.run.device, config.precision.dtype);
    found.require(dtype != StructuresDtype::F64 || device.has_f64(), "precision.dtype", || {
        format!(
            "is \"f64\", but `run.device` is \"{device}\", which has 32 bits; change one of the two"
        )
    });
}

fn check_stage_two(found: &mut Found, stage: &StageTwoConfig, steps: u64) {
    let start = stage.start_step;
    found.require(start > 0 && start < steps, "stage_two.start_step", || {
        format!("is {start}, must be above 0 and below `schedule.steps`, which is {steps}")
    });
    found.positive("stage_two.rate", stage.rate);
    let weights = [stage.energy_weight, stage.forces_weight, stage.stress_weight];
    check_weights(found, "stage_two", weights);
}
