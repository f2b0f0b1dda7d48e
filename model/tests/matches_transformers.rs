//! Logits, loss, every gradient and a ten-step curve of Hugging Face models, reproduced.
//!
//! The references are made by a script outside this repository; without them the tests say
//! SKIPPED. Set `GENESIS_TRANSFORMER_ORACLES` to test another folder of the same layout.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::print_stdout,
    reason = "functions of a test, where a panic is the report"
)]

mod support;

use std::{collections::BTreeMap, fs, path::Path};

use burn::tensor::Tensor;
use genesis_kernels::{AdamwStep, Cpu, adamw};
use genesis_model::{
    Packed, Params, Transformer, TransformerConfig,
    hugging_face::{Canonical, Preserved, canonical_name, config_from_json},
    specs,
};
use genesis_schema::{IGNORE, TokenBatch};
use safetensors::SafeTensors;
use support::{MODE, loss_and_gradients, oracle_root, to_vec};

/// One reference folder, read.
struct Oracle {
    name: String,
    config: TransformerConfig,
    params: Params<Cpu>,
    batch: TokenBatch,
    /// `[N, V]` at attended places.
    logits: Vec<f32>,
    tensors: BTreeMap<String, Vec<f32>>,
}

fn read_f32(folder: &Path, file: &str) -> BTreeMap<String, Vec<f32>> {
    let bytes = fs::read(folder.join(file)).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.tensors()
        .into_iter()
        .map(|(name, view)| {
            let values = match view.dtype() {
                safetensors::Dtype::F32 => view
                    .data()
                    .chunks_exact(4)
                    .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
                    .collect(),
                safetensors::Dtype::I64 => view
                    .data()
                    .chunks_exact(8)
                    .map(|b| i64::from_le_bytes(b.try_into().unwrap()) as f32)
                    .collect(),
                other => panic!("{name} is {other:?}"),
            };
            (name, values)
        })
        .collect()
}

fn read_params(
    folder: &Path,
    config: &TransformerConfig,
    preserved: &mut Preserved,
) -> Params<Cpu> {
    let file = read_f32(folder, "model.safetensors");
    preserved.record_names(config, file.keys().map(String::as_str)).unwrap();
    let mut host = BTreeMap::new();
    for (name, values) in file {
        if let Canonical::Parameter(canonical) = canonical_name(config, &name) {
            host.insert(canonical, values);
        }
    }
    Params::from_host(specs(config), &host, &support::device()).unwrap()
}

/// Rows of `[B, T]` tensors as segments, without their padding; labels of causal models shifted.
fn read_batch(tensors: &BTreeMap<String, Vec<f32>>, causal: bool) -> (TokenBatch, Vec<usize>) {
    let (num_rows, width) = (3, 24);
    let (ids, labels) = (&tensors["input_ids"], &tensors["labels"]);
    let mask = &tensors["attention_mask"];
    let (mut batch, mut kept) = (TokenBatch::default(), Vec::new());
    for row in 0..num_rows {
        let places: Vec<usize> =
            (row * width..(row + 1) * width).filter(|&at| mask[at] > 0.5).collect();
        let tokens: Vec<u32> = places.iter().map(|&at| ids[at] as u32).collect();
        let own = |at: usize| labels[at] as i64;
        let labels: Vec<i64> = if causal {
            let shifted = places[1..].iter().map(|&at| own(at));
            shifted.chain([IGNORE]).collect()
        } else {
            places.iter().map(|&at| own(at)).collect()
        };
        batch.push_segment(&tokens, &labels, 0, row as u64);
        kept.extend(places);
    }
    (batch, kept)
}

fn read_oracle(folder: &Path) -> Oracle {
    let json = fs::read_to_string(folder.join("config.json")).unwrap();
    let (config, mut preserved) = config_from_json(&serde_json::from_str(&json).unwrap()).unwrap();
    let params = read_params(folder, &config, &mut preserved);
    let tensors = read_f32(folder, "oracle.safetensors");
    let (batch, kept) = read_batch(&tensors, config.causal());
    let row = |at: &usize| &tensors["logits"][at * config.vocab_size..][..config.vocab_size];
    let logits = kept.iter().flat_map(|at| row(at).to_vec()).collect();
    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
    Oracle { name, config, params, batch, logits, tensors }
}

fn for_each_oracle(check: impl Fn(&Oracle)) {
    let Some(root) = oracle_root() else {
        println!("SKIPPED: no reference folders; set GENESIS_SHARED");
        return;
    };
    for name in ["gpt2", "llama_gqa", "llama_tied_scaled", "esm2"] {
        check(&read_oracle(&root.join(name)));
    }
}

