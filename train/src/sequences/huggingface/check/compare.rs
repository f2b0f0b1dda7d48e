//! The figures of a check: how far this model's answers are from an oracle's.
//!
//! Everything runs in f32 on the reference backend, as training does. Logits are compared where
//! `attention_mask` is 1: padding is not computed at all. What the oracle leaves out, or what
//! cannot be compared, is `null`, with a note that says why.

use std::path::Path;

use burn::backend::flex::FlexDevice;
use burn::tensor::Tensor;
use genesis_kernels::{AdamwStep, Autodiff, Cpu, Precision, adamw};
use genesis_model::Params;
use genesis_model::transformer::hugging_face::{Canonical, canonical_name};
use genesis_model::transformer::{Mode, Packed, Transformer, TransformerConfig};
use serde::Serialize;

use super::oracle::{Oracle, Question};
use crate::exchange::error::ExchangeError;
use crate::sequences::inference::SequencesModel;

/// The optimiser of the curve: AdamW of the oracle's format, decay on two or more axes, no clip.
const CURVE_RATE: f64 = 1e-3;
const CURVE_BETAS: (f64, f64) = (0.9, 0.95);
const CURVE_EPSILON: f64 = 1e-8;
const CURVE_DECAY: f64 = 0.1;

/// A parameter's gradient error is relative to its own norm, but at least to this fraction of the
/// norm of all gradients: some gradients are zero but for rounding.
const GRADIENT_FLOOR: f64 = 1e-6;

/// Distances between a model and an oracle. A figure is absent if the oracle lacks its tensor.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct CheckReport {
    /// Largest absolute difference of a logit at an attended position.
    pub logits_max_abs: Option<f64>,
    /// `|loss - oracle| / |oracle|`.
    pub loss_rel: Option<f64>,
    /// Largest `||g - oracle|| / max(||oracle||, 1e-6 * ||all oracle gradients||)`.
    pub grad_rel_worst: Option<f64>,
    /// Parameter of that gradient, as the oracle names it.
    pub grad_rel_worst_name: Option<String>,
    /// Largest relative difference of a loss of the curve.
    pub curve_rel_worst: Option<f64>,
    /// Attended positions, where logits are compared.
    pub positions_compared: usize,
    /// Padded positions, which are not computed.
    pub positions_padded: usize,
    /// Gradients of the oracle that were compared.
    pub gradients_compared: usize,
    /// Steps of the curve that were compared.
    pub curve_steps: usize,
    /// Why a figure is absent, one sentence each.
    pub notes: Vec<String>,
}

/// Opens the model at `model` and compares it with the file `oracle`.
///
/// # Errors
/// If either cannot be read, or the batch does not fit the model (token outside the vocabulary,
/// position outside the table, logits of another width, gradient of an unknown parameter).
pub fn check(model: &Path, oracle: &Path) -> Result<CheckReport, ExchangeError> {
    check_model(&SequencesModel::read(model)?, &Oracle::read(oracle)?)
}

/// [`check`] for what is in memory already.
///
/// # Errors
/// As [`check`].
pub fn check_model(model: &SequencesModel, oracle: &Oracle) -> Result<CheckReport, ExchangeError> {
    let question = oracle.question(model.config.causal())?;
    model
        .config
        .check_batch(&question.batch)
        .map_err(|error| ExchangeError::unsuitable(oracle.path(), error.to_string()))?;
    let mut report = CheckReport {
        positions_compared: question.places.len(),
        positions_padded: oracle.num_places() - question.places.len(),
        ..CheckReport::default()
    };
    compare_logits(model, oracle, &question, &mut report)?;
    compare_training(model, oracle, &question, &mut report)?;
    Ok(report)
}

