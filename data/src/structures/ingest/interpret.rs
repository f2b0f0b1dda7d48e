//! From named values to a structure with labels in eV and Å, or to the reason why not.
//!
//! Values are taken as they stand: forces on constrained atoms keep what the file says, nothing is
//! set to zero or made up. Stress may be nine numbers, 3 x 3 or Voigt's six (xx, yy, zz, yz, xz,
//! xy); virials become stress by `-virials / volume`.

use std::collections::BTreeMap;

use genesis_schema::atoms::{Frame, FrameLabels, FrameWeights, Matrix, Vector};
use xxhash_rust::xxh3::Xxh3;

use super::plan::{LabelKeys, StructuresIngest};
use super::units::Units;
use crate::formats::Refusal;
use crate::formats::raw_frame::{RawFrame, Value};
use crate::structures::geometry::{add_scaled, determinant, dot, scaled, subtract, translation};
use crate::structures::neighbors::neighbor_list;
use genesis_schema::elements::symbol;

/// Atoms closer than this are one atom written twice, or a unit mistaken: the shortest bond there
/// is, of H2, has 0.74 Å.
const LEAST_DISTANCE: f64 = 0.3;
/// Largest difference of opposite stress components, relative to the largest component.
const STRESS_ASYMMETRY: f64 = 0.01;
/// Kinds that mark a structure as the energy of a free atom.
const ISOLATED: [&str; 2] = ["isolated_atom", "IsolatedAtom"];

const ENERGY: [&str; 4] = ["REF_energy", "energy", "dft_energy", "total_energy"];
const FORCES: [&str; 4] = ["REF_forces", "forces", "dft_forces", "force"];
const STRESS: [&str; 3] = ["REF_stress", "stress", "dft_stress"];
const VIRIALS: [&str; 4] = ["REF_virials", "virials", "virial", "dft_virial"];

/// A structure that can be stored.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) frame: Frame,
    /// `label: key` of each label that was found.
    pub(crate) keys: Vec<String>,
    /// It gives the energy of a free atom and is not learned from.
    pub(crate) isolated: bool,
    /// Directed edges within the cut-off, and atoms that receive any.
    pub(crate) edges: u64,
    pub(crate) receiving: u64,
    /// Equal for structures of equal atoms and cell.
    pub(crate) geometry: u128,
    /// Equal for structures that are equal in labels too.
    pub(crate) identity: u128,
}

/// Gives `raw` its meaning.
pub(crate) fn interpret(raw: &RawFrame, plan: &StructuresIngest) -> Result<Accepted, Refusal> {
    let length = plan.units.length.in_angstrom();
    let scale = |v: &Vector| scaled(*v, length);
    let mut keys = Vec::new();
    let mut frame = Frame {
        atomic_numbers: raw.atomic_numbers.clone(),
        positions: raw.positions.iter().map(scale).collect(),
        cell: raw.cell.map(|row| scale(&row)),
        periodic: raw.periodic,
        labels: FrameLabels::default(),
        weights: weights(&raw.info)?,
        config_type: text(&raw.info, "config_type"),
        head: text(&raw.info, "head"),
    };
    if frame.atomic_numbers.is_empty() {
        return Err(Refusal::new("no_atoms", "the structure has no atoms"));
    }
    if !frame.cell.iter().flatten().all(|x| x.is_finite()) {
        return Err(Refusal::new("not_finite", "the cell is not finite"));
    }
    frame.labels = labels(raw, &frame, (&plan.keys, &plan.units), &mut keys)?;
    let (edges, receiving) = neighbors(&frame, plan.cutoff)?;
    let isolated = isolated(&frame, edges)?;
    let (geometry, identity) = identities(&frame);
    Ok(Accepted { frame, keys, isolated, edges, receiving, geometry, identity })
}

fn text(info: &BTreeMap<String, Value>, key: &str) -> String {
    info.get(key).map(Value::shown).unwrap_or_default()
}

