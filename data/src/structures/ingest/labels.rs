//! Labels of a structure, in eV, eV/Å and eV/Å^3, under the keys that its file has.
//!
//! A label is searched under its usual names, in any case, unless the plan names its key. Two values for
//! one label must agree to what rounding leaves; where they do not, nobody but the user knows which is
//! right: both are kept for a message, and the label is not taken. Values are taken as they stand:
//! forces on constrained atoms keep what the file says, nothing is set to zero or made up. Stress may
//! be nine numbers, 3 x 3 or Voigt's six (xx, yy, zz, yz, xz, xy); virials become stress by
//! `-virials / volume`.

use std::collections::BTreeMap;

use genesis_schema::atoms::{FrameLabels, Matrix, Vector};

use super::plan::{Label, LabelKeys};
use super::units::Units;
use crate::formats::Refusal;
use crate::formats::raw_frame::{RawFrame, Value};
use crate::structures::geometry::scaled;

/// Largest difference of opposite stress components, relative to the largest component, and eV/Å^3:
/// what rounding leaves of a stress in kbar.
const ASYMMETRY: (f64, f64) = (0.01, 1e-5);
/// How far two values of one energy may be apart, eV per atom and relative.
const SAME_ENERGY: (f64, f64) = (1e-5, 1e-9);
/// Of force components, eV/Å, and of stress components, eV/Å^3; both also relative to the largest.
const SAME_FORCES: (f64, f64) = (1e-4, 1e-5);
const SAME_STRESS: (f64, f64) = (1e-5, 1e-3);

/// What a key of a file may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Quantity {
    /// Total energy.
    Energy,
    /// Force on each atom.
    Forces,
    /// Stress.
    Stress,
    /// Virials, which give the stress.
    Virials,
}

impl Quantity {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Energy, Self::Forces, Self::Stress, Self::Virials];

    /// The label that it gives.
    pub(crate) fn label(self) -> Label {
        match self {
            Self::Energy => Label::Energy,
            Self::Forces => Label::Forces,
            Self::Stress | Self::Virials => Label::Stress,
        }
    }

    /// Its name in `keys`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Energy => "energy",
            Self::Forces => "forces",
            Self::Stress => "stress",
            Self::Virials => "virials",
        }
    }

    /// The key that a plan names for it.
    pub(crate) fn asked(self, keys: &LabelKeys) -> Option<&String> {
        match self {
            Self::Energy => keys.energy.as_ref(),
            Self::Forces => keys.forces.as_ref(),
            Self::Stress => keys.stress.as_ref(),
            Self::Virials => keys.virials.as_ref(),
        }
    }

    /// Names under which it usually stands; the first that is there is taken.
    fn usual(self) -> &'static [&'static str] {
        match self {
            Self::Energy => &["REF_energy", "energy", "dft_energy", "total_energy"],
            Self::Forces => {
                &["REF_forces", "forces", "dft_forces", "force", "dft_force", "REF_force"]
            }
            Self::Stress => &["REF_stress", "stress", "dft_stress"],
            Self::Virials => {
                &["REF_virials", "virials", "virial", "dft_virial", "REF_virial", "dft_virials"]
            }
        }
    }

    /// One of the file's unit in eV, eV/Å or eV/Å^3; of virials, in eV.
    pub(crate) fn unit(self, units: Units) -> f64 {
        match self {
            Self::Energy | Self::Virials => units.energy.in_ev(),
            Self::Forces => units.force_in_ev_per_angstrom(),
            Self::Stress => units.stress_in_ev_per_angstrom3(),
        }
    }

    /// The entries of `map` that may be it.
    fn candidates<'m, T>(
        self,
        map: &'m BTreeMap<String, T>,
        keys: &LabelKeys,
    ) -> Vec<(&'m str, &'m T)> {
        if let Some(key) = self.asked(keys) {
            return map
                .get_key_value(key)
                .map(|(key, it)| (key.as_str(), it))
                .into_iter()
                .collect();
        }
        let mut all = Vec::new();
        for usual in self.usual() {
            let is = |(key, _): &(&String, &T)| key.eq_ignore_ascii_case(usual);
            all.extend(map.iter().filter(is).map(|(key, it)| (key.as_str(), it)));
        }
        all
    }
}

/// A key that gave a label.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FoundKey {
    pub(crate) quantity: Quantity,
    pub(crate) key: String,
}

/// As a card says it.
impl std::fmt::Display for FoundKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.quantity.label().name(), self.key)
    }
}

