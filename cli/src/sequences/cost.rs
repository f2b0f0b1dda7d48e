//! What a run on sequences will cost, as people and programs read it.

use genesis_data::sequences::SequencesCorpus;
use genesis_train::device::{DeviceChoice, KernelChoice, on_device};
use genesis_train::sequences::{Estimate, SequencesPlan, estimate, training_split};

use crate::console;
use crate::family::Cost;
use crate::products::Products;

/// The cost of `plan`, its time from a rate of products that is measured here.
pub(super) fn of(plan: &SequencesPlan, corpus: &SequencesCorpus) -> anyhow::Result<Cost> {
    // A run can be planned where its device is not.
    let device = plan.config.run.device;
    let flops_per_s = on_device(device, KernelChoice::Own, Products::default()).ok();
    let estimate = estimate(plan, &training_split(corpus, &plan.blend), flops_per_s);
    let lines = lines(&estimate, flops_per_s, device);
    Ok(Cost { lines, tables: Vec::new(), json: serde_json::to_value(&estimate)? })
}

fn lines(
    estimate: &Estimate,
    flops_per_s: Option<f64>,
    device: DeviceChoice,
) -> Vec<(&'static str, String)> {
    let memory = format!(
        "{} = weights {} + gradients {} + moments {} + activations {} (estimate)",
        console::bytes(estimate.total_bytes),
        console::bytes(estimate.weights_bytes),
        console::bytes(estimate.gradients_bytes),
        console::bytes(estimate.moments_bytes),
        console::bytes(estimate.activations_bytes),
    );
    let time = match estimate.seconds.zip(flops_per_s) {
        Some((seconds, rate)) => format!(
            "{} (products alone, at the {:.0} GFLOP/s measured now on {device})",
            console::duration(seconds),
            rate / 1e9
        ),
        None => format!("unknown: {device} is not here to be measured"),
    };
    vec![
        ("Embedding parameters", console::count(estimate.num_embedding_parameters)),
        ("Memory", memory),
        ("Checkpoint", console::bytes(estimate.checkpoint_bytes)),
        ("Tokens in all", console::count(estimate.total_tokens)),
        ("Epochs", format!("{:.2}", estimate.epochs)),
        ("FLOPs in all", format!("{:.3e}", estimate.total_flops)),
        ("Time, at least", time),
    ]
}
