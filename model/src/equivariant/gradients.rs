//! The loss of a batch and its gradients by the parameters.
//!
//! Forces are a derivative already, so differentiation is nested: the upper graph,
//! `Autodiff<Autodiff<B>>`, tracks the edge vectors alone and gives `dE/dv`; the lower one,
//! `Autodiff<B>`, tracks the parameters alone, through the energies and through `dE/dv`. What does
//! not depend on parameters, such as harmonics, is computed once and leaves no node below.

use burn::{
    backend::Autodiff,
    tensor::{Tensor, backend::Backend},
};
use genesis_kernels::Kernels;
use genesis_kernels::rows;
use genesis_schema::atoms::GraphBatch;

use super::{
    blueprint::Blueprint,
    error::GraphError,
    graph::{GraphInput, GraphLayout, constant},
    loss::{LossConfig, LossCounts, LossTerms, Targets},
    network::{Mace, Output},
    predict::{Prediction, Wanted, with_edge_gradient},
};
use crate::params::Params;

/// What a training step needs of a batch.
#[derive(Debug, Clone)]
pub struct LossAndGradients<B: Backend> {
    /// Terms of the loss.
    pub terms: LossTerms,
    /// Gradients in the order of the specs, flat.
    pub gradients: Vec<Tensor<B, 1>>,
    /// The prediction that the loss judges, with what the loss asks for.
    pub prediction: Prediction,
}

/// Loss and gradients of a batch, or of a slice of one when `counts` are those of the whole.
///
/// # Errors
/// [`GraphError`] if the batch does not fit the network or the loss.
pub fn loss_and_gradients<B: Kernels>(
    blueprint: &Blueprint,
    params: &Params<B>,
    batch: &GraphBatch,
    loss: &LossConfig,
    counts: LossCounts,
) -> Result<LossAndGradients<B>, GraphError> {
    let _awake = B::keep_awake();
    let device = params.values()[0].device();
    let tracked = params.track();
    let graph = GraphInput::<Autodiff<B>>::upload(blueprint, batch, params.dtype(), &device)?;
    let targets = Targets::new(loss, batch)?;
    let wanted = Wanted { forces: loss.forces_weight > 0.0, stress: loss.stress_weight > 0.0 };
    let (output, gradient) = energies(blueprint, &tracked, &graph, wanted);
    let sums = LossSums { loss, layout: &graph.layout, targets: &targets, like: &graph.vectors };
    let mut terms = [
        Some(sums.energies(&output.energy).mul_scalar(loss.energy_weight / counts.graphs)),
        None,
        None,
    ];
    if let Some(gradient) = gradient.as_ref().filter(|_| graph.layout.num_edges() > 0) {
        let (forces, stress) = (loss.forces_weight, loss.stress_weight);
        terms[1] =
            wanted.forces.then(|| sums.forces(gradient).mul_scalar(forces / (3.0 * counts.atoms)));
        terms[2] =
            wanted.stress.then(|| sums.stress(gradient).mul_scalar(stress / (9.0 * counts.graphs)));
    }
    let total = terms.iter().flatten().cloned().reduce(Tensor::add);
    let total = total.unwrap_or_else(|| unreachable!("energies always have a term"));
    let gradients = tracked.gradients(&mut total.backward());
    let inner = Output { energy: output.energy.inner(), node_energy: output.node_energy.inner() };
    let prediction = Prediction::new(&graph.layout, inner, gradient.map(Tensor::inner), wanted);
    let terms = loss.evaluate(&prediction, batch, counts)?;
    Ok(LossAndGradients { terms, gradients, prediction })
}

/// Energies, and the gradient of the edge vectors where something needs it.
fn energies<B: Kernels>(
    blueprint: &Blueprint,
    tracked: &Params<Autodiff<B>>,
    graph: &GraphInput<Autodiff<B>>,
    wanted: Wanted,
) -> (Output<Autodiff<B>>, Option<Tensor<Autodiff<B>, 2>>) {
    if !wanted.forces && !wanted.stress {
        return (Mace::bind(blueprint, tracked).forward(graph), None);
    }
    let (output, gradient) = with_edge_gradient(blueprint, &tracked.constant(), graph);
    let output = Output { energy: output.energy.inner(), node_energy: output.node_energy.inner() };
    (output, Some(gradient))
}

