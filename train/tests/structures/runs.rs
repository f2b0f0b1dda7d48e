//! The loop on atoms: exact resume, slices, stages, averages.

use std::path::Path;

use genesis_train::checkpoint::{self, Checkpoint, Values};
use genesis_train::structures::figures::{ENERGY_RMSE, FORCES_RMSE, STRESS_RMSE, VAL_FRAMES};
use genesis_train::trainer::{Outcome, Resume, TrainError};

use crate::fixture::{Memory, SILICON, plan, run};

fn newest(run_dir: &Path) -> Checkpoint {
    checkpoint::latest(&run_dir.join("checkpoints")).unwrap().checkpoint.unwrap()
}

/// Weights, state and what else a resume needs.
fn contents(run_dir: &Path) -> (Vec<u8>, Vec<u8>, String) {
    let checkpoint = newest(run_dir);
    let description = &checkpoint.manifest.description;
    let remembered = format!(
        "{} {} {} {:?} {:?}",
        description.step,
        description.position,
        description.tokens_seen,
        description.plateau,
        description.best
    );
    (
        checkpoint.read("model.safetensors").unwrap(),
        checkpoint.read("optimizer.safetensors").unwrap(),
        remembered,
    )
}

fn stopped_equals_straight(text: &str, stops: &[u64]) {
    let dir = tempfile::tempdir().unwrap();
    let straight_dir = dir.path().join("straight");
    let mut straight = Memory::default();
    let outcome = run(&plan(text, &straight_dir), &mut straight, &Resume::No).unwrap();
    assert_eq!(outcome, Outcome::Finished { step: 8 });

    let stopped_dir = dir.path().join("stopped");
    let stopped = plan(text, &stopped_dir);
    let (mut bits, mut resume) = (Vec::new(), Resume::No);
    for &stop in stops {
        let mut part = Memory::stopping_after(stop);
        let outcome = run(&stopped, &mut part, &resume).unwrap();
        assert_eq!(outcome, Outcome::Stopped { step: stop });
        bits.extend(part.bits());
        resume = Resume::Auto;
    }
    let mut last = Memory::default();
    run(&stopped, &mut last, &resume).unwrap();
    bits.extend(last.bits());
    assert_eq!(bits, straight.bits(), "losses, rates and gradient norms");
    let (ours, theirs) = (contents(&stopped_dir), contents(&straight_dir));
    assert_eq!(ours.2, theirs.2);
    assert!(ours.0 == theirs.0, "weights");
    assert!(ours.1 == theirs.1, "moments and raw parameters");
}

#[test]
fn resume_is_bitwise_with_average_and_stage_two_in_f32() {
    let cosine = SILICON.replace(
        "decay = { kind = \"plateau\", factor = 0.5, patience = 0 }",
        "decay = { kind = \"cosine\" }",
    );
    stopped_equals_straight(&cosine, &[3, 7]);
}

#[test]
fn resume_is_bitwise_in_f64_and_remembers_the_plateau() {
    let text = format!("{SILICON}precision = {{ dtype = \"f64\" }}\n")
        .replace("evaluation = { every = 1 }", "evaluation = { every = 4 }")
        .replace(
            "checkpoint = { every = 2, keep_last = 2 }",
            "checkpoint = { every = 4, keep_best = false }",
        );
    // A stop between evaluations, and one that leaves the evaluation of its step to the next start.
    stopped_equals_straight(&text, &[2, 4, 5]);
    let dir = tempfile::tempdir().unwrap();
    run(&plan(&text, dir.path()), &mut Memory::default(), &Resume::No).unwrap();
    let checkpoint = newest(dir.path());
    let remembered = checkpoint.manifest.description.plateau.unwrap();
    assert!(remembered.best.is_some(), "the evaluation of step 4 was heard");
    assert!(checkpoint.model().unwrap().iter().all(|it| matches!(it.values, Values::F64(_))));
}

#[test]
fn slices_change_memory_and_not_what_is_learned() {
    let losses = |batch: &str| -> Vec<f64> {
        let text = format!("{SILICON}precision = {{ dtype = \"f64\" }}\n")
            .replace("batch = { frames = 3 }", batch);
        let dir = tempfile::tempdir().unwrap();
        let mut memory = Memory::default();
        run(&plan(&text, dir.path()), &mut memory, &Resume::No).unwrap();
        memory.steps.iter().map(|step| step.loss).collect()
    };
    let whole = losses("batch = { frames = 3 }");
    // Crystals have 8 to 64 atoms: every slice then holds few of them, most only one.
    let sliced = losses("batch = { frames = 3, max_atoms = 64 }");
    for (a, b) in whole.iter().zip(&sliced) {
        // Sums of f64 in another order, over eight steps.
        assert!((a - b).abs() <= 1e-9 * a.abs(), "{whole:?} {sliced:?}");
    }
}

