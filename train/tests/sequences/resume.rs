//! A run that was stopped and continued gives the bits of one that was not.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use genesis_data::sequences::tokenize::Tokenizer;

use crate::fixture::{CAUSAL, MASKED, Memory, dataset, plan, run};
use genesis_train::checkpoint::{self, Checkpoint, Contents, Description, RealDisk};
use genesis_train::trainer::{Outcome, Resume, TrainError, prepare};

fn newest(run_dir: &Path) -> Checkpoint {
    checkpoint::latest(&run_dir.join("checkpoints")).unwrap().checkpoint.unwrap()
}

/// Weights, moments and the counted facts of the newest checkpoint.
fn contents(run_dir: &Path) -> (Vec<u8>, Vec<u8>, u64, u64, u64) {
    let checkpoint = newest(run_dir);
    let description = &checkpoint.manifest.description;
    (
        checkpoint.read("model.safetensors").unwrap(),
        checkpoint.read("optimizer.safetensors").unwrap(),
        description.step,
        description.position,
        description.tokens_seen,
    )
}

/// Trains `text` without and with stops after `stops` steps; compares everything.
fn stopped_equals_straight(text: &str, stops: &[u64]) {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(&dir.path().join("data"));
    let straight_dir = dir.path().join("straight");
    let mut straight = Memory::default();
    let outcome = run(&plan(text, &straight_dir, &data), &data, &mut straight, &Resume::No);
    assert_eq!(outcome.unwrap(), Outcome::Finished { step: 8 });

    let stopped_dir = dir.path().join("stopped");
    let stopped_plan = plan(text, &stopped_dir, &data);
    let (mut bits, mut resume) = (Vec::new(), Resume::No);
    for &stop in stops {
        let mut part = Memory::stopping_after(stop);
        let outcome = run(&stopped_plan, &data, &mut part, &resume).unwrap();
        assert_eq!(outcome, Outcome::Stopped { step: stop });
        bits.extend(part.bits());
        resume = Resume::Auto;
    }
    let mut last = Memory::default();
    run(&stopped_plan, &data, &mut last, &resume).unwrap();
    bits.extend(last.bits());

    assert_eq!(bits, straight.bits(), "losses and gradient norms");
    assert_eq!(contents(&stopped_dir), contents(&straight_dir), "weights and moments");
    let final_loss = |memory: &Memory| memory.evaluation_bits().last().copied();
    assert_eq!(final_loss(&last), final_loss(&straight), "validation loss");
}

#[test]
fn resume_is_bitwise_for_a_causal_model_with_dropout() {
    stopped_equals_straight(CAUSAL, &[3]);
}

#[test]
fn resume_is_bitwise_for_a_masked_model_with_accumulation_in_bf16() {
    stopped_equals_straight(MASKED, &[5]);
}

#[test]
fn resume_of_a_resume_is_bitwise() {
    stopped_equals_straight(CAUSAL, &[2, 4, 7]);
    stopped_equals_straight(MASKED, &[1, 6]);
}

#[test]
fn an_evaluation_that_a_stop_skipped_is_made_up_and_its_checkpoint_learns_it() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(&dir.path().join("data"));
    let run_dir = dir.path().join("run");
    let plan = plan(CAUSAL, &run_dir, &data);
    // Evaluations at 2, 3, 4, 6 and 8: at every checkpoint, since the best one is kept.
    for (stop, is_last) in [(3, false), (8, true)] {
        let mut part = Memory::stopping_after(stop);
        run(&plan, &data, &mut part, &Resume::Auto).unwrap();
        assert!(part.evaluations.iter().all(|it| it.step != stop), "it was cut short");
        let saved = newest(&run_dir).manifest.description;
        assert_eq!((saved.step, saved.metrics.validation_loss), (stop, None));

        let mut made_up = Memory::stopping_after(stop + 1);
        let outcome = run(&plan, &data, &mut made_up, &Resume::Auto).unwrap();
        assert_eq!(made_up.evaluations[0].step, stop, "before anything else");
        assert_eq!(matches!(outcome, Outcome::Finished { .. }), is_last);
    }
    let last = newest(&run_dir).manifest.description;
    assert!(last.step == 8 && last.metrics.validation_loss.is_some(), "{:?}", last.metrics);
    let mut again = Memory::default();
    run(&plan, &data, &mut again, &Resume::Auto).unwrap();
    assert!(again.evaluations.is_empty() && again.steps.is_empty(), "nothing twice");
}

