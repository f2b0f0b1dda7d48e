//! Molecular dynamics with a trained network.
//!
//! Reading order: [`start`] (what the file says), [`system`] (positions, velocities, units),
//! [`integrate`] (one step), `bounds` (when it has exploded), here (the run), `record` (what it says of
//! itself). Neighbours are found anew in every step. A simulation that starts from a frame of another one
//! goes on with the same bits: steps are counted on, and noise is a function of their number.
//!
//! Not here: constraints other than fixed components, barostats, neighbour lists that outlive a step.

mod bounds;
pub mod integrate;
mod record;
pub mod start;
pub mod system;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use genesis_kernels::Kernels;
use genesis_model::equivariant::Wanted;
use genesis_schema::{Frame, GraphBatch, Seeds};

use super::error::StructuresError;
use super::model::StructuresModel;
use super::output::{Growing, Named, Written};
use super::predict::batch_of;
use bounds::Bounds;
pub use integrate::{Drift, Ensemble, Integrator};
use record::Record;
pub use record::{Conservation, MdReport, MdState};
use start::FREEDOMS;
pub use start::Start;
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
    /// Temperature of velocities that are drawn, and of a bath, K.
    pub temperature_k: f64,
    /// What becomes of the motion of the centre of mass.
    pub drift: Drift,
    /// Steps between frames of the trajectory.
    pub every: u64,
    /// Root of the random numbers.
    pub seed: u64,
}

/// Moves `start` with the forces of `model` and writes its trajectory to `path`.
///
/// # Errors
/// [`StructuresError`]: options that cannot work, a structure that does not fit the network, numbers
/// that left all bounds, a file that cannot be written.
pub fn run<B: Kernels>(
    model: &StructuresModel<B>,
    start: &Start,
    options: &MdOptions,
    path: &Path,
    stop: &AtomicBool,
    watch: &mut dyn FnMut(&MdState),
) -> Result<MdReport, StructuresError> {
    check(options, start)?;
    let mut forces = ModelForces { model, frame: start.frame.clone() };
    // Before the file is touched: does the structure fit the network at all?
    forces.evaluate(&start.frame.positions)?;
    let mut trajectory = Trajectory::create(path)?;
    simulate(&mut forces, start, options, &mut trajectory, stop, watch)
}

/// [`run`] with any forces.
///
/// # Errors
/// As [`run`].
pub fn simulate(
    forces: &mut dyn Forces,
    start: &Start,
    options: &MdOptions,
    trajectory: &mut Trajectory,
    stop: &AtomicBool,
    watch: &mut dyn FnMut(&MdState),
) -> Result<MdReport, StructuresError> {
    check(options, start)?;
    let stream = Seeds::new(options.seed).stream("md/velocities");
    let mut system = System::new(start, options.temperature_k, stream, forces)?;
    if options.drift != Drift::Keep {
        system.rest();
    }
    let conserved = options.ensemble == Ensemble::Nve || options.drift == Drift::Never;
    match start.freedoms.filter(|_| conserved && options.drift == Drift::Keep) {
        Some(freedoms) => system.freedoms = freedoms,
        None if conserved => system.without_common_motion(),
        None => {}
    }
    let bounds = Bounds::new(&system, options);
    let mut integrator = Integrator::new(options);
    let mut record = Record::new(options);
    record.add(&system, 0);
    watch(&record.last(&system, start.step));
    let mut clock = Clock { start, timestep_fs: options.timestep_fs, done: 0 };
    trajectory.append(&clock, &system)?;
    let mut stopped = false;
    for step in 1..=options.steps {
        let before = system.clone();
        let number = start.step + step;
        let moved = integrator.step(&mut system, forces, number);
        if let Some(problem) = bounds.left_by(&system) {
            trajectory.append(&clock, &before)?;
            trajectory.file.finish()?;
            let (good, written) = (number - 1, trajectory.frames);
            return Err(StructuresError::Exploded { step: number, problem, good, written });
        }
        if moved.is_err() {
            trajectory.append(&clock, &before)?;
            trajectory.file.finish()?;
        }
        moved?;
        clock.done = step;
        record.add(&system, step);
        stopped = stop.load(Ordering::Relaxed);
        if step % options.every == 0 || step == options.steps || stopped {
            trajectory.append(&clock, &system)?;
            watch(&record.last(&system, number));
        }
        if stopped {
            break;
        }
    }
    trajectory.file.finish()?;
    Ok(record.report(&system, (clock.done, trajectory.frames), stopped))
}

fn check(options: &MdOptions, start: &Start) -> Result<(), StructuresError> {
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
    if options.drift != Drift::Keep && start.num_fixed() > 0 {
        return Err(StructuresError::Option {
            option: "--drift",
            value: "start or never".to_owned(),
            allowed: "keep where atoms are fixed (move_mask): they hold the others in place",
        });
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

/// Steps and time of a simulation, counted on from where it started.
struct Clock<'a> {
    start: &'a Start,
    timestep_fs: f64,
    done: u64,
}

/// A trajectory file.
#[derive(Debug)]
pub struct Trajectory {
    file: Growing,
    frames: u64,
    /// The step that was written last.
    last: Option<u64>,
}

impl Trajectory {
    /// Creates the file, replacing an older one.
    ///
    /// # Errors
    /// [`StructuresError`]: a format that cannot grow frame by frame, or the system's reason.
    pub fn create(path: &Path) -> Result<Self, StructuresError> {
        Ok(Self { file: Growing::create(path)?, frames: 0, last: None })
    }

    /// Appends a frame, unless that of the same step is there.
    fn append(&mut self, clock: &Clock<'_>, system: &System) -> Result<(), StructuresError> {
        if self.last == Some(clock.done) {
            return Ok(());
        }
        let start = clock.start;
        let moved = Frame { positions: system.positions.clone(), ..start.frame.clone() };
        let number = |name: &str, value: f64| Named::Number(name.to_owned(), value);
        let vectors =
            |name: &str, rows: &[[f64; 3]]| Named::Vectors(name.to_owned(), rows.to_vec());
        let results = vec![
            Named::Count("step".to_owned(), start.step + clock.done),
            number("time_fs", start.time_fs + clock.done as f64 * clock.timestep_fs),
            number("energy", system.potential),
            number("kinetic_energy", system.kinetic()),
            number("temperature", system.temperature_k()),
            number(FREEDOMS, system.freedoms),
            vectors("forces", &system.forces),
            vectors("velocities", &system.velocities),
        ];
        let outdated = start.outdated();
        let written = Written { frame: &moved, raw: &start.raw, outdated: &outdated, results };
        self.file.append(&written)?;
        self.frames += 1;
        self.last = Some(clock.done);
        Ok(())
    }
}
