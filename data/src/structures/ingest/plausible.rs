//! Whether the labels can be in the units that were declared.
//!
//! Nothing here changes a number; it only warns, by the name of the unit that would fit. Four
//! signs, each independent of the others:
//!
//! 1. Total energies of all-electron calculations are close to the sum of known atomic energies.
//!    A ratio that is a conversion factor to 3 % names the unit.
//! 2. Energy per atom left after E0s from atoms: bound matter has -0.5 to -12 eV/atom.
//! 3. Thermal motion: at a fixed formula in one cell, energy fluctuations over forces are a length,
//!    the amplitude of the motion, some hundredths of an Å. Energies and forces in different units
//!    move it by the factor between them. Not asked where `slopes` has compared them.
//! 4. Stress times the volume of an atom is an energy: a tenth of an eV to some eV.
//!
//! Source of the atomic energies: Chakravorty et al., Phys. Rev. A 47, 3649 (1993), table XI.

use std::collections::BTreeMap;

use genesis_schema::Frame;

use super::statistics::Tally;
use super::units::{EnergyUnit, StressUnit, Units};
use crate::structures::geometry::determinant;

/// Total energies of the atoms H to Ar, hartree.
const ATOMS: [f64; 18] = [
    0.5, 2.903_72, 7.478_06, 14.667_36, 24.653_91, 37.845_0, 54.589_2, 75.067_3, 99.733_9,
    128.937_6, 162.254_6, 200.053, 242.346, 289.359, 341.259, 398.110, 460.148, 527.540,
];
/// How near a ratio of energies must be to a conversion factor.
const RATIO_TOLERANCE: f64 = 0.03;
/// Energies per atom relative to free atoms, eV: bound matter, with room on both sides.
const COHESION: (f64, f64) = (0.2, 15.0);
/// A typical one, to tell units apart.
const TYPICAL_COHESION: f64 = 4.5;
/// Amplitudes of thermal motion, Å, with room on both sides.
const AMPLITUDE: (f64, f64) = (0.004, 0.45);
/// A typical one.
const TYPICAL_AMPLITUDE: f64 = 0.04;
/// Stress times volume per atom beyond which no matter is, eV: iron at the centre of the earth has 16.
const MOST_VIRIAL: f64 = 20.0;
/// A typical one.
const TYPICAL_VIRIAL: f64 = 0.5;
/// Structures of one formula before their fluctuations count, and formulas that are followed.
const MIN_FRAMES: u64 = 10;
const MAX_FORMULAS: usize = 4096;

/// Gathers the signs, structure by structure.
#[derive(Debug, Default)]
pub(crate) struct Plausibility {
    ratio: Tally,
    cohesion: Tally,
    forces: Tally,
    virial: Tally,
    stress: Tally,
    formulas: BTreeMap<Kind, Formula>,
}

/// Structures whose energies differ by the motion of atoms alone: head, formula, and the bits of the cell.
type Kind = (String, Vec<u8>, Vec<u64>);

#[derive(Debug, Default)]
struct Formula {
    frames: u64,
    mean: f64,
    /// Sum of squared deviations of the energy (Welford).
    spread: f64,
    square_force: f64,
}

impl Plausibility {
    /// Adds a training structure whose energy without E0s is `interaction`, eV.
    pub(crate) fn add(&mut self, frame: &Frame, interaction: Option<f64>) {
        self.add_stress(frame);
        let weights = frame.weights;
        let (Some(energy), Some(interaction)) = (frame.labels.energy, interaction) else { return };
        if weights.of_energy() <= 0.0 {
            return;
        }
        let known = |z: &u8| ATOMS.get(usize::from(*z) - 1).copied();
        if let Some(total) = frame.atomic_numbers.iter().map(known).sum::<Option<f64>>() {
            self.ratio.add(-energy / (total * EnergyUnit::Hartree.in_ev()), 1.0);
        }
        let atoms = frame.atomic_numbers.len() as f64;
        self.cohesion.add(interaction / atoms, 1.0);
        let Some(forces) = frame.labels.forces.as_ref().filter(|_| weights.of_forces() > 0.0)
        else {
            return;
        };
        forces.iter().flatten().for_each(|&f| self.forces.add(f, 1.0));
        let mut formula = frame.atomic_numbers.clone();
        formula.sort_unstable();
        let cell = frame.cell.as_flattened().iter().map(|x| x.to_bits()).collect();
        let kind = (frame.head.clone(), formula, cell);
        if self.formulas.len() >= MAX_FORMULAS && !self.formulas.contains_key(&kind) {
            return;
        }
        let square = forces.iter().flatten().map(|f| f * f).sum::<f64>() / (3.0 * atoms);
        self.formulas.entry(kind).or_default().add(energy, square);
    }

