//! The loop: gradients of uneven slices, attribution of bad numbers, what is reported and kept.

use crate::fixture::{CAUSAL, MASKED, Memory, dataset, plan, run};
use burn::tensor::{Device, Tensor};
use genesis_kernels::{Cpu, Precision};
use genesis_model::{Init, Mode, ParamSpec, Params, specs};
use genesis_schema::{IGNORE, Seeds, TokenBatch};
use genesis_train::sequences::documents;
use genesis_train::sequences::figures::TOKENS;
use genesis_train::sequences::step::accumulate;
use genesis_train::trainer::optim::GradientNorm;
use genesis_train::trainer::{Resume, TrainError, prepare, watch};

fn host(gradients: Vec<Tensor<Cpu, 1>>) -> Vec<Vec<f32>> {
    gradients.into_iter().map(|g| g.into_data().into_vec().unwrap()).collect()
}

/// A segment of `length` tokens of which the first `labels` have a label.
fn push(batch: &mut TokenBatch, length: u32, labels: u32, document: u64) {
    let tokens: Vec<u32> = (0..length).map(|i| 4 + (i * 7 + length) % 20).collect();
    let label = |i: u32| if i < labels { i64::from(4 + (i * 5) % 20) } else { IGNORE };
    let labels: Vec<i64> = (0..length).map(label).collect();
    batch.push_segment(&tokens, &labels, 0, document);
}

#[test]
fn uneven_label_counts_give_the_gradient_of_one_big_batch() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(&dir.path().join("data"));
    let config = plan(CAUSAL, dir.path(), &data).model;
    let stream = Seeds::new(2).stream("init");
    let params = Params::<Cpu>::initialise(specs(&config), &stream, &Device::<Cpu>::default());
    let sizes = [(16, 15, 0), (9, 1, 1), (12, 0, 2), (5, 4, 3)];
    let mut whole = TokenBatch::default();
    let mut slices = Vec::new();
    for (length, labels, document) in sizes {
        let mut slice = TokenBatch::default();
        push(&mut slice, length, labels, document);
        push(&mut whole, length, labels, document);
        slices.push(slice);
    }
    let mode = |_| Mode::inference(Precision::Full);
    let device = Device::<Cpu>::default();
    let labels = 15.0 + 1.0 + 4.0;
    let (loss_apart, apart) = accumulate(&config, &params, &slices, labels, mode, &device);
    let (loss_whole, whole) = accumulate(&config, &params, &[whole], labels, mode, &device);
    assert!((loss_apart - loss_whole).abs() < 1e-6 * loss_whole, "{loss_apart} {loss_whole}");
    let norm = GradientNorm::of(&whole).total();
    let difference: f64 = host(apart)
        .iter()
        .flatten()
        .zip(host(whole).iter().flatten())
        .map(|(a, b)| f64::from(a - b).powi(2))
        .sum::<f64>()
        .sqrt();
    // Sums of a few hundred f32 terms in another order; a mean of means would be off by tens of
    // per cent, because the slices hold 15, 1, 0 and 4 labels.
    assert!(difference < 1e-6 * norm, "{difference} of {norm}");
}

#[test]
fn accumulation_changes_memory_and_not_what_is_learned() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(&dir.path().join("data"));
    let text = MASKED.replace("bf16", "f32");
    let losses = |accumulation: &str, name: &str| -> Vec<f64> {
        let text = text.replace("accumulation = 2", accumulation);
        let mut memory = Memory::default();
        run(&plan(&text, &dir.path().join(name), &data), &data, &mut memory, &Resume::No).unwrap();
        memory.steps.iter().map(|step| step.loss).collect()
    };
    let (one, three) = (losses("accumulation = 1", "one"), losses("accumulation = 3", "three"));
    for (a, b) in one.iter().zip(&three) {
        // Eight steps of a network of three thousand parameters in f32.
        assert!((a - b).abs() < 1e-4, "{one:?} {three:?}");
    }
}

#[test]
fn training_lowers_the_loss_below_the_frequencies_of_letters() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(&dir.path().join("data"));
    let text = CAUSAL
        .replace("steps = 8", "steps = 120")
        .replace("dropout = 0.1", "dropout = 0.0")
        .replace("every = 3", "every = 60");
    let mut memory = Memory::default();
    run(&plan(&text, &dir.path().join("run"), &data), &data, &mut memory, &Resume::No).unwrap();
    let last = memory.evaluations.last().unwrap();
    // Twenty letters and two ends: their frequencies alone give about ln 20 = 3.
    assert!(last.val_loss < 2.3, "{}", last.val_loss);
    assert!(memory.notes.iter().any(|note| note.contains("unigram entropy")));
}

#[test]
fn the_same_plan_gives_the_same_bits_twice() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(&dir.path().join("data"));
    let bits = |name: &str| {
        let mut memory = Memory::default();
        run(&plan(MASKED, &dir.path().join(name), &data), &data, &mut memory, &Resume::No).unwrap();
        (memory.bits(), memory.evaluation_bits())
    };
    assert_eq!(bits("a"), bits("b"));
}

