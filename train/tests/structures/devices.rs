//! The same run on another device: the same losses, the same predictions.

use std::path::Path;

use genesis_kernels::Wgpu;
use genesis_kernels::oracle::ulp;
use genesis_model::equivariant::Wanted;
use genesis_schema::{Edges, GraphBatch};
use genesis_train::structures::StructuresModel;
use genesis_train::trainer::Resume;
use genesis_train::trainer::gate::SLACK;

use crate::adapter::adapter;
use crate::fixture::{Memory, SILICON, plan, run, run_on};

/// Losses of a run whose slices hold so many atoms, on the CPU.
fn losses(max_atoms: usize, dtype: &str, dir: &Path) -> Vec<f64> {
    let frames = format!("frames = 3, max_atoms = {max_atoms} }}");
    let text = SILICON.replace("batch = { frames = 3 }", &format!("batch = {{ {frames}"));
    let text = format!("{text}precision = {{ dtype = \"{dtype}\" }}\n");
    let mut memory = Memory::default();
    let dir = dir.join(format!("atoms{max_atoms}_{dtype}"));
    run(&plan(&text, &dir), &mut memory, &Resume::No).unwrap();
    memory.steps.iter().map(|step| step.loss).collect()
}

#[test]
fn a_run_on_wgpu_passes_the_gate_and_has_the_losses_and_predictions_of_the_cpu() {
    let Some(device) = adapter() else { return };
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("wgpu");
    let mut memory = Memory::default();
    run_on::<Wgpu>(&device, &plan(SILICON, &dir), &mut memory, &Resume::No).unwrap();
    assert!(memory.notes[1].starts_with("parity gate: "), "{:?}", memory.notes);

    // Structures have 8 to 32 atoms: slices of one and of two change the order of sums, f64 leaves
    // out the roundings, and a device may be as many times further off as in the gate.
    let cpu = losses(2_000, "f32", folder.path());
    let got: Vec<f64> = memory.steps.iter().map(|step| step.loss).collect();
    let distance = |of: &[f64]| of.iter().zip(&cpu).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    let natural = [(32, "f32"), (64, "f32"), (2_000, "f64")]
        .map(|(most, dtype)| distance(&losses(most, dtype, folder.path())));
    let largest = cpu.iter().fold(0.0, |most: f64, loss| most.max(*loss));
    let allowed =
        SLACK * natural.into_iter().fold(0.0, f64::max) + ulp(largest, f64::from(f32::EPSILON));
    assert!(distance(&got) <= allowed, "{got:?}\n{cpu:?}\nallowed {allowed:e}");

    predictions_agree(&StructuresModel::open(&dir).unwrap(), &device, &dir);
}

/// Energies of a structure on both devices, as near as f32 is to f64.
fn predictions_agree(model: &StructuresModel, device: &burn::tensor::Device<Wgpu>, dir: &Path) {
    let (_, dataset) = plan(SILICON, dir);
    let frame = dataset.first().frame(genesis_data::Split::Validation, 0).unwrap().frame;
    let edges: Edges = genesis_data::structures::neighbor_list(
        &frame.positions,
        &frame.cell,
        frame.periodic,
        model.cutoff(),
    )
    .unwrap();
    let mut batch = GraphBatch::default();
    batch.push(frame, &edges, 0);
    let wanted = Wanted { forces: true, stress: false };
    let forces = |found: genesis_model::equivariant::Prediction| found.forces.unwrap().concat();
    let exact = model.clone().cast(burn::tensor::FloatDType::F64).predict(&batch, wanted).unwrap();
    let cpu = forces(model.predict(&batch, wanted).unwrap());
    let there = forces(model.clone().on::<Wgpu>(device).predict(&batch, wanted).unwrap());
    let exact = forces(exact);
    let oracle = genesis_kernels::oracle::Oracle {
        exact: &exact,
        same_precision: &cpu,
        epsilon: f64::from(f32::EPSILON),
    };
    genesis_kernels::oracle::assert_matches(&there, &oracle, SLACK);
}