#[test]
fn a_branch_changes_the_course_from_a_chosen_step_and_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(&dir.path().join("data"));
    let run_dir = dir.path().join("run");
    let text = CAUSAL.replace("keep_last = 2", "keep_last = 9");
    run(&plan(&text, &run_dir, &data), &data, &mut Memory::default(), &Resume::No).unwrap();
    let at = |step: u64| Resume::Path(run_dir.join(format!("checkpoints/step-{step:08}")));
    for (old, new, named) in [
        ("peak_rate = 0.01", "peak_rate = 0.001", "schedule.peak_rate was 0.01 and is now 0.001"),
        ("warmup_steps = 2", "warmup_steps = 7", "schedule.warmup_steps was 2 and is now 7"),
        ("clip_norm = 1.0", "clip_norm = 0.1", "optimizer.clip_norm was 1.0 and is now 0.1"),
        ("steps = 8", "steps = 9", "schedule.steps was 8 and is now 9"),
    ] {
        let changed = plan(&text.replace(old, new), &run_dir, &data);
        let refusal = run(&changed, &data, &mut Memory::default(), &Resume::Auto).unwrap_err();
        let refusal = refusal.to_string();
        assert!(refusal.contains(named) && refusal.contains("--from"), "{refusal}");

        let start = prepare(&changed, &at(4)).unwrap();
        let branch = start.branch.expect("a branch");
        assert_eq!((branch.step, branch.changes.as_slice()), (4, &[named.to_owned()][..]));
        let mut memory = Memory::default();
        run(&changed, &data, &mut memory, &at(4)).unwrap();
        assert_eq!(memory.steps[0].step, 5);
        assert!(memory.notes.iter().any(|note| note.contains(named)), "{:?}", memory.notes);
        // Back to the course that the next one branches from.
        std::fs::remove_dir_all(&run_dir).unwrap();
        run(&plan(&text, &run_dir, &data), &data, &mut Memory::default(), &Resume::No).unwrap();
    }
    let wider = plan(&text.replace("width = 16", "width = 32"), &run_dir, &data);
    let refusal = run(&wider, &data, &mut Memory::default(), &at(4)).unwrap_err().to_string();
    assert!(refusal.contains("model.width") && refusal.contains("--weights-only"), "{refusal}");
}

#[test]
fn weights_alone_begin_a_new_run_and_are_remembered_until_it_has_a_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(&dir.path().join("data"));
    let teacher_dir = dir.path().join("teacher");
    run(&plan(CAUSAL, &teacher_dir, &data), &data, &mut Memory::default(), &Resume::No).unwrap();
    let text = CAUSAL.replace("peak_rate = 0.01", "peak_rate = 0.02");
    let student_dir = dir.path().join("student");
    let mut student = plan(&text, &student_dir, &data);
    student.config.run.from = Some(newest(&teacher_dir).path);
    student.config.run.weights_only = true;
    let mut first = Memory::default();
    run(&student, &data, &mut first, &Resume::No).unwrap();
    assert_eq!((first.steps[0].step, first.steps.len()), (1, 8));
    std::fs::remove_dir_all(student_dir.join("checkpoints")).unwrap();
    let mut again = Memory::default();
    run(&student, &data, &mut again, &Resume::Auto).unwrap();
    assert_eq!(again.bits(), first.bits(), "it begins there again");

    student.config.run.weights_only = false;
    student.config.run.dir = dir.path().join("fork");
    let start = prepare(&student, &Resume::No).unwrap();
    assert_eq!((start.step(), start.resumed_step()), (8, None), "its training is gone on with");
    assert!(start.branch.is_some_and(|it| it.changes[0].contains("schedule.peak_rate")));
}

