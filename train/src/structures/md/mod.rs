//! Molecular dynamics with a trained network.
//!
//! Reading order: [`system`] (positions, velocities, units), [`integrate`] (one step), here (the
//! run: thermostat, trajectory, drift). Neighbours are found anew in every step.
//!
//! Not here: constraints, barostats, neighbour lists that outlive a step.

pub mod integrate;
pub mod masses;
pub mod system;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use genesis_kernels::Kernels;
use genesis_model::equivariant::Wanted;
use genesis_schema::{Frame, GraphBatch, Seeds};
use serde::Serialize;

use super::error::StructuresError;
use super::model::StructuresModel;
use super::output::{Written, append_extxyz};
use super::predict::batch_of;
pub use integrate::{Ensemble, Integrator};
pub use system::{Forces, System};

/// How to move.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MdOptions {
    /// Which states are visited.
    pub ensemble: Ensemble,
    /// Time step, fs.
    pub timestep_fs: f64,
    /// Steps.
    pub steps: u64,
    /// Temperature of the first velocities, K.
    pub temperature_k: f64,
    /// Steps between frames of the trajectory.
    pub every: u64,
    /// Root of the random numbers.
    pub seed: u64,
}

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

/// Moves `frame` with the forces of `model` and writes its trajectory to `path`.
///
/// # Errors
/// [`StructuresError`]: options that cannot work, a structure that does not fit the network, numbers
/// that left all bounds, a file that cannot be written.
pub fn run<B: Kernels>(
    model: &StructuresModel<B>,
    frame: &Frame,
    options: &MdOptions,
    path: &Path,
    stop: &AtomicBool,
    watch: &mut dyn FnMut(&MdState),
) -> Result<MdReport, StructuresError> {
    let mut forces = ModelForces { model, frame: frame.clone() };
    let mut trajectory = Trajectory::create(path)?;
    simulate(&mut forces, frame, options, &mut trajectory, stop, watch)
}

/// [`run`] with any forces.
///
/// # Errors
/// As [`run`].
pub fn simulate(
    forces: &mut dyn Forces,
    frame: &Frame,
    options: &MdOptions,
    trajectory: &mut Trajectory,
    stop: &AtomicBool,
    watch: &mut dyn FnMut(&MdState),
) -> Result<MdReport, StructuresError> {
    check(options)?;
    let stream = Seeds::new(options.seed).stream("md/velocities");
    let mut system = System::new(frame, options.temperature_k, stream, forces)?;
    let mut integrator = Integrator::new(options);
    let started = std::time::Instant::now();
    let mut record = Record::default();
    record.add(&system, 0, options);
    watch(&record.last(&system, 0));
    trajectory.append(frame, &system, 0, options.timestep_fs)?;
    let mut stopped = false;
    let mut done = 0;
    for step in 1..=options.steps {
        integrator.step(&mut system, forces, step)?;
        done = step;
        let largest = system.largest_force();
        if !(system.potential.is_finite() && largest.is_finite()) {
            let (energy, written) = (system.potential, trajectory.frames);
            return Err(StructuresError::Exploded { step, energy, force: largest, written });
        }
        record.add(&system, step, options);
        stopped = stop.load(Ordering::Relaxed);
        if step % options.every == 0 || step == options.steps || stopped {
            trajectory.append(frame, &system, step, options.timestep_fs)?;
            watch(&record.last(&system, step));
        }
        if stopped {
            break;
        }
    }
    trajectory.finish()?;
    let seconds = started.elapsed().as_secs_f64() / done.max(1) as f64;
    let isolated = options.ensemble == Ensemble::Nve;
    Ok(record.report(&system, isolated, (done, trajectory.frames), seconds, stopped))
}

fn check(options: &MdOptions) -> Result<(), StructuresError> {
    let positive = |value: f64| value.is_finite() && value > 0.0;
    let option = |option, value: f64, allowed| {
        Err(StructuresError::Option { option, value: value.to_string(), allowed })
    };
    if !positive(options.timestep_fs) {
        return option("--timestep-fs", options.timestep_fs, "a number above 0");
    }
    if !(options.temperature_k.is_finite() && options.temperature_k >= 0.0) {
        return option("--temperature-k", options.temperature_k, "a number, 0 or more");
    }
    if options.every == 0 {
        return option("--every", 0.0, "at least 1");
    }
    match options.ensemble {
        Ensemble::Nvt { friction_per_ps } if !positive(friction_per_ps) => {
            option("--friction-per-ps", friction_per_ps, "a number above 0")
        }
        _ => Ok(()),
    }
}

