//! Crystalline silicon at several temperatures, by molecular dynamics of the Stillinger-Weber
//! potential: energies, forces and stress are exact, so a model can be measured against the truth.
//!
//! `v2(r) = ε A (B (σ/r)^4 - 1) exp(1 / (r/σ - a))` for pairs, and `v3 = ε λ exp(γ / (r/σ - a) +
//! γ / (s/σ - a)) (cos θ + 1/3)^2` for two neighbours at r and s of an atom; both end smoothly at
//! `a σ` = 3.77 Å. A trajectory is a diamond cell of 8 to 64 atoms, strained by up to 3 %, started
//! with velocities of twice its temperature (half of it becomes potential energy) and integrated
//! by velocity Verlet with steps of 1 fs.
//!
//! Source: F. Stillinger and T. Weber, Phys. Rev. B 31, 5262 (1985), table and section II;
//! ε = 50 kcal/mol and σ = 0.20951 nm.

use genesis_schema::atoms::{Matrix, Vector};
use genesis_schema::{Seeds, Stream};

use crate::structures::geometry::{
    add_scaled, combine, determinant, dot, scaled, subtract, translation,
};
use crate::structures::neighbors::{NeighborError, neighbor_list};

/// 50 kcal/mol in eV.
const EPSILON: f64 = 50.0 * 4184.0 / 96_485.332_123_310_02;
const SIGMA: f64 = 2.0951;
const A: f64 = 7.049_556_277;
const B: f64 = 0.602_224_558_4;
const REACH: f64 = 1.80;
const LAMBDA: f64 = 21.0;
const GAMMA: f64 = 1.20;
/// Lattice constant of the potential's ground state, Å: nearest neighbours at 2^(1/6) σ.
const LATTICE: f64 = 5.430_95;
/// 28.0855 Da in eV fs^2/Å^2 (CODATA 2018).
const MASS: f64 = 28.0855 * 103.642_695_8;
/// eV/K.
const BOLTZMANN: f64 = 8.617_333_262e-5;
const STEP_FS: f64 = 1.0;
/// Steps before the first structure, and between structures.
const SETTLING_STEPS: u64 = 100;
const SPACING_STEPS: u64 = 20;
/// Structures of one trajectory.
const PER_TRAJECTORY: u64 = 10;
/// K.
const TEMPERATURES: [u32; 3] = [300, 600, 1200];
/// Cubic cells of 8 atoms along each direction.
const REPEATS: [[u32; 3]; 4] = [[1, 1, 1], [2, 1, 1], [2, 2, 1], [2, 2, 2]];
/// Diamond in units of the lattice constant.
const DIAMOND: [Vector; 8] = [
    [0.0, 0.0, 0.0],
    [0.0, 0.5, 0.5],
    [0.5, 0.0, 0.5],
    [0.5, 0.5, 0.0],
    [0.25, 0.25, 0.25],
    [0.25, 0.75, 0.75],
    [0.75, 0.25, 0.75],
    [0.75, 0.75, 0.25],
];
const MAX_STRAIN: f64 = 0.03;

/// Energy (eV), forces (eV/Å) and stress (eV/Å^3, `dE/dε / volume`) of the potential.
#[derive(Debug, Clone, PartialEq)]
pub struct Labelled {
    /// Total energy, eV.
    pub energy: f64,
    /// `[n]` forces, eV/Å.
    pub forces: Vec<Vector>,
    /// Stress, eV/Å^3; zero where a direction is not periodic or the cell has no volume.
    pub stress: Matrix,
}

/// The Stillinger-Weber potential of silicon.
///
/// # Errors
/// A structure without a neighbour list.
pub fn stillinger_weber(
    positions: &[Vector],
    cell: &Matrix,
    periodic: [bool; 3],
) -> Result<Labelled, NeighborError> {
    let edges = neighbor_list(positions, cell, periodic, REACH * SIGMA)?;
    let mut sum =
        Sum { energy: 0.0, forces: vec![[0.0; 3]; positions.len()], virial: [[0.0; 3]; 3] };
    let mut first = 0;
    while first < edges.len() {
        let center = edges.receivers[first] as usize;
        let last = first + edges.receivers[first..].partition_point(|&r| r as usize == center);
        let bond = |edge: usize| {
            let atom = edges.senders[edge] as usize;
            let back = subtract(positions[atom], positions[center]);
            let vector = add_scaled(back, -1.0, translation(edges.shifts[edge], cell));
            Bond::new(atom, vector)
        };
        let bonds: Vec<Bond> = (first..last).map(bond).collect();
        sum.around(center, &bonds);
        first = last;
    }
    let volume = determinant(cell).abs();
    let bulk = periodic == [true; 3] && volume > 0.0;
    let stress =
        if bulk { sum.virial.map(|row| scaled(row, volume.recip())) } else { [[0.0; 3]; 3] };
    Ok(Labelled { energy: sum.energy, forces: sum.forces, stress })
}