#[test]
fn the_clock_asks_for_checkpoints_that_are_not_evaluated() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(&dir.path().join("data"));
    let run_dir = dir.path().join("run");
    let text = CAUSAL
        .replace(
            "checkpoint = { every = 2",
            "checkpoint = { background = false, every_minutes = 1e-9",
        )
        .replace("steps = 8,", "steps = 3,");
    let mut timed = Memory::default();
    run(&plan(&text, &run_dir, &data), &data, &mut timed, &Resume::No).unwrap();
    let saved: Vec<u64> = timed.checkpoints.iter().map(|it| it.step).collect();
    assert_eq!(saved, [1, 2, 3], "the clock asks after every step");
    assert_eq!(timed.evaluations.len(), 1, "and for no evaluation but the last");
}

#[test]
fn resuming_a_finished_run_does_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(&dir.path().join("data"));
    let plan = plan(CAUSAL, &dir.path().join("run"), &data);
    run(&plan, &data, &mut Memory::default(), &Resume::No).unwrap();
    let mut again = Memory::default();
    let outcome = run(&plan, &data, &mut again, &Resume::Auto).unwrap();
    assert_eq!(outcome, Outcome::Finished { step: 8 });
    assert!(again.steps.is_empty() && again.checkpoints.is_empty());
}

#[test]
fn a_folder_that_holds_a_run_is_refused_without_resume() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(&dir.path().join("data"));
    let plan = plan(CAUSAL, &dir.path().join("run"), &data);
    run(&plan, &data, &mut Memory::stopping_after(2), &Resume::No).unwrap();
    let error = run(&plan, &data, &mut Memory::default(), &Resume::No).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("already holds a run") && message.contains("--resume"), "{message}");
}

#[test]
fn a_changed_key_is_named_with_both_values() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(&dir.path().join("data"));
    let run_dir = dir.path().join("run");
    run(&plan(CAUSAL, &run_dir, &data), &data, &mut Memory::stopping_after(5), &Resume::No)
        .unwrap();
    for (old, new, complaint) in [
        ("sequences = 4", "sequences = 8", "batch.sequences was 4 and is now 8"),
        ("width = 16", "width = 32", "model.width was 16 and is now 32"),
        ("steps = 8", "steps = 9", "schedule: step 4 was taken at rate 9."),
        ("steps = 8", "steps = 2", "schedule.steps is 2 but 5 steps are done"),
    ] {
        let changed = plan(&CAUSAL.replace(old, new), &run_dir, &data);
        let error = run(&changed, &data, &mut Memory::default(), &Resume::Auto).unwrap_err();
        assert!(matches!(error, TrainError::Changed { .. }), "{error}");
        assert!(error.to_string().contains(complaint), "{error}");
    }
}

#[test]
fn what_does_not_change_learning_may_change_and_is_noted() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(&dir.path().join("data"));
    let run_dir = dir.path().join("run");
    run(&plan(CAUSAL, &run_dir, &data), &data, &mut Memory::stopping_after(3), &Resume::No)
        .unwrap();
    let mut memory = Memory::default();
    let changed = plan(&CAUSAL.replace("keep_last = 2", "keep_last = 1"), &run_dir, &data);
    run(&changed, &data, &mut memory, &Resume::Auto).unwrap();
    let noted = "checkpoint.keep_last was 2 and is now 1";
    assert!(memory.notes.iter().any(|note| note == noted), "{:?}", memory.notes);
}