/// Forces of a trained network.
struct ModelForces<'a, B: Kernels> {
    model: &'a StructuresModel<B>,
    frame: Frame,
}

impl<B: Kernels> Forces for ModelForces<'_, B> {
    fn evaluate(
        &mut self,
        positions: &[[f64; 3]],
    ) -> Result<(f64, Vec<[f64; 3]>), StructuresError> {
        self.frame.positions.copy_from_slice(positions);
        let mut batch = GraphBatch::default();
        let place = || "the structure that moves".to_owned();
        batch_of(&mut batch, self.frame.clone(), self.model.cutoff(), place)?;
        let found = self.model.predict(&batch, Wanted { forces: true, stress: false })?;
        let forces = found.forces.unwrap_or_default();
        Ok((found.energies[0], forces))
    }
}

/// A trajectory file.
#[derive(Debug)]
pub struct Trajectory {
    path: PathBuf,
    file: BufWriter<File>,
    frames: u64,
}

impl Trajectory {
    /// Creates the file, replacing an older one.
    ///
    /// # Errors
    /// [`StructuresError::Io`].
    pub fn create(path: &Path) -> Result<Self, StructuresError> {
        let file = File::create(path).map_err(StructuresError::io(path, "create"))?;
        Ok(Self { path: path.to_path_buf(), file: BufWriter::new(file), frames: 0 })
    }

    fn append(
        &mut self,
        frame: &Frame,
        system: &System,
        step: u64,
        timestep_fs: f64,
    ) -> Result<(), StructuresError> {
        let moved = Frame { positions: system.positions.clone(), ..frame.clone() };
        let mut text = String::new();
        let info = vec![
            ("step", step.to_string()),
            ("time_fs", (step as f64 * timestep_fs).to_string()),
            ("kinetic_energy", system.kinetic().to_string()),
            ("temperature", system.temperature_k().to_string()),
        ];
        append_extxyz(
            &mut text,
            &Written {
                frame: &moved,
                energy: system.potential,
                forces: Some(&system.forces),
                stress: None,
                velocities: Some(&system.velocities),
                info,
            },
        );
        self.frames += 1;
        self.file.write_all(text.as_bytes()).map_err(StructuresError::io(&self.path, "write"))
    }

    fn finish(&mut self) -> Result<(), StructuresError> {
        self.file.flush().map_err(StructuresError::io(&self.path, "write"))
    }
}

/// Total energies and temperatures so far.
#[derive(Default)]
struct Record {
    /// Time in ps and total energy in eV.
    totals: Vec<[f64; 2]>,
    temperatures: Vec<f64>,
}

impl Record {
    fn add(&mut self, system: &System, step: u64, options: &MdOptions) {
        let time = step as f64 * options.timestep_fs * 1e-3;
        self.totals.push([time, system.potential + system.kinetic()]);
        self.temperatures.push(system.temperature_k());
    }

    fn last(&self, system: &System, step: u64) -> MdState {
        MdState {
            step,
            potential: system.potential,
            kinetic: system.kinetic(),
            temperature_k: self.temperatures.last().copied().unwrap_or_default(),
        }
    }

    fn report(
        &self,
        system: &System,
        isolated: bool,
        (steps, frames): (u64, u64),
        seconds_per_step: f64,
        stopped: bool,
    ) -> MdReport {
        let per_atom = 1e3 / system.positions.len().max(1) as f64;
        let first = self.totals.first().map_or(0.0, |point| point[1]);
        let deviation = self.totals.iter().map(|point| (point[1] - first).abs());
        let second_half = &self.temperatures[self.temperatures.len() / 2..];
        MdReport {
            steps,
            frames,
            mean_temperature_k: second_half.iter().sum::<f64>() / second_half.len().max(1) as f64,
            conservation: isolated.then(|| Conservation {
                drift_mev_per_atom_per_ps: per_atom * slope(&self.totals),
                largest_deviation_mev_per_atom: per_atom * deviation.fold(0.0, f64::max),
            }),
            seconds_per_step,
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