    fn add_stress(&mut self, frame: &Frame) {
        let Some(stress) = &frame.labels.stress else { return };
        let volume = determinant(&frame.cell).abs() / frame.atomic_numbers.len() as f64;
        for component in stress.as_flattened() {
            self.virial.add(component * volume, frame.weights.of_stress());
            self.stress.add(*component, frame.weights.of_stress());
        }
    }

    /// What looks wrong, given the unit that was declared and where E0s come from.
    pub(crate) fn warnings(&self, units: Units, e0_source: &str, compared: bool) -> Vec<String> {
        let declared = units.energy;
        let mut warnings = Vec::new();
        warnings.extend(self.by_totals(declared));
        if warnings.is_empty() && matches!(e0_source, "isolated_atoms" | "given") {
            warnings.extend(self.by_cohesion(declared));
        }
        if !compared {
            warnings.extend(self.by_motion(declared));
        }
        warnings.extend(self.by_stress(units.stress));
        warnings
    }

    fn by_stress(&self, declared: StressUnit) -> Option<String> {
        let virial = self.virial.range().rms;
        if virial <= MOST_VIRIAL {
            return None;
        }
        let corrected = |unit: &StressUnit| {
            virial * unit.in_ev_per_angstrom3() / declared.in_ev_per_angstrom3()
        };
        let off = |unit: &StressUnit| (corrected(unit) / TYPICAL_VIRIAL).ln().abs();
        let mut units: Vec<StressUnit> = StressUnit::ALL
            .into_iter()
            .filter(|unit| *unit != declared && corrected(unit) <= MOST_VIRIAL)
            .collect();
        units.sort_by(|a, b| off(a).total_cmp(&off(b)));
        let names: Vec<&str> = units.iter().map(|unit| unit.name()).collect();
        let stress = self.stress.range().rms;
        Some(format!(
            "stress is {stress:.4} eV/Å^3 rms as {} is declared ({:.4} GPa, {virial:.1} eV per atom), more \
             than any matter has; it would fit {}; check units.stress",
            declared.name(),
            stress / StressUnit::Gpa.in_ev_per_angstrom3(),
            if names.is_empty() { "no known unit".to_owned() } else { names.join(" or ") }
        ))
    }

    fn by_totals(&self, declared: EnergyUnit) -> Option<String> {
        let range = self.ratio.range();
        let near = |unit: &EnergyUnit| {
            // Were the numbers in `unit`, the ratio would be one.
            let corrected = range.mean * unit.in_ev() / declared.in_ev();
            (corrected - 1.0).abs() < RATIO_TOLERANCE
        };
        let unit = EnergyUnit::ALL.into_iter().find(near).filter(|&unit| unit != declared)?;
        Some(format!(
            "energies look like {} but {} is declared: as {} they are {:.4} of the known total \
             energies of the atoms, as {} {:.4} (a factor of {:.4}); set units.energy",
            unit.name(),
            declared.name(),
            declared.name(),
            range.mean,
            unit.name(),
            range.mean * unit.in_ev() / declared.in_ev(),
            factor(declared, unit)
        ))
    }

