//! Whether energies change along forces, and with the strain of cells, as forces and stress say.
//!
//! Two structures of the same atoms differ in energy by the work between them: to second order, exact
//! for springs,
//!
//! ```text
//! E(b) - E(a) = -(F(a) + F(b)) / 2 · (r(b) - r(a)) + (V σ(a) + V σ(b)) / 2 : ε
//! ```
//!
//! over all neighbours in the order of the data, displacements taken in the cell between them. Fitted
//! with a factor for each of the two terms, both are about 1 where signs and units match, and the first
//! is -1 where gradients stand for forces. Pairs that are far apart say nothing, and a fit that explains
//! little says nothing either.

use std::collections::BTreeMap;

use genesis_schema::Frame;
use genesis_schema::atoms::{Matrix, Vector};

use super::plausible::fitting;
use super::units::EnergyUnit;
use crate::structures::geometry::{combine, determinant, dot, inverse, subtract};

/// Sets of atoms that are followed.
const MAX_GROUPS: usize = 1024;
/// Displacements of atoms between which forces may be averaged, Å, and strains of cells.
const DISPLACEMENT: (f64, f64) = (1e-4, 1.0);
const STRAIN: (f64, f64) = (1e-5, 0.15);
/// Pairs before they count, how much of the energies they must explain, and how many standard errors a
/// slope must be from 0, squared.
const MIN_PAIRS: u64 = 5;
const FIT: f64 = 0.81;
const CLEAR: f64 = 25.0;
/// Slopes that are one to what a unit leaves open, and those that no anharmonic matter has.
const ONE: (f64, f64) = (0.6, 1.6);
const POSSIBLE: (f64, f64) = (0.35, 2.8);

/// Sums over pairs of the work `f` of forces, the work `s` of stress, and the difference `y` of energy.
#[derive(Debug, Clone, Copy, Default)]
struct Pairs {
    count: u64,
    ff: f64,
    fs: f64,
    ss: f64,
    fy: f64,
    sy: f64,
    yy: f64,
}

/// How much the energies differ for each work, where they show it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Found {
    forces: Option<f64>,
    stress: Option<f64>,
}

impl Pairs {
    fn add(&mut self, f: f64, s: f64, y: f64) {
        self.count += 1;
        self.ff += f * f;
        self.fs += f * s;
        self.ss += s * s;
        self.fy += f * y;
        self.sy += s * y;
        self.yy += y * y;
    }

    /// The slopes of `y = a f + b s` by least squares.
    fn slopes(&self) -> Found {
        let none = Found::default();
        if self.count < MIN_PAIRS || self.yy <= 0.0 {
            return none;
        }
        // What each work has that the other does not explain.
        let own = |xx: f64, other: f64| {
            if other > 0.0 { xx - self.fs * self.fs / other } else { xx }
        };
        let (f, s) = (own(self.ff, self.ss), own(self.ss, self.ff));
        let (has_f, has_s) = (f > 1e-6 * self.ff, s > 1e-6 * self.ss);
        let share =
            |mixed: f64, other: f64| if other > 0.0 { self.fs * mixed / other } else { 0.0 };
        let a = if has_f { (self.fy - share(self.sy, self.ss)) / f } else { 0.0 };
        let b = if has_s { (self.sy - share(self.fy, self.ff)) / s } else { 0.0 };
        let left = (self.yy - a * self.fy - b * self.sy).max(0.0);
        if left > (1.0 - FIT) * self.yy {
            return none;
        }
        let error = left / (self.count - 2) as f64;
        let clear = |slope: f64, own: f64| slope * slope * own > CLEAR * error;
        Found {
            forces: (has_f && clear(a, f)).then_some(a),
            stress: (has_s && clear(b, s)).then_some(b),
        }
    }
}

/// Follows structures of the same atoms.
#[derive(Debug, Default)]
pub(crate) struct Slopes {
    last: BTreeMap<(String, Vec<u8>), Frame>,
    pairs: Pairs,
}

