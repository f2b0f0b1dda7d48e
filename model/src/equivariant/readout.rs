//! From scalar features to energies of atoms: a linear map after each layer, a gated one after the
//! last, one column per head.
//!
//! ```text
//! linear   s = h w / sqrt(C)
//! gated    s = mask(c silu(h W / sqrt(C))) v / sqrt(K H); mask keeps the K units of the atom's head
//! source   LinearReadoutBlock and NonLinearReadoutBlock of mace-torch
//! ```

use burn::tensor::{Tensor, backend::Backend};
use genesis_kernels::{Kernels, Precision, silu};

use super::{
    activation::SILU_SCALE,
    blueprint::Blueprint,
    graph::{GraphLayout, constant},
    specs::Names,
};
use crate::{layers::linear::Linear, params::Params};

/// The readout of one layer, factors folded in.
#[derive(Debug, Clone)]
pub(super) enum Readout<B: Backend> {
    /// `[C, H]`
    Linear(Linear<B>),
    /// `[C, K H]`, `[K H, H]`
    Gated(Linear<B>, Linear<B>),
}

impl<B: Kernels> Readout<B> {
    pub(super) fn bind(blueprint: &Blueprint, params: &Params<B>, layer: usize) -> Self {
        let config = blueprint.config();
        let (channels, heads) = (config.channels, config.heads.len());
        let from_features = 1.0 / (channels as f64).sqrt();
        if layer == 0 || layer + 1 < config.num_interactions {
            let weight: Tensor<B, 1> = params.get(&Names::linear_readout(layer));
            let weight = weight.reshape([channels, heads]).mul_scalar(from_features);
            return Self::Linear(Linear::of(weight));
        }
        let hidden = config.readout_width * heads;
        let [first, second] = [1, 2].map(|map| params.get::<1>(&Names::gated_readout(layer, map)));
        Self::Gated(
            Linear::of(first.reshape([channels, hidden]).mul_scalar(from_features)),
            Linear::of(
                second.reshape([hidden, heads]).mul_scalar(SILU_SCALE / (hidden as f64).sqrt()),
            ),
        )
    }

    /// `[N, M, C]` to `[N, 1]`, the column of each atom's head.
    pub(super) fn forward(&self, x: &Tensor<B, 3>, heads: &HeadMasks<B>) -> Tensor<B, 2> {
        let [num_atoms, _, channels] = x.dims();
        let scalars = x.clone().slice([0..num_atoms, 0..1]).reshape([num_atoms, channels]);
        match self {
            Self::Linear(weight) => heads.column(weight.forward(scalars, Precision::Full)),
            Self::Gated(first, second) => {
                let hidden = silu::silu(first.forward(scalars, Precision::Full));
                heads.column(second.forward(heads.units(hidden), Precision::Full))
            }
        }
    }
}

/// Which columns belong to the head of each atom; nothing to mask when there is one.
#[derive(Debug, Clone)]
pub(super) struct HeadMasks<B: Backend> {
    /// `[N, H]` and `[N, K H]`.
    masks: Option<(Tensor<B, 2>, Tensor<B, 2>)>,
}

impl<B: Kernels> HeadMasks<B> {
    pub(super) fn new(blueprint: &Blueprint, layout: &GraphLayout, like: &Tensor<B, 2>) -> Self {
        let (num_heads, width) = (blueprint.config().heads.len(), blueprint.config().readout_width);
        let of_atom = layout.on_atoms(&layout.heads);
        let mask = |width: usize| {
            let columns = num_heads * width;
            let row =
                |head: usize| (0..columns).map(move |at| f64::from(u8::from(at / width == head)));
            let values = of_atom.iter().flat_map(|&head| row(head)).collect();
            constant(values, [of_atom.len(), columns], like.dtype().into(), &like.device())
        };
        Self { masks: (num_heads > 1).then(|| (mask(1), mask(width))) }
    }

    fn column(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        match &self.masks {
            Some((columns, _)) => x.mul(columns.clone()).sum_dim(1),
            None => x,
        }
    }

    fn units(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        match &self.masks {
            Some((_, units)) => x.mul(units.clone()),
            None => x,
        }
    }
}
