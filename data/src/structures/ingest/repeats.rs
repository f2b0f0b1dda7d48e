//! Structures of equal atoms and cell whose labels contradict each other.
//!
//! Repeated calculations differ by what their convergence leaves; more than that means that two theories,
//! two states or two units are mixed, and no model can learn both.

use std::collections::HashMap;

use genesis_schema::Frame;
use xxhash_rust::xxh3::xxh3_128;

/// Differences that convergence leaves: eV, and eV per atom; of forces, eV/Å.
const ENERGY: (f64, f64) = (1e-3, 1e-4);
const FORCES: f64 = 1e-2;

/// What is remembered of a structure.
#[derive(Debug, Clone, Copy)]
struct Seen {
    place: (usize, u64),
    energy: Option<f64>,
    /// Root mean square of the force components.
    forces: Option<f64>,
}

/// Follows the structures of one set.
#[derive(Debug, Default)]
pub(crate) struct Repeats {
    /// Only asked, never walked: its order reaches no result.
    seen: HashMap<u128, Seen>,
    contradicting: u64,
    /// Of the first: place of the earlier structure, of the later one, and both values.
    first: Option<[(usize, u64); 2]>,
    values: String,
}

impl Repeats {
    /// Adds a structure of hash `geometry` at `place`: its source and line.
    pub(super) fn add(&mut self, frame: &Frame, geometry: u128, place: (usize, u64)) {
        let forces = frame.labels.forces.as_ref().map(|forces| {
            let components = forces.as_flattened();
            let squares: f64 = components.iter().map(|x| x * x).sum();
            (squares / components.len() as f64).sqrt()
        });
        let now = Seen { place, energy: frame.labels.energy, forces };
        let key = if frame.head.is_empty() {
            geometry
        } else {
            geometry ^ xxh3_128(frame.head.as_bytes())
        };
        let Some(before) = self.seen.get(&key).copied() else {
            self.seen.insert(key, now);
            return;
        };
        let atoms = frame.atomic_numbers.len() as f64;
        let apart = |a: Option<f64>, b: Option<f64>, most: f64| {
            a.zip(b).filter(|(a, b)| (a - b).abs() > most)
        };
        let energies = apart(before.energy, now.energy, ENERGY.0 + ENERGY.1 * atoms);
        let forces = apart(before.forces, now.forces, FORCES);
        let values = match (energies, forces) {
            (Some((a, b)), _) => format!("{a} and {b} eV"),
            (None, Some((a, b))) => format!("forces of {a:.4} and {b:.4} eV/Å rms"),
            (None, None) => return,
        };
        self.contradicting += 1;
        if self.first.is_none() {
            (self.first, self.values) = (Some([before.place, place]), values);
        }
    }

    /// What contradicts; `name` is that of a source.
    pub(super) fn warning(&self, name: impl Fn(usize) -> String) -> Option<String> {
        let [one, other] = self.first?;
        let place = |(source, line): (usize, u64)| format!("{}:{line}", name(source));
        Some(format!(
            "{} structures equal an earlier one in atoms and cell, and contradict its labels; the first \
             are {} and {}, with {}; two theories or states belong to two heads",
            self.contradicting,
            place(one),
            place(other),
            self.values
        ))
    }
}
