//! Steps that are not finite or jump: once by accident, or whenever they are computed; and what is kept of them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::tensor::Device;
use genesis_kernels::Cpu;
use genesis_train::checkpoint::{self, naming};
use genesis_train::cluster::collective::{Received, Sent, Summed};
use genesis_train::cluster::{ClusterError, Collective, InProcess};
use genesis_train::family::Family as _;
use genesis_train::sequences::Sequences;
use genesis_train::trainer::capsule::{CAPSULES_FOLDER, Capsule};
use genesis_train::trainer::{Outcome, Resume, TrainError};

use crate::fixture::{CAUSAL, Memory, dataset, plan};
use crate::ranks::{train_on, train_through};

/// An engine that multiplies the sums whose numbers it is given.
#[derive(Debug)]
struct Broken {
    engine: InProcess,
    sums: AtomicUsize,
    which: &'static [usize],
    by: f32,
}

impl Collective for Broken {
    fn rank(&self) -> usize {
        self.engine.rank()
    }
    fn world(&self) -> usize {
        self.engine.world()
    }
    fn name(&self) -> String {
        "an engine that fails".to_owned()
    }
    fn all_reduce(&self, mut values: Summed<'_>) -> Result<(), ClusterError> {
        let number = self.sums.fetch_add(1, Ordering::Relaxed);
        if let (Summed::F32(values), true) = (&mut values, self.which.contains(&number)) {
            values.iter_mut().for_each(|value| *value *= self.by);
        }
        self.engine.all_reduce(values)
    }
    fn reduce_scatter(&self, values: Sent<'_>, mine: Summed<'_>) -> Result<(), ClusterError> {
        self.engine.reduce_scatter(values, mine)
    }
    fn all_gather(&self, mine: Sent<'_>, all: Received<'_>) -> Result<(), ClusterError> {
        self.engine.all_gather(mine, all)
    }
    fn broadcast(&self, root: usize, bytes: &mut [u8]) -> Result<(), ClusterError> {
        self.engine.broadcast(root, bytes)
    }
    fn barrier(&self) -> Result<(), ClusterError> {
        self.engine.barrier()
    }
    fn leave(&self) {
        self.engine.leave();
    }
    fn abort(&self, code: i32) {
        self.engine.abort(code);
    }
}

/// A run of eight steps on two ranks with a sum each, some of which are `broken`.
fn run(
    faults: &str,
    broken: &'static [usize],
    how: (Option<u64>, &Resume),
    folder: &Path,
) -> (Memory, Vec<Result<Outcome, TrainError>>) {
    run_of(&format!("{CAUSAL}{faults}"), (broken, f32::NAN), how, folder)
}

/// A run of 64 steps, in which a sum that is broken is ten thousand times too large.
fn long_run(
    faults: &str,
    broken: &'static [usize],
    how: (Option<u64>, &Resume),
    folder: &Path,
) -> (Memory, Vec<Result<Outcome, TrainError>>) {
    let text = CAUSAL.replace("steps = 8", "steps = 64");
    run_of(&format!("{text}{faults}"), (broken, 1e4), how, folder)
}

fn run_of(
    text: &str,
    (which, by): (&'static [usize], f32),
    (stop_after, resume): (Option<u64>, &Resume),
    folder: &Path,
) -> (Memory, Vec<Result<Outcome, TrainError>>) {
    let anew = *resume == Resume::No;
    let data = dataset(&folder.join(if anew { "data" } else { "data-again" }));
    let plan = plan(text, &folder.join("run"), &data);
    let engine = |engine| {
        Arc::new(Broken { engine, sums: AtomicUsize::new(0), which, by }) as Arc<dyn Collective>
    };
    let mut memory = Memory::default();
    let of = (&plan, &data);
    let outcomes = train_through::<Sequences>(2, &engine, of, &mut memory, stop_after, resume);
    (memory, outcomes)
}

const SKIP: &str = "faults = { non_finite = \"skip\", budget = 1 }\n";

#[test]
fn what_came_by_accident_is_computed_once_more_and_leaves_no_trace_in_the_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let (memory, outcomes) = run("", &[3], (None, &Resume::No), dir.path());
    assert!(outcomes.iter().all(|it| matches!(it, Ok(Outcome::Finished { step: 8 }))));
    let [fault] = memory.faults.as_slice() else { unreachable!("{:?}", memory.faults) };
    assert!(fault.step == 4 && fault.decision.starts_with("went on"), "{fault:?}");
    assert!(fault.sentence().contains("gradient norm NaN"), "{}", fault.sentence());

    let sound = tempfile::tempdir().unwrap();
    let data = dataset(&sound.path().join("data"));
    let plan = plan(CAUSAL, &sound.path().join("run"), &data);
    let mut straight = Memory::default();
    train_on::<Sequences>(2, (&plan, &data), &mut straight, None, &Resume::No);
    assert_eq!(memory.bits(), straight.bits());
}

