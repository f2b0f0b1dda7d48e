//! The gate lets right results pass and stops wrong ones, by name.

use std::cell::Cell;

use burn::tensor::{Device, FloatDType};
use genesis_kernels::{Cpu, Kernels, Precision};
use genesis_model::{ModelConfig, Params, TransformerConfig, specs};
use genesis_schema::{Seeds, TokenBatch};

use super::task::TokenTrial;
use crate::trainer::gate::{Computed, SLACK, Trial, pass};
use crate::trainer::{GateReport, Mismatch, TrainError};

const VOCABULARY: usize = 29;

/// A GPT-2 whose key biases have a gradient of zero, which no precision gets exactly, or a Llama.
fn config(kind: &str) -> TransformerConfig {
    let text = format!(
        "kind = '{kind}'\ncontext = 64\nnum_layers = 2\nnum_heads = 2\nwidth = 16\ndropout = 0.1\n"
    );
    toml::from_str::<ModelConfig>(&text).unwrap().resolve(VOCABULARY).unwrap()
}

fn trial(kind: &str, precision: Precision) -> TokenTrial {
    let stream = Seeds::new(3).stream("tokens");
    let mut batch = TokenBatch::default();
    for (segment, length) in [(0, 37), (1, 5)] {
        let id = |at| u32::try_from(stream.below(segment, at, VOCABULARY as u64)).unwrap();
        let tokens: Vec<u32> = (0..length).map(id).collect();
        let labels: Vec<i64> = (1..=length).map(|at| i64::from(id(at))).collect();
        batch.push_segment(&tokens, &labels, 0, segment);
    }
    TokenTrial { config: config(kind), precision, batch }
}

fn params(trial: &TokenTrial) -> Params<Cpu> {
    let stream = Seeds::new(1).stream("init");
    Params::initialise(specs(&trial.config), &stream, &Device::<Cpu>::default())
}

fn check(trial: &impl Trial, params: &Params<Cpu>) -> Result<GateReport, TrainError> {
    pass(trial, params, &Device::<Cpu>::default())
}

fn mismatch(refused: Result<GateReport, TrainError>) -> Mismatch {
    match refused {
        Err(TrainError::Gate(found)) => *found,
        other => panic!("not refused: {other:?}"),
    }
}

/// What the first computation returns, the device's, is changed: the other ones are the CPU's.
struct Tampered<'a, F> {
    trial: &'a TokenTrial,
    change: F,
    calls: Cell<u32>,
}

impl<F: Fn(&mut Computed)> Trial for Tampered<'_, F> {
    fn compute<B: Kernels>(
        &self,
        params: &Params<B>,
        device: &B::Device,
    ) -> Result<Computed, TrainError> {
        let mut computed = self.trial.compute(params, device)?;
        if self.calls.replace(self.calls.get() + 1) == 0 {
            (self.change)(&mut computed);
        }
        Ok(computed)
    }

    fn describe(&self) -> String {
        self.trial.describe()
    }
}

fn tampered(trial: &TokenTrial, change: impl Fn(&mut Computed)) -> Mismatch {
    let wrong = Tampered { trial, change, calls: Cell::new(0) };
    mismatch(check(&wrong, &params(trial)))
}

#[test]
fn the_cpu_agrees_with_itself_in_every_precision() {
    for kind in ["gpt2", "llama"] {
        for precision in [Precision::Full, Precision::Bf16Mixed] {
            let trial = trial(kind, precision);
            let report = check(&trial, &params(&trial)).unwrap();
            assert_eq!(report.num_quantities, 1 + specs(&trial.config).len());
            // Variant 0 is this computation, so a factor of SLACK is left at least.
            assert!(report.share <= 1.0 / SLACK, "{report:?}");
            assert!(report.sentence().contains("42 tokens of 2 sequences"), "{report:?}");
        }
        let trial = trial(kind, Precision::Full);
        let report = check(&trial, &params(&trial).cast(FloatDType::F64)).unwrap();
        assert!(report.share <= 1.0 / SLACK, "{report:?}");
    }
}

#[test]
fn the_rounding_of_a_run_in_32_bits_is_not_forgiven_in_64() {
    let trial = trial("llama", Precision::Full);
    let coarse = |of: &mut Computed| {
        #[expect(clippy::cast_possible_truncation, reason = "the error that is made")]
        of.gradients.iter_mut().flatten().for_each(|x| *x = f64::from(*x as f32));
    };
    let wrong = Tampered { trial: &trial, change: coarse, calls: Cell::new(0) };
    mismatch(check(&wrong, &params(&trial).cast(FloatDType::F64)));
}

#[test]
fn a_gradient_that_is_off_by_a_thousandth_is_refused_with_both_values_and_the_tolerance() {
    let trial = trial("gpt2", Precision::Full);
    let at = specs(&trial.config).iter().position(|it| it.name.ends_with("c_fc.weight")).unwrap();
    let found = tampered(&trial, |of| of.gradients[at].iter_mut().for_each(|x| *x *= 1.001));
    assert!(found.quantity.contains("c_fc.weight` at "), "{found:?}");
    assert!((found.got / found.exact - 1.001).abs() < 1e-4, "{found:?}");
    assert!(found.error > found.allowed && found.allowed > 0.0, "{found:?}");
    let text = found.to_string();
    for word in ["flex", "is allowed", "Nothing was trained"] {
        assert!(text.contains(word), "{word} in {text}");
    }
}

#[test]
fn a_wrong_loss_one_wrong_element_and_a_nan_are_refused_in_bf16_too() {
    let trial = trial("llama", Precision::Bf16Mixed);
    let found = tampered(&trial, |of| of.loss *= 1.1);
    assert_eq!(found.quantity, "the loss");
    let last = specs(&trial.config).len() - 1;
    let name = specs(&trial.config)[last].name.clone();
    let found = tampered(&trial, |of| of.gradients[last][7] = 0.5);
    assert!(found.quantity.contains(&format!("`{name}` at 7 of ")), "{found:?}");
    let found = tampered(&trial, |of| of.gradients[0][3] = f64::NAN);
    assert!(found.got.is_nan() && found.quantity.contains(" at 3 of "), "{found:?}");
}

#[test]
fn a_kernel_that_is_skipped_is_refused() {
    // Half of every segment is not attended to, as if a tile were lost.
    let whole = trial("llama", Precision::Full);
    let mut torn = trial("llama", Precision::Full);
    torn.batch.cu_seqlens = vec![0, 20, 37, 42];
    torn.batch.document_ids = vec![0, 0, 1];
    let params = params(&whole);
    let lost = torn.compute(&params, &Device::<Cpu>::default()).unwrap();
    let found = tampered(&whole, |of| of.clone_from(&lost));
    assert!(found.error > 100.0 * found.allowed, "{found:?}");
}