impl Slopes {
    /// Adds a structure; those of the same atoms come in the order of the data.
    pub(super) fn add(&mut self, frame: &Frame) {
        if frame.labels.energy.is_none() {
            return;
        }
        let key = (frame.head.clone(), frame.atomic_numbers.clone());
        if !self.last.contains_key(&key) && self.last.len() >= MAX_GROUPS {
            return;
        }
        if let Some(last) = self.last.insert(key, frame.clone()) {
            self.pair(&last, frame);
        }
    }

    fn pair(&mut self, one: &Frame, other: &Frame) {
        let (Some(a), Some(b)) = (one.labels.energy, other.labels.energy) else { return };
        let Some(moves) = displacements(one, other) else { return };
        let longest = moves.iter().map(|v| dot(*v, *v)).fold(0.0, f64::max).sqrt();
        let still = longest < DISPLACEMENT.0;
        let along = match (&one.labels.forces, &other.labels.forces) {
            (Some(first), Some(second)) => {
                let rows = first.iter().zip(second).zip(&moves);
                rows.map(|((f, g), v)| -0.5 * (dot(*f, *v) + dot(*g, *v))).sum()
            }
            _ if still => 0.0,
            _ => return,
        };
        if longest > DISPLACEMENT.1 {
            return;
        }
        if one.cell == other.cell {
            if !still {
                self.pairs.add(along, 0.0, b - a);
            }
            return;
        }
        let (Some(first), Some(second)) = (&one.labels.stress, &other.labels.stress) else {
            return;
        };
        let Some(strain) = strain(&one.cell, &other.cell) else { return };
        let volumes = [&one.cell, &other.cell].map(|cell| determinant(cell).abs());
        let work = |stress: &Matrix, volume: f64| {
            let pairs = stress.as_flattened().iter().zip(strain.as_flattened());
            0.5 * volume * pairs.map(|(s, e)| s * e).sum::<f64>()
        };
        self.pairs.add(along, work(first, volumes[0]) + work(second, volumes[1]), b - a);
    }

    /// Whether it can tell what forces are to energies.
    pub(super) fn tells(&self) -> bool {
        self.pairs.slopes().forces.is_some()
    }

    /// What cannot be, given the declared unit of energies.
    pub(super) fn warnings(&self, declared: EnergyUnit) -> Vec<String> {
        let mut warnings = Vec::new();
        let (pairs, found) = (self.pairs.count, self.pairs.slopes());
        let impossible = |slope: &f64| !(POSSIBLE.0..=POSSIBLE.1).contains(slope);
        if let Some(slope) = found.forces.filter(impossible) {
            let shown = format!(
                "energies of {pairs} pairs of neighbouring structures differ by {slope:.4} times the \
                 work of their forces"
            );
            warnings.push(if slope < 0.0 {
                format!(
                    "{shown}: forces have the wrong sign, as gradients have; forces are -dE/dr"
                )
            } else {
                let units = fitting(declared, slope, ONE, 1.0);
                format!(
                    "{shown}: energies and forces are not in matching units; energies would fit {}; \
                     check units.energy, units.force_energy and units.force_length",
                    units.as_deref().unwrap_or("none of the known units")
                )
            });
        }
        if let Some(slope) = found.stress.filter(impossible) {
            warnings.push(format!(
                "energies of {pairs} pairs of neighbouring structures differ by {slope:.4} times the \
                 work of their stress: {}",
                if slope < 0.0 {
                    "it has the wrong sign; check units.stress_sign (pressure_positive in VASP)"
                } else {
                    "it is in another unit than is declared; check units.stress (gpa, kbar)"
                }
            ));
        }
        warnings
    }
}

/// How atoms moved from one structure to the other, in the cell between them; `None` where their cells
/// do not compare.
fn displacements(one: &Frame, other: &Frame) -> Option<Vec<Vector>> {
    if one.periodic != other.periodic {
        return None;
    }
    let direct = |a: &Vector, b: &Vector| subtract(*b, *a);
    let pairs = || one.positions.iter().zip(&other.positions);
    if one.periodic == [false; 3] {
        return Some(pairs().map(|(a, b)| direct(a, b)).collect());
    }
    let regular = |cell: &Matrix| determinant(cell).abs() > 1e-6;
    if !regular(&one.cell) || !regular(&other.cell) {
        // A plane or a wire without a third vector: as it stands, where nothing else moved.
        return (one.cell == other.cell).then(|| pairs().map(|(a, b)| direct(a, b)).collect());
    }
    let inverses = [inverse(&one.cell), inverse(&other.cell)];
    let middle =
        [0, 1, 2].map(|row| [0, 1, 2].map(|k| 0.5 * (one.cell[row][k] + other.cell[row][k])));
    let move_of = |(a, b): (&Vector, &Vector)| {
        let mut fraction = subtract(combine(*b, &inverses[1]), combine(*a, &inverses[0]));
        for (part, &repeats) in fraction.iter_mut().zip(&one.periodic) {
            if repeats {
                *part -= part.round();
            }
        }
        combine(fraction, &middle)
    };
    Some(pairs().map(move_of).collect())
}