#[test]
fn what_comes_again_stops_the_run_or_is_left_out_as_often_as_it_may() {
    let dir = tempfile::tempdir().unwrap();
    let (memory, outcomes) = run("", &[3, 4], (None, &Resume::No), dir.path());
    assert!(
        outcomes.iter().all(|it| matches!(it, Err(TrainError::Diverged(found)) if found.step == 4))
    );
    assert_eq!(memory.faults[0].decision, "stopped");

    let dir = tempfile::tempdir().unwrap();
    let (memory, outcomes) = run(SKIP, &[3, 4], (None, &Resume::No), dir.path());
    assert!(outcomes.iter().all(|it| matches!(it, Ok(Outcome::Finished { step: 8 }))));
    assert_eq!(memory.faults[0].decision, "left the step out");
    let steps: Vec<u64> = memory.steps.iter().map(|it| it.step).collect();
    assert_eq!(steps, [1, 2, 3, 5, 6, 7, 8]);

    let dir = tempfile::tempdir().unwrap();
    let (memory, outcomes) = run(SKIP, &[3, 4, 6, 7], (None, &Resume::No), dir.path());
    assert!(
        outcomes.iter().all(|it| matches!(it, Err(TrainError::Diverged(found)) if found.step == 6))
    );
    assert_eq!(memory.faults.len(), 2, "the second is one too many");
}