#[test]
fn evaluations_and_checkpoints_come_when_they_are_due() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(&dir.path().join("data"));
    let mut memory = Memory::default();
    let text = CAUSAL.replace("keep_last = 2", "keep_last = 2, keep_best = false");
    let run_dir = dir.path().join("run");
    run(&plan(&text, &run_dir, &data), &data, &mut memory, &Resume::No).unwrap();
    let evaluated: Vec<u64> = memory.evaluations.iter().map(|e| e.step).collect();
    assert_eq!(evaluated, [3, 6, 8]);
    let follows: Vec<u64> =
        memory.steps.iter().filter(|s| s.evaluation_follows).map(|s| s.step).collect();
    assert_eq!(follows, evaluated);
    let saved: Vec<u64> = memory.checkpoints.iter().map(|c| c.step).collect();
    assert_eq!(saved, [2, 4, 6, 8]);
    let kept: Vec<u64> = saved
        .into_iter()
        .filter(|step| run_dir.join(format!("checkpoints/step-{step:08}")).is_dir())
        .collect();
    assert_eq!(kept, [6, 8]);
    let tokens: Vec<_> = memory.steps.iter().map(|s| s.figures.get(&TOKENS)).collect();
    assert_eq!(tokens[..2], [Some(64.0), Some(128.0)], "four blocks of sixteen tokens a step");
}

#[test]
fn the_best_checkpoint_is_kept_even_when_it_is_old() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(&dir.path().join("data"));
    // A rate that ruins the network after a good start.
    let text = CAUSAL
        .replace("peak_rate = 0.01", "peak_rate = 3.0")
        .replace("warmup_steps = 2", "warmup_steps = 8")
        .replace("keep_last = 2", "keep_last = 1");
    let mut memory = Memory::default();
    let run_dir = dir.path().join("run");
    run(&plan(&text, &run_dir, &data), &data, &mut memory, &Resume::No).unwrap();
    let saved: Vec<u64> = memory.checkpoints.iter().map(|c| c.step).collect();
    let best = memory
        .evaluations
        .iter()
        .filter(|e| saved.contains(&e.step))
        .min_by(|a, b| a.val_loss.total_cmp(&b.val_loss))
        .unwrap();
    let checkpoints = run_dir.join("checkpoints");
    assert!(checkpoints.join(format!("step-{:08}", best.step)).is_dir());
    assert!(checkpoints.join("step-00000008").is_dir());
    assert!(best.step < 8, "the rate was meant to ruin it");
}

#[test]
fn a_number_that_is_not_finite_stops_the_run_and_names_step_tensor_and_documents() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(&dir.path().join("data"));
    let text = CAUSAL
        .replace("peak_rate = 0.01", "peak_rate = 1e38")
        .replace("warmup_steps = 2", "warmup_steps = 0");
    let run_dir = dir.path().join("run");
    let mut memory = Memory::default();
    let error = run(&plan(&text, &run_dir, &data), &data, &mut memory, &Resume::No).unwrap_err();
    let TrainError::Diverged(found) = &error else { unreachable!("{error}") };
    assert_eq!(found.step, memory.steps.last().unwrap().step + 1);
    assert!(!found.gradients.is_empty() || !found.parameters.is_empty(), "{error}");
    assert!(!found.samples.ids.is_empty());
    assert!(error.to_string().contains(&format!("step {}:", found.step)), "{error}");
}

#[test]
fn diagnosis_tells_a_bad_gradient_from_a_bad_parameter() {
    let specs = [ParamSpec::new("good", &[2], Init::Ones), ParamSpec::new("bad", &[2], Init::Ones)];
    let tensor =
        |values: [f32; 2]| Tensor::<Cpu, 1>::from_floats(values, &Device::<Cpu>::default());
    let gradients = [tensor([1.0, 2.0]), tensor([f32::NAN, 0.0])];
    let norm = GradientNorm::of(&gradients);
    let params = Params::from_values(specs.into(), vec![tensor([1.0, 1.0]), tensor([1.0, 1.0])]);
    let mut batch = TokenBatch::default();
    push(&mut batch, 4, 4, 17);
    let samples = |of_ranks: &[&str]| watch::Samples {
        are: "documents",
        ids: documents(&[batch.clone()]),
        of_ranks: of_ranks.iter().map(ToString::to_string).collect(),
    };
    let reached = watch::Reached { step: 3, loss: 1.0, rate: 0.1, norm: &norm, jump: None };
    let found = reached.found(&params, samples(&[]));
    assert_eq!(found.gradients, ["bad"]);
    assert!(found.parameters.is_empty());
    assert_eq!(found.samples.ids, [17]);
    assert!(found.to_string().contains("Training documents of the step: 17"), "{found}");
    let found = reached.found(&params, samples(&["rank 3 on n2"]));
    let said = "not finite on rank 3 on n2 alone, from training documents 17";
    assert!(found.to_string().contains(said), "{found}");
}

#[test]
fn looking_at_an_empty_folder_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(&dir.path().join("data"));
    let plan = plan(CAUSAL, &dir.path().join("run"), &data);
    for resume in [Resume::No, Resume::Auto] {
        assert_eq!(prepare(&plan, &resume).unwrap().step(), 0);
    }
    assert!(!dir.path().join("run").exists());
}