/// Two keys that say different things of one label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Conflict {
    /// Both values with their keys.
    pub(crate) problem: String,
    /// Which options choose.
    pub(crate) fix: String,
}

/// What a file says of the labels of a structure.
#[derive(Debug, Default)]
pub(crate) struct Labels {
    pub(crate) values: FrameLabels,
    pub(crate) found: Vec<FoundKey>,
    pub(crate) conflicts: Vec<Conflict>,
}

/// One value of a label.
struct Candidate<'k> {
    quantity: Quantity,
    key: &'k str,
    /// Converted.
    numbers: Vec<f64>,
}

/// The labels of `raw`, whose cell has `volume` in Å^3.
pub(super) fn labels(
    raw: &RawFrame,
    volume: f64,
    (keys, units): (&LabelKeys, Units),
) -> Result<Labels, Refusal> {
    let mut labels = Labels::default();
    let energies = energies(raw, keys, units)?;
    let atoms = raw.atomic_numbers.len() as f64;
    let close =
        |a: f64, b: f64, _| (a - b).abs() <= SAME_ENERGY.0 * atoms + SAME_ENERGY.1 * a.abs();
    if let Some(numbers) = labels.choose(energies, "eV", close) {
        labels.values.energy = numbers.first().copied();
    }
    let within = |(size, share): (f64, f64)| {
        move |a: f64, b: f64, largest: f64| (a - b).abs() <= size + share * largest
    };
    let forces = forces(raw, keys, units)?;
    if let Some(numbers) = labels.choose(forces, "eV/Å", within(SAME_FORCES)) {
        labels.values.forces = Some(numbers.as_chunks::<3>().0.to_vec());
    }
    let stresses = stresses(raw, volume, keys, units)?;
    if let Some(numbers) = labels.choose(stresses, "eV/Å^3", within(SAME_STRESS)) {
        let row = |at: usize| [numbers[3 * at], numbers[3 * at + 1], numbers[3 * at + 2]];
        labels.values.stress = Some([0, 1, 2].map(row));
    }
    Ok(labels)
}

impl Labels {
    /// The numbers of the first candidate, if all agree; `close` is told the largest number too.
    fn choose(
        &mut self,
        candidates: Vec<Candidate<'_>>,
        unit: &str,
        close: impl Fn(f64, f64, f64) -> bool,
    ) -> Option<Vec<f64>> {
        let mut candidates = candidates.into_iter();
        let first = candidates.next()?;
        for other in candidates {
            let sizes = first.numbers.iter().chain(&other.numbers).map(|x| x.abs());
            let largest = sizes.fold(0.0, f64::max);
            let pairs = || first.numbers.iter().zip(&other.numbers);
            if pairs().all(|(&a, &b)| close(a, b, largest)) {
                continue;
            }
            self.conflicts.push(conflict(&first, &other, unit));
            return None;
        }
        self.found.push(FoundKey { quantity: first.quantity, key: first.key.to_owned() });
        Some(first.numbers)
    }
}

/// Where two candidates are farthest apart, and how to choose.
fn conflict(one: &Candidate<'_>, other: &Candidate<'_>, unit: &str) -> Conflict {
    let apart = |at: &usize| (one.numbers[*at] - other.numbers[*at]).abs();
    let worst = (0..one.numbers.len()).max_by(|a, b| apart(a).total_cmp(&apart(b))).unwrap_or(0);
    let label = one.quantity.label();
    let (place, xyz) = (worst / 3, ["x", "y", "z"][worst % 3]);
    let what = match label {
        Label::Energy => "the energy".to_owned(),
        Label::Forces => format!("the force on atom {place} (counted from 0) along {xyz}"),
        Label::Stress => format!("the stress component {}{xyz}", ["x", "y", "z"][place % 3]),
    };
    let said = |it: &Candidate<'_>| {
        let origin = if it.quantity == Quantity::Virials { ", as -virials / volume" } else { "" };
        format!("{} {unit} by `{}`{origin}", it.numbers[worst], it.key)
    };
    let choice = |it: &Candidate<'_>| format!("keys.{} = \"{}\"", it.quantity.name(), it.key);
    Conflict {
        problem: format!("{what} differs: {}, {}", said(one), said(other)),
        fix: format!("choose with {} or {}", choice(one), choice(other)),
    }
}

/// How Python and JSON write that there is no value.
fn is_nothing(value: &Value) -> bool {
    matches!(value, Value::Text(text) if matches!(text.trim(), "" | "None" | "null"))
}

