//! The potential against its published ground state and against finite differences.

use super::*;

fn sample() -> SiliconFrame {
    SiliconFrames::new(5).nth(3).unwrap().unwrap()
}

fn energy(positions: &[Vector], cell: &Matrix) -> f64 {
    stillinger_weber(positions, cell, [true; 3]).unwrap().energy
}

#[test]
fn the_ground_state_is_diamond_with_two_epsilon_an_atom() {
    // The paper constructs A and B so that four bonds of -ε, each shared by two, are the minimum.
    let unit = [[LATTICE, 0.0, 0.0], [0.0, LATTICE, 0.0], [0.0, 0.0, LATTICE]];
    let crystal = stillinger_weber(&lattice_sites([1, 1, 1], &unit), &unit, [true; 3]).unwrap();
    assert!((crystal.energy / 8.0 + 2.0 * EPSILON).abs() < 1e-6, "{}", crystal.energy / 8.0);
    assert!(crystal.forces.iter().flatten().all(|f| f.abs() < 1e-12));
    assert!(crystal.stress.iter().flatten().all(|s| s.abs() < 1e-5), "{:?}", crystal.stress);
}

#[test]
fn forces_are_the_negative_gradient() {
    let frame = sample();
    let h = 1e-4;
    for atom in [0, 3, frame.positions.len() - 1] {
        for axis in 0..3 {
            let moved = |by: f64| {
                let mut positions = frame.positions.clone();
                positions[atom][axis] += by;
                energy(&positions, &frame.cell)
            };
            let slope = (moved(h) - moved(-h)) / (2.0 * h);
            // The error of a central difference: h^2 / 6 times a third derivative of some
            // 100 eV/Å^3, and rounding of 1e-13 eV over h.
            let force = frame.labelled.forces[atom][axis];
            assert!((force + slope).abs() < 1e-6, "atom {atom} axis {axis}: {force} {slope}");
        }
    }
}

#[test]
fn stress_is_the_derivative_by_strain_over_the_volume() {
    let frame = sample();
    let (h, volume) = (1e-5, determinant(&frame.cell).abs());
    for row in 0..3 {
        for column in 0..3 {
            let strained = |by: f64| {
                let mut strain = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
                strain[row][column] += 0.5 * by;
                strain[column][row] += 0.5 * by;
                let apply = |v: &Vector| combine(*v, &strain);
                let positions: Vec<Vector> = frame.positions.iter().map(apply).collect();
                energy(&positions, &frame.cell.map(|v| apply(&v)))
            };
            let slope = (strained(h) - strained(-h)) / (2.0 * h * volume);
            let stress = frame.labelled.stress[row][column];
            // Rounding of 1e-12 eV over h and some 160 Å^3.
            assert!((stress - slope).abs() < 1e-8, "{row} {column}: {stress} {slope}");
        }
    }
}

#[test]
fn energy_is_conserved_and_the_motion_is_thermal() {
    let stream = Seeds::new(1).stream("generate/silicon");
    let mut trajectory = Trajectory::start(stream, 2).unwrap();
    let (before, atoms) = (trajectory.total_energy(), trajectory.positions.len() as f64);
    for _ in 0..400 {
        trajectory.step().unwrap();
    }
    let drift = (trajectory.total_energy() - before).abs() / atoms;
    assert!(drift < 1e-3, "{drift} eV/atom in 400 fs");
    let square: f64 = trajectory.labelled.forces.iter().flatten().map(|f| f * f).sum();
    assert!((square / (3.0 * atoms)).sqrt() > 0.1);
}

#[test]
fn structures_are_a_function_of_the_seed_alone() {
    let first: Vec<SiliconFrame> = SiliconFrames::new(5).take(12).map(Result::unwrap).collect();
    let again: Vec<SiliconFrame> = SiliconFrames::new(5).take(12).map(Result::unwrap).collect();
    assert_eq!(first, again);
    assert_ne!(first[11].cell, first[0].cell, "the second trajectory has a cell of its own");
    assert_ne!(SiliconFrames::new(6).next().unwrap().unwrap(), first[0]);
}
