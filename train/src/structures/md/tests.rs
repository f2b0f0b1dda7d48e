//! Dynamics of forces that are known exactly.

use std::sync::atomic::AtomicBool;

use genesis_data::structures::ingest::Structure;
use genesis_schema::{FrameLabels, FrameWeights};

use super::*;
use crate::structures::md::system::{ACCELERATION, BOLTZMANN};
use crate::structures::output::tests::read;

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

fn frame(num_atoms: usize) -> Start {
    Start::at_rest(Frame {
        atomic_numbers: vec![14; num_atoms],
        positions: vec![[0.1, 0.0, -0.1]; num_atoms],
        cell: [[0.0; 3]; 3],
        periodic: [false; 3],
        labels: FrameLabels::default(),
        weights: FrameWeights::default(),
        config_type: String::new(),
        head: String::new(),
    })
}

fn options(ensemble: Ensemble, timestep_fs: f64, steps: u64) -> MdOptions {
    MdOptions {
        ensemble,
        timestep_fs,
        steps,
        temperature_k: 300.0,
        drift: Drift::Start,
        every: 100,
        seed: 3,
    }
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
    let period =
        2.0 * std::f64::consts::PI * (genesis_schema::elements::mass(14) / ACCELERATION).sqrt();
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
    let mut system = System::new(&frame(4000), 500.0, stream, &mut Springs).unwrap();
    system.rest();
    system.without_common_motion();
    assert!((system.freedoms - 11_997.0).abs() < 1e-9);
    // The relative deviation of 12000 squares of normal numbers is sqrt(2/12000) = 1.3 %.
    assert!((system.temperature_k() - 500.0).abs() < 4.0 * 0.013 * 500.0);
    let momentum: f64 = system.velocities.iter().map(|v| v[1]).sum();
    assert!(momentum.abs() < 1e-9, "{momentum}");
    let energy_of_one = 1.5 * BOLTZMANN * 500.0;
    assert!((system.kinetic() / 4000.0 - energy_of_one).abs() < 0.06 * energy_of_one);
}

fn spread() -> Start {
    let mut start = frame(3);
    start.frame.positions = vec![[0.1, 0.0, 0.3], [1.3, 0.2, 0.0], [0.0, -1.1, 0.4]];
    start
}

fn write(start: &Start, options: &MdOptions, path: &Path) -> MdReport {
    let mut trajectory = Trajectory::create(path).unwrap();
    let stop = AtomicBool::new(false);
    simulate(&mut Springs, start, options, &mut trajectory, &stop, &mut |_| {}).unwrap()
}

#[test]
fn going_on_from_a_frame_gives_the_bits_of_one_run_with_and_without_a_bath() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for ensemble in [Ensemble::Nve, Ensemble::Nvt { friction_per_ps: 10.0 }] {
        for name in ["whole.xyz", "whole.jsonl.gz"] {
            let mut options = options(ensemble, 1.0, 20);
            options.every = 10;
            write(&spread(), &options, &path(name));
            let whole = read(&path(name));
            assert_eq!(whole.len(), 3);
            (options.steps, options.drift) = (10, Drift::Keep);
            let half = Start::of(&whole[1]).unwrap();
            assert_eq!((half.step, half.time_fs.to_bits()), (10, 10f64.to_bits()));
            write(&half, &options, &path("rest.xyz"));
            let rest = read(&path("rest.xyz"));
            assert_eq!(rest[1].frame, whole[2].frame);
            let of = |structure: &Structure| Start::of(structure).unwrap();
            assert_eq!(of(&rest[1]).velocities, of(&whole[2]).velocities);
            let temperature = |it: &Structure| it.raw.info["temperature"].numbers();
            assert_eq!(temperature(&rest[1]), temperature(&whole[2]), "the same freedoms");
        }
    }
}

#[test]
fn fixed_components_stay_and_are_no_freedoms_in_any_ensemble() {
    let folder = tempfile::tempdir().unwrap();
    let mut start = spread();
    start.moves[0] = [false; 3];
    start.moves[1] = [true, true, false];
    for ensemble in [Ensemble::Nve, Ensemble::Nvt { friction_per_ps: 50.0 }] {
        let path = folder.path().join("fixed.xyz");
        let mut options = options(ensemble, 1.0, 50);
        options.drift = Drift::Keep;
        let report = write(&start, &options, &path);
        assert!((report.freedoms - 5.0).abs() < 1e-9, "{report:?}");
        let last = read(&path).pop().unwrap().frame.positions;
        let bits = |r: [f64; 3]| r.map(f64::to_bits);
        assert_eq!(bits(last[0]), bits(start.frame.positions[0]));
        assert_eq!(last[1][2].to_bits(), start.frame.positions[1][2].to_bits());
        assert_ne!(last[1][0].to_bits(), start.frame.positions[1][0].to_bits());
        options.drift = Drift::Start;
        let error = check(&options, &start).unwrap_err().to_string();
        assert!(error.contains("move_mask"), "{error}");
    }
}