fn weights(info: &BTreeMap<String, Value>) -> Result<FrameWeights, Refusal> {
    let weight = |key: &str| match info.get(key) {
        None => Ok(1.0),
        Some(value) => match value.numbers().as_deref() {
            Some(&[weight]) if weight.is_finite() && weight >= 0.0 => Ok(weight),
            _ => Err(bad_label(key, value, "a weight, which is one number of 0 or more")),
        },
    };
    Ok(FrameWeights {
        config: weight("config_weight")?,
        energy: weight("config_energy_weight")?,
        forces: weight("config_forces_weight")?,
        stress: weight("config_stress_weight")? * weight("config_virials_weight")?,
    })
}

fn bad_label(key: &str, value: &Value, wanted: &str) -> Refusal {
    Refusal::new("bad_label", format!("`{key}` is `{}`, not {wanted}", value.shown()))
}

/// The first of the usual names that is there, or the one asked for.
fn find<'v, T>(
    values: &'v BTreeMap<String, T>,
    asked: Option<&String>,
    usual: &'static [&'static str],
) -> Option<(&'v str, &'v T)> {
    let found = |key: &str| values.get_key_value(key).map(|(key, value)| (key.as_str(), value));
    match asked {
        Some(key) => found(key),
        None => usual.iter().find_map(|key| found(key)),
    }
}

fn labels(
    raw: &RawFrame,
    frame: &Frame,
    (names, units): (&LabelKeys, &Units),
    keys: &mut Vec<String>,
) -> Result<FrameLabels, Refusal> {
    let mut labels = FrameLabels::default();
    if let Some((key, value)) = find(&raw.info, names.energy.as_ref(), &ENERGY) {
        let Some(&[energy]) = value.numbers().as_deref() else {
            return Err(bad_label(key, value, "one number"));
        };
        labels.energy = Some(finite(energy * units.energy.in_ev(), key)?);
        keys.push(format!("energy: {key}"));
    }
    if let Some((key, forces)) = find(&raw.vectors, names.forces.as_ref(), &FORCES) {
        let unit = units.force_in_ev_per_angstrom();
        if let Some(atom) = forces.iter().position(|f| !f.iter().all(|x| x.is_finite())) {
            let problem = format!("`{key}` of atom {atom} (counted from 0) is {:?}", forces[atom]);
            return Err(Refusal::new("not_finite", problem));
        }
        labels.forces = Some(forces.iter().map(|&force| scaled(force, unit)).collect());
        keys.push(format!("forces: {key}"));
    }
    if let Some((key, value)) = find(&raw.info, names.stress.as_ref(), &STRESS) {
        let unit = units.stress_in_ev_per_angstrom3();
        labels.stress = Some(tensor(key, value)?.map(|row| scaled(row, unit)));
        keys.push(format!("stress: {key}"));
    } else if let Some((key, value)) = find(&raw.info, names.virials.as_ref(), &VIRIALS) {
        let volume = determinant(&frame.cell).abs();
        if volume > 0.0 {
            let unit = -units.energy.in_ev() / volume;
            labels.stress = Some(tensor(key, value)?.map(|row| scaled(row, unit)));
            keys.push(format!("stress: {key}"));
        } else {
            let problem = format!("`{key}` needs a cell with a volume");
            return Err(Refusal::new("bad_label", problem));
        }
    }
    Ok(labels)
}

fn finite(value: f64, key: &str) -> Result<f64, Refusal> {
    if value.is_finite() {
        return Ok(value);
    }
    Err(Refusal::new("not_finite", format!("`{key}` is {value}")))
}

