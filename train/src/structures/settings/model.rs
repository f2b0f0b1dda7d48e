//! `[model]` of a run on atoms: what a person chooses; the dataset decides the rest.

use genesis_model::equivariant::{
    CouplingSigns, DistanceTransform, EnergyKind, InteractionKind, MaceConfig, ProductBasisKind,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::structures::statistics::Statistics;

/// `[model]`: `kind` names the family.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StructuresNetwork {
    /// Equivariant messages of many-body products.
    Mace(MaceModel),
}

/// A MACE (arXiv:2206.07697). What is absent is measured on the training split: elements and
/// energies of isolated atoms always, heads, neighbours, scale and shift unless they are given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MaceModel {
    /// Channels of every degree.
    pub channels: usize,
    /// Highest degree of the features between layers.
    #[serde(default = "defaults::max_hidden_degree")]
    pub max_hidden_degree: usize,
    /// Atoms closer than this are neighbours, Å.
    #[serde(default = "defaults::r_max_angstrom")]
    pub r_max_angstrom: f64,
    /// Radial functions.
    #[serde(default = "defaults::num_bessel")]
    pub num_bessel: usize,
    /// Power of the polynomial cut-off.
    #[serde(default = "defaults::cutoff_power")]
    pub cutoff_power: u32,
    /// Whether the cut-off multiplies the radial functions; else what the radial network makes of
    /// them.
    #[serde(default = "defaults::yes")]
    pub cutoff_on_basis: bool,
    /// What happens to distances before the radial functions.
    #[serde(default = "defaults::distance_transform")]
    pub distance_transform: DistanceTransform,
    /// Whether the screened repulsion of nuclei is added.
    #[serde(default)]
    pub zbl: bool,
    /// Highest degree of harmonics and messages.
    #[serde(default = "defaults::max_ell")]
    pub max_ell: usize,
    /// Highest order of products of messages, 1 to 3.
    #[serde(default = "defaults::correlation")]
    pub correlation: usize,
    /// Layers.
    #[serde(default = "defaults::num_interactions")]
    pub num_interactions: usize,
    /// Block of the first layer.
    #[serde(default = "defaults::interaction")]
    pub interaction_first: InteractionKind,
    /// Block of the later layers.
    #[serde(default = "defaults::interaction")]
    pub interaction: InteractionKind,
    /// Hidden widths of the radial network.
    #[serde(default = "defaults::radial_widths")]
    pub radial_widths: Vec<usize>,
    /// Hidden units per head of the last readout.
    #[serde(default = "defaults::readout_width")]
    pub readout_width: usize,
    /// Which couplings of products are parameters.
    #[serde(default = "defaults::product_basis")]
    pub product_basis: ProductBasisKind,
    /// Signs of the coupling coefficients.
    #[serde(default = "defaults::coupling_signs")]
    pub coupling_signs: CouplingSigns,
    /// Names of the heads; absent means those that the training split names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heads: Option<Vec<String>>,
    /// What messages are divided by; absent means the mean number of neighbours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avg_num_neighbors: Option<f64>,
    /// Factor of the readouts of every head, eV; absent means the root mean square of its force
    /// components, which without forces is 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<f64>,
    /// Summand of the readouts of every head, eV; absent means its mean interaction energy per
    /// atom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shift_ev: Option<f64>,
}

impl MaceModel {
    /// The network for a training split.
    pub fn resolve(&self, statistics: &Statistics) -> MaceConfig {
        let of_heads = |given: Option<f64>, measured: &[f64]| {
            given.map_or_else(|| measured.to_vec(), |value| vec![value; measured.len()])
        };
        MaceConfig {
            elements: statistics.elements.clone(),
            heads: statistics.heads.clone(),
            atomic_energies_ev: statistics.atomic_energies_ev.clone(),
            energy: EnergyKind::ScaleShift {
                scale: of_heads(self.scale, &statistics.scale),
                shift_ev: of_heads(self.shift_ev, &statistics.shift_ev),
            },
            r_max_angstrom: self.r_max_angstrom,
            num_bessel: self.num_bessel,
            cutoff_power: self.cutoff_power,
            cutoff_on_basis: self.cutoff_on_basis,
            distance_transform: self.distance_transform,
            zbl: self.zbl,
            max_ell: self.max_ell,
            channels: self.channels,
            max_hidden_degree: self.max_hidden_degree,
            correlation: self.correlation,
            num_interactions: self.num_interactions,
            interaction_first: self.interaction_first,
            interaction: self.interaction,
            radial_widths: self.radial_widths.clone(),
            readout_width: self.readout_width,
            avg_num_neighbors: self.avg_num_neighbors.unwrap_or(statistics.avg_num_neighbors),
            product_basis: self.product_basis,
            coupling_signs: self.coupling_signs,
        }
    }
}

/// Values of keys that may be left out: those of mace-torch, but for the product basis, whose
/// symmetric form gives the same functions with fewer parameters.
mod defaults {
    use super::{CouplingSigns, DistanceTransform, InteractionKind, ProductBasisKind};

    pub(super) fn max_hidden_degree() -> usize {
        1
    }
    pub(super) fn r_max_angstrom() -> f64 {
        5.0
    }
    pub(super) fn num_bessel() -> usize {
        8
    }
    pub(super) fn cutoff_power() -> u32 {
        5
    }
    pub(super) fn yes() -> bool {
        true
    }
    pub(super) fn distance_transform() -> DistanceTransform {
        DistanceTransform::None
    }
    pub(super) fn max_ell() -> usize {
        3
    }
    pub(super) fn correlation() -> usize {
        3
    }
    pub(super) fn num_interactions() -> usize {
        2
    }
    pub(super) fn interaction() -> InteractionKind {
        InteractionKind::RealAgnosticResidual
    }
    pub(super) fn radial_widths() -> Vec<usize> {
        vec![64, 64, 64]
    }
    pub(super) fn readout_width() -> usize {
        16
    }
    pub(super) fn product_basis() -> ProductBasisKind {
        ProductBasisKind::Symmetric
    }
    pub(super) fn coupling_signs() -> CouplingSigns {
        CouplingSigns::E3nn04
    }
}