/// A neighbour as its atom sees it.
struct Bond {
    atom: usize,
    vector: Vector,
    length: f64,
    /// `exp(γ / (r/σ - a))` and its derivative by r.
    decay: f64,
    decay_slope: f64,
}

impl Bond {
    fn new(atom: usize, vector: Vector) -> Self {
        let length = dot(vector, vector).sqrt();
        let gap = length / SIGMA - REACH;
        let decay = (GAMMA / gap).exp();
        Self { atom, vector, length, decay, decay_slope: -decay * GAMMA / (gap * gap * SIGMA) }
    }
}

struct Sum {
    energy: f64,
    forces: Vec<Vector>,
    /// `dE/dε`.
    virial: Matrix,
}

impl Sum {
    fn around(&mut self, center: usize, bonds: &[Bond]) {
        for (at, bond) in bonds.iter().enumerate() {
            // Every pair is met from both sides.
            let (energy, slope) = pair(bond.length);
            self.energy += 0.5 * energy;
            self.pull(center, bond, scaled(bond.vector, 0.5 * slope / bond.length));
            for other in &bonds[at + 1..] {
                self.angle(center, bond, other);
            }
        }
    }

    fn angle(&mut self, center: usize, one: &Bond, other: &Bond) {
        let cosine = dot(one.vector, other.vector) / (one.length * other.length);
        let off = cosine + 1.0 / 3.0;
        let size = EPSILON * LAMBDA;
        self.energy += size * one.decay * other.decay * off * off;
        let by_cosine = 2.0 * size * one.decay * other.decay * off;
        for (bond, partner) in [(one, other), (other, one)] {
            let by_length = size * bond.decay_slope * partner.decay * off * off;
            // d cos / d r = s / (|r| |s|) - cos r / |r|^2
            let along = by_length / bond.length - by_cosine * cosine / (bond.length * bond.length);
            let across = by_cosine / (bond.length * partner.length);
            let gradient = add_scaled(scaled(bond.vector, along), across, partner.vector);
            self.pull(center, bond, gradient);
        }
    }

    /// Adds what `dE/d(vector of the bond)` does to forces and virial.
    fn pull(&mut self, center: usize, bond: &Bond, gradient: Vector) {
        self.forces[center] = add_scaled(self.forces[center], 1.0, gradient);
        self.forces[bond.atom] = add_scaled(self.forces[bond.atom], -1.0, gradient);
        for (row, component) in self.virial.iter_mut().zip(gradient) {
            *row = add_scaled(*row, component, bond.vector);
        }
    }
}

/// Energy of a pair, and its derivative by the distance.
fn pair(length: f64) -> (f64, f64) {
    let gap = length / SIGMA - REACH;
    let decay = (1.0 / gap).exp();
    let power = B * (SIGMA / length).powi(4);
    let energy = EPSILON * A * (power - 1.0) * decay;
    let slope = EPSILON * A * decay * (-4.0 * power / length - (power - 1.0) / (gap * gap * SIGMA));
    (energy, slope)
}

/// One structure of a trajectory.
#[derive(Debug, Clone, PartialEq)]
pub struct SiliconFrame {
    /// `[n]` positions, Å; atoms may have left the cell.
    pub positions: Vec<Vector>,
    /// Lattice vectors as rows, Å; periodic in all directions.
    pub cell: Matrix,
    /// What the potential gives.
    pub labelled: Labelled,
    /// The temperature at which its trajectory was started, K.
    pub temperature_k: u32,
}

/// Structures number 0, 1, ... of a seed, without end.
pub struct SiliconFrames {
    seeds: Seeds,
    next: u64,
    running: Option<Trajectory>,
}

impl SiliconFrames {
    /// From the first structure of `seed` on.
    pub fn new(seed: u64) -> Self {
        Self { seeds: Seeds::new(seed), next: 0, running: None }
    }
}

