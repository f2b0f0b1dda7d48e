//! What a run on structures declares to the report: rates of atoms and edges, errors in the units
//! of the field.

use super::evaluation;
use crate::report::{Better, Brief, Declaration, Digits, Figure, Role};

const fn error(
    key: &'static str,
    label: &'static str,
    unit: &'static str,
    brief: Option<(&'static str, usize)>,
) -> Figure {
    let brief = match brief {
        Some((name, decimals)) => Some(Brief { name, digits: Digits::Decimals(decimals), unit }),
        None => None,
    };
    Figure { key, label, unit, role: Role::Quality(Better::Lower), brief }
}

const fn count(key: &'static str, label: &'static str, role: Role) -> Figure {
    Figure { key, label, unit: "", role, brief: None }
}

/// Atoms of a step over its wall time.
pub(super) static ATOMS_PER_S: Figure = Figure {
    key: "atoms_per_s",
    label: "atoms",
    unit: "atoms/s",
    role: Role::Rate,
    brief: Some(Brief { name: "", digits: Digits::Whole, unit: "atoms/s" }),
};

/// Directed edges of a step over its wall time.
pub(super) static EDGES_PER_S: Figure =
    Figure { key: "edges_per_s", label: "edges", unit: "edges/s", role: Role::Rate, brief: None };

/// Atoms since step 0, over all ranks.
pub(super) static ATOMS: Figure = count("atoms", "atoms", Role::Seen);

/// Root mean square error of the energy per atom.
pub static ENERGY_RMSE: Figure =
    error("val_energy_rmse_mev_per_atom", "energy RMSE", "meV/atom", Some(("E", 2)));

/// Mean absolute error of the energy per atom.
pub static ENERGY_MAE: Figure =
    error("val_energy_mae_mev_per_atom", "energy MAE", "meV/atom", None);

/// Root mean square error of force components.
pub static FORCES_RMSE: Figure =
    error("val_forces_rmse_mev_per_a", "force RMSE", "meV/Å", Some(("F", 1)));

/// Mean absolute error of force components.
pub static FORCES_MAE: Figure = error("val_forces_mae_mev_per_a", "force MAE", "meV/Å", None);

/// Root mean square error of stress components.
pub static STRESS_RMSE: Figure =
    error("val_stress_rmse_mev_per_a3", "stress RMSE", "meV/Å^3", Some(("stress", 2)));

/// Structures measured on.
pub static VAL_FRAMES: Figure = count("val_frames", "structures", Role::MeasuredOn);

/// Figures of a run on structures; its loss is a weighted sum without a unit.
pub static DECLARATION: Declaration = Declaration {
    loss: error("loss", "loss", "", None),
    figures: &[
        &ATOMS_PER_S,
        &EDGES_PER_S,
        &ATOMS,
        &ENERGY_RMSE,
        &ENERGY_MAE,
        &FORCES_RMSE,
        &FORCES_MAE,
        &STRESS_RMSE,
        &VAL_FRAMES,
    ],
    counts: &[("frames", "structures"), ("atoms", "atoms")],
    sections: evaluation::sections,
};
