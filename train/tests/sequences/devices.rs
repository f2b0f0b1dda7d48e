//! The same run on another device: the same losses, and checkpoints that travel.

use std::path::Path;
use std::sync::Arc;

use genesis_data::sequences::SequencesCorpus;
use genesis_kernels::oracle::ulp;
use genesis_kernels::{Kernels, Wgpu};
use genesis_train::trainer::Resume;
use genesis_train::trainer::gate::SLACK;

use crate::adapter::adapter;
use crate::fixture::{CAUSAL, MASKED, Memory, dataset, plan, run, run_on};

/// Without dropout, whose masks follow the slices of a step.
fn causal() -> String {
    CAUSAL.replace("dropout = 0.1", "dropout = 0.0")
}

/// Losses of a run with so many slices a step, on the CPU.
fn losses(text: &str, slices: usize, dir: &Path, data: &Arc<SequencesCorpus>) -> Vec<f64> {
    let text = text.replace("accumulation = 1", &format!("accumulation = {slices}"));
    let plan = plan(&text, &dir.join(format!("slices{slices}")), data);
    let mut memory = Memory::default();
    run(&plan, data, &mut memory, &Resume::No).unwrap();
    memory.steps.iter().map(|step| step.loss).collect()
}

/// Asserts that `got` is as near to a run on the CPU as sums in another order are, which is what
/// slices change, times the slack of the gate.
fn assert_near(text: &str, got: &[f64], dir: &Path, data: &Arc<SequencesCorpus>) {
    let cpu = losses(text, 1, dir, data);
    assert_eq!(got.len(), cpu.len());
    let orders = [2, 4].map(|slices| losses(text, slices, dir, data));
    let distance = |of: &[f64]| of.iter().zip(&cpu).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    let natural = orders.iter().map(|of| distance(of)).fold(0.0, f64::max);
    let allowed = SLACK * natural + ulp(cpu[0], f64::from(f32::EPSILON));
    assert!(distance(got) <= allowed, "{got:?}\n{cpu:?}\nallowed {allowed:e}");
}

#[test]
fn a_run_on_wgpu_passes_the_gate_and_has_the_losses_of_the_cpu() {
    let Some(device) = adapter() else { return };
    let folder = tempfile::tempdir().unwrap();
    let data = dataset(&folder.path().join("dataset"));
    let plan = plan(&causal(), &folder.path().join("wgpu"), &data);
    let mut memory = Memory::default();
    run_on::<Wgpu>(&device, &plan, &data, &mut memory, &Resume::No).unwrap();
    assert!(memory.notes[0].starts_with("kernels of "), "{:?}", memory.notes);
    assert!(memory.notes[1].starts_with("parity gate: "), "{:?}", memory.notes);
    let got: Vec<f64> = memory.steps.iter().map(|step| step.loss).collect();
    assert_near(&causal(), &got, folder.path(), &data);
}

#[test]
fn a_masked_run_in_bf16_with_dropout_of_tokens_passes_the_gate_on_wgpu() {
    let Some(device) = adapter() else { return };
    let folder = tempfile::tempdir().unwrap();
    let data = dataset(&folder.path().join("dataset"));
    let text =
        MASKED.replace("steps = 8", "steps = 3").replace("width = 16", "width = 16, dropout = 0.2");
    let plan = plan(&text, &folder.path().join("wgpu"), &data);
    let mut memory = Memory::default();
    run_on::<Wgpu>(&device, &plan, &data, &mut memory, &Resume::No).unwrap();
    assert!(
        memory.notes.iter().any(|note| note.starts_with("parity gate: ")),
        "{:?}",
        memory.notes
    );
    assert_eq!(memory.steps.len(), 3);
}

/// Four steps on `A`, four more on `B`.
fn halves<A: Kernels, B: Kernels>(
    (first, second): (&A::Device, &B::Device),
    dir: &Path,
    data: &Arc<SequencesCorpus>,
) -> Vec<f64> {
    let plan = plan(&causal(), dir, data);
    let (mut before, mut after) = (Memory::stopping_after(4), Memory::default());
    run_on::<A>(first, &plan, data, &mut before, &Resume::No).unwrap();
    run_on::<B>(second, &plan, data, &mut after, &Resume::Auto).unwrap();
    assert_eq!(after.steps[0].step, 5);
    before.steps.iter().chain(&after.steps).map(|step| step.loss).collect()
}

#[test]
fn a_checkpoint_of_one_device_is_continued_on_another() {
    use genesis_kernels::Cpu;

    let Some(wgpu) = adapter() else { return };
    let cpu = burn::tensor::Device::<Cpu>::default();
    let folder = tempfile::tempdir().unwrap();
    let data = dataset(&folder.path().join("dataset"));
    let there = halves::<Cpu, Wgpu>((&cpu, &wgpu), &folder.path().join("there"), &data);
    let back = halves::<Wgpu, Cpu>((&wgpu, &cpu), &folder.path().join("back"), &data);
    assert_near(&causal(), &there, folder.path(), &data);
    let folder = tempfile::tempdir().unwrap();
    assert_near(&causal(), &back, folder.path(), &data);
}
