//! Energies, forces and stress of a batch.
//!
//! ```text
//! g        = dE/dv [E, 3] of the edge vectors, by one reverse pass
//! forces   F_i = sum over edges sent by i of g - sum over edges received by i of g, eV/Å
//! stress   (S + S^T) / (2 V), S = sum over edges of v ⊗ g, eV/Å^3: dE/dε / V for r -> r (1 + ε)
//! ```
//!
//! The sums run on the host in f64. Energies are the sum of the isolated atoms in f64 and the
//! network's interaction energy.

use burn::{
    backend::Autodiff,
    tensor::{Tensor, backend::Backend},
};
use genesis_kernels::Kernels;
use genesis_schema::atoms::{GraphBatch, Matrix, Vector};

use super::{
    blueprint::Blueprint,
    error::GraphError,
    graph::{GraphInput, GraphLayout},
    network::{Mace, Output},
};
use crate::params::Params;

/// What to compute besides energies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Forces on atoms.
    pub forces: bool,
    /// Stress of structures that are periodic in three directions.
    pub stress: bool,
}

/// What a network says about a batch of `G` structures with `N` atoms.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// `[G]` total energies, eV.
    pub energies: Vec<f64>,
    /// `[N]` energies of atoms, eV; they sum to the total.
    pub node_energies: Vec<f64>,
    /// `[N]` forces, eV/Å, if wanted.
    pub forces: Option<Vec<Vector>>,
    /// `[G]` stress, eV/Å^3, if wanted; none where a direction is not periodic.
    pub stress: Option<Vec<Option<Matrix>>>,
}

/// Predicts a batch with the parameters' floating-point type.
///
/// # Errors
/// [`GraphError`] if the batch does not fit the network.
pub fn predict<B: Kernels>(
    blueprint: &Blueprint,
    params: &Params<B>,
    batch: &GraphBatch,
    wanted: Wanted,
) -> Result<Prediction, GraphError> {
    let _awake = B::keep_awake();
    let device = params.values()[0].device();
    let graph = GraphInput::upload(blueprint, batch, params.dtype(), &device)?;
    if !wanted.forces && !wanted.stress {
        let output = Mace::bind(blueprint, params).forward(&graph);
        return Ok(Prediction::new(&graph.layout, output, None, wanted));
    }
    let (output, gradient) = with_edge_gradient(blueprint, &params.constant(), &graph);
    let output = Output { energy: output.energy.inner(), node_energy: output.node_energy.inner() };
    Ok(Prediction::new(&graph.layout, output, Some(gradient), wanted))
}

/// Energies, and `dE/dv [E, 3]`; of a batch without edges the second is empty.
pub(super) fn with_edge_gradient<B: Kernels>(
    blueprint: &Blueprint,
    params: &Params<Autodiff<B>>,
    graph: &GraphInput<B>,
) -> (Output<Autodiff<B>>, Tensor<B, 2>) {
    let vectors = Tensor::from_inner(graph.vectors.clone()).require_grad();
    let tracked = GraphInput { vectors: vectors.clone(), layout: graph.layout.clone() };
    let output = Mace::bind(blueprint, params).forward(&tracked);
    if graph.layout.num_edges() == 0 {
        return (output, graph.vectors.clone());
    }
    let gradients = output.energy.clone().sum().backward();
    let gradient = vectors.grad(&gradients);
    (output, gradient.unwrap_or_else(|| unreachable!("energies depend on the edges there are")))
}

impl Prediction {
    pub(super) fn new<B: Backend>(
        layout: &GraphLayout,
        output: Output<B>,
        gradient: Option<Tensor<B, 2>>,
        wanted: Wanted,
    ) -> Self {
        let isolated = layout.isolated_energies();
        let add = |(interaction, alone): (f64, &f64)| interaction + alone;
        let energies = to_host(output.energy).into_iter().zip(&isolated).map(add).collect();
        let alone = &layout.atomic_energies;
        let node_energies = to_host(output.node_energy).into_iter().zip(alone).map(add).collect();
        let gradient = gradient.map(to_host).unwrap_or_default();
        Self {
            energies,
            node_energies,
            forces: wanted.forces.then(|| forces(layout, &gradient)),
            stress: wanted.stress.then(|| stress(layout, &gradient)),
        }
    }
}

/// Any tensor as f64 on the host, row by row.
pub(super) fn to_host<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f64> {
    if tensor.dims().contains(&0) {
        return Vec::new();
    }
    tensor.into_data().convert::<f64>().into_vec().expect("converted to f64 just now")
}

fn forces(layout: &GraphLayout, gradient: &[f64]) -> Vec<Vector> {
    let mut forces = vec![[0.0; 3]; layout.num_atoms()];
    let ends = layout.edges.senders().rows().iter().zip(layout.edges.receivers().rows());
    for ((&sender, &receiver), g) in ends.zip(gradient.chunks_exact(3)) {
        for axis in 0..3 {
            forces[sender as usize][axis] += g[axis];
            forces[receiver as usize][axis] -= g[axis];
        }
    }
    forces
}

fn stress(layout: &GraphLayout, gradient: &[f64]) -> Vec<Option<Matrix>> {
    let mut sums = vec![[[0.0; 3]; 3]; layout.num_graphs()];
    let edges = layout.vectors.chunks_exact(3).zip(gradient.chunks_exact(3));
    for ((v, g), &graph) in edges.zip(layout.graph_of_edge.rows()) {
        for (row, axis) in [0, 1, 2].into_iter().flat_map(|row| [0, 1, 2].map(|axis| (row, axis))) {
            sums[graph as usize][row][axis] += 0.5 * (v[row] * g[axis] + v[axis] * g[row]);
        }
    }
    let per_volume = |(sum, volume): (Matrix, &Option<f64>)| {
        volume.map(|volume| sum.map(|row| row.map(|x| x / volume)))
    };
    sums.into_iter().zip(&layout.volumes).map(per_volume).collect()
}
