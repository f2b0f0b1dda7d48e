//! The same run of structures on any number of ranks.

use genesis_train::structures::Structures;
use genesis_train::trainer::{Outcome, Resume};

use crate::fixture::{Memory, SILICON, plan};
use crate::ranks::train_on;

/// Eight structures in four parts, summed in a fixed order, in f32 or f64.
fn deterministic(dtype: &str) -> String {
    let more = "parallel = { deterministic = true, parts = 4 }\n";
    let precision = format!("precision = {{ dtype = \"{dtype}\" }}\n");
    SILICON.replace("frames = 3", "frames = 8") + more + &precision
}

#[test]
fn one_two_and_four_ranks_give_the_same_bits_in_the_deterministic_mode() {
    for dtype in ["f32", "f64"] {
        let run = |world: usize| {
            let dir = tempfile::tempdir().unwrap();
            let (plan, dataset) = plan(&deterministic(dtype), dir.path());
            let mut memory = Memory::default();
            let found = (&plan, &dataset);
            let outcomes = train_on::<Structures>(world, found, &mut memory, None, &Resume::No);
            assert!(outcomes.iter().all(|it| matches!(it, Ok(Outcome::Finished { step: 8 }))));
            let losses = memory.evaluations.iter().map(|it| it.val_loss.to_bits());
            let losses: Vec<u64> = losses.collect();
            let file = dir.path().join("checkpoints/step-00000008/optimizer.safetensors");
            (memory.bits(), losses, std::fs::read(file).unwrap())
        };
        let alone = run(1);
        assert_eq!((alone.0.len(), alone.1.len()), (8, 8));
        assert!([2, 4].iter().all(|&world| run(world) == alone), "{dtype}");
    }
}

#[test]
fn a_run_with_averages_and_a_plateau_goes_on_with_another_number_of_ranks() {
    let (straight, changing) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let text = deterministic("f64");
    let train = |world, found: (&_, &_), stop, resume: &Resume| {
        let mut memory = Memory::default();
        let outcomes = train_on::<Structures>(world, found, &mut memory, stop, resume);
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        memory.bits()
    };
    let divided = text.replace("parts = 4", "parts = 4, zero = 1");
    let (plan_a, dataset_a) = plan(&text, straight.path());
    let want = train(2, (&plan_a, &dataset_a), None, &Resume::No);
    let (plan_b, dataset_b) = plan(&text, changing.path());
    let found = (&plan_b, &dataset_b);
    let (plan_c, _) = plan(&divided, changing.path());
    // Averages and moments whole, divided among two ranks, and whole again.
    let mut bits = train(4, found, Some(3), &Resume::No);
    bits.extend(train(2, (&plan_c, &dataset_b), Some(4), &Resume::Auto));
    bits.extend(train(1, found, Some(5), &Resume::Auto));
    bits.extend(train(2, found, None, &Resume::Auto));
    assert_eq!(bits, want);
}
