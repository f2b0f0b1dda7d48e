//! Atoms that move: positions in Å, velocities in Å/fs, masses in u, energies in eV.

use genesis_schema::{Frame, Stream};

use super::masses::mass;
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
}

impl System {
    /// Atoms at rest as a whole, with velocities of Maxwell and Boltzmann at `temperature_k`.
    ///
    /// # Errors
    /// What the forces fail with.
    pub fn new(
        frame: &Frame,
        temperature_k: f64,
        stream: Stream,
        forces: &mut dyn Forces,
    ) -> Result<Self, StructuresError> {
        let masses: Vec<f64> = frame.atomic_numbers.iter().map(|&number| mass(number)).collect();
        let velocity = |(atom, mass): (u64, &f64)| {
            let width = thermal_speed(temperature_k, *mass);
            [0, 1, 2].map(|axis| width * stream.normal(atom, axis))
        };
        let velocities = (0..).zip(&masses).map(velocity).collect();
        let (potential, forces) = forces.evaluate(&frame.positions)?;
        let mut system =
            Self { positions: frame.positions.clone(), velocities, masses, forces, potential };
        system.rest();
        Ok(system)
    }

    /// Takes the velocity of the centre of mass away; a single atom keeps its own.
    fn rest(&mut self) {
        if self.masses.len() < 2 {
            return;
        }
        let total: f64 = self.masses.iter().sum();
        for axis in 0..3 {
            let momentum: f64 =
                self.masses.iter().zip(&self.velocities).map(|(m, v)| m * v[axis]).sum();
            self.velocities.iter_mut().for_each(|v| v[axis] -= momentum / total);
        }
    }

    /// Kinetic energy, eV.
    pub fn kinetic(&self) -> f64 {
        let squares = self.masses.iter().zip(&self.velocities);
        let sum: f64 = squares.map(|(m, v)| m * v.iter().map(|x| x * x).sum::<f64>()).sum();
        0.5 * sum / ACCELERATION
    }

    /// Kinetic energy of every degree of freedom over half of Boltzmann's constant, K.
    pub fn temperature_k(&self) -> f64 {
        let freedoms = 3.0 * self.masses.len() as f64;
        if freedoms > 0.0 { 2.0 * self.kinetic() / (freedoms * BOLTZMANN) } else { 0.0 }
    }

    /// Largest component of a force, eV/Å; NaN if one is NaN.
    pub fn largest_force(&self) -> f64 {
        let sizes = self.forces.iter().flatten().map(|force| force.abs());
        sizes.fold(0.0, |most, size| if size.is_nan() || size > most { size } else { most })
    }

    /// `v += dt F / m`.
    pub fn kick(&mut self, dt: f64) {
        for ((velocity, force), mass) in
            self.velocities.iter_mut().zip(&self.forces).zip(&self.masses)
        {
            for axis in 0..3 {
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