    fn by_cohesion(&self, declared: EnergyUnit) -> Option<String> {
        let mean = self.cohesion.range().mean;
        let plausible = (-COHESION.1..=-COHESION.0).contains(&mean);
        if plausible || self.cohesion.range().count == 0 || mean.abs() < 1e-9 {
            return None;
        }
        let forces = self.forces.range().rms;
        let shown =
            format!("{mean:.4} eV/atom relative to free atoms, forces {forces:.4} eV/Å rms");
        if mean > 0.0 {
            return Some(format!(
                "energies are {shown}: the structures would fall apart into atoms; check that E0s \
                 and energies come from the same calculation and unit"
            ));
        }
        // Weakly bound matter with small forces is not suspicious by itself.
        if mean.abs() < COHESION.0 && forces < 1e-3 {
            return None;
        }
        let units = fitting(declared, mean.abs(), COHESION, TYPICAL_COHESION)?;
        Some(format!(
            "energies are {shown}; that is outside -{} to -{} eV/atom and would fit {units} better \
             than {}; check units.energy",
            COHESION.1,
            COHESION.0,
            declared.name()
        ))
    }

    fn by_motion(&self, declared: EnergyUnit) -> Option<String> {
        let amplitude = self.amplitude()?;
        if (AMPLITUDE.0..=AMPLITUDE.1).contains(&amplitude) {
            return None;
        }
        let units = fitting(declared, amplitude, AMPLITUDE, TYPICAL_AMPLITUDE)?;
        Some(format!(
            "energy fluctuations over forces give a motion of {amplitude:.5} Å, outside {} to {} \
             Å: energies and forces do not seem to be in matching units; energies would fit \
             {units}; check units.energy, units.force_energy and units.force_length",
            AMPLITUDE.0, AMPLITUDE.1
        ))
    }

    /// Median over formulas of `sigma(E) / (sqrt(3 n / 2) rms(F))`, Å.
    fn amplitude(&self) -> Option<f64> {
        let one = |((_, numbers, _), formula): (&Kind, &Formula)| {
            let known = formula.frames >= MIN_FRAMES && numbers.len() > 1;
            let force = (formula.square_force / formula.frames as f64).sqrt();
            let sigma = (formula.spread / formula.frames as f64).sqrt();
            (known && force > 1e-6 && sigma > 0.0)
                .then(|| sigma / ((1.5 * numbers.len() as f64).sqrt() * force))
        };
        let mut all: Vec<f64> = self.formulas.iter().filter_map(one).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied()
    }
}

impl Formula {
    fn add(&mut self, energy: f64, square_force: f64) {
        self.frames += 1;
        let off = energy - self.mean;
        self.mean += off / self.frames as f64;
        self.spread += off * (energy - self.mean);
        self.square_force += square_force;
    }
}

/// The units, other than the declared one, that bring `value` into `range`, each with its factor;
/// the one that brings it nearest to a typical value comes first. `None` if there are none.
pub(super) fn fitting(
    declared: EnergyUnit,
    value: f64,
    (least, most): (f64, f64),
    typical: f64,
) -> Option<String> {
    let corrected = |unit: &EnergyUnit| value * unit.in_ev() / declared.in_ev();
    let distance = |unit: &EnergyUnit| (corrected(unit) / typical).ln().abs();
    let mut units: Vec<EnergyUnit> = EnergyUnit::ALL
        .into_iter()
        .filter(|unit| *unit != declared && (least..=most).contains(&corrected(unit)))
        .collect();
    units.sort_by(|a, b| distance(a).total_cmp(&distance(b)));
    let named =
        |unit: &EnergyUnit| format!("{} (a factor of {:.4})", unit.name(), factor(declared, *unit));
    let names: Vec<String> = units.iter().map(named).collect();
    (!names.is_empty()).then(|| names.join(" or "))
}

/// The larger over the smaller of the two units.
fn factor(one: EnergyUnit, other: EnergyUnit) -> f64 {
    let ratio = one.in_ev() / other.in_ev();
    ratio.max(ratio.recip())
}
