//! Losses and gradients of a MACE: what each penalty is, what may be split, what is tracked.
#![allow(clippy::unwrap_used, reason = "functions of a test, where a panic is the report")]

mod structures;

use burn::{
    backend::Autodiff,
    tensor::{FloatDType, Tensor, backend::Backend},
};
use genesis_kernels::Cpu;
use genesis_model::{
    Params,
    equivariant::{
        Blueprint, GraphError, GraphInput, LossAndGradients, LossConfig, LossCounts, Mace, Penalty,
        loss_and_gradients, predict,
    },
};
use genesis_schema::atoms::{Frame, GraphBatch};

const PENALTIES: [Penalty; 3] =
    [Penalty::Weighted {}, Penalty::Huber { delta: 0.05 }, Penalty::Universal { delta: 0.05 }];

fn loss(penalty: Penalty) -> LossConfig {
    LossConfig { penalty, energy_weight: 1.5, forces_weight: 10.0, stress_weight: 200.0 }
}

/// One structure with every label and one without forces; reference forces in every range of the
/// universal penalty.
fn labelled() -> Vec<Frame> {
    let mut all = structures::crystal();
    all.labels.energy = Some(-7.0);
    all.labels.forces = Some(vec![
        [0.1, -0.2, 0.3],
        [0.0, 0.01, 0.02],
        [120.0, 1.0, 0.0],
        [0.0, 250.0, 0.0],
        [0.0, 5.0, 400.0],
    ]);
    all.labels.stress = Some([[0.01, 0.002, 0.0], [0.002, -0.01, 0.0], [0.0, 0.0, 0.3]]);
    all.weights.forces = 0.5;
    all.weights.config = 2.0;
    let mut some = structures::molecule();
    some.labels.energy = Some(-8.1);
    vec![all, some]
}

fn setting() -> (Blueprint, Params<Cpu>, GraphBatch) {
    let blueprint = Blueprint::new(structures::config()).unwrap();
    let params = structures::random_params(&blueprint);
    let batch = structures::batch(4.5, &labelled());
    (blueprint, params, batch)
}

fn host(gradients: &LossAndGradients<Cpu>) -> Vec<f64> {
    let values = |gradient: &Tensor<Cpu, 1>| gradient.to_data().into_vec::<f64>().unwrap();
    gradients.gradients.iter().flat_map(values).collect()
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |most: f64, x| most.max(x.abs()))
}

/// Central differences along the gradient itself, where the slope is its squared norm; h is the
/// change of the parameters in total.
#[test]
fn gradients_are_derivatives_of_the_loss_for_every_penalty() {
    let (blueprint, params, batch) = setting();
    let counts = LossCounts::of(&batch);
    for penalty in PENALTIES {
        let loss = loss(penalty);
        let got = loss_and_gradients(&blueprint, &params, &batch, &loss, counts).unwrap();
        let norm = host(&got).iter().map(|x| x * x).sum::<f64>().sqrt();
        let at = |step: f64| {
            let shift = |(value, gradient): (&Tensor<Cpu, 1>, &Tensor<Cpu, 1>)| {
                value.clone().add(gradient.clone().mul_scalar(step / norm))
            };
            let values = params.values().iter().zip(&got.gradients).map(shift).collect();
            let moved = Params::from_values(params.specs().clone(), values);
            let prediction = predict(&blueprint, &moved, &batch, structures::ALL).unwrap();
            loss.evaluate(&prediction, &batch, counts).unwrap().total()
        };
        let h = 1e-4;
        let slope = (at(h) - at(-h)) / (2.0 * h);
        structures::assert_close(slope, norm, 1e-5 * norm, &format!("{penalty:?}"));
    }
}

#[test]
fn slices_of_a_batch_add_up_to_its_loss_and_gradients() {
    let (blueprint, params, whole) = setting();
    let counts = LossCounts::of(&whole);
    for penalty in PENALTIES {
        let loss = loss(penalty);
        let all = loss_and_gradients(&blueprint, &params, &whole, &loss, counts).unwrap();
        let parts: Vec<_> = labelled()
            .into_iter()
            .map(|frame| {
                let batch = structures::batch(4.5, &[frame]);
                loss_and_gradients(&blueprint, &params, &batch, &loss, counts).unwrap()
            })
            .collect();
        let total: f64 = parts.iter().map(|part| part.terms.total()).sum();
        structures::assert_close(total, all.terms.total(), 1e-12 * total, "loss");
        let (gradients, scale) = (host(&all), largest(&host(&all)));
        let (first, second) = (host(&parts[0]), host(&parts[1]));
        for ((got, a), b) in gradients.iter().zip(first).zip(second) {
            structures::assert_close(*got, a + b, 1e-12 * scale, "gradient");
        }
    }
}

