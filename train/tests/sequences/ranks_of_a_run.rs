//! The same run on any number of ranks.

use std::path::Path;
use std::sync::Arc;

use genesis_data::sequences::SequencesCorpus;
use genesis_train::report::StepRecord;
use genesis_train::sequences::{Sequences, SequencesPlan};
use genesis_train::trainer::{Outcome, Resume, TrainError};

use crate::fixture::{CAUSAL, MASKED, Memory, dataset, plan};
use crate::ranks::train_on;

/// The run file with eight sequences in four parts, summed in a fixed order.
fn deterministic(text: &str) -> String {
    let more = "parallel = { deterministic = true, parts = 4, bucket_mib = 0.001 }\n";
    text.replace("sequences = 4", "sequences = 8").replace("sequences = 6", "sequences = 8") + more
}

fn train(
    world: usize,
    plan: &SequencesPlan,
    data: &Arc<SequencesCorpus>,
    stop_after: Option<u64>,
    resume: &Resume,
) -> (Memory, Outcome) {
    let mut memory = Memory::default();
    let outcomes = train_on::<Sequences>(world, (plan, data), &mut memory, stop_after, resume);
    let outcomes: Vec<Outcome> = outcomes.into_iter().map(Result::unwrap).collect();
    assert!(outcomes.iter().all(|it| *it == outcomes[0]), "{outcomes:?}");
    (memory, outcomes[0])
}

fn weights(run: &Path) -> Vec<u8> {
    std::fs::read(run.join("checkpoints/step-00000008/model.safetensors")).unwrap()
}

#[test]
fn one_two_and_four_ranks_give_the_same_bits_in_the_deterministic_mode() {
    for text in [CAUSAL, MASKED] {
        let dir = tempfile::tempdir().unwrap();
        let data = dataset(&dir.path().join("data"));
        let run = |world: usize| {
            let folder = dir.path().join(format!("on-{world}"));
            let plan = plan(&deterministic(text), &folder, &data);
            let (memory, _) = train(world, &plan, &data, None, &Resume::No);
            (memory.bits(), memory.evaluation_bits(), weights(&folder))
        };
        let alone = run(1);
        assert_eq!(alone.0.len(), 8);
        assert!([2, 4].iter().all(|&world| run(world) == alone));
    }
}

/// The run with what ranks divide among them.
fn zero(text: &str, stage: u8) -> String {
    let parallel = "parallel = { ";
    if text.contains(parallel) {
        return text.replace(parallel, &format!("{parallel}zero = {stage}, "));
    }
    format!("{text}{parallel}zero = {stage}, bucket_mib = 0.002 }}\n")
}

#[test]
fn divided_moments_give_the_bits_of_whole_ones_in_the_deterministic_mode() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(&dir.path().join("data"));
    let run = |name: String, text: &str, world| {
        let plan = plan(text, &dir.path().join(name), &data);
        let (memory, _) = train(world, &plan, &data, None, &Resume::No);
        (memory.bits(), memory.evaluation_bits(), weights(&plan.config.run.dir), memory.notes)
    };
    let text = deterministic(CAUSAL);
    let whole = run("whole".to_owned(), &text, 1);
    for (stage, world) in [(1, 1), (1, 2), (1, 4), (2, 2)] {
        let found = run(format!("{stage}-on-{world}"), &zero(&text, stage), world);
        assert_eq!((&found.0, &found.1, &found.2), (&whole.0, &whole.1, &whole.2));
        let told = found.3.iter().any(|note| note.contains("each rank holds its part of moments"));
        assert_eq!(told, world > 1, "{:?}", found.3);
    }
}

#[test]
fn divided_gradients_agree_to_rounding_and_two_ranks_with_a_slice_each_to_the_bit() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(&dir.path().join("data"));
    // No clipping: a norm is added up in another order where ranks hold pieces.
    let text = CAUSAL.replace("0.1 }", "0.0 }").replace("clip_norm = 1.0", "clip_norm = 1e9");
    let run = |text: &str, world| {
        let folder = tempfile::tempdir_in(dir.path()).unwrap();
        let plan = plan(text, folder.path(), &data);
        train(world, &plan, &data, None, &Resume::No).0
    };
    for (world, slices, same_bits) in [(2, 2, true), (2, 4, false), (4, 4, false)] {
        let text = text.replace("accumulation = 1", &format!("accumulation = {slices}"));
        let whole = run(&text, world);
        for stage in [1, 2] {
            let found = run(&zero(&text, stage), world);
            for (a, b) in whole.steps.iter().zip(&found.steps) {
                assert!((a.loss - b.loss).abs() < 1e-5 * a.loss, "{world} {stage}: {a:?} {b:?}");
            }
            let losses =
                |of: &Memory| of.steps.iter().map(|it| it.loss.to_bits()).collect::<Vec<_>>();
            assert!(!same_bits || losses(&found) == losses(&whole), "{stage}");
        }
    }
}

