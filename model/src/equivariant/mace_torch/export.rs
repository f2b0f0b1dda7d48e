//! A network as a mace-torch state dict.

use std::collections::BTreeMap;

use burn::tensor::backend::Backend;
use serde_json::Value;

use super::{
    buffers::{Buffer, buffers},
    config_to_json,
    import::HostTensor,
};
use crate::{
    equivariant::{blueprint::Blueprint, choices::ProductBasisKind, specs::Names},
    params::Params,
};

/// All that a mace-torch model consists of.
#[derive(Debug, Clone, PartialEq)]
pub struct Exported {
    /// Hyper-parameters.
    pub config: Value,
    /// Parameters by name.
    pub parameters: BTreeMap<String, HostTensor>,
    /// Buffers by name.
    pub buffers: BTreeMap<String, Buffer>,
}

/// The model in mace-torch's form. Weights of symmetric couplings become weights of all couplings
/// with the same polynomials, exactly; mace-torch has no other form.
pub fn export<B: Backend>(blueprint: &Blueprint, params: &Params<B>) -> Exported {
    let mut parameters: BTreeMap<String, HostTensor> = params
        .host_as::<f64>()
        .into_iter()
        .map(|(name, shape, values)| (name, HostTensor { shape, values }))
        .collect();
    if blueprint.config().product_basis == ProductBasisKind::Symmetric {
        unreduce(blueprint, &mut parameters);
    }
    Exported { config: config_to_json(blueprint.config()), parameters, buffers: buffers(blueprint) }
}

/// `W[z, k, c] <- sum over j of reduction[k, j] W[z, j, c]` for every contraction.
fn unreduce(blueprint: &Blueprint, parameters: &mut BTreeMap<String, HostTensor>) {
    let config = blueprint.config();
    for layer in 0..config.num_interactions {
        for (degree, basis) in blueprint.basis(layer).degrees.iter().enumerate() {
            for order in &basis.orders {
                let name = Names::couplings(layer, degree, order.tensor.order, config.correlation);
                if let Some(weights) = parameters.get_mut(&name) {
                    *weights = expand(weights, &order.reduction, order.num_weights);
                }
            }
        }
    }
}

fn expand(weights: &HostTensor, reduction: &[f64], num_weights: usize) -> HostTensor {
    let (elements, channels) = (weights.shape[0], weights.shape[2]);
    let num_paths = reduction.len() / num_weights;
    let mut values = Vec::with_capacity(elements * num_paths * channels);
    for of_element in weights.values.chunks_exact(num_weights * channels) {
        for row in reduction.chunks_exact(num_weights) {
            for channel in 0..channels {
                let products =
                    row.iter().enumerate().map(|(j, a)| a * of_element[j * channels + channel]);
                values.push(products.sum());
            }
        }
    }
    HostTensor { shape: vec![elements, num_paths, channels], values }
}
