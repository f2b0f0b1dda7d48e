//! A small network of each family learns the same on wgpu as on the CPU: transformers through our
//! WGSL kernels, a MACE through forces, so through two layers of differentiation.
//!
//! The CPU trains in f64, which is exact for the purpose, and in f32, which shows how far roundings
//! carry the losses of these steps; wgpu may stray as far, times a slack.
#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    reason = "functions of a test, where a panic is the report and f32 is a precision"
)]

mod structures;
mod support;

use burn::tensor::{Device, FloatDType, Tensor};
use genesis_kernels::oracle::{Oracle, assert_matches, assert_within};
use genesis_kernels::{
    AdamwStep, AmsgradState, Autodiff, Cpu, Kernels, Precision, Wgpu, adamw, wgpu,
};
use genesis_model::equivariant::{Blueprint, LossConfig, LossCounts, Penalty, loss_and_gradients};
use genesis_model::{Mode, Packed, Params, Transformer, TransformerConfig, specs};
use genesis_schema::atoms::{Frame, GraphBatch};
use genesis_schema::{Seeds, TokenBatch};

/// Steps that are compared.
const STEPS: u64 = 8;

/// Two orders of the same sums, seen on a few losses: 8, as in the tests of the kernels. WGSL lets
/// an exponential of x err by 3 + 2 |x| ulp, the CPU's errs by two: for the arguments of small
/// networks, |x| <= 2.5, that is four times as much.
const SLACK: f64 = 8.0 * 4.0;

fn adapter_is_missing() -> bool {
    if wgpu::default_adapter().is_some() {
        return false;
    }
    #[expect(clippy::disallowed_methods, reason = "tests are asked this way")]
    let required = std::env::var("REQUIRE_DEVICE").unwrap_or_default();
    assert!(
        !required.split(',').any(|device| device == "wgpu"),
        "REQUIRE_DEVICE is {required} but there is no wgpu adapter"
    );
    println!("SKIPPED: no wgpu adapter");
    true
}

fn step(number: u64, weight_decay: f64) -> AdamwStep {
    AdamwStep {
        rate: 5e-3,
        beta1: 0.9,
        beta2: 0.95,
        epsilon: 1e-8,
        weight_decay,
        step: number,
        grad_scale: 1.0,
    }
}

fn first_number<B: Kernels>(x: Tensor<B, 1>) -> f64 {
    x.into_data().iter::<f64>().next().unwrap()
}

/// Mean losses before each step of `AdamW`.
fn transformer_losses<B: Kernels>(
    config: &TransformerConfig,
    batch: &TokenBatch,
    dtype: FloatDType,
    precision: Precision,
) -> Vec<f64> {
    let mode = Mode { precision, ..support::MODE };
    let device = Device::<B>::default();
    let stream = Seeds::new(7).stream("initialisation");
    let mut params = Params::<B>::initialise_as(specs(config), &stream, dtype, &device);
    let zeros = || params.values().iter().map(Tensor::zeros_like).collect::<Vec<_>>();
    let (mut first, mut second) = (zeros(), zeros());
    let packed = Packed::<Autodiff<B>>::upload(batch, &device);
    let mut losses = vec![];
    for number in 1..=STEPS {
        let tracked = params.track();
        let sum = Transformer::bind(config, &tracked).loss_sum(&packed, &mode);
        let loss = sum.div_scalar(batch.num_labels() as f64);
        losses.push(first_number(loss.clone().inner()));
        let gradients = tracked.gradients(&mut loss.backward());
        let mut at = 0;
        let mut gradients = gradients.into_iter();
        params.replace(|_, value| {
            let (m, v) = (first[at].clone(), second[at].clone());
            let gradient = gradients.next().unwrap();
            let (value, m, v) = adamw::adamw(value, gradient, m, v, &step(number, 0.1));
            (first[at], second[at]) = (m, v);
            at += 1;
            value
        });
    }
    losses
}