/// The symmetric strain from one cell to the other, from their middle; `None` where it is too large or
/// nothing.
fn strain(one: &Matrix, other: &Matrix) -> Option<Matrix> {
    let middle = [0, 1, 2].map(|row| [0, 1, 2].map(|k| 0.5 * (one[row][k] + other[row][k])));
    let back = inverse(&middle);
    let change = [0, 1, 2].map(|row| subtract(other[row], one[row]));
    // Rows are vectors: r' = r (1 + e), so h' - h = h e.
    let full = back.map(|row| combine(row, &change));
    let symmetric = [0, 1, 2].map(|i| [0, 1, 2].map(|j| 0.5 * (full[i][j] + full[j][i])));
    let largest = symmetric.as_flattened().iter().fold(0.0f64, |most, x| most.max(x.abs()));
    (STRAIN.0..=STRAIN.1).contains(&largest).then_some(symmetric)
}

#[cfg(test)]
mod tests {
    use super::*;
    use genesis_schema::{FrameLabels, FrameWeights};

    /// Two atoms on a spring of 3 eV/Å^2 at distance `r` in a cell of edge `edge`, whose energy is 20 eV
    /// times the square of its strain from 5 Å along x.
    fn frame(r: f64, edge: f64, (forces, stress): (f64, f64)) -> Frame {
        let strain = edge / 5.0 - 1.0;
        let pull = 3.0 * (r - 2.0);
        let slope = 40.0 * strain / (edge * 25.0) * (edge / 5.0);
        Frame {
            atomic_numbers: vec![14, 14],
            positions: vec![[4.9, 0.0, 0.0], [(4.9 + r * edge / 5.0) % edge, 0.0, 0.0]],
            cell: [[edge, 0.0, 0.0], [0.0, 5.0, 0.0], [0.0, 0.0, 5.0]],
            periodic: [true; 3],
            labels: FrameLabels {
                energy: Some(1.5 * (r - 2.0).powi(2) + 20.0 * strain * strain),
                forces: Some([pull, -pull].map(|x| [forces * x, 0.0, 0.0]).to_vec()),
                stress: Some([[stress * slope, 0.0, 0.0], [0.0; 3], [0.0; 3]]),
            },
            weights: FrameWeights::default(),
            config_type: String::new(),
            head: String::new(),
        }
    }

    fn warnings(signs: (f64, f64), edges: bool) -> Vec<String> {
        let mut slopes = Slopes::default();
        for step in 0..8 {
            let x = f64::from(step);
            let edge = if edges { 4.8 + 0.05 * x } else { 5.0 };
            let r = if edges { 2.0 } else { 1.8 + 0.07 * x };
            slopes.add(&frame(r, edge, signs));
        }
        slopes.warnings(EnergyUnit::Ev)
    }

    #[test]
    fn the_sign_and_the_unit_of_forces_show_along_displacements() {
        assert_eq!(warnings((1.0, 1.0), false), Vec::<String>::new());
        assert!(warnings((-1.0, 1.0), false)[0].contains("gradients"));
        let kcal = 1.0 / 23.0605;
        assert!(warnings((kcal, 1.0), false)[0].contains("kcal/mol"));
    }

    #[test]
    fn the_sign_and_the_unit_of_stress_show_along_strains() {
        assert_eq!(warnings((1.0, 1.0), true), Vec::<String>::new());
        assert!(warnings((1.0, -1.0), true)[0].contains("pressure_positive"));
        assert!(warnings((1.0, 160.2), true)[0].contains("gpa"));
    }
}