#[test]
fn a_plateau_may_be_prolonged_and_equals_the_longer_run() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(&dir.path().join("data"));
    let longer = MASKED.replace("steps = 8", "steps = 9");
    let mut straight = Memory::default();
    run(&plan(&longer, &dir.path().join("straight"), &data), &data, &mut straight, &Resume::No)
        .unwrap();

    let run_dir = dir.path().join("run");
    let mut first = Memory::stopping_after(4);
    run(&plan(MASKED, &run_dir, &data), &data, &mut first, &Resume::No).unwrap();
    let mut second = Memory::default();
    run(&plan(&longer, &run_dir, &data), &data, &mut second, &Resume::Auto).unwrap();
    assert_eq!([first.bits(), second.bits()].concat(), straight.bits());
}

#[test]
fn a_byte_flip_in_the_newest_checkpoint_falls_back_and_still_ends_with_the_same_bits() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(&dir.path().join("data"));
    let straight_dir = dir.path().join("straight");
    run(&plan(CAUSAL, &straight_dir, &data), &data, &mut Memory::default(), &Resume::No).unwrap();

    let run_dir = dir.path().join("run");
    let damaged_plan = plan(CAUSAL, &run_dir, &data);
    run(&damaged_plan, &data, &mut Memory::stopping_after(5), &Resume::No).unwrap();
    let file = newest(&run_dir).path.join("model.safetensors");
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&file, bytes).unwrap();

    let mut memory = Memory::default();
    run(&damaged_plan, &data, &mut memory, &Resume::Auto).unwrap();
    assert_eq!(memory.steps[0].step, 5, "continued after step 4");
    let said = |text: &str| memory.notes.iter().any(|note| note.contains(text));
    assert!(said("passed over") && said("step-00000005") && said("SHA-256"), "{:?}", memory.notes);
    assert_eq!(contents(&run_dir), contents(&straight_dir));
}

#[test]
fn without_any_valid_checkpoint_resuming_stops_instead_of_starting_over() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(&dir.path().join("data"));
    let run_dir = dir.path().join("run");
    let plan = plan(CAUSAL, &run_dir, &data);
    run(&plan, &data, &mut Memory::stopping_after(1), &Resume::No).unwrap();
    fs::write(newest(&run_dir).path.join("manifest.json"), "{}").unwrap();
    let error = run(&plan, &data, &mut Memory::default(), &Resume::Auto).unwrap_err();
    assert!(matches!(error, TrainError::NoValidCheckpoint { count: 1, .. }), "{error}");
}

#[test]
fn going_back_to_an_older_checkpoint_keeps_the_later_ones_under_another_name() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(&dir.path().join("data"));
    let run_dir = dir.path().join("run");
    let plan = plan(CAUSAL, &run_dir, &data);
    run(&plan, &data, &mut Memory::default(), &Resume::No).unwrap();
    let checkpoints = run_dir.join("checkpoints");
    let mut memory = Memory::default();
    let back = Resume::Path(checkpoints.join("step-00000006"));
    run(&plan, &data, &mut memory, &back).unwrap();
    assert_eq!(memory.steps[0].step, 7);
    assert!(checkpoints.join("step-00000008.superseded").is_dir());
    assert!(checkpoints.join("step-00000008").is_dir());
}

#[test]
fn imported_weights_begin_a_new_run_at_step_zero() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(&dir.path().join("data"));
    let teacher_dir = dir.path().join("teacher");
    run(&plan(CAUSAL, &teacher_dir, &data), &data, &mut Memory::default(), &Resume::No).unwrap();
    let teacher = newest(&teacher_dir);
    let contents = Contents {
        description: Description {
            step: 0,
            config: serde_json::Value::Null,
            ..teacher.manifest.description.clone()
        },
        model: &teacher.model().unwrap(),
        optimizer: None,
        attachments: &BTreeMap::from([("huggingface.json".to_owned(), b"{}".to_vec())]),
    };
    let imported =
        checkpoint::save(&mut RealDisk, &dir.path().join("imported"), &contents).unwrap();

    let student_dir = dir.path().join("student");
    let text = CAUSAL.replace("dropout = 0.1", "dropout = 0.0");
    let mut memory = Memory::default();
    let from = Resume::Path(imported);
    run(&plan(&text, &student_dir, &data), &data, &mut memory, &from).unwrap();
    assert_eq!(memory.steps[0].step, 1);
    assert_eq!(memory.steps.len(), 8);
    let attachments = newest(&student_dir).attachments().unwrap();
    assert_eq!(attachments["huggingface.json"], b"{}");
    assert!(attachments.contains_key("tokenizer.json"));
}

