//! Dynamics of forces that are known exactly.

use std::sync::atomic::AtomicBool;

use genesis_schema::{FrameLabels, FrameWeights};

use super::*;
use crate::structures::md::system::{ACCELERATION, BOLTZMANN};

/// Every atom on a spring to the origin: `E = k/2 r^2`, 1 eV/Å^2.
struct Springs;

impl Forces for Springs {
    fn evaluate(
        &mut self,
        positions: &[[f64; 3]],
    ) -> Result<(f64, Vec<[f64; 3]>), StructuresError> {
        let energy = positions.iter().flatten().map(|x| 0.5 * x * x).sum();
        Ok((energy, positions.iter().map(|r| r.map(|x| -x)).collect()))
    }
}

fn frame(num_atoms: usize) -> Frame {
    Frame {
        atomic_numbers: vec![14; num_atoms],
        positions: vec![[0.1, 0.0, -0.1]; num_atoms],
        cell: [[0.0; 3]; 3],
        periodic: [false; 3],
        labels: FrameLabels::default(),
        weights: FrameWeights::default(),
        config_type: String::new(),
        head: String::new(),
    }
}

fn options(ensemble: Ensemble, timestep_fs: f64, steps: u64) -> MdOptions {
    MdOptions { ensemble, timestep_fs, steps, temperature_k: 300.0, every: 100, seed: 3 }
}

fn report(num_atoms: usize, options: &MdOptions) -> MdReport {
    let folder = tempfile::tempdir().unwrap();
    let mut trajectory = Trajectory::create(&folder.path().join("a.xyz")).unwrap();
    let (stop, frame) = (AtomicBool::new(false), frame(num_atoms));
    simulate(&mut Springs, &frame, options, &mut trajectory, &stop, &mut |_| {}).unwrap()
}

#[test]
fn an_oscillator_has_the_period_of_its_mass_and_spring() {
    let mut options = options(Ensemble::Nve, 0.1, 0);
    options.temperature_k = 0.0;
    let mut integrator = Integrator::new(&options);
    let stream = Seeds::new(1).stream("v");
    let mut system = System::new(&frame(1), 0.0, stream, &mut Springs).unwrap();
    let period = 2.0 * std::f64::consts::PI * (masses::mass(14) / ACCELERATION).sqrt();
    assert!((period - 338.99).abs() < 0.01, "{period}");
    for step in 0..3390 {
        integrator.step(&mut system, &mut Springs, step).unwrap();
    }
    // Half a step of a period of 339 fs, and the phase error of velocity Verlet, (w dt)^2 / 24.
    assert!((system.positions[0][0] - 0.1).abs() < 1e-6, "{:?}", system.positions);
}

#[test]
fn energy_errors_of_nve_fall_with_the_square_of_the_step_and_do_not_drift() {
    let coarse = report(8, &options(Ensemble::Nve, 8.0, 1000));
    let fine = report(8, &options(Ensemble::Nve, 4.0, 2000));
    let (coarse, fine) = (coarse.conservation.unwrap(), fine.conservation.unwrap());
    let ratio = coarse.largest_deviation_mev_per_atom / fine.largest_deviation_mev_per_atom;
    assert!((3.5..4.6).contains(&ratio), "{ratio}");
    // Over 8 ps a drift would add up; what is left is the slope of an oscillation.
    let bound = fine.largest_deviation_mev_per_atom / 8.0;
    assert!(fine.drift_mev_per_atom_per_ps.abs() < bound, "{fine:?}");
}

#[test]
fn langevin_dynamics_reaches_its_temperature_from_rest() {
    let ensemble = Ensemble::Nvt { friction_per_ps: 20.0 };
    let found = report(64, &options(ensemble, 4.0, 4000));
    // 192 freedoms over 40 independent times of 50 fs each and more: 300 K within 3 %.
    assert!((found.mean_temperature_k - 300.0).abs() < 9.0, "{found:?}");
}

#[test]
fn the_same_seed_gives_the_same_bits() {
    let ensemble = Ensemble::Nvt { friction_per_ps: 5.0 };
    let end = || {
        let options = options(ensemble, 2.0, 50);
        let report = report(4, &options);
        assert_eq!(report.conservation, None, "a bath changes the energy");
        report.mean_temperature_k.to_bits()
    };
    assert_eq!(end(), end());
}

#[test]
fn first_velocities_have_the_temperature_asked_for_and_no_common_motion() {
    let stream = Seeds::new(5).stream("v");
    let system = System::new(&frame(4000), 500.0, stream, &mut Springs).unwrap();
    // The relative deviation of 12000 squares of normal numbers is sqrt(2/12000) = 1.3 %.
    assert!((system.temperature_k() - 500.0).abs() < 4.0 * 0.013 * 500.0);
    let momentum: f64 = system.velocities.iter().map(|v| v[1]).sum();
    assert!(momentum.abs() < 1e-9, "{momentum}");
    let energy_of_one = 1.5 * BOLTZMANN * 500.0;
    assert!((system.kinetic() / 4000.0 - energy_of_one).abs() < 0.06 * energy_of_one);
}

#[test]
fn a_simulation_that_leaves_all_bounds_is_stopped_with_its_step() {
    let folder = tempfile::tempdir().unwrap();
    let mut trajectory = Trajectory::create(&folder.path().join("a.xyz")).unwrap();
    let options = options(Ensemble::Nve, 1e5, 1000);
    let stop = AtomicBool::new(false);
    let error = simulate(&mut Springs, &frame(2), &options, &mut trajectory, &stop, &mut |_| {})
        .unwrap_err();
    assert!(matches!(error, StructuresError::Exploded { .. }), "{error}");
    assert!(error.to_string().contains("shorter time step"), "{error}");
}