fn compare_logits(
    model: &SequencesModel,
    oracle: &Oracle,
    question: &Question,
    report: &mut CheckReport,
) -> Result<(), ExchangeError> {
    let Some(expected) = &oracle.logits else {
        report.notes.push("the oracle has no `logits`".to_owned());
        return Ok(());
    };
    let width = expected.shape[2];
    if width != model.config.vocab_size {
        let want = model.config.vocab_size;
        let problem = format!("logits are {width} wide but the model's vocabulary is {want}");
        return Err(ExchangeError::unsuitable(oracle.path(), problem));
    }
    let expected = expected.as_f64().ok_or_else(|| {
        ExchangeError::unsuitable(oracle.path(), "logits must have a floating-point type")
    })?;
    let got = model.logits(&question.batch);
    let mut worst = 0.0;
    for (row, place) in got.chunks_exact(width).zip(&question.places) {
        for (ours, theirs) in row.iter().zip(&expected[place * width..]) {
            worst = largest(worst, (f64::from(*ours) - theirs).abs());
        }
    }
    report.logits_max_abs = finite(worst, "logits", &mut report.notes);
    Ok(())
}

fn compare_training(
    model: &SequencesModel,
    oracle: &Oracle,
    question: &Question,
    report: &mut CheckReport,
) -> Result<(), ExchangeError> {
    if question.labels_at_padding > 0 {
        report.notes.push(format!(
            "{} labels are predicted at padded positions, which are not computed: loss, gradients \
             and curve are not compared",
            question.labels_at_padding
        ));
        return Ok(());
    }
    if question.batch.num_labels() == 0 {
        report.notes.push("no position has a label: there is no loss to compare".to_owned());
        return Ok(());
    }
    let mut steps = Steps::start(&model.config, model.params.clone(), question);
    let (loss, gradients) = steps.loss_and_gradients();
    if let Some(expected) = oracle.loss {
        report.loss_rel = finite(relative(loss, expected), "loss", &mut report.notes);
    }
    compare_gradients(model, oracle, &gradients, report)?;
    if let Some(curve) = &oracle.curve {
        let mut worst = 0.0;
        for (index, expected) in curve.iter().enumerate() {
            let (loss, gradients) = steps.loss_and_gradients();
            worst = largest(worst, relative(loss, *expected));
            steps.update(index as u64 + 1, gradients);
        }
        report.curve_steps = curve.len();
        report.curve_rel_worst = finite(worst, "curve", &mut report.notes);
    }
    Ok(())
}

fn compare_gradients(
    model: &SequencesModel,
    oracle: &Oracle,
    gradients: &[Tensor<Cpu, 1>],
    report: &mut CheckReport,
) -> Result<(), ExchangeError> {
    let mut expected = Vec::with_capacity(oracle.gradients.len());
    for (name, tensor) in &oracle.gradients {
        let values = tensor.as_f64().ok_or_else(|| {
            let problem = format!("grad.{name} must have a floating-point type");
            ExchangeError::unsuitable(oracle.path(), problem)
        })?;
        expected.push((name, &tensor.shape, values));
    }
    let total = norm(expected.iter().flat_map(|(.., values)| values.iter().copied()));
    let mut worst: Option<(f64, &String)> = None;
    for (name, shape, values) in &expected {
        let ours = our_gradient(model, oracle, gradients, name, shape)?;
        let differences = values.iter().enumerate().map(|(i, theirs)| match &ours {
            Some(ours) => f64::from(ours[i]) - theirs,
            None => -theirs,
        });
        let scale = norm(values.iter().copied()).max(GRADIENT_FLOOR * total);
        let error = norm(differences);
        let error = if error == 0.0 { 0.0 } else { error / scale };
        if worst.is_none_or(|(figure, _)| error.is_nan() || error > figure) {
            worst = Some((error, name));
        }
    }
    report.gradients_compared = expected.len();
    if let Some((figure, name)) = worst {
        report.grad_rel_worst = finite(figure, "gradients", &mut report.notes);
        report.grad_rel_worst_name = Some(name.clone());
    }
    Ok(())
}