/// The newest checkpoint of `run_dir` as an import would have written it: without an optimizer, with
/// another description of the model, and with these files of a tokenizer.
fn as_imported(
    run_dir: &Path,
    to: &Path,
    edit: impl FnOnce(&mut serde_json::Value),
    tokenizer: &Tokenizer,
) -> std::path::PathBuf {
    let checkpoint = newest(run_dir);
    let mut description: Description = checkpoint.manifest.description.clone();
    (description.step, description.position, description.tokens_seen) = (0, 0, 0);
    edit(&mut description.model);
    fs::create_dir_all(to).unwrap();
    tokenizer.save(to).unwrap();
    let read = |name: &str| (name.to_owned(), fs::read(to.join(name)).unwrap());
    let attachments: BTreeMap<String, Vec<u8>> = Tokenizer::FILES.map(read).into();
    let model = checkpoint.model().unwrap();
    let contents =
        Contents { description, model: &model, optimizer: None, attachments: &attachments };
    checkpoint::save(&mut RealDisk, &to.join("checkpoints"), &contents).unwrap()
}

#[test]
fn what_a_run_file_cannot_say_of_a_network_is_that_of_the_checkpoint_it_starts_from() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(&dir.path().join("data"));
    Tokenizer::amino_acid().save(&dir.path().join("data")).unwrap();
    let first = dir.path().join("first");
    run(&plan(CAUSAL, &first, &data), &data, &mut Memory::default(), &Resume::No).unwrap();
    let frequencies = [1.0, 0.5, 0.25, 0.125];
    let edit = |model: &mut serde_json::Value| {
        model["pad_token"] = 1.into();
        model["rotary"]["stored_frequencies"] = frequencies.into();
    };
    let from = as_imported(&first, &dir.path().join("imported"), edit, &Tokenizer::amino_acid());
    let second = dir.path().join("second");
    let again = plan(CAUSAL, &second, &data);
    run(&again, &data, &mut Memory::stopping_after(4), &Resume::Path(from)).unwrap();
    let model = newest(&second).manifest.description.model;
    assert_eq!(
        (&model["pad_token"], model["rotary"]["stored_frequencies"][3].as_f64()),
        (&1.into(), Some(0.125))
    );
    run(&again, &data, &mut Memory::default(), &Resume::Auto).unwrap();
    assert_eq!(newest(&second).manifest.description.model, model, "and stays so on resuming");
}

#[test]
fn weights_of_another_tokenizer_are_refused_with_both_and_the_way_out() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(&dir.path().join("data"));
    Tokenizer::amino_acid().save(&dir.path().join("data")).unwrap();
    let first = dir.path().join("first");
    run(&plan(CAUSAL, &first, &data), &data, &mut Memory::default(), &Resume::No).unwrap();
    let letters =
        ('a'..='z').map(|letter| letter.to_string()).chain(["C".to_owned(), "O".to_owned()]);
    let other = Tokenizer::smiles(letters);
    assert_eq!(other.vocab_size(), 33, "the same size");
    let from = as_imported(&first, &dir.path().join("imported"), |_| (), &other);
    let second = plan(CAUSAL, &dir.path().join("second"), &data);
    let error = run(&second, &data, &mut Memory::default(), &Resume::Path(from)).unwrap_err();
    assert!(matches!(error, TrainError::OtherTokenizer { .. }), "{error}");
    let message = error.to_string();
    for part in ["amino_acid", "smiles", "--tokenizer", "imported"] {
        assert!(message.contains(part), "{part} in {message}");
    }
}
