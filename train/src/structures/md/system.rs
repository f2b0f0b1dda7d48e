//! Atoms that move: positions in Å, velocities in Å/fs, masses in u, energies in eV.

use genesis_schema::Stream;

use super::start::Start;
use crate::structures::error::StructuresError;

/// Acceleration in Å/fs^2 of a mass of 1 u under a force of 1 eV/Å: `e / u * 1e-10`, from the
/// 2018 CODATA values of the elementary charge and the atomic mass constant.
pub const ACCELERATION: f64 = 9.648_533_212_331e-3;
/// Boltzmann's constant, eV/K: exact since 2019, `1.380649e-23 / 1.602176634e-19`.
pub const BOLTZMANN: f64 = 8.617_333_262_145_179e-5;

/// Something that pulls on atoms.
pub trait Forces {
    /// Potential energy, eV, and forces, eV/Å.
    ///
    /// # Errors
    /// [`StructuresError`] if the positions have none.
    fn evaluate(&mut self, positions: &[[f64; 3]])
    -> Result<(f64, Vec<[f64; 3]>), StructuresError>;
}

/// State of a simulation.
#[derive(Debug, Clone, PartialEq)]
pub struct System {
    /// `[n]` Å.
    pub positions: Vec<[f64; 3]>,
    /// `[n]` Å/fs.
    pub velocities: Vec<[f64; 3]>,
    /// `[n]` u.
    pub masses: Vec<f64>,
    /// `[n]` eV/Å at the positions.
    pub forces: Vec<[f64; 3]>,
    /// eV at the positions.
    pub potential: f64,
    /// `[n]` components that move.
    pub moves: Vec<[bool; 3]>,
    /// Components in which the energy of heat can be: those that move, without those of a common
    /// motion that is zero and stays so.
    pub freedoms: f64,
}

/// Common motion below this share of `sum m |v|` is none: rounding of forces in f32.
const NO_COMMON_MOTION: f64 = 1e-4;

impl System {
    /// Atoms with the velocities of `start`, or with those of Maxwell and Boltzmann at
    /// `temperature_k`. What does not move has none.
    ///
    /// # Errors
    /// What the forces fail with.
    pub fn new(
        start: &Start,
        temperature_k: f64,
        stream: Stream,
        forces: &mut dyn Forces,
    ) -> Result<Self, StructuresError> {
        let masses = start.masses.clone();
        let drawn = |(atom, mass): (u64, &f64)| {
            let width = thermal_speed(temperature_k, *mass);
            [0, 1, 2].map(|axis| width * stream.normal(atom, axis))
        };
        let mut velocities = match &start.velocities {
            Some(velocities) => velocities.clone(),
            None => (0..).zip(&masses).map(drawn).collect(),
        };
        for (velocity, moves) in velocities.iter_mut().zip(&start.moves) {
            (0..3).filter(|&axis| !moves[axis]).for_each(|axis| velocity[axis] = 0.0);
        }
        let positions = start.frame.positions.clone();
        let (potential, forces) = forces.evaluate(&positions)?;
        let moves = start.moves.clone();
        let freedoms = moves.iter().flatten().filter(|moves| **moves).count() as f64;
        Ok(Self { positions, velocities, masses, forces, potential, moves, freedoms })
    }

    /// Takes the velocity of the centre of mass away along axes on which every atom moves; a single
    /// atom keeps its own.
    pub fn rest(&mut self) {
        for axis in self.common_axes() {
            let velocity = self.momentum(axis) / self.masses.iter().sum::<f64>();
            self.velocities.iter_mut().for_each(|v| v[axis] -= velocity);
        }
    }

    /// Leaves common motion out of the freedoms along every axis that has none.
    pub fn without_common_motion(&mut self) {
        let still = |&axis: &usize| {
            let sizes = self.masses.iter().zip(&self.velocities).map(|(m, v)| m * v[axis].abs());
            self.momentum(axis).abs() <= NO_COMMON_MOTION * sizes.sum::<f64>()
        };
        let axes: Vec<usize> = self.common_axes().filter(still).collect();
        self.freedoms -= axes.len() as f64;
    }

    fn common_axes(&self) -> impl Iterator<Item = usize> + use<> {
        let free = [0, 1, 2].map(|axis| self.moves.iter().all(|moves| moves[axis]));
        let many = self.masses.len() > 1;
        (0..3).filter(move |&axis| many && free[axis])
    }

    fn momentum(&self, axis: usize) -> f64 {
        self.masses.iter().zip(&self.velocities).map(|(m, v)| m * v[axis]).sum()
    }

    /// Kinetic energy, eV.
    pub fn kinetic(&self) -> f64 {
        let squares = self.masses.iter().zip(&self.velocities);
        let sum: f64 = squares.map(|(m, v)| m * v.iter().map(|x| x * x).sum::<f64>()).sum();
        0.5 * sum / ACCELERATION
    }

    /// Kinetic energy of every degree of freedom over half of Boltzmann's constant, K.
    pub fn temperature_k(&self) -> f64 {
        let freedoms = self.freedoms;
        if freedoms > 0.0 { 2.0 * self.kinetic() / (freedoms * BOLTZMANN) } else { 0.0 }
    }

    /// Largest component of a force, eV/Å; NaN if one is NaN.
    pub fn largest_force(&self) -> f64 {
        let sizes = self.forces.iter().flatten().map(|force| force.abs());
        sizes.fold(0.0, |most, size| if size.is_nan() || size > most { size } else { most })
    }

    /// `v += dt F / m`.
    pub fn kick(&mut self, dt: f64) {
        let atoms = self.velocities.iter_mut().zip(&self.forces).zip(&self.masses);
        for (((velocity, force), mass), moves) in atoms.zip(&self.moves) {
            for axis in (0..3).filter(|&axis| moves[axis]) {
                velocity[axis] += dt * ACCELERATION * force[axis] / mass;
            }
        }
    }

    /// `r += dt v`.
    pub fn drift(&mut self, dt: f64) {
        for (position, velocity) in self.positions.iter_mut().zip(&self.velocities) {
            for axis in 0..3 {
                position[axis] += dt * velocity[axis];
            }
        }
    }

    /// Forces at the present positions.
    ///
    /// # Errors
    /// What the forces fail with.
    pub fn pull(&mut self, forces: &mut dyn Forces) -> Result<(), StructuresError> {
        (self.potential, self.forces) = forces.evaluate(&self.positions)?;
        Ok(())
    }
}

/// Width of the distribution of a velocity component, Å/fs: `sqrt(k T / m)`.
pub fn thermal_speed(temperature_k: f64, mass: f64) -> f64 {
    (BOLTZMANN * temperature_k * ACCELERATION / mass).sqrt()
}