#[test]
fn a_run_goes_on_with_other_ranks_that_divide_other_things() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(&dir.path().join("data"));
    let text = deterministic(CAUSAL);
    let straight = plan(&text, &dir.path().join("straight"), &data);
    let (want, _) = train(1, &straight, &data, None, &Resume::No);
    let folder = dir.path().join("changing");
    let mut bits = Vec::new();
    for (world, stage, stop, resume) in [
        (4, 1, Some(2), Resume::No),
        (2, 2, Some(4), Resume::Auto),
        (1, 1, Some(5), Resume::Auto),
        (2, 0, Some(6), Resume::Auto),
        (4, 2, None, Resume::Auto),
    ] {
        let plan = plan(&zero(&text, stage), &folder, &data);
        let (memory, _) = train(world, &plan, &data, stop, &resume);
        bits.extend(memory.bits());
    }
    assert_eq!(bits, want.bits());
    assert_eq!(weights(&folder), weights(&dir.path().join("straight")));
    let parts = std::fs::read_dir(folder.join("checkpoints/step-00000008")).unwrap();
    let names = parts.map(|it| it.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|it| it.starts_with("optimizer-rank-")).count(), 4);
}

fn tokens(step: &StepRecord) -> u64 {
    let found = step.figures.iter().find(|(figure, _)| figure.key == "tokens");
    found.unwrap().1.as_f64().to_bits()
}

#[test]
fn sums_of_the_engine_agree_to_rounding_and_an_evaluation_to_the_bit_of_its_weights() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(&dir.path().join("data"));
    // Eight steps of f32: sums of a few hundred terms in another order, in every step.
    for (text, tolerance) in [(CAUSAL, 1e-5), (MASKED, 2e-2)] {
        // Dropout is drawn for each slice, of which more ranks have more.
        let text = text.replace("sequences = 4", "sequences = 6").replace("0.1 }", "0.0 }");
        let run = |world: usize| {
            let folder = tempfile::tempdir_in(dir.path()).unwrap();
            let plan = plan(&text, folder.path(), &data);
            train(world, &plan, &data, None, &Resume::No).0
        };
        let alone = run(1);
        for world in [2, 3] {
            let found = run(world);
            for (a, b) in alone.steps.iter().zip(&found.steps) {
                assert!((a.loss - b.loss).abs() < tolerance * a.loss, "{world}: {a:?} {b:?}");
                assert_eq!(tokens(a), tokens(b), "those of all ranks are counted");
            }
        }
    }
}

#[test]
fn a_run_goes_on_with_another_number_of_ranks_and_keeps_its_bits() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(&dir.path().join("data"));
    let text = deterministic(CAUSAL);
    let straight = plan(&text, &dir.path().join("straight"), &data);
    let (want, _) = train(1, &straight, &data, None, &Resume::No);
    let plan = plan(&text, &dir.path().join("changing"), &data);
    let mut bits = Vec::new();
    // The last rank alone is asked to stop: all stop after the same step.
    for (world, stop, resume) in [
        (1, Some(2), Resume::No),
        (4, Some(5), Resume::Auto),
        (2, Some(6), Resume::Auto),
        (1, None, Resume::Auto),
    ] {
        let (memory, outcome) = train(world, &plan, &data, stop, &resume);
        bits.extend(memory.bits());
        let want = stop.map_or(Outcome::Finished { step: 8 }, |step| Outcome::Stopped { step });
        assert_eq!(outcome, want);
    }
    assert_eq!(bits, want.bits());
    assert_eq!(weights(&dir.path().join("changing")), weights(&dir.path().join("straight")));
}

#[test]
fn what_is_not_finite_ends_all_ranks_with_the_samples_of_all() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(&dir.path().join("data"));
    let text = deterministic(CAUSAL).replace("peak_rate = 0.01", "peak_rate = 1e38");
    let text = text.replace("warmup_steps = 2", "warmup_steps = 0");
    let mut found = Vec::new();
    for world in [1, 2] {
        let plan = plan(&text, &dir.path().join(format!("on-{world}")), &data);
        let (parts, mut memory) = ((&plan, &data), Memory::default());
        let outcomes = train_on::<Sequences>(world, parts, &mut memory, None, &Resume::No);
        found.extend(outcomes.into_iter().map(|outcome| match outcome.unwrap_err() {
            TrainError::Diverged(found) => (found.step, found.samples),
            other => unreachable!("{other}"),
        }));
    }
    assert!(!found[0].1.ids.is_empty());
    assert!(found.iter().all(|it| *it == found[0]), "{found:?}");
}

#[test]
fn ranks_that_cannot_share_a_step_are_refused_on_every_rank() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(&dir.path().join("data"));
    for (text, world, parts) in [
        (deterministic(CAUSAL), 3, ["3 ranks", "4 parts"]),
        (CAUSAL.to_owned(), 3, ["4 sequences per step", "3 ranks"]),
    ] {
        let plan = plan(&text, &dir.path().join("run"), &data);
        let (found, mut memory) = ((&plan, &data), Memory::default());
        for outcome in train_on::<Sequences>(world, found, &mut memory, None, &Resume::No) {
            let error = outcome.unwrap_err().to_string();
            assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        }
    }
}
