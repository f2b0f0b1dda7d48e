//! Products of messages: the symmetric contraction, a linear map, what skipped the layer.
//!
//! ```text
//! maths    h' = linear(B) + skip, B[n, o, c] = sum over monomials t of output o of
//!          coefficient[z_n, t, c] * prod of A[n, i, c]
//! source   Batatia et al., arXiv:2206.07697, equations 10 to 12; `product_basis` has the monomials
//! ```

use std::sync::Arc;

use burn::tensor::{Int, Tensor, TensorData, backend::Backend};
use genesis_kernels::{ContractionProblem, Kernels};

use super::{
    blueprint::Blueprint, degree_linear::DegreeLinear, graph::GraphLayout, graph::SpeciesIndex,
    graph::constant, product_basis::DegreeBasis, product_basis::ProductBasis,
    radial::matrix_product, specs::Names,
};
use crate::params::Params;

/// One product layer.
#[derive(Debug, Clone)]
pub(super) struct Product<B: Backend> {
    basis: Arc<ProductBasis>,
    /// `[l]` of `[S, k of all orders, C]`.
    weights: Vec<Tensor<B, 3>>,
    /// `[l]` of `[T_l, k of all orders]`.
    matrices: Vec<Tensor<B, 2>>,
    linear: DegreeLinear<B>,
}

impl<B: Kernels> Product<B> {
    pub(super) fn bind(blueprint: &Blueprint, params: &Params<B>, layer: usize) -> Self {
        let (config, basis) = (blueprint.config(), blueprint.basis(layer));
        let orders = 1..=config.correlation;
        let weights = |degree: usize| {
            let name = |order| Names::couplings(layer, degree, order, config.correlation);
            Tensor::cat(orders.clone().map(|order| params.get::<3>(&name(order))).collect(), 1)
        };
        let flat = params.flat(&Names::product_linear(layer));
        let like = (params.dtype(), flat.device());
        let matrix = |degree: &DegreeBasis| {
            let shape = [degree.num_terms, degree.num_weights()];
            constant(degree.matrix.clone(), shape, like.0, &like.1)
        };
        let singles = vec![1; basis.degrees.len()];
        Self {
            weights: (0..basis.degrees.len()).map(weights).collect(),
            matrices: basis.degrees.iter().map(matrix).collect(),
            linear: DegreeLinear::bind(flat, &singles, config.channels, 1.0),
            basis: basis.clone(),
        }
    }

    /// `[N, (max_ell + 1)^2, C]` to `[N, (L + 1)^2, C]`; `skip` may lack the higher degrees.
    pub(super) fn forward(
        &self,
        messages: Tensor<B, 3>,
        skip: Option<Tensor<B, 3>>,
        layout: &GraphLayout,
    ) -> Tensor<B, 3> {
        let terms = self.basis.terms.clone();
        let problem = ContractionProblem::new(terms, layout.species.of_atom.clone());
        let coefficients = self.coefficients(layout);
        let products = <B as Kernels>::contraction(messages, coefficients, &problem);
        let y = self.linear.forward(products);
        match skip {
            Some(skip) => add_lower(y, skip),
            None => y,
        }
    }

    /// `[S', T, C]` for the `S'` elements that occur.
    fn coefficients(&self, layout: &GraphLayout) -> Tensor<B, 3> {
        let of_degree = |(weight, matrix): (&Tensor<B, 3>, &Tensor<B, 2>)| {
            let weight = of_present(weight.clone(), &layout.species);
            let [s, k, channels] = weight.dims();
            let [num_terms, _] = matrix.dims();
            let columns = weight.swap_dims(0, 1).reshape([k, s * channels]);
            let product = matrix_product(matrix.clone(), columns);
            product.reshape([num_terms, s, channels])
        };
        let all = self.weights.iter().zip(&self.matrices).map(of_degree).collect();
        Tensor::cat(all, 0).swap_dims(0, 1)
    }
}

/// `y + skip`, where `skip` has only the first components.
fn add_lower<B: Kernels>(y: Tensor<B, 3>, skip: Tensor<B, 3>) -> Tensor<B, 3> {
    let ([num_atoms, all, _], [_, some, _]) = (y.dims(), skip.dims());
    if some == all {
        return y.add(skip);
    }
    let low = y.clone().slice([0..num_atoms, 0..some]).add(skip);
    Tensor::cat(vec![low, y.slice([0..num_atoms, some..all])], 1)
}

/// Rows of `table [S, ..]` of the elements that occur.
fn of_present<B: Kernels, const D: usize>(
    table: Tensor<B, D>,
    species: &SpeciesIndex,
) -> Tensor<B, D> {
    if species.present.len() == table.dims()[0] {
        return table;
    }
    let places = species.present.iter();
    let places: Vec<i32> =
        places.map(|&at| i32::try_from(at).expect("at most 118 elements")).collect();
    let places = TensorData::new(places, [species.present.len()]);
    let places = Tensor::<B, 1, Int>::from_data(places, &table.device());
    table.select(0, places)
}
