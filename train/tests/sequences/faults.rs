//! Steps that are not finite: once by accident, or whenever they are computed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use genesis_train::cluster::collective::{Received, Sent, Summed};
use genesis_train::cluster::{ClusterError, Collective, InProcess};
use genesis_train::sequences::Sequences;
use genesis_train::trainer::{Outcome, Resume, TrainError};

use crate::fixture::{CAUSAL, Memory, dataset, plan};
use crate::ranks::{train_on, train_through};

/// An engine that makes NaN of the sums whose numbers it is given.
#[derive(Debug)]
struct Broken {
    engine: InProcess,
    sums: AtomicUsize,
    which: &'static [usize],
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
            values[0] = f32::NAN;
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
    (stop_after, resume): (Option<u64>, &Resume),
    folder: &std::path::Path,
) -> (Memory, Vec<Result<Outcome, TrainError>>) {
    let anew = *resume == Resume::No;
    let data = dataset(&folder.join(if anew { "data" } else { "data-again" }));
    let plan = plan(&format!("{CAUSAL}{faults}"), &folder.join("run"), &data);
    let engine = |engine| {
        Arc::new(Broken { engine, sums: AtomicUsize::new(0), which: broken }) as Arc<dyn Collective>
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
        outcomes
            .iter()
            .all(|it| matches!(it, Err(TrainError::NonFinite(found)) if found.step == 4))
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
        outcomes
            .iter()
            .all(|it| matches!(it, Err(TrainError::NonFinite(found)) if found.step == 6))
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