/// Sums over labels of weight times cost, `[1]` each.
struct LossSums<'a, B: Backend> {
    loss: &'a LossConfig,
    layout: &'a GraphLayout,
    targets: &'a Targets,
    like: &'a Tensor<B, 2>,
}

impl<B: Kernels> LossSums<'_, B> {
    fn energies(&self, energy: &Tensor<B, 1>) -> Tensor<B, 1> {
        let isolated = self.layout.isolated_energies();
        let sizes = self.layout.first_atom.windows(2).map(|pair| f64::from(pair[1] - pair[0]));
        let per_atom: Vec<f64> = sizes.map(|size| 1.0 / size).collect();
        let targets = self.targets.energies.iter().zip(&isolated);
        let wanted = targets.map(|(total, isolated)| total - isolated).collect();
        let num = per_atom.len();
        let residual = energy.clone().reshape([num, 1]).sub(self.column(wanted));
        let residual = residual.mul(self.column(per_atom));
        let deltas = self.loss.penalty.delta().map(|delta| self.column(vec![delta; num]));
        weighted_sum(residual, deltas, self.column(self.targets.energy_weights.clone()))
    }

    fn forces(&self, gradient: &Tensor<B, 2>) -> Tensor<B, 1> {
        let edges = &self.layout.edges;
        let sent = rows::sum_rows(gradient.clone(), edges.senders());
        let forces = sent.sub(rows::sum_rows(gradient.clone(), edges.receivers()));
        let wanted = &self.targets.forces;
        let residual = forces.sub(self.table(wanted.concat(), [wanted.len(), 3]));
        let deltas: Option<Vec<f64>> =
            wanted.iter().map(|force| self.loss.penalty.force_delta(force)).collect();
        let deltas = deltas.map(|deltas| self.column(deltas));
        weighted_sum(residual, deltas, self.column(self.targets.forces_weights.clone()))
    }

    fn stress(&self, gradient: &Tensor<B, 2>) -> Tensor<B, 1> {
        let (layout, num) = (self.layout, self.layout.num_graphs());
        let shape = [layout.num_edges(), 3];
        let vectors = self.table(layout.vectors.clone(), shape);
        let outer = vectors.unsqueeze_dim::<3>(2).mul(gradient.clone().unsqueeze_dim(1));
        let outer = outer.clone().add(outer.swap_dims(1, 2)).mul_scalar(0.5);
        let outer = outer.reshape([layout.num_edges(), 9]);
        let sums = rows::sum_rows(outer, &layout.graph_of_edge);
        // Structures without a cell have no stress; their weight is 0 too.
        let inverse = |volume: &Option<f64>| volume.map_or(0.0, f64::recip);
        let stress = sums.mul(self.column(layout.volumes.iter().map(inverse).collect()));
        let wanted = self.targets.stress.iter().flatten().flatten().copied().collect();
        let residual = stress.sub(self.table(wanted, [num, 9]));
        let deltas = self.loss.penalty.delta().map(|delta| self.column(vec![delta; num]));
        weighted_sum(residual, deltas, self.column(self.targets.stress_weights.clone()))
    }

    fn column(&self, values: Vec<f64>) -> Tensor<B, 2> {
        let rows = values.len();
        self.table(values, [rows, 1])
    }

    fn table(&self, values: Vec<f64>, shape: [usize; 2]) -> Tensor<B, 2> {
        constant(values, shape, self.like.dtype().into(), &self.like.device())
    }
}

/// `sum w ρ(x)`, `x [R, K]`, `w` and `δ [R, 1]`.
fn weighted_sum<B: Kernels>(
    residual: Tensor<B, 2>,
    deltas: Option<Tensor<B, 2>>,
    weights: Tensor<B, 2>,
) -> Tensor<B, 1> {
    let cost = match deltas {
        None => residual.clone().mul(residual),
        Some(deltas) => {
            // b (a - b / 2) with b = min(a, δ) is both branches of Huber's function.
            let size = residual.abs();
            let shape = size.dims();
            let clipped = size.clone().min_pair(deltas.expand(shape));
            clipped.clone().mul(size.sub(clipped.mul_scalar(0.5)))
        }
    };
    cost.mul(weights).sum()
}