#[test]
fn a_run_that_left_a_step_out_goes_on_with_the_bits_of_a_straight_one_and_remembers_its_budget() {
    let (straight, resumed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (whole, _) = run(SKIP, &[3, 4], (None, &Resume::No), straight.path());
    let (first, _) = run(SKIP, &[3, 4], (Some(5), &Resume::No), resumed.path());
    let (second, outcomes) = run(SKIP, &[], (None, &Resume::Auto), resumed.path());
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!([first.bits(), second.bits()].concat(), whole.bits());

    let dir = tempfile::tempdir().unwrap();
    run(SKIP, &[3, 4], (Some(5), &Resume::No), dir.path());
    let (_, outcomes) = run(SKIP, &[0, 1], (None, &Resume::Auto), dir.path());
    assert!(outcomes.iter().all(Result::is_err), "the budget was spent before the stop");
}

#[test]
fn a_jump_is_noted_computed_again_left_out_or_stops_the_run_as_the_file_says() {
    let finished = |outcomes: &[Result<Outcome, TrainError>]| {
        outcomes.iter().all(|it| matches!(it, Ok(Outcome::Finished { step: 64 })))
    };
    let dir = tempfile::tempdir().unwrap();
    let (memory, outcomes) = long_run("", &[55], (None, &Resume::No), dir.path());
    assert!(finished(&outcomes) && memory.faults.is_empty());
    let noted = |note: &&String| note.starts_with("step 56: gradient norm ");
    assert_eq!(memory.notes.iter().filter(noted).count(), 1, "{:?}", memory.notes);

    let skip = "faults = { spike = \"skip\" }\n";
    let dir = tempfile::tempdir().unwrap();
    let (memory, outcomes) = long_run(skip, &[55], (None, &Resume::No), dir.path());
    assert!(finished(&outcomes) && memory.steps.len() == 64);
    let [fault] = memory.faults.as_slice() else { unreachable!("{:?}", memory.faults) };
    assert!(fault.step == 56 && fault.decision.starts_with("went on"), "{fault:?}");

    let dir = tempfile::tempdir().unwrap();
    let (memory, outcomes) = long_run(skip, &[55, 56], (None, &Resume::No), dir.path());
    assert!(finished(&outcomes) && memory.steps.len() == 63);
    assert_eq!(memory.faults[0].decision, "left the step out");

    let stop = "faults = { spike = \"stop\" }\n";
    let dir = tempfile::tempdir().unwrap();
    let (_, outcomes) = long_run(stop, &[55, 56], (None, &Resume::No), dir.path());
    for outcome in &outcomes {
        let Err(TrainError::Diverged(found)) = outcome else { unreachable!("{outcome:?}") };
        let said = found.to_string();
        assert!(found.step == 56 && said.contains("standard deviations"), "{said}");
        assert!(said.contains("Training documents of the step") && said.contains("--from STEP"));
    }
}

const BACK: &str = "faults = { non_finite = \"roll_back\", spike = \"roll_back\", budget = 1 }\n";

#[test]
fn going_back_takes_the_newest_checkpoint_and_leaves_out_what_came_since() {
    let dir = tempfile::tempdir().unwrap();
    let (memory, outcomes) = run(BACK, &[5, 6], (None, &Resume::No), dir.path());
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let decided = &memory.faults[0].decision;
    assert!(decided.contains("the parameters after 4 steps"), "{decided}");
    let steps: Vec<u64> = memory.steps.iter().map(|it| it.step).collect();
    assert_eq!(steps, [1, 2, 3, 4, 5, 7, 8]);
    let last = naming::final_path(&dir.path().join("run/checkpoints"), 8);
    let description = checkpoint::open(&last).unwrap().manifest.description;
    assert_eq!((description.left_out_steps, description.went_on), (2, 1));

    // The next one is one too many, and without a checkpoint there is nothing to go back to.
    let dir = tempfile::tempdir().unwrap();
    let (_, outcomes) = run(BACK, &[5, 6, 7, 8], (None, &Resume::No), dir.path());
    assert!(outcomes.iter().all(Result::is_err));
    let dir = tempfile::tempdir().unwrap();
    let (memory, outcomes) = run(BACK, &[1, 2], (None, &Resume::No), dir.path());
    assert!(outcomes.iter().all(Result::is_err) && memory.faults[0].decision == "stopped");
}

#[test]
fn a_run_that_went_back_goes_on_with_the_bits_of_a_straight_one() {
    for pieces in ["", "parallel = { zero = 1 }\naverage = { decay = 0.9 }\n"] {
        let text = format!("{BACK}{pieces}");
        let (straight, resumed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let broken: &[usize] = &[55, 56];
        let (whole, _) = long_run(&text, broken, (None, &Resume::No), straight.path());
        assert_eq!(whole.faults.len(), usize::from(pieces.is_empty()), "{pieces}");
        let (first, _) = long_run(&text, broken, (Some(59), &Resume::No), resumed.path());
        let (second, outcomes) = long_run(&text, &[], (None, &Resume::Auto), resumed.path());
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        assert_eq!([first.bits(), second.bits()].concat(), whole.bits());
    }
}

#[test]
fn what_is_kept_of_a_step_computes_it_again() {
    let dir = tempfile::tempdir().unwrap();
    let (memory, _) = run("", &[3], (None, &Resume::No), dir.path());
    let kept = naming::final_path(&dir.path().join("run").join(CAPSULES_FOLDER), 3);
    assert_eq!(memory.faults[0].capsule.as_deref(), Some(&*kept));
    let kept = checkpoint::open(&kept).unwrap();
    let capsule = Capsule::of(&kept).unwrap();
    assert_eq!((capsule.step, capsule.hosts.len(), capsule.samples.len() >= 4), (4, 2, true));
    assert!(capsule.first.grad_norm.0.is_nan() && capsule.again.grad_norm.0.is_finite());

    let data = dataset(&dir.path().join("data-again"));
    let plan = plan(CAUSAL, &dir.path().join("run"), &data);
    let device = Device::<Cpu>::default();
    let found = Sequences::replay::<Cpu>(&plan, &data, &device, &kept).unwrap();
    assert_eq!(found.fault, None, "the engine broke it");
    // The engine adds up in f32, a replay in f64.
    let close = |a: f64, b: f64| (a - b).abs() <= 1e-5 * b.abs();
    assert!(close(found.loss.0, capsule.again.loss.0), "{found:?}");
    for ((name, now), (same, then)) in found.gradients.iter().zip(&capsule.again.gradients) {
        assert!(name == same && close(now.0, then.0), "{name}: {now} then {then}");
    }
    let losses: Vec<f64> = found.ranks.iter().map(|rank| rank.loss.0).collect();
    assert_eq!(losses, capsule.first.of_ranks.iter().map(|it| it.0).collect::<Vec<_>>());
    assert!(found.ranks.iter().all(|rank| rank.slices.iter().all(|it| !it.samples.is_empty())));

    let dir = tempfile::tempdir().unwrap();
    let (memory, _) = run("faults = { capsules = 0 }\n", &[3], (None, &Resume::No), dir.path());
    assert_eq!(memory.faults[0].capsule, None);
    assert!(!dir.path().join("run").join(CAPSULES_FOLDER).exists());
}
