//! What a simulation says of itself: temperatures, conservation, time.

use serde::Serialize;

use super::bounds::unconserved;
use super::system::System;
use super::{Ensemble, MdOptions};

/// What a simulation did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MdReport {
    /// Steps done.
    pub steps: u64,
    /// Frames in the trajectory.
    pub frames: u64,
    /// Mean of the temperature over the second half, K.
    pub mean_temperature_k: f64,
    /// How well the total energy is conserved; `None` in contact with a bath, which changes it.
    pub conservation: Option<Conservation>,
    /// Wall time of a step, s.
    pub seconds_per_step: f64,
    /// Degrees of freedom among which the temperature divides the kinetic energy.
    pub freedoms: f64,
    /// What looks wrong.
    pub warnings: Vec<String>,
    /// Whether it ended early because it was asked to.
    pub stopped: bool,
}

/// Conservation of the total energy. Both figures would be zero with exact forces and an infinitely
/// short step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Conservation {
    /// Slope of a straight line through the total energy, meV per atom and ps.
    pub drift_mev_per_atom_per_ps: f64,
    /// Largest distance of the total energy from its first value, meV per atom.
    pub largest_deviation_mev_per_atom: f64,
}

/// State of a simulation after some steps, for whoever watches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MdState {
    /// Steps done.
    pub step: u64,
    /// Potential energy, eV.
    pub potential: f64,
    /// Kinetic energy, eV.
    pub kinetic: f64,
    /// Temperature, K.
    pub temperature_k: f64,
}

/// Total energies and temperatures so far.
pub(super) struct Record {
    started: std::time::Instant,
    timestep_fs: f64,
    isolated: bool,
    /// Time in ps and total energy in eV.
    totals: Vec<[f64; 2]>,
    temperatures: Vec<f64>,
    /// eV, over all steps.
    kinetic: f64,
}

impl Record {
    pub(super) fn new(options: &MdOptions) -> Self {
        Self {
            started: std::time::Instant::now(),
            timestep_fs: options.timestep_fs,
            isolated: options.ensemble == Ensemble::Nve,
            totals: Vec::new(),
            temperatures: Vec::new(),
            kinetic: 0.0,
        }
    }

    pub(super) fn add(&mut self, system: &System, step: u64) {
        let (time, kinetic) = (step as f64 * self.timestep_fs * 1e-3, system.kinetic());
        self.totals.push([time, system.potential + kinetic]);
        self.temperatures.push(system.temperature_k());
        self.kinetic += kinetic;
    }

    pub(super) fn last(&self, system: &System, step: u64) -> MdState {
        MdState {
            step,
            potential: system.potential,
            kinetic: system.kinetic(),
            temperature_k: self.temperatures.last().copied().unwrap_or_default(),
        }
    }

    pub(super) fn report(
        &self,
        system: &System,
        (steps, frames): (u64, u64),
        stopped: bool,
    ) -> MdReport {
        let atoms = system.positions.len().max(1) as f64;
        let first = self.totals.first().map_or(0.0, |point| point[1]);
        let deviation = self.totals.iter().map(|point| (point[1] - first).abs());
        let deviation = deviation.fold(0.0, f64::max) / atoms;
        let second_half = &self.temperatures[self.temperatures.len() / 2..];
        let kinetic = self.kinetic / self.totals.len().max(1) as f64 / atoms;
        let warning = self.isolated.then(|| unconserved(deviation, kinetic)).flatten();
        MdReport {
            steps,
            frames,
            mean_temperature_k: second_half.iter().sum::<f64>() / second_half.len().max(1) as f64,
            conservation: self.isolated.then(|| Conservation {
                drift_mev_per_atom_per_ps: 1e3 / atoms * slope(&self.totals),
                largest_deviation_mev_per_atom: 1e3 * deviation,
            }),
            seconds_per_step: self.started.elapsed().as_secs_f64() / steps.max(1) as f64,
            freedoms: system.freedoms,
            warnings: warning.into_iter().collect(),
            stopped,
        }
    }
}

/// Slope of the least-squares line through points; 0 for fewer than two.
fn slope(points: &[[f64; 2]]) -> f64 {
    let count = points.len().max(1) as f64;
    let mean = |axis: usize| points.iter().map(|point| point[axis]).sum::<f64>() / count;
    let (x, y) = (mean(0), mean(1));
    let spread: f64 = points.iter().map(|point| (point[0] - x).powi(2)).sum();
    let joint: f64 = points.iter().map(|point| (point[0] - x) * (point[1] - y)).sum();
    if spread > 0.0 { joint / spread } else { 0.0 }
}