impl Iterator for SiliconFrames {
    type Item = Result<SiliconFrame, NeighborError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (number, place) = (self.next / PER_TRAJECTORY, self.next % PER_TRAJECTORY);
        self.next += 1;
        let started = match self.running.take() {
            Some(running) if place > 0 => Ok(running),
            _ => Trajectory::start(self.seeds.stream("generate/silicon"), number),
        };
        let steps = if place == 0 { SETTLING_STEPS } else { SPACING_STEPS };
        let made = started.and_then(|mut running| {
            for _ in 0..steps {
                running.step()?;
            }
            let frame = running.frame();
            self.running = Some(running);
            Ok(frame)
        });
        Some(made)
    }
}

struct Trajectory {
    positions: Vec<Vector>,
    /// Å/fs.
    velocities: Vec<Vector>,
    cell: Matrix,
    labelled: Labelled,
    temperature_k: u32,
}

impl Trajectory {
    fn start(stream: Stream, number: u64) -> Result<Self, NeighborError> {
        // Lanes 0 to 15 choose the trajectory, from 16 on the velocities.
        let pick = |lane: u64, n: usize| {
            usize::try_from(stream.below(number, lane, n as u64)).expect("below a usize")
        };
        let repeats = REPEATS[pick(0, REPEATS.len())];
        let temperature_k = TEMPERATURES[pick(1, TEMPERATURES.len())];
        let strain = |lane: u64| MAX_STRAIN * (2.0 * stream.uniform(number, 2 + lane) - 1.0);
        let (xy, xz, yz) = (strain(3), strain(4), strain(5));
        let strained =
            [[1.0 + strain(0), xy, xz], [xy, 1.0 + strain(1), yz], [xz, yz, 1.0 + strain(2)]];
        let unit = strained.map(|row| scaled(row, LATTICE));
        let cell = [0, 1, 2].map(|k| scaled(unit[k], f64::from(repeats[k])));
        let positions = lattice_sites(repeats, &unit);
        let spread = (2.0 * BOLTZMANN * f64::from(temperature_k) / MASS).sqrt();
        let normal = |at: u64| spread * stream.normal(number, 16 + at);
        let velocities = (0..positions.len() as u64)
            .map(|atom| [normal(3 * atom), normal(3 * atom + 1), normal(3 * atom + 2)])
            .collect();
        let labelled = stillinger_weber(&positions, &cell, [true; 3])?;
        let mut trajectory = Self { positions, velocities, cell, labelled, temperature_k };
        trajectory.rest();
        Ok(trajectory)
    }

    /// Takes out the motion of the whole.
    fn rest(&mut self) {
        let share = (self.velocities.len() as f64).recip();
        let mean = self.velocities.iter().fold([0.0; 3], |sum, v| add_scaled(sum, share, *v));
        for velocity in &mut self.velocities {
            *velocity = subtract(*velocity, mean);
        }
    }

    /// One step of velocity Verlet.
    fn step(&mut self) -> Result<(), NeighborError> {
        self.kick();
        for (position, velocity) in self.positions.iter_mut().zip(&self.velocities) {
            *position = add_scaled(*position, STEP_FS, *velocity);
        }
        self.labelled = stillinger_weber(&self.positions, &self.cell, [true; 3])?;
        self.kick();
        Ok(())
    }

    fn kick(&mut self) {
        for (velocity, force) in self.velocities.iter_mut().zip(&self.labelled.forces) {
            *velocity = add_scaled(*velocity, 0.5 * STEP_FS / MASS, *force);
        }
    }

    fn frame(&self) -> SiliconFrame {
        SiliconFrame {
            positions: self.positions.clone(),
            cell: self.cell,
            labelled: self.labelled.clone(),
            temperature_k: self.temperature_k,
        }
    }

    #[cfg(test)]
    fn total_energy(&self) -> f64 {
        let kinetic: f64 = self.velocities.iter().map(|&v| 0.5 * MASS * dot(v, v)).sum();
        self.labelled.energy + kinetic
    }
}

fn lattice_sites(repeats: [u32; 3], unit: &Matrix) -> Vec<Vector> {
    let mut sites = Vec::new();
    for x in 0..repeats[0] {
        for y in 0..repeats[1] {
            for z in 0..repeats[2] {
                let corner = [x, y, z].map(f64::from);
                let site = |offset: &Vector| combine(add_scaled(corner, 1.0, *offset), unit);
                sites.extend(DIAMOND.iter().map(site));
            }
        }
    }
    sites
}

#[cfg(test)]
#[path = "silicon_tests.rs"]
mod tests;
