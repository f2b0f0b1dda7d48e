//! Small configurations that several unit tests share.

use super::{
    MaceConfig,
    choices::{CouplingSigns, DistanceTransform, EnergyKind, InteractionKind, ProductBasisKind},
};

/// Two layers of four channels for H, C, O.
pub(super) fn small_config() -> MaceConfig {
    MaceConfig {
        elements: vec![1, 6, 8],
        heads: vec!["Default".into()],
        atomic_energies_ev: vec![vec![-1.0, -2.0, -3.0]],
        energy: EnergyKind::ScaleShift { scale: vec![0.8], shift_ev: vec![0.1] },
        r_max_angstrom: 4.5,
        num_bessel: 8,
        cutoff_power: 5,
        cutoff_on_basis: true,
        distance_transform: DistanceTransform::None,
        zbl: false,
        max_ell: 2,
        channels: 4,
        max_hidden_degree: 1,
        correlation: 2,
        num_interactions: 2,
        interaction_first: InteractionKind::RealAgnostic,
        interaction: InteractionKind::RealAgnosticResidual,
        radial_widths: vec![64, 64, 64],
        readout_width: 16,
        avg_num_neighbors: 3.5,
        product_basis: ProductBasisKind::Unreduced,
        coupling_signs: CouplingSigns::E3nn04,
    }
}
