//! One step of time.
//!
//! ```text
//! kick    v <- v + dt/2 F/m        drift   r <- r + dt v        half drifts use dt/2
//! NVE     kick drift pull kick                                    velocity Verlet
//! NVT     kick half-drift bath half-drift pull kick              BAOAB
//! bath    v <- c v + sqrt(1 - c^2) sqrt(kT/m) xi,  c = exp(-friction dt)
//! ```
//!
//! Sources: Swope et al., J. Chem. Phys. 76, 637 (1982); Leimkuhler and Matthews, Appl. Math. Res.
//! eXpress 2013, 34.

use genesis_schema::{Seeds, Stream};

use super::MdOptions;
use super::system::{Forces, System, thermal_speed};
use crate::structures::error::StructuresError;

/// Which states are visited.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Ensemble {
    /// Constant energy.
    Nve,
    /// Constant temperature, by Langevin's equation.
    Nvt {
        /// Friction, 1/ps.
        friction_per_ps: f64,
    },
}

/// What becomes of the motion of the centre of mass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drift {
    /// It stays as it is.
    Keep,
    /// It is taken away before the first step; a bath may bring it back.
    Start,
    /// It is taken away before the first and after every step.
    Never,
}

/// Moves a system by steps of time.
#[derive(Debug, Clone, Copy)]
pub struct Integrator {
    timestep_fs: f64,
    temperature_k: f64,
    ensemble: Ensemble,
    drift: Drift,
    noise: Stream,
}

impl Integrator {
    /// The integrator of a simulation.
    pub fn new(options: &MdOptions) -> Self {
        Self {
            timestep_fs: options.timestep_fs,
            temperature_k: options.temperature_k,
            ensemble: options.ensemble,
            drift: options.drift,
            noise: Seeds::new(options.seed).stream("md/bath"),
        }
    }

    /// Does the step numbered `step`; noise is a function of its number.
    ///
    /// # Errors
    /// What the forces fail with.
    pub fn step(
        &mut self,
        system: &mut System,
        forces: &mut dyn Forces,
        step: u64,
    ) -> Result<(), StructuresError> {
        let dt = self.timestep_fs;
        system.kick(0.5 * dt);
        match self.ensemble {
            Ensemble::Nve => system.drift(dt),
            Ensemble::Nvt { friction_per_ps } => {
                system.drift(0.5 * dt);
                self.bathe(system, friction_per_ps, step);
                system.drift(0.5 * dt);
            }
        }
        system.pull(forces)?;
        system.kick(0.5 * dt);
        if self.drift == Drift::Never {
            system.rest();
        }
        Ok(())
    }

    fn bathe(&self, system: &mut System, friction_per_ps: f64, step: u64) {
        let keep = (-friction_per_ps * 1e-3 * self.timestep_fs).exp();
        let fresh = (1.0 - keep * keep).sqrt();
        let atoms = system.velocities.iter_mut().zip(&system.masses).zip(&system.moves);
        for (atom, ((velocity, mass), moves)) in atoms.enumerate() {
            let width = fresh * thermal_speed(self.temperature_k, *mass);
            for axis in (0..3).filter(|&axis| moves[axis]) {
                let xi = self.noise.normal(step, (3 * atom + axis) as u64);
                velocity[axis] = keep * velocity[axis] + width * xi;
            }
        }
    }
}
