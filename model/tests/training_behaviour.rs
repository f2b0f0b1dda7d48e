//! That a model learns, that dropout is reproducible, and that initialisation is what it claims.
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

use burn::tensor::Tensor;
use genesis_kernels::{AdamwStep, Cpu, Precision, adamw};
use genesis_model::{Mode, ModelConfig, Packed, Params, Transformer, TransformerConfig, specs};
use genesis_schema::{Seeds, TokenBatch};
use support::{FAMILIES, batch, config, loss_and_gradients, params, to_vec};

fn fresh(config: &TransformerConfig) -> Params<Cpu> {
    let stream = Seeds::new(7).stream("initialisation");
    Params::initialise(specs(config), &stream, &support::device())
}

/// Mean loss after `steps` steps of `AdamW` on one batch.
fn train(config: &TransformerConfig, batch: &TokenBatch, steps: u64) -> f32 {
    let mut params = fresh(config);
    let zeros = || params.values().iter().map(Tensor::zeros_like).collect::<Vec<_>>();
    let (mut first, mut second) = (zeros(), zeros());
    let labels = batch.num_labels() as f32;
    for step in 1..=steps {
        let (_, gradients) = loss_and_gradients(config, &params, batch);
        let (rate, epsilon, weight_decay) = (1e-2, 1e-8, 0.0);
        let step = AdamwStep {
            rate,
            beta1: 0.9,
            beta2: 0.95,
            epsilon,
            weight_decay,
            step,
            grad_scale: 1.0,
        };
        let mut values = Vec::new();
        for (i, gradient) in gradients.into_iter().enumerate() {
            let value = params.values()[i].clone();
            let gradient = gradient.div_scalar(labels);
            let (m, v) = (first[i].clone(), second[i].clone());
            let (value, m, v) = adamw::adamw(value, gradient, m, v, &step);
            values.push(value);
            (first[i], second[i]) = (m, v);
        }
        params = Params::from_values(params.specs().clone(), values);
    }
    to_vec(loss_and_gradients(config, &params, batch).0)[0] / labels
}

#[test]
fn every_family_overfits_one_batch() {
    for (family, table) in FAMILIES {
        let config = config(table);
        let batch = batch(&config, &[&[4, 10, 5, 6, 7, 3], &[8, 9, 2, 0, 5]]);
        let (before, after) = (train(&config, &batch, 0), train(&config, &batch, 80));
        // An untrained model is near the uniform ln 11 = 2.40 nats.
        assert!((before - 2.4).abs() < 0.2, "{family}: {before}");
        assert!(after < 0.1, "{family}: {before} -> {after}");
    }
}

#[test]
fn dropout_masks_depend_on_pass_and_site_and_repeat_exactly() {
    for (family, table) in FAMILIES {
        let config = config(&format!("{table}dropout = 0.3\n"));
        let params = params(&config);
        let batch = batch(&config, &[&[4, 10, 5, 6, 7, 3]]);
        let packed = Packed::<Cpu>::upload(&batch, &support::device());
        let model = Transformer::bind(&config, &params);
        let stream = Seeds::new(1).stream("dropout");
        let hidden =
            |pass| to_vec(model.hidden(&packed, &Mode::training(Precision::Full, stream, pass)));
        assert_eq!(hidden(3), hidden(3), "{family}");
        assert_ne!(hidden(3), hidden(4), "{family}");
        let without = to_vec(model.hidden(&packed, &Mode::inference(Precision::Full)));
        assert_ne!(hidden(3), without, "{family}");
    }
}

#[test]
fn bf16_products_change_the_loss_a_little() {
    for (family, table) in FAMILIES {
        let config = config(table);
        let params = params(&config);
        let batch = batch(&config, &[&[4, 10, 5, 6, 7, 3]]);
        let packed = Packed::<Cpu>::upload(&batch, &support::device());
        let model = Transformer::bind(&config, &params);
        let loss = |precision| to_vec(model.loss_sum(&packed, &Mode::inference(precision)))[0];
        let (full, mixed) = (loss(Precision::Full), loss(Precision::Bf16Mixed));
        // Operands carry 8 bits, 2^-9 = 0.2 % each; a dozen products in a row stay below 5 %.
        let change = ((full - mixed) / full).abs();
        assert!(change > 0.0 && change < 0.05, "{family}: {full} {mixed}");
    }
}

#[test]
fn first_values_have_the_spread_their_specs_state() {
    let table = "kind = 'gpt2'\ncontext = 64\nnum_layers = 8\nnum_heads = 4\nwidth = 64\n";
    let config = toml::from_str::<ModelConfig>(table).unwrap().resolve(256).unwrap();
    for (name, _, values) in fresh(&config).host() {
        let variance = values.iter().map(|x| x * x).sum::<f32>() / values.len() as f32;
        let want = match name.as_str() {
            name if name.ends_with("bias") => 0.0,
            name if name.contains("ln_") => 1.0,
            name if name.ends_with("c_proj.weight") => 0.02 / 4.0,
            _ => 0.02,
        };
        // Six standard errors of the variance of 4096 or more normal numbers.
        let tolerance = 6.0 * (2.0f32 / values.len() as f32).sqrt() * want * want;
        assert!((variance - want * want).abs() <= tolerance, "{name}: {}", variance.sqrt());
    }
}