/// A symmetric tensor from nine or six numbers.
fn tensor(key: &str, value: &Value) -> Result<Matrix, Refusal> {
    let numbers = value.numbers();
    let rows = match numbers.as_deref() {
        Some(&[a, b, c, d, e, f, g, h, i]) => [[a, b, c], [d, e, f], [g, h, i]],
        Some(&[xx, yy, zz, yz, xz, xy]) => [[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]],
        _ => return Err(bad_label(key, value, "nine numbers, 3 x 3, or six in Voigt's order")),
    };
    let largest = rows.iter().flatten().fold(0.0f64, |most, x| most.max(x.abs()));
    finite(rows.iter().flatten().sum(), key)?;
    let symmetric =
        |i: usize, j: usize| (rows[i][j] - rows[j][i]).abs() <= STRESS_ASYMMETRY * largest;
    if !(symmetric(0, 1) && symmetric(0, 2) && symmetric(1, 2)) {
        return Err(bad_label(key, value, "symmetric"));
    }
    Ok([0, 1, 2].map(|i| [0, 1, 2].map(|j| 0.5 * (rows[i][j] + rows[j][i]))))
}

/// Edges within the cut-off; refuses structures that have no neighbour list or two atoms in one.
fn neighbors(frame: &Frame, cutoff: f64) -> Result<(u64, u64), Refusal> {
    let Frame { positions, cell, periodic, .. } = frame;
    let edges = neighbor_list(positions, cell, *periodic, cutoff.max(LEAST_DISTANCE))
        .map_err(|e| Refusal::new("no_neighbors", first_line(&e.to_string())))?;
    for edge in 0..edges.len() {
        let (to, from) = (edges.receivers[edge] as usize, edges.senders[edge] as usize);
        let direct = subtract(positions[to], positions[from]);
        let vector = add_scaled(direct, 1.0, translation(edges.shifts[edge], cell));
        let square = dot(vector, vector);
        if square < LEAST_DISTANCE * LEAST_DISTANCE {
            let [one, other] = [to, from].map(|atom| symbol(frame.atomic_numbers[atom]));
            let problem = format!(
                "atoms {to} ({one}) and {from} ({other}), counted from 0, are {:.3} Å apart, less \
                 than {LEAST_DISTANCE} Å",
                square.sqrt()
            );
            return Err(Refusal::new("overlap", problem));
        }
    }
    let receiving = edges.receivers.chunk_by(|a, b| a == b).count();
    Ok((edges.len() as u64, receiving as u64))
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// A structure marked as a free atom, or a single atom without anything near it.
fn isolated(frame: &Frame, edges: u64) -> Result<bool, Refusal> {
    let atoms = frame.atomic_numbers.len();
    let marked = ISOLATED.contains(&frame.config_type.as_str());
    if marked && (atoms != 1 || frame.labels.energy.is_none()) {
        let problem = format!(
            "config_type is {}, which takes one atom with an energy; it has {atoms} atoms and {}",
            frame.config_type,
            if frame.labels.energy.is_some() { "an energy" } else { "no energy" }
        );
        return Err(Refusal::new("bad_isolated_atom", problem));
    }
    let alone = atoms == 1 && edges == 0 && frame.periodic == [false; 3];
    Ok(marked || (alone && frame.labels.energy.is_some()))
}

/// Hashes of atoms and cell, and of these with the labels.
fn identities(frame: &Frame) -> (u128, u128) {
    let mut hash = Xxh3::new();
    let mut numbers = |values: &mut dyn Iterator<Item = f64>| {
        // Zeros of either sign are equal numbers and must have equal bytes.
        values.for_each(|x| hash.update(&(x + 0.0).to_bits().to_le_bytes()));
        hash.digest128()
    };
    numbers(&mut frame.atomic_numbers.iter().map(|&z| f64::from(z)));
    numbers(&mut frame.periodic.iter().map(|&on| f64::from(u8::from(on))));
    numbers(&mut frame.cell.iter().flatten().copied());
    let geometry = numbers(&mut frame.positions.iter().flatten().copied());
    let FrameLabels { energy, forces, stress } = &frame.labels;
    let present = [energy.is_some(), forces.is_some(), stress.is_some()];
    numbers(&mut present.iter().map(|&there| f64::from(u8::from(there))));
    numbers(&mut energy.iter().copied());
    numbers(&mut forces.iter().flatten().flatten().copied());
    (geometry, numbers(&mut stress.iter().flatten().flatten().copied()))
}