#[test]
fn a_structure_without_labels_costs_nothing_but_counts_in_the_mean() {
    let (blueprint, params, _) = setting();
    let [all, some]: [Frame; 2] = labelled().try_into().unwrap();
    let loss = loss(Penalty::Weighted {});
    let terms = |frames: &[Frame]| {
        let batch = structures::batch(4.5, frames);
        let counts = LossCounts::of(&batch);
        loss_and_gradients(&blueprint, &params, &batch, &loss, counts).unwrap().terms
    };
    let unlabelled = Frame { labels: genesis_schema::atoms::FrameLabels::default(), ..some };
    let (one, two) = (terms(std::slice::from_ref(&all)), terms(&[all, unlabelled.clone()]));
    structures::assert_close(two.energy, one.energy / 2.0, 1e-12, "energy");
    structures::assert_close(two.forces, one.forces / 2.0, 1e-12 * one.forces, "forces");
    structures::assert_close(two.stress, one.stress / 2.0, 1e-12, "stress");
    let nothing = terms(&[unlabelled]);
    assert_eq!((nothing.energy, nothing.forces, nothing.stress), (0.0, 0.0, 0.0));
}

#[test]
fn huber_is_half_the_square_when_every_residual_is_small() {
    let (blueprint, params, batch) = setting();
    let counts = LossCounts::of(&batch);
    let total = |penalty| {
        let got = loss_and_gradients(&blueprint, &params, &batch, &loss(penalty), counts).unwrap();
        (got.terms.total(), largest(&host(&got)))
    };
    let (square, slope) = total(Penalty::Weighted {});
    let (huber, half_slope) = total(Penalty::Huber { delta: 1e6 });
    structures::assert_close(huber, square / 2.0, 1e-12 * square, "loss");
    structures::assert_close(half_slope, slope / 2.0, 1e-12 * slope, "gradient");
}

#[test]
fn a_stress_label_without_a_cell_is_refused_when_stress_counts() {
    let (blueprint, params, _) = setting();
    let mut frame = structures::molecule();
    frame.labels.stress = Some([[0.0; 3]; 3]);
    let batch = structures::batch(4.5, &[frame]);
    let counts = LossCounts::of(&batch);
    let with = |loss: &LossConfig| loss_and_gradients(&blueprint, &params, &batch, loss, counts);
    let error = with(&loss(Penalty::Weighted {})).unwrap_err();
    assert!(matches!(error, GraphError::StressWithoutCell { frame: 0, .. }), "{error}");
    let without = LossConfig { stress_weight: 0.0, ..loss(Penalty::Weighted {}) };
    assert!(with(&without).is_ok());
}

fn is_tracked<B: Backend, const D: usize>(tensor: &Tensor<Autodiff<B>, D>) -> bool {
    tensor.clone().into_primitive().tensor().is_tracked()
}

/// The upper graph follows the edge vectors alone, the lower one the parameters alone.
#[test]
fn each_level_of_differentiation_tracks_its_own_leaves_and_nothing_else() {
    type Once = Autodiff<Cpu>;
    let (blueprint, params, batch) = setting();
    let graph =
        GraphInput::<Once>::upload(&blueprint, &batch, FloatDType::F64, &structures::device())
            .unwrap();
    let lower = params.track();
    let upper = lower.constant();
    assert!(!is_tracked(&graph.vectors));
    assert!(upper.values().iter().all(|value| !is_tracked(value)));
    assert!(lower.values().iter().all(is_tracked));
    let vectors = Tensor::<Autodiff<Once>, 2>::from_inner(graph.vectors.clone()).require_grad();
    let input = GraphInput { vectors: vectors.clone(), layout: graph.layout.clone() };
    let energy = Mace::bind(&blueprint, &upper).forward(&input).energy;
    assert!(is_tracked(&energy) && is_tracked(&energy.clone().inner()));
    // Without the leaf above there is no graph above; without those below there is none below.
    let constant = GraphInput {
        vectors: Tensor::<Autodiff<Once>, 2>::from_inner(graph.vectors.clone()),
        layout: graph.layout.clone(),
    };
    assert!(!is_tracked(&Mace::bind(&blueprint, &upper).forward(&constant).energy));
    let untracked = params.constant().constant();
    let energy = Mace::bind(&blueprint, &untracked).forward(&input).energy;
    assert!(is_tracked(&energy) && !is_tracked(&energy.clone().inner()));
    let gradient: Tensor<Once, 2> = vectors.grad(&energy.sum().backward()).unwrap();
    assert!(!is_tracked(&gradient));
}
