//! From named values to a structure with labels in eV and Å, or to the reason why not.
//!
//! Beside the structure stands what shows only here: how far apart its atoms are, whether it is a free
//! atom, whether its forces can be zero. Not here: labels and their keys (`labels`), what the file says
//! of its units (`stated_units`).

use std::collections::BTreeMap;

use genesis_schema::atoms::{Edges, Frame, FrameLabels, FrameWeights, Vector};
use xxhash_rust::xxh3::Xxh3;

use super::distances::Distances;
use super::labels::{Conflict, FoundKey, Labels, Quantity, bad_label, labels};
use super::plan::{Label, StructuresIngest};
use super::stated_units::{UnitsOf, units_of};
use super::units::Units;
use crate::formats::Refusal;
use crate::formats::raw_frame::{RawFrame, Value};
use crate::structures::geometry::{
    add_scaled, determinant, dot, norm, scaled, subtract, translation,
};
use crate::structures::neighbors::neighbor_list;
use genesis_schema::elements::symbol;

/// Atoms closer than this are one atom written twice, or a unit mistaken: the shortest bond there
/// is, of H2, has 0.74 Å.
const LEAST_DISTANCE: f64 = 0.3;
/// A single atom whose images are farther than this is free: beyond any usual cut-off, Å.
const FREE_DISTANCE: f64 = 8.0;
/// Kinds that mark a structure as the energy of a free atom.
const ISOLATED: [&str; 2] = ["isolated_atom", "IsolatedAtom"];
/// Reach of the sum of directions to neighbours, Å, and the share of it that is no symmetry.
const SURROUNDINGS: (f64, f64) = (2.5, 0.01);

/// A structure that can be stored.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) frame: Frame,
    /// Keys of labels that were found.
    pub(crate) keys: Vec<FoundKey>,
    /// Labels for which two keys say different things; they are not in the structure.
    pub(crate) conflicts: Vec<Conflict>,
    /// All keys, when a label that was looked for is not there.
    pub(crate) other_keys: Vec<String>,
    /// Units in which it was read, and what its file says of them.
    pub(crate) units: UnitsOf,
    /// It gives the energy of a free atom and is not learned from.
    pub(crate) isolated: bool,
    /// Distance to the images of a single atom that is neither free nor bound, Å.
    pub(crate) nearly_isolated: Option<f64>,
    /// Directed edges within the cut-off, and atoms that receive any.
    pub(crate) edges: u64,
    pub(crate) receiving: u64,
    pub(crate) distances: Distances,
    /// All forces are exactly zero where no symmetry asks for it.
    pub(crate) zero_forces: bool,
    /// Equal for structures of equal atoms and cell.
    pub(crate) geometry: u128,
    /// Equal for structures that are equal in labels, head and weights too.
    pub(crate) identity: u128,
}

/// Gives `raw` its meaning.
pub(crate) fn interpret(raw: &RawFrame, plan: &StructuresIngest) -> Result<Accepted, Refusal> {
    let units = units_of(raw, plan.units)?;
    let mut frame = structure(raw, units.units)?;
    let volume = determinant(&frame.cell).abs();
    let Labels { values, found, conflicts } = labels(raw, volume, (&plan.keys, units.units))?;
    frame.labels = values;
    let (edges, near) = neighbors(&frame, plan.cutoff)?;
    let zero_forces = frame.labels.forces.as_ref().is_some_and(|forces| {
        forces.as_flattened().iter().all(|&x| x == 0.0) && is_lopsided(&frame, &near)
    });
    let distances = Distances::of(
        &frame.atomic_numbers,
        near.iter().map(|&(to, from, vector)| (to, from, norm(vector))),
    );
    let (isolated, nearly_isolated) = isolated(&frame, edges.len())?;
    let (geometry, identity) = identities(&frame);
    Ok(Accepted {
        other_keys: other_keys(raw, &found, plan),
        frame,
        keys: found,
        conflicts,
        units,
        isolated,
        nearly_isolated,
        edges: edges.len() as u64,
        receiving: edges.receivers.chunk_by(|a, b| a == b).count() as u64,
        distances,
        zero_forces,
        geometry,
        identity,
    })
}