fn energies<'r>(
    raw: &'r RawFrame,
    keys: &LabelKeys,
    units: Units,
) -> Result<Vec<Candidate<'r>>, Refusal> {
    let quantity = Quantity::Energy;
    let mut all = Vec::new();
    for (key, value) in quantity.candidates(&raw.info, keys) {
        if is_nothing(value) {
            continue;
        }
        let Some(&[energy]) = value.numbers().as_deref() else {
            return Err(bad_label(key, value, "one number"));
        };
        let numbers = vec![finite(energy * quantity.unit(units), key)?];
        all.push(Candidate { quantity, key, numbers });
    }
    Ok(all)
}

fn forces<'r>(
    raw: &'r RawFrame,
    keys: &LabelKeys,
    units: Units,
) -> Result<Vec<Candidate<'r>>, Refusal> {
    let quantity = Quantity::Forces;
    let mut all = Vec::new();
    for (key, forces) in quantity.candidates(&raw.vectors, keys) {
        let broken = |force: &Vector| !force.iter().all(|x| x.is_finite());
        if let Some(atom) = forces.iter().position(broken) {
            let problem = format!("`{key}` of atom {atom} (counted from 0) is {:?}", forces[atom]);
            return Err(Refusal::new("not_finite", problem));
        }
        let unit = quantity.unit(units);
        let numbers = forces.iter().flat_map(|&force| scaled(force, unit)).collect();
        all.push(Candidate { quantity, key, numbers });
    }
    Ok(all)
}

/// Stresses, then what virials give; a key that a plan names excludes the other quantity.
fn stresses<'r>(
    raw: &'r RawFrame,
    volume: f64,
    keys: &LabelKeys,
    units: Units,
) -> Result<Vec<Candidate<'r>>, Refusal> {
    let mut all = Vec::new();
    for (quantity, other) in
        [(Quantity::Stress, Quantity::Virials), (Quantity::Virials, Quantity::Stress)]
    {
        if quantity.asked(keys).is_none() && other.asked(keys).is_some() {
            continue;
        }
        for (key, value) in quantity.candidates(&raw.info, keys) {
            if is_nothing(value) {
                continue;
            }
            let mut unit = quantity.unit(units);
            if quantity == Quantity::Virials {
                let zero = value.numbers().is_some_and(|all| all.iter().all(|&x| x == 0.0));
                match volume > 0.0 {
                    true => unit = -unit / volume,
                    // What programs write for molecules, beside a cell that is zero too.
                    false if zero => continue,
                    false => {
                        let problem = format!("`{key}` needs a cell with a volume");
                        return Err(Refusal::new("bad_label", problem));
                    }
                }
            }
            let numbers = tensor(key, value, unit)?.into_flattened();
            all.push(Candidate { quantity, key, numbers });
        }
    }
    Ok(all)
}

/// A symmetric tensor from nine or six numbers, in units of `unit`.
fn tensor(key: &str, value: &Value, unit: f64) -> Result<Vec<Vector>, Refusal> {
    let numbers = value.numbers();
    let rows: Matrix = match numbers.as_deref() {
        Some(&[a, b, c, d, e, f, g, h, i]) => [[a, b, c], [d, e, f], [g, h, i]],
        Some(&[xx, yy, zz, yz, xz, xy]) => [[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]],
        _ => return Err(bad_label(key, value, "nine numbers, 3 x 3, or six in Voigt's order")),
    };
    let rows = rows.map(|row| scaled(row, unit));
    let largest = rows.as_flattened().iter().fold(0.0f64, |most, x| most.max(x.abs()));
    finite(rows.as_flattened().iter().sum(), key)?;
    let symmetric = |i: usize, j: usize| {
        (rows[i][j] - rows[j][i]).abs() <= (ASYMMETRY.0 * largest).max(ASYMMETRY.1)
    };
    if !(symmetric(0, 1) && symmetric(0, 2) && symmetric(1, 2)) {
        return Err(bad_label(key, value, "symmetric"));
    }
    let mean = |i: usize, j: usize| 0.5 * (rows[i][j] + rows[j][i]);
    Ok([0, 1, 2].map(|i| [0, 1, 2].map(|j| mean(i, j))).to_vec())
}

fn finite(value: f64, key: &str) -> Result<f64, Refusal> {
    if value.is_finite() {
        return Ok(value);
    }
    Err(Refusal::new("not_finite", format!("`{key}` is {value}")))
}

/// A label, or a weight, that has not the form it must have.
pub(super) fn bad_label(key: &str, value: &Value, wanted: &str) -> Refusal {
    Refusal::new("bad_label", format!("`{key}` is `{}`, not {wanted}", value.shown()))
}
