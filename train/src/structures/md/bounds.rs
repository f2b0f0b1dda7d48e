//! When a simulation has left the numbers that mean anything.

use super::system::{BOLTZMANN, System};
use super::{Ensemble, MdOptions};

/// Hotter than any solid or molecule stays one, K.
const HOTTEST_K: f64 = 1e5;
/// Total energy per atom may move by so much at constant energy, eV: no bond is stronger than a few.
const LARGEST_DEVIATION_EV: f64 = 1.0;
/// Share of the kinetic energy by which the total energy may deviate without a word.
const QUIET_SHARE: f64 = 0.05;

/// Bounds of one simulation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    hottest_k: f64,
    /// Total energy at the start and how far it may go, eV, at constant energy.
    energy: Option<(f64, f64)>,
}

impl Bounds {
    /// Of a simulation that starts as `system`.
    pub(super) fn new(system: &System, options: &MdOptions) -> Self {
        let hot = options.temperature_k.max(system.temperature_k());
        let per_atom = LARGEST_DEVIATION_EV.max(3.0 * BOLTZMANN * hot);
        let total = system.potential + system.kinetic();
        let width = per_atom * system.masses.len() as f64;
        Self {
            hottest_k: HOTTEST_K.max(20.0 * hot),
            energy: (options.ensemble == Ensemble::Nve).then_some((total, width)),
        }
    }

    /// What is out of bounds, if anything is.
    pub(super) fn left_by(&self, system: &System) -> Option<String> {
        let (potential, force) = (system.potential, system.largest_force());
        let places = system.positions.iter().flatten();
        if !(potential.is_finite() && force.is_finite() && places.clone().all(|x| x.is_finite())) {
            return Some(format!(
                "the energy is {potential} eV and the largest force {force} eV/Å"
            ));
        }
        let temperature = system.temperature_k();
        if temperature.is_nan() || temperature > self.hottest_k {
            return Some(format!(
                "the temperature is {temperature:.0} K, above the bound of {:.0} K",
                self.hottest_k
            ));
        }
        let (first, width) = self.energy?;
        let moved = potential + system.kinetic() - first;
        (moved.abs() > width).then(|| {
            let atoms = system.masses.len() as f64;
            format!(
                "the total energy has moved by {:.3} eV per atom, above the bound of {:.3} eV",
                moved / atoms,
                width / atoms
            )
        })
    }
}

/// A word on a total energy that is not conserved; both numbers in eV per atom.
pub(super) fn unconserved(deviation: f64, kinetic: f64) -> Option<String> {
    (deviation > 1e-3 && deviation > QUIET_SHARE * kinetic).then(|| {
        format!(
            "the total energy is not conserved: it deviates by {:.1} meV per atom where the kinetic \
             energy is {:.1}; use a shorter time step, or relax the structure first",
            1e3 * deviation,
            1e3 * kinetic
        )
    })
}
