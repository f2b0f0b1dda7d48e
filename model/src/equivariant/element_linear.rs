//! Linear maps between channels whose matrix depends on the element of the atom.
//!
//! ```text
//! maths    y[n, m, w] = 1/sqrt(C S) sum_u x[n, m, u] W_l[u, z_n, w]
//! layout   x [N, M, C], y [N, M', C] with M' <= M: degrees without a matrix are left out
//!          weights flat, W_l row-major [C, S, C], l ascending
//! source   FullyConnectedTensorProduct of e3nn with one-hot elements: its factor counts all S
//! ```
//!
//! Atoms are sorted by element, so that each element that occurs is one matrix product per degree.

use burn::tensor::{Int, Tensor, TensorData, backend::Backend};
use genesis_kernels::Kernels;

use super::{degree_linear::join, graph::GraphLayout, graph::SpeciesIndex, radial::matrix_product};

/// The map of one layer.
#[derive(Debug, Clone)]
pub(super) struct ElementLinear<B: Backend> {
    /// `[l]` of `[S, C, C]`, the factor folded in.
    weights: Vec<Tensor<B, 3>>,
}

impl<B: Kernels> ElementLinear<B> {
    /// Cuts `flat` into matrices of `num_degrees` degrees.
    pub(super) fn bind(flat: &Tensor<B, 1>, num_degrees: usize, s: usize, channels: usize) -> Self {
        let size = channels * s * channels;
        let factor = 1.0 / ((channels * s) as f64).sqrt();
        let cut = |l: usize| {
            let weight = flat.clone().slice(l * size..(l + 1) * size);
            weight.reshape([channels, s, channels]).swap_dims(0, 1).mul_scalar(factor)
        };
        Self { weights: (0..num_degrees).map(cut).collect() }
    }

    /// `[N, M, C]` to `[N, (degrees)^2, C]`.
    pub(super) fn forward(&self, x: Tensor<B, 3>, layout: &GraphLayout) -> Tensor<B, 3> {
        let [num_atoms, num_components, channels] = x.dims();
        let species = &layout.species;
        let flat = x.reshape([num_atoms, num_components * channels]);
        let sorted = <B as Kernels>::gather_rows(flat, &species.by_element);
        let sorted = sorted.reshape([num_atoms, num_components, channels]);
        let blocks = self.weights.iter().enumerate().map(|(l, weight)| {
            let rows = sorted.clone().slice([0..num_atoms, l * l..(l + 1) * (l + 1)]);
            by_element(&rows, weight, species)
        });
        let y = join(blocks.collect());
        let [_, components, _] = y.dims();
        let y = y.reshape([num_atoms, components * channels]);
        // The adjoint of a permutation undoes it.
        let y = <B as Kernels>::sum_rows(y, &species.by_element);
        y.reshape([num_atoms, components, channels])
    }
}

/// One degree of sorted atoms, `[N, 2 l + 1, C]`.
fn by_element<B: Kernels>(
    rows: &Tensor<B, 3>,
    weight: &Tensor<B, 3>,
    species: &SpeciesIndex,
) -> Tensor<B, 3> {
    let [_, components, channels] = rows.dims();
    let mut first = 0;
    let mut parts = Vec::with_capacity(species.present.len());
    for (&place, &count) in species.present.iter().zip(&species.counts) {
        let part = rows.clone().narrow(0, first, count).reshape([count * components, channels]);
        let matrix = weight.clone().narrow(0, place, 1).reshape([channels, channels]);
        parts.push(matrix_product(part, matrix).reshape([count, components, channels]));
        first += count;
    }
    if parts.len() == 1 { parts.remove(0) } else { Tensor::cat(parts, 0) }
}

/// Rows of `table [S, ..]` of the elements that occur.
pub(super) fn of_present<B: Kernels, const D: usize>(
    table: Tensor<B, D>,
    species: &SpeciesIndex,
) -> Tensor<B, D> {
    if species.present.len() == table.dims()[0] {
        return table;
    }
    table.clone().select(0, indices(&species.present, &table.device()))
}

fn indices<B: Backend>(places: &[usize], device: &B::Device) -> Tensor<B, 1, Int> {
    let places: Vec<i32> =
        places.iter().map(|&at| i32::try_from(at).expect("at most 118 elements")).collect();
    let length = places.len();
    Tensor::from_data(TensorData::new(places, [length]), device)
}