/// The structure without its labels.
fn structure(raw: &RawFrame, units: Units) -> Result<Frame, Refusal> {
    let length = units.length.in_angstrom();
    let scale = |v: &Vector| scaled(*v, length);
    let frame = Frame {
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
    Ok(frame)
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

/// The keys of the file, when one that the plan names or a label that it wants is not among them.
fn other_keys(raw: &RawFrame, found: &[FoundKey], plan: &StructuresIngest) -> Vec<String> {
    let has = |label: Label| found.iter().any(|it| it.quantity.label() == label);
    let absent = |quantity: &Quantity| quantity.asked(&plan.keys).is_some_and(|key| !raw.has(key));
    if plan.labels.iter().all(|&label| has(label)) && !Quantity::ALL.iter().any(absent) {
        return Vec::new();
    }
    let keys = raw.info.keys().chain(raw.vectors.keys()).chain(raw.columns.keys());
    let mut keys: Vec<String> = keys.cloned().collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Receiver, sender, and the vector from the one to the other.
type Near = Vec<(usize, usize, Vector)>;

/// Edges within the cut-off; refuses structures that have no neighbour list or two atoms in one.
fn neighbors(frame: &Frame, cutoff: f64) -> Result<(Edges, Near), Refusal> {
    let Frame { positions, cell, periodic, .. } = frame;
    let edges = neighbor_list(positions, cell, *periodic, cutoff.max(LEAST_DISTANCE))
        .map_err(|e| Refusal::new("no_neighbors", first_line(&e.to_string())))?;
    let mut near = Vec::with_capacity(edges.len());
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
        near.push((to, from, vector));
    }
    Ok((edges, near))
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// Whether some atom has more around it on one side than on the other, so that nothing but chance makes
/// its force zero. Near atoms count most: `exp(-(r / reach)^2)`.
fn is_lopsided(frame: &Frame, near: &Near) -> bool {
    let mut sums = vec![([0.0; 3], 0.0); frame.atomic_numbers.len()];
    for &(to, _, vector) in near {
        let length = norm(vector);
        let weight = (-(length / SURROUNDINGS.0).powi(2)).exp();
        let (sum, total) = &mut sums[to];
        *sum = add_scaled(*sum, weight / length, vector);
        *total += weight;
    }
    sums.iter().any(|&(sum, total)| norm(sum) > SURROUNDINGS.1 * total)
}

/// Whether its kind says that it is a free atom.
pub(crate) fn is_marked(frame: &Frame) -> bool {
    ISOLATED.contains(&frame.config_type.as_str())
}

/// Whether it is marked as a free atom, or a single atom with nothing near it; else how far the images
/// of a single atom are that has no neighbour within the cut-off.
fn isolated(frame: &Frame, edges: usize) -> Result<(bool, Option<f64>), Refusal> {
    let atoms = frame.atomic_numbers.len();
    let marked = is_marked(frame);
    if marked && (atoms != 1 || frame.labels.energy.is_none()) {
        let problem = format!(
            "config_type is {}, which takes one atom with an energy; it has {atoms} atoms and {}",
            frame.config_type,
            if frame.labels.energy.is_some() { "an energy" } else { "no energy" }
        );
        return Err(Refusal::new("bad_isolated_atom", problem));
    }
    if marked || atoms != 1 || edges > 0 || frame.labels.energy.is_none() {
        return Ok((marked, None));
    }
    let images = neighbor_list(&frame.positions, &frame.cell, frame.periodic, FREE_DISTANCE)
        .map_err(|e| Refusal::new("no_neighbors", first_line(&e.to_string())))?;
    let length = |shift: &[i32; 3]| norm(translation(*shift, &frame.cell));
    let nearest = images.shifts.iter().map(length).min_by(f64::total_cmp);
    Ok((nearest.is_none(), nearest))
}

/// Hashes of atoms and cell, and of these with the labels, the head and weights.
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
    numbers(&mut stress.iter().flatten().flatten().copied());
    let FrameWeights { config, energy, forces, stress } = frame.weights;
    numbers(&mut frame.head.bytes().map(f64::from));
    (geometry, numbers(&mut [config, energy, forces, stress].into_iter()))
}