/// This model's gradient of what the oracle calls `name`; none if the model keeps the tensor
/// without using it, which makes its gradient zero.
fn our_gradient(
    model: &SequencesModel,
    oracle: &Oracle,
    gradients: &[Tensor<Cpu, 1>],
    name: &str,
    shape: &[usize],
) -> Result<Option<Vec<f32>>, ExchangeError> {
    let parameter = match canonical_name(&model.config, name) {
        Canonical::Parameter(parameter) | Canonical::TiedCopy(parameter) => parameter,
        Canonical::Preserved => return Ok(None),
        Canonical::Unknown => {
            let problem = format!("grad.{name}: the model has no such parameter");
            return Err(ExchangeError::unsuitable(oracle.path(), problem));
        }
    };
    let specs = model.params.specs();
    let at = specs.iter().position(|spec| spec.name == parameter).expect("canonical names exist");
    if specs[at].shape != shape {
        let want = &specs[at].shape;
        let problem = format!("grad.{name} is {shape:?} but the parameter is {want:?}");
        return Err(ExchangeError::unsuitable(oracle.path(), problem));
    }
    Ok(Some(to_host(gradients[at].clone())))
}

/// Training on one batch.
struct Steps<'a> {
    config: &'a TransformerConfig,
    params: Params<Cpu>,
    first: Vec<Tensor<Cpu, 1>>,
    second: Vec<Tensor<Cpu, 1>>,
    batch: Packed<Autodiff<Cpu>>,
    num_labels: f64,
}

impl<'a> Steps<'a> {
    fn start(config: &'a TransformerConfig, params: Params<Cpu>, question: &Question) -> Self {
        let zeros = |value: &Tensor<Cpu, 1>| value.zeros_like();
        Self {
            config,
            first: params.values().iter().map(zeros).collect(),
            second: params.values().iter().map(zeros).collect(),
            params,
            batch: Packed::upload(&question.batch, &FlexDevice),
            num_labels: question.batch.num_labels() as f64,
        }
    }

    /// Mean loss over labelled tokens, nats, and its gradients in the order of the parameters.
    fn loss_and_gradients(&self) -> (f64, Vec<Tensor<Cpu, 1>>) {
        let tracked = self.params.track();
        let network = Transformer::bind(self.config, &tracked);
        let loss = network.loss_sum(&self.batch, &Mode::inference(Precision::Full));
        let loss = loss.div_scalar(self.num_labels);
        let value = f64::from(to_host(loss.clone().inner())[0]);
        let mut gradients = loss.backward();
        (value, tracked.gradients(&mut gradients))
    }

    /// One AdamW step, `step` counting from 1.
    fn update(&mut self, step: u64, gradients: Vec<Tensor<Cpu, 1>>) {
        let specs = self.params.specs().clone();
        let mut values = Vec::with_capacity(gradients.len());
        for (i, gradient) in gradients.into_iter().enumerate() {
            let decay = if specs[i].decay { CURVE_DECAY } else { 0.0 };
            let step = AdamwStep {
                rate: CURVE_RATE,
                beta1: CURVE_BETAS.0,
                beta2: CURVE_BETAS.1,
                epsilon: CURVE_EPSILON,
                weight_decay: decay,
                step,
                grad_scale: 1.0,
            };
            let (first, second) = (self.first[i].clone(), self.second[i].clone());
            let value = self.params.values()[i].clone();
            let (value, first, second) = adamw::adamw(value, gradient, first, second, &step);
            values.push(value);
            (self.first[i], self.second[i]) = (first, second);
        }
        self.params = Params::from_values(specs, values);
    }
}

fn to_host(tensor: Tensor<Cpu, 1>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().into_vec().expect("converted to f32 just now")
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|value| value * value).sum::<f64>().sqrt()
}

fn relative(got: f64, expected: f64) -> f64 {
    let difference = (got - expected).abs();
    if difference == 0.0 { 0.0 } else { difference / expected.abs() }
}

/// The larger of two, or NaN if either is.
fn largest(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}

/// JSON has no NaN: such a figure is absent, and noted.
fn finite(figure: f64, what: &str, notes: &mut Vec<String>) -> Option<f64> {
    if figure.is_finite() {
        return Some(figure);
    }
    notes.push(format!("{what}: not finite on one side, so there is no distance"));
    None
}