/// Losses before each step of Adam with AMSGrad, on energies, forces and stress.
fn mace_losses<B: Kernels>(
    blueprint: &Blueprint,
    batch: &GraphBatch,
    dtype: FloatDType,
) -> Vec<f64> {
    let device = Device::<B>::default();
    let stream = Seeds::new(3).stream("test");
    let mut params = Params::<B>::initialise_as(blueprint.specs().clone(), &stream, dtype, &device);
    let mut states: Vec<_> =
        params.values().iter().map(|x| [0; 3].map(|_| x.zeros_like())).collect();
    let loss = LossConfig {
        penalty: Penalty::Universal { delta: 0.05 },
        energy_weight: 1.5,
        forces_weight: 10.0,
        stress_weight: 20.0,
    };
    let counts = LossCounts::of(batch);
    let mut losses = vec![];
    for number in 1..=STEPS {
        let found = loss_and_gradients(blueprint, &params, batch, &loss, counts).unwrap();
        losses.push(found.terms.total());
        let mut inputs = found.gradients.into_iter().zip(&mut states);
        params.replace(|_, param| {
            let (gradient, state) = inputs.next().unwrap();
            let [first, second, largest] = state.clone();
            let old = AmsgradState { param, first, second, largest };
            let new = adamw::amsgrad(old, gradient, &step(number, 0.0));
            *state = [new.first, new.second, new.largest];
            new.param
        });
    }
    losses
}

/// Compares the losses, which must fall.
#[track_caller]
fn assert_same(family: &str, exact: &[f64], narrow: &[f64], got: &[f64]) {
    println!("{family}: {got:?} on wgpu, {exact:?} in f64");
    assert!(exact[exact.len() - 1] < exact[0], "{family} learns: {exact:?}");
    let epsilon = f64::from(f32::EPSILON);
    assert_matches(got, &Oracle { exact, same_precision: narrow, epsilon }, SLACK);
}

fn families() -> impl Iterator<Item = (&'static str, TransformerConfig, TokenBatch)> {
    support::FAMILIES.into_iter().map(|(family, table)| {
        let config = support::config(table);
        let batch = support::batch(&config, &[&[4, 10, 5, 6, 7, 3], &[8, 9, 2, 0, 5]]);
        (family, config, batch)
    })
}

#[test]
fn every_transformer_family_has_the_losses_of_the_cpu_on_wgpu() {
    if adapter_is_missing() {
        return;
    }
    for (family, config, batch) in families() {
        let cpu = |dtype| transformer_losses::<Cpu>(&config, &batch, dtype, Precision::Full);
        let (exact, narrow) = (cpu(FloatDType::F64), cpu(FloatDType::F32));
        let got = transformer_losses::<Wgpu>(&config, &batch, FloatDType::F32, Precision::Full);
        assert_same(family, &exact, &narrow, &got);
    }
}

/// An operand that lies between two bf16 within the error of f32 is rounded to one here and to the other
/// there. Such are few, so the losses stray by a part of what all the roundings together change.
#[test]
fn operands_are_rounded_to_bf16_on_wgpu_as_on_the_cpu() {
    if adapter_is_missing() {
        return;
    }
    for (family, config, batch) in families() {
        let cpu = |of| transformer_losses::<Cpu>(&config, &batch, FloatDType::F64, of);
        let (full, mixed) = (cpu(Precision::Full), cpu(Precision::Bf16Mixed));
        let precision = Precision::Bf16Mixed;
        let got = transformer_losses::<Wgpu>(&config, &batch, FloatDType::F32, precision);
        let change = mixed.iter().zip(&full).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        println!("{family}: {got:?} on wgpu, {mixed:?} in f64, all roundings change {change:e}");
        assert!(mixed[mixed.len() - 1] < mixed[0], "{family} learns: {mixed:?}");
        assert_within(&got, &mixed, |_| change / 4.0);
    }
}

/// A crystal with every label, and a molecule with an energy.
fn structures() -> Vec<Frame> {
    let mut all = structures::crystal();
    all.labels.energy = Some(-7.0);
    all.labels.forces = Some(vec![
        [0.1, -0.2, 0.3],
        [0.0, 0.01, 0.02],
        [0.4, 1.0, 0.0],
        [0.0, 0.25, 0.0],
        [0.0, 0.5, -0.4],
    ]);
    all.labels.stress = Some([[0.01, 0.002, 0.0], [0.002, -0.01, 0.0], [0.0, 0.0, 0.3]]);
    let mut some = structures::molecule();
    some.labels.energy = Some(-8.1);
    vec![all, some]
}

#[test]
fn an_equivariant_network_has_the_losses_of_the_cpu_on_wgpu() {
    if adapter_is_missing() {
        return;
    }
    let mut config = structures::config();
    (config.max_ell, config.correlation, config.radial_widths) = (2, 2, vec![8, 8]);
    let blueprint = Blueprint::new(config).unwrap();
    let batch = structures::batch(4.5, &structures());
    let exact = mace_losses::<Cpu>(&blueprint, &batch, FloatDType::F64);
    let narrow = mace_losses::<Cpu>(&blueprint, &batch, FloatDType::F32);
    let got = mace_losses::<Wgpu>(&blueprint, &batch, FloatDType::F32);
    assert_same("mace", &exact, &narrow, &got);
}
