//! Checkpoints that are written beside the steps.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use genesis_train::checkpoint::latest;
use genesis_train::trainer::{CHECKPOINTS_FOLDER, Resume};

use crate::fixture::{CAUSAL, Memory, dataset, plan, run};

/// Every file of every checkpoint of a run, by its path in the run folder.
fn files(run: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for step in fs::read_dir(run.join(CHECKPOINTS_FOLDER)).unwrap() {
        for file in fs::read_dir(step.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let name = path.strip_prefix(run).unwrap().to_owned();
            found.insert(name, fs::read(&path).unwrap());
        }
    }
    found
}

/// A run that saves every step and keeps all.
fn often(settings: &str) -> String {
    CAUSAL.replace(
        "{ every = 2, keep_last = 2 }",
        &format!("{{ every = 1, keep_last = 100{settings} }}"),
    )
}

#[test]
fn what_is_written_beside_the_steps_is_the_moment_that_was_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(&dir.path().join("data"));
    let go = |name: &str, settings: &str| {
        let (folder, mut memory) = (dir.path().join(name), Memory::default());
        run(&plan(&often(settings), &folder, &data), &data, &mut memory, &Resume::No).unwrap();
        (files(&folder), memory)
    };
    let (beside, told) = go("beside", "");
    let (waited, _) = go("waited", ", background = false");
    let (no_room, told_of_room) = go("no_room", ", snapshot_mib = 0");
    let models = |all: &BTreeMap<PathBuf, Vec<u8>>| -> BTreeMap<PathBuf, Vec<u8>> {
        let is_state = |path: &Path| path.extension().is_some_and(|it| it == "safetensors");
        all.iter().filter(|(path, _)| is_state(path)).map(|(a, b)| (a.clone(), b.clone())).collect()
    };
    assert_eq!(models(&beside).len(), 2 * told.steps.len());
    assert_eq!(models(&beside), models(&waited));
    assert_eq!(models(&beside), models(&no_room));
    let steps: Vec<u64> = told.checkpoints.iter().map(|it| it.step).collect();
    assert_eq!(steps, told.steps.iter().map(|it| it.step).collect::<Vec<_>>());
    let of_room =
        told_of_room.notes.iter().filter(|it| it.contains("checkpoint.snapshot_mib is 0"));
    assert_eq!(of_room.count(), 1, "it is said once");
}

#[test]
fn a_failure_beside_the_steps_ends_the_run_and_leaves_the_checkpoint_before() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(&dir.path().join("data"));
    let straight_dir = dir.path().join("straight");
    let mut straight = Memory::default();
    run(&plan(CAUSAL, &straight_dir, &data), &data, &mut straight, &Resume::No).unwrap();

    let folder = dir.path().join("run");
    let checkpoints = folder.join(CHECKPOINTS_FOLDER);
    let foreign = checkpoints.join("step-00000004.tmp");
    let plan = plan(CAUSAL, &folder, &data);
    let mut first = Memory { makes_after: Some((3, foreign.clone())), ..Memory::default() };
    let error = run(&plan, &data, &mut first, &Resume::No).unwrap_err().to_string();
    assert!(error.contains("step-00000004.tmp"), "{error}");
    assert!(first.steps.len() < 8, "it did not go on to the end: {}", first.steps.len());
    assert_eq!(latest(&checkpoints).unwrap().checkpoint.unwrap().manifest.description.step, 2);
    assert!(foreign.is_dir(), "what others made is left alone");

    fs::remove_dir(&foreign).unwrap();
    let mut second = Memory::default();
    run(&plan, &data, &mut second, &Resume::Auto).unwrap();
    assert_eq!(second.bits(), straight.bits()[2..]);
}