fn norm(values: &[f32]) -> f64 {
    values.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt()
}

#[test]
fn logits_match_at_attended_places() {
    for_each_oracle(|oracle| {
        let got = support::logits(&oracle.config, &oracle.params, &oracle.batch);
        let error = support::largest_difference(&got, &oracle.logits);
        println!("{}: logits differ by at most {error:.2e}", oracle.name);
        assert!(error <= 2e-5, "{}: {error:e}", oracle.name);
    });
}

#[test]
fn loss_and_every_gradient_match() {
    for_each_oracle(|oracle| {
        let Oracle { name, config, params, batch, tensors, .. } = oracle;
        let (loss, gradients) = loss_and_gradients(config, params, batch);
        let labels = batch.num_labels() as f32;
        let want = tensors["loss"][0];
        let loss_error = ((to_vec(loss)[0] / labels - want) / want).abs();
        assert!(loss_error <= 1e-6, "{name}: loss off by {loss_error:e}");

        let reference = |spec: &str| &tensors[&format!("grad.{spec}")];
        let specs = params.specs();
        let total = specs.iter().map(|s| norm(reference(&s.name)).powi(2)).sum::<f64>().sqrt();
        let mut worst = (0.0, "");
        for (spec, gradient) in specs.iter().zip(gradients) {
            let want = reference(&spec.name);
            let got = to_vec(gradient);
            let difference: Vec<f32> =
                got.iter().zip(want).map(|(got, want)| got / labels - want).collect();
            let error = norm(&difference) / norm(want).max(1e-6 * total);
            if error > worst.0 {
                worst = (error, &spec.name);
            }
        }
        println!("{name}: loss {loss_error:.2e}, worst gradient {:.2e} ({})", worst.0, worst.1);
        assert!(worst.0 <= 1e-4, "{name}: gradient of {} off by {:e}", worst.1, worst.0);
        let known = tensors.keys().filter(|key| key.starts_with("grad.")).count();
        assert_eq!(known, specs.len(), "{name}: the reference has other parameters");
    });
}

#[test]
fn ten_adamw_steps_follow_the_reference_curve() {
    for_each_oracle(|oracle| {
        let Oracle { name, config, batch, tensors, .. } = oracle;
        let mut params = oracle.params.clone();
        let zeros = || params.values().iter().map(Tensor::zeros_like).collect::<Vec<_>>();
        let (mut first, mut second) = (zeros(), zeros());
        let mut worst = 0.0f32;
        for (step, want) in tensors["curve"].iter().enumerate() {
            let (loss, gradients) = loss_and_gradients(config, &params, batch);
            let labels = batch.num_labels() as f32;
            worst = worst.max(((to_vec(loss)[0] / labels - want) / want).abs());
            let mut values = Vec::new();
            for (i, gradient) in gradients.into_iter().enumerate() {
                let step = AdamwStep {
                    rate: 1e-3,
                    beta1: 0.9,
                    beta2: 0.95,
                    epsilon: 1e-8,
                    weight_decay: if params.specs()[i].decay { 0.1 } else { 0.0 },
                    step: step as u64 + 1,
                    grad_scale: 1.0,
                };
                let (value, m, v) = adamw::adamw(
                    params.values()[i].clone(),
                    gradient.div_scalar(labels),
                    first[i].clone(),
                    second[i].clone(),
                    &step,
                );
                values.push(value);
                (first[i], second[i]) = (m, v);
            }
            params = Params::from_values(params.specs().clone(), values);
        }
        println!("{name}: curve differs by at most {worst:.2e}");
        assert!(worst <= 1e-4, "{name}: {worst:e}");
    });
}

#[test]
fn labelled_rows_alone_give_the_loss_of_the_logits() {
    for_each_oracle(|oracle| {
        let packed = Packed::<Cpu>::upload(&oracle.batch, &support::device());
        let model = Transformer::bind(&oracle.config, &oracle.params);
        let loss = to_vec(model.loss_sum(&packed, &MODE))[0];
        let rows = to_vec(model.logits(&packed, &MODE));
        let nats: f32 = rows
            .chunks(oracle.config.vocab_size)
            .zip(&oracle.batch.labels)
            .filter(|(_, label)| **label != IGNORE)
            .map(|(row, label)| {
                row.iter().map(|x| x.exp()).sum::<f32>().ln() - row[*label as usize]
            })
            .sum();
        assert!((loss - nats).abs() < 2e-5 * nats.abs(), "{}: {loss} {nats}", oracle.name);
    });
}
