//! A [`MaceConfig`] as the hyper-parameters of a mace-torch model.

use serde_json::{Value, json};

use super::{interaction_name, irreps::hidden_text};
use crate::equivariant::{
    MaceConfig,
    choices::{DistanceTransform, EnergyKind},
};

/// The hyper-parameters of `config`, with single numbers where there is one head. Couplings are
/// always those of mace-torch; [`export`](super::export) brings the weights to them.
pub fn config_to_json(config: &MaceConfig) -> Value {
    let energies = &config.atomic_energies_ev;
    let mut json = json!({
        "r_max": config.r_max_angstrom,
        "max_ell": config.max_ell,
        "hidden_irreps": hidden_text(config.channels, config.max_hidden_degree),
        "correlation": config.correlation,
        "num_interactions": config.num_interactions,
        "interaction_first": interaction_name(config.interaction_first),
        "interaction": interaction_name(config.interaction),
        "avg_num_neighbors": config.avg_num_neighbors,
        "atomic_numbers": config.elements,
        "atomic_energies": one_or_all(energies, |row| json!(row)),
        "MLP_irreps": hidden_text(config.readout_width, 0),
        "num_bessel": config.num_bessel,
        "num_polynomial_cutoff": config.cutoff_power,
        "radial_MLP": config.radial_widths,
        "gate": "silu",
        "radial_type": "bessel",
        "apply_cutoff": config.cutoff_on_basis,
        "distance_transform": transform_name(config.distance_transform),
        "pair_repulsion": config.zbl,
        "use_reduced_cg": false,
        "heads": config.heads,
    });
    match &config.energy {
        EnergyKind::Plain {} => json["model"] = json!("MACE"),
        EnergyKind::ScaleShift { scale, shift_ev } => {
            json["model"] = json!("ScaleShiftMACE");
            json["scale"] = one_or_all(scale, |x| json!(x));
            json["shift"] = one_or_all(shift_ev, |x| json!(x));
        }
    }
    json
}

fn one_or_all<T>(values: &[T], item: impl Fn(&T) -> Value) -> Value {
    match values {
        [one] => item(one),
        all => all.iter().map(item).collect(),
    }
}

fn transform_name(kind: DistanceTransform) -> &'static str {
    match kind {
        DistanceTransform::None => "None",
        DistanceTransform::Agnesi => "Agnesi",
        DistanceTransform::Soft => "Soft",
    }
}
