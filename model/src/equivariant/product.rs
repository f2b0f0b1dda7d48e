//! Products of messages: the symmetric contraction, a linear map, what skipped the layer.
//!
//! ```text
//! maths    h' = linear(B) + skip, B[n, o, c] = sum over monomials t of output o of
//!          coefficient[z_n, t, c] * prod of A[n, i, c]
//! source   Batatia et al., arXiv:2206.07697, equations 10 to 12; `product_basis` has the monomials
//! ```

use std::sync::Arc;

use burn::tensor::{Tensor, backend::Backend};
use genesis_kernels::{ContractionProblem, Kernels, RowMixing, contraction, row_mixing};

use super::{
    blueprint::Blueprint, degree_linear::DegreeLinear, graph::GraphLayout,
    product_basis::ProductBasis, specs::Names,
};
use crate::params::Params;

/// One product layer.
#[derive(Debug, Clone)]
pub(super) struct Product<B: Backend> {
    basis: Arc<ProductBasis>,
    /// `[S, K, C]`, K through the orders of degree 0, then 1, and so on.
    weights: Tensor<B, 3>,
    linear: DegreeLinear<B>,
}

impl<B: Kernels> Product<B> {
    pub(super) fn bind(blueprint: &Blueprint, params: &Params<B>, layer: usize) -> Self {
        let (config, basis) = (blueprint.config(), blueprint.basis(layer));
        let weights = (0..basis.degrees.len()).flat_map(|degree| {
            let name = move |order| Names::couplings(layer, degree, order, config.correlation);
            (1..=config.correlation).map(move |order| params.get::<3>(&name(order)))
        });
        let flat = params.flat(&Names::product_linear(layer));
        let singles = vec![1; basis.degrees.len()];
        Self {
            weights: Tensor::cat(weights.collect(), 1),
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
        let products = contraction::contraction(messages, coefficients, &problem);
        let y = self.linear.forward(products);
        match skip {
            Some(skip) => add_lower(y, skip),
            None => y,
        }
    }

    /// `[S', T, C]` for the `S'` elements that occur.
    fn coefficients(&self, layout: &GraphLayout) -> Tensor<B, 3> {
        let mixing = RowMixing {
            matrix: self.basis.mixing.clone(),
            tables: layout.species.present.clone(),
            num_tables: self.weights.dims()[0],
        };
        row_mixing::mix_rows(self.weights.clone(), &mixing)
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