#[test]
fn stage_two_has_its_own_rate_and_looks_for_the_best_anew() {
    let dir = tempfile::tempdir().unwrap();
    let text = SILICON.replace(
        "decay = { kind = \"plateau\", factor = 0.5, patience = 0 }",
        "decay = { kind = \"none\" }",
    );
    let mut memory = Memory::default();
    run(&plan(&text, dir.path()), &mut memory, &Resume::No).unwrap();
    let rates: Vec<f64> = memory.steps.iter().map(|step| step.lr).collect();
    assert_eq!(rates, [0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 1e-3, 1e-3]);
    // Energies weigh ten times as much: the losses of the stages do not compare.
    let best = newest(dir.path()).manifest.description.best.unwrap();
    assert!(best.step >= 7, "{best:?}");
    assert_eq!(newest(dir.path()).manifest.description.metrics.stage, 1);
}

#[test]
fn a_run_that_averages_evaluates_the_average_and_keeps_what_it_trains() {
    let dir = tempfile::tempdir().unwrap();
    run(&plan(SILICON, dir.path()), &mut Memory::default(), &Resume::No).unwrap();
    let checkpoint = newest(dir.path());
    let (average, state) = (checkpoint.model().unwrap(), checkpoint.optimizer().unwrap());
    for tensor in &average {
        let raw = state.iter().find(|it| it.name == format!("raw.{}", tensor.name)).unwrap();
        assert_eq!(raw.shape, tensor.shape);
        assert_ne!(raw.values, tensor.values, "{}", tensor.name);
    }
    let largest = state.iter().filter(|it| it.name.starts_with("largest.")).count();
    assert_eq!(largest, average.len());
}

#[test]
fn evaluations_have_errors_in_the_units_of_the_field() {
    let dir = tempfile::tempdir().unwrap();
    let mut memory = Memory::default();
    run(&plan(SILICON, dir.path()), &mut memory, &Resume::No).unwrap();
    let last = &memory.evaluations.last().unwrap().figures;
    assert!(last.get(&VAL_FRAMES).unwrap() > 0.0);
    let forces = last.get(&FORCES_RMSE).unwrap();
    assert!(forces.is_finite() && forces > 0.0, "{forces}");
    assert!(last.get(&ENERGY_RMSE).is_some());
    assert!(last.get(&STRESS_RMSE).is_some());
    assert!(memory.notes.iter().any(|note| note.contains("forces of zero would be wrong by")));
}

#[test]
fn training_lowers_the_force_error_below_that_of_no_forces() {
    let text = SILICON
        .replace("steps = 8", "steps = 60")
        .replace("start_step = 6", "start_step = 59")
        .replace("peak_rate = 0.01", "peak_rate = 0.03")
        .replace("evaluation = { every = 1 }", "evaluation = { every = 30 }")
        .replace("channels = 2", "channels = 4")
        .replace("checkpoint = { every = 2, keep_last = 2 }", "");
    let dir = tempfile::tempdir().unwrap();
    let both = plan(&text, dir.path());
    let mut memory = Memory::default();
    run(&both, &mut memory, &Resume::No).unwrap();
    let last = &memory.evaluations.last().unwrap().figures;
    let none = 1e3 * both.1.first().card().part.splits.validation.forces.rms;
    let error = last.get(&FORCES_RMSE).unwrap();
    assert!(error < 0.7 * none, "{error} meV/Å of {none}");
}

#[test]
fn a_changed_weight_is_named_and_a_changed_budget_is_noted() {
    let dir = tempfile::tempdir().unwrap();
    run(&plan(SILICON, dir.path()), &mut Memory::stopping_after(3), &Resume::No).unwrap();
    let changed = SILICON.replace("forces_weight = 10.0, stress", "forces_weight = 20.0, stress");
    let error =
        run(&plan(&changed, dir.path()), &mut Memory::default(), &Resume::Auto).unwrap_err();
    assert!(matches!(error, TrainError::Changed { .. }), "{error}");
    assert!(
        error.to_string().contains("objective.forces_weight was 10.0 and is now 20.0"),
        "{error}"
    );
    let changed = SILICON.replace("frames = 3", "frames = 3, max_atoms = 500");
    let mut memory = Memory::default();
    run(&plan(&changed, dir.path()), &mut memory, &Resume::Auto).unwrap();
    let noted = "batch.max_atoms was 2000 and is now 500";
    assert!(memory.notes.iter().any(|note| note == noted), "{:?}", memory.notes);
}