#[test]
fn the_centre_of_mass_keeps_its_motion_or_loses_it_once_or_always() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("drift.xyz");
    let speed = |ensemble, drift| {
        let mut start = spread();
        start.velocities = Some(vec![[0.01, 0.0, 0.0]; 3]);
        let mut options = options(ensemble, 1.0, 1);
        options.drift = drift;
        let report = write(&start, &options, &path);
        let last = Start::of(&read(&path).pop().unwrap()).unwrap().velocities.unwrap();
        (last.iter().map(|v| v[0]).sum::<f64>().abs(), report.freedoms)
    };
    let bath = Ensemble::Nvt { friction_per_ps: 100.0 };
    let (keeps, freedoms) = speed(Ensemble::Nve, Drift::Keep);
    assert!(keeps > 0.02 && (freedoms - 7.0).abs() < 1e-9, "y and z are still: {freedoms}");
    assert!(speed(Ensemble::Nve, Drift::Start).0 < 2e-3, "springs pull at it again");
    assert!(speed(bath, Drift::Start).0 > 1e-4, "a bath pushes");
    let (never, freedoms) = speed(bath, Drift::Never);
    assert!(never < 1e-12 && (freedoms - 6.0).abs() < 1e-9, "{never} {freedoms}");
}

#[test]
fn masses_and_what_else_the_file_says_go_into_the_trajectory_and_labels_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("start.xyz");
    let text = "1\nProperties=species:S:1:pos:R:3:masses:R:1:dft_forces:R:3:tag:I:1 energy=-1 \
                name=\"a b\" pbc=F\nSi 0.1 0 0 112.34 9 9 9 7\n";
    std::fs::write(&path, text).unwrap();
    let start = Start::of(&read(&path)[0]).unwrap();
    let mut options = options(Ensemble::Nve, 0.1, 3390);
    (options.temperature_k, options.every) = (0.0, 3390);
    write(&start, &options, &folder.path().join("out.xyz"));
    let last = read(&folder.path().join("out.xyz")).pop().unwrap();
    // Four times the mass of silicon: half a period, and the spring is at its other end.
    assert!((last.frame.positions[0][0] + 0.1).abs() < 1e-3, "{:?}", last.frame.positions);
    assert_eq!(last.raw.of_atoms(&["masses"], 1), Some(("masses", vec![112.34])));
    assert_eq!(last.raw.info["name"].numbers(), None);
    assert!(last.raw.has("tag") && !last.raw.has("dft_forces"));
    assert_eq!(last.raw.info["energy"].numbers().unwrap()[0].to_bits(), {
        let x = last.frame.positions[0][0];
        (0.5 * x * x).to_bits()
    });
}

#[test]
fn a_simulation_that_leaves_all_bounds_is_stopped_with_its_step_and_its_last_good_frame() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.xyz");
    let mut trajectory = Trajectory::create(&path).unwrap();
    // A step beyond 2 sqrt(m / k) = 108 fs is unstable: the amplitude grows from step to step.
    let options = options(Ensemble::Nve, 112.0, 1000);
    let stop = AtomicBool::new(false);
    let error = simulate(&mut Springs, &frame(3), &options, &mut trajectory, &stop, &mut |_| {})
        .unwrap_err();
    let StructuresError::Exploded { good, written, .. } = error else { panic!("{error}") };
    assert!(error.to_string().contains("shorter time step"), "{error}");
    let text = std::fs::read_to_string(&path).unwrap();
    let frames: Vec<&str> = text.lines().filter(|line| line.contains("time_fs=")).collect();
    assert_eq!((frames.len() as u64, written), (2, 2), "the start and the last good one");
    assert!(good > 0 && frames[1].contains(&format!(" step={good} ")), "{}", frames[1]);
}

#[test]
fn an_energy_that_is_not_conserved_is_warned_of() {
    let unstable = report(8, &options(Ensemble::Nve, 60.0, 100));
    assert!(unstable.warnings[0].contains("not conserved"), "{unstable:?}");
    assert_eq!(report(8, &options(Ensemble::Nve, 2.0, 100)).warnings, Vec::<String>::new());
}
