//! What holds of any MACE whatever its parameters: symmetries, derivatives, independence of what
//! does not interact. In f64, with every kind of block.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "functions of a test, where a panic is the report"
)]

mod structures;

use burn::{
    backend::Autodiff,
    tensor::{FloatDType, Tensor},
};
use genesis_kernels::Cpu;
use genesis_model::{
    Params,
    equivariant::{
        Blueprint, DistanceTransform, EnergyKind, GraphError, GraphInput, InteractionKind, Mace,
        MaceConfig, ProductBasisKind, predict,
    },
};
use genesis_schema::atoms::{Frame, GraphBatch, Matrix, Vector};

/// Configurations that between them have every block, transform and option.
fn configs() -> Vec<(&'static str, MaceConfig)> {
    let plain = structures::config();
    let density = MaceConfig {
        interaction_first: InteractionKind::RealAgnosticDensity,
        interaction: InteractionKind::RealAgnosticDensityResidual,
        distance_transform: DistanceTransform::Agnesi,
        zbl: true,
        ..plain.clone()
    };
    let late = MaceConfig {
        interaction_first: InteractionKind::RealAgnostic,
        interaction: InteractionKind::RealAgnostic,
        cutoff_on_basis: false,
        distance_transform: DistanceTransform::Soft,
        max_hidden_degree: 2,
        num_interactions: 3,
        max_ell: 2,
        energy: EnergyKind::Plain {},
        product_basis: ProductBasisKind::Symmetric,
        ..plain.clone()
    };
    let single = MaceConfig {
        num_interactions: 1,
        correlation: 1,
        interaction_first: InteractionKind::RealAgnosticDensityResidual,
        cutoff_on_basis: false,
        ..plain.clone()
    };
    vec![("residual", plain), ("density", density), ("late", late), ("single", single)]
}

fn for_each(check: impl Fn(&str, &Blueprint, &Params<Cpu>)) {
    for (name, config) in configs() {
        let blueprint = Blueprint::new(config).unwrap();
        check(name, &blueprint, &structures::random_params(&blueprint));
    }
}

/// A rotation about an axis without symmetry.
fn rotation() -> Matrix {
    let (s, c) = 0.7_f64.sin_cos();
    let (t, d) = 1.9_f64.sin_cos();
    // Rows of the product of a turn about z and one about x.
    [[c, s * d, s * t], [-s, c * d, c * t], [0.0, -t, d]]
}

fn negated(matrix: Matrix) -> Matrix {
    matrix.map(|row| row.map(|x| -x))
}

fn transposed(m: &Matrix) -> Matrix {
    std::array::from_fn(|row| std::array::from_fn(|axis| m[axis][row]))
}

/// `R^T S R`
fn rotated_tensor(stress: &Matrix, r: &Matrix) -> Matrix {
    let right: Matrix = stress.map(|row| structures::apply(row, r));
    let left = transposed(&right).map(|row| structures::apply(row, r));
    transposed(&left)
}

/// Errors of sums of a few thousand terms of order one.
const ROUNDING: f64 = 1e-11;

#[test]
fn rotating_or_reflecting_a_structure_rotates_its_forces_and_stress() {
    for_each(|name, blueprint, params| {
        for turn in [rotation(), negated(rotation())] {
            let still = structures::run(blueprint, params, &[structures::crystal()]);
            let frame = structures::transformed(&structures::crystal(), &turn);
            let turned = structures::run(blueprint, params, &[frame]);
            structures::assert_close(turned.energies[0], still.energies[0], ROUNDING, name);
            let forces: Vec<Vector> = still
                .forces
                .unwrap()
                .iter()
                .map(|force| structures::apply(*force, &turn))
                .collect();
            structures::assert_vectors(&turned.forces.unwrap(), &forces, ROUNDING, name);
            let stress = rotated_tensor(&still.stress.unwrap()[0].unwrap(), &turn);
            let turned = turned.stress.unwrap()[0].unwrap();
            structures::assert_vectors(&turned, &stress, ROUNDING, name);
        }
    });
}

#[test]
fn moving_a_structure_or_an_atom_by_a_lattice_vector_changes_nothing() {
    for_each(|name, blueprint, params| {
        let still = structures::run(blueprint, params, &[structures::crystal()]);
        let mut frame = structures::crystal();
        for position in &mut frame.positions {
            *position = structures::sub(*position, [1.7, -20.0, 0.3]);
        }
        frame.positions[2] = structures::sub(frame.positions[2], frame.cell[1]);
        let moved = structures::run(blueprint, params, &[frame]);
        structures::assert_close(moved.energies[0], still.energies[0], ROUNDING, name);
        let forces = still.forces.unwrap();
        structures::assert_vectors(&moved.forces.unwrap(), &forces, ROUNDING, name);
        let total: Vector = std::array::from_fn(|axis| forces.iter().map(|f| f[axis]).sum());
        structures::assert_vectors(&[total], &[[0.0; 3]], ROUNDING, "sum of forces");
    });
}

#[test]
fn renumbering_atoms_renumbers_their_forces_and_energies() {
    for_each(|name, blueprint, params| {
        let order = [3, 0, 4, 2, 1];
        let frame = structures::crystal();
        let other = Frame {
            atomic_numbers: order.map(|at| frame.atomic_numbers[at]).to_vec(),
            positions: order.map(|at| frame.positions[at]).to_vec(),
            ..frame.clone()
        };
        let [a, b] = [frame, other].map(|frame| structures::run(blueprint, params, &[frame]));
        structures::assert_close(b.energies[0], a.energies[0], ROUNDING, name);
        let forces = a.forces.unwrap();
        let wanted: Vec<Vector> = order.iter().map(|&at| forces[at]).collect();
        structures::assert_vectors(&b.forces.unwrap(), &wanted, ROUNDING, name);
        for (at, energy) in order.into_iter().zip(b.node_energies) {
            structures::assert_close(energy, a.node_energies[at], ROUNDING, name);
        }
    });
}

/// Central differences with step h have error h^2 f''' / 6 + rounding / h: with third derivatives
/// of order ten and h = 1e-4 both are below 1e-6 of the forces, which are of order 0.1 to 10.
#[test]
fn forces_are_the_negative_derivative_of_the_energy() {
    let h = 1e-4;
    for_each(|name, blueprint, params| {
        let forces = structures::run(blueprint, params, &[structures::crystal()]).forces.unwrap();
        let scale = forces.iter().map(|f| structures::length(*f)).fold(0.1, f64::max);
        for (atom, axis) in [(0, 0), (1, 2), (3, 1), (4, 0)] {
            let energy = |step: f64| {
                let mut frame = structures::crystal();
                frame.positions[atom][axis] += step;
                structures::run(blueprint, params, &[frame]).energies[0]
            };
            let slope = (energy(h) - energy(-h)) / (2.0 * h);
            structures::assert_close(forces[atom][axis], -slope, 1e-6 * scale, name);
        }
    });
}

#[test]
fn stress_is_the_derivative_of_the_energy_by_strain_over_volume() {
    let (h, volume) = (1e-4, 5.0 * 6.0 * 7.0);
    for_each(|name, blueprint, params| {
        let stress = structures::run(blueprint, params, &[structures::crystal()]).stress.unwrap()
            [0]
        .unwrap();
        let scale = stress.iter().flatten().fold(1e-3, |most: f64, x| most.max(x.abs()));
        for (row, axis) in [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)] {
            let energy = |step: f64| {
                let mut strain = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
                strain[row][axis] += 0.5 * step;
                strain[axis][row] += 0.5 * step;
                let frame = structures::transformed(&structures::crystal(), &strain);
                structures::run(blueprint, params, &[frame]).energies[0]
            };
            let slope = (energy(h) - energy(-h)) / (2.0 * h) / volume;
            structures::assert_close(stress[row][axis], slope, 1e-6 * scale, name);
        }
    });
}

/// `[3 N]` row of second derivatives by the coordinates: the edge vectors are a leaf of both graphs.
fn hessian_row(
    blueprint: &Blueprint,
    params: &Params<Cpu>,
    batch: &GraphBatch,
    at: usize,
) -> Vec<f64> {
    type Once = Autodiff<Cpu>;
    type Twice = Autodiff<Once>;
    let upload =
        GraphInput::<Cpu>::upload(blueprint, batch, FloatDType::F64, &structures::device());
    let graph = upload.unwrap();
    let lower: Tensor<Once, 2> = Tensor::from_inner(graph.vectors).require_grad();
    let upper: Tensor<Twice, 2> = Tensor::from_inner(lower.clone()).require_grad();
    let layout = graph.layout;
    let input = GraphInput { vectors: upper.clone(), layout: layout.clone() };
    let model = Mace::bind(blueprint, &params.constant().constant());
    let energy = model.forward(&input).energy.sum();
    let gradient: Tensor<Once, 2> = upper.grad(&energy.backward()).unwrap();
    let ends: Vec<(usize, usize)> = {
        let senders = layout.edges.senders().rows().iter();
        senders
            .zip(layout.edges.receivers().rows())
            .map(|(s, r)| (*s as usize, *r as usize))
            .collect()
    };
    // dv/dr of coordinate `at`: +1 where its atom receives, -1 where it sends.
    let direction: Vec<f64> = ends
        .iter()
        .flat_map(|&(sender, receiver)| {
            let sign =
                f64::from(u8::from(receiver == at / 3)) - f64::from(u8::from(sender == at / 3));
            [0, 1, 2].map(|axis| if axis == at % 3 { sign } else { 0.0 })
        })
        .collect();
    let direction = burn::tensor::TensorData::new(direction, [ends.len(), 3]);
    let direction: Tensor<Once, 2> =
        Tensor::from_data(direction, (&structures::device(), burn::tensor::DType::F64));
    let slope = gradient.mul(direction).sum();
    let second = lower.grad(&slope.backward()).unwrap();
    let second: Vec<f64> = second.to_data().into_vec().unwrap();
    let mut row = vec![0.0; 3 * layout.num_atoms()];
    for ((sender, receiver), change) in ends.into_iter().zip(second.chunks_exact(3)) {
        for axis in 0..3 {
            row[3 * receiver + axis] += change[axis];
            row[3 * sender + axis] -= change[axis];
        }
    }
    row
}

#[test]
fn the_hessian_is_symmetric_and_the_derivative_of_the_forces() {
    let h = 1e-4;
    for_each(|name, blueprint, params| {
        let batch = structures::batch(blueprint.config().r_max_angstrom, &[structures::molecule()]);
        let rows: Vec<Vec<f64>> =
            (0..15).map(|at| hessian_row(blueprint, params, &batch, at)).collect();
        let scale = rows.iter().flatten().fold(0.1, |most: f64, x| most.max(x.abs()));
        for (a, row) in rows.iter().enumerate() {
            for (b, value) in row.iter().enumerate() {
                structures::assert_close(
                    *value,
                    rows[b][a],
                    1e-12 * scale,
                    &format!("{name} {a} {b}"),
                );
            }
        }
        let forces = |step: f64| {
            let mut frame = structures::molecule();
            frame.positions[3][1] += step;
            structures::run(blueprint, params, &[frame]).forces.unwrap().concat()
        };
        for (at, (up, down)) in forces(h).iter().zip(forces(-h)).enumerate() {
            let slope = (up - down) / (2.0 * h);
            structures::assert_close(rows[10][at], -slope, 1e-6 * scale, name);
        }
    });
}

#[test]
fn two_copies_far_apart_have_twice_the_energy_and_the_same_forces() {
    for_each(|name, blueprint, params| {
        let one = structures::molecule();
        let far = one.positions.iter().map(|r| structures::sub(*r, [100.0, 0.0, 0.0]));
        let positions = one.positions.iter().copied().chain(far).collect();
        let numbers = [one.atomic_numbers.clone(), one.atomic_numbers.clone()].concat();
        let two = structures::run(blueprint, params, &[structures::frame(&numbers, positions)]);
        let one = structures::run(blueprint, params, &[one]);
        structures::assert_close(two.energies[0], 2.0 * one.energies[0], ROUNDING, name);
        let forces = one.forces.unwrap();
        structures::assert_vectors(
            &two.forces.unwrap(),
            &[forces.clone(), forces].concat(),
            ROUNDING,
            name,
        );
    });
}

/// Products of matrices may group rows differently, so the last bits may differ.
#[test]
fn a_structure_has_the_same_prediction_in_any_batch() {
    for_each(|name, blueprint, params| {
        let lonely = structures::frame(&[6], vec![[0.0; 3]]);
        let frames = [structures::crystal(), lonely, structures::molecule(), structures::crystal()];
        let all = structures::run(blueprint, params, &frames);
        let mut first = 0;
        for (at, frame) in frames.iter().enumerate() {
            let alone = structures::run(blueprint, params, std::slice::from_ref(frame));
            structures::assert_close(all.energies[at], alone.energies[0], 1e-13, name);
            let end = first + frame.positions.len();
            let forces = &all.forces.as_ref().unwrap()[first..end];
            structures::assert_vectors(forces, &alone.forces.unwrap(), 1e-12, name);
            assert_eq!(all.stress.as_ref().unwrap()[at].is_some(), frame.periodic == [true; 3]);
            first = end;
        }
    });
}

#[test]
fn atoms_without_neighbours_have_an_energy_and_no_forces() {
    for_each(|name, blueprint, params| {
        let positions = vec![[0.0; 3], [50.0, 0.0, 0.0], [0.0, 50.0, 0.0]];
        let got = structures::run(blueprint, params, &[structures::frame(&[1, 6, 8], positions)]);
        assert!(got.energies[0].is_finite(), "{name}");
        assert_eq!(got.forces.unwrap(), vec![[0.0; 3]; 3], "{name}");
        let alone =
            structures::run(blueprint, params, &[structures::frame(&[6], vec![[1.0, 2.0, 3.0]])]);
        structures::assert_close(alone.energies[0], got.node_energies[1], 1e-13, name);
        let none = predict(blueprint, params, &GraphBatch::default(), structures::ALL).unwrap();
        assert!(none.energies.is_empty() && none.forces.unwrap().is_empty(), "{name}");
    });
}

/// In f32 the network rounds 24 bits; energies of isolated atoms stay f64.
#[test]
fn single_precision_keeps_total_energies_to_rounding_of_the_interaction() {
    for (name, mut config) in configs() {
        config.atomic_energies_ev = vec![vec![-13.0, -1026.85, -20370.25]];
        let blueprint = Blueprint::new(config).unwrap();
        let params = structures::random_params(&blueprint);
        let frames = [structures::crystal()];
        let fine = structures::run(&blueprint, &params, &frames);
        let coarse = structures::run(&blueprint, &params.cast(FloatDType::F32), &frames);
        let isolated = -13.0 * 3.0 - 1026.85 - 20370.25;
        let interaction = (fine.energies[0] - isolated).abs().max(1.0);
        // A sum over some thousand products loses at most some hundred roundings of 6e-8.
        let difference = (fine.energies[0] - coarse.energies[0]).abs();
        assert!(difference < 3e-5 * interaction, "{name}: {difference:e} of {interaction}");
        let forces = fine.forces.unwrap();
        let scale = forces.iter().map(|f| structures::length(*f)).fold(0.1, f64::max);
        structures::assert_vectors(&coarse.forces.unwrap(), &forces, 1e-4 * scale, name);
    }
}

fn two_heads() -> (Blueprint, Params<Cpu>) {
    let config = MaceConfig {
        heads: vec!["pbe".into(), "cc".into()],
        atomic_energies_ev: vec![vec![-1.0, -2.0, -3.0], vec![-1.5, -2.5, -3.5]],
        energy: EnergyKind::ScaleShift { scale: vec![0.8, 0.4], shift_ev: vec![0.1, 0.3] },
        ..structures::config()
    };
    let blueprint = Blueprint::new(config).unwrap();
    let params = structures::random_params(&blueprint);
    (blueprint, params)
}

#[test]
fn a_structure_is_judged_by_the_head_it_names() {
    let (blueprint, params) = two_heads();
    let with = |head: &str| Frame { head: head.into(), ..structures::crystal() };
    let both = structures::run(&blueprint, &params, &[with("cc"), with("pbe")]);
    for (at, head) in ["cc", "pbe"].into_iter().enumerate() {
        let alone = structures::run(&blueprint, &params, &[with(head)]);
        structures::assert_close(both.energies[at], alone.energies[0], 1e-13, head);
    }
    assert!((both.energies[0] - both.energies[1]).abs() > 1e-3);
    for head in ["", "wb97"] {
        let batch = structures::batch(4.5, &[with(head)]);
        let error = predict(&blueprint, &params, &batch, structures::ALL).unwrap_err();
        assert!(matches!(&error, GraphError::UnknownHead { known, .. } if known.len() == 2));
    }
}

#[test]
fn structures_that_do_not_fit_are_refused_with_their_number() {
    let blueprint = Blueprint::new(structures::config()).unwrap();
    let params = structures::random_params(&blueprint);
    let refuse = |frame: Frame| {
        let batch = structures::batch(4.5, &[structures::molecule(), frame]);
        predict(&blueprint, &params, &batch, structures::ALL).unwrap_err()
    };
    let error = refuse(structures::frame(&[1, 79], vec![[0.0; 3], [1.0; 3]]));
    let text = "structure 1, atom 1: element 79 is not among those the model knows, [1, 6, 8]";
    assert!(error.to_string().starts_with(text), "{error}");
    let error = refuse(structures::frame(&[1, 1], vec![[0.5; 3]; 2]));
    assert!(matches!(error, GraphError::Overlap { frame: 1, .. }), "{error}");
    let flat = Frame {
        cell: [[1.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0, 0.0, 3.0]],
        ..structures::crystal()
    };
    let mut batch = GraphBatch::default();
    batch.push(flat, &genesis_schema::atoms::Edges::default(), 9);
    let error = predict(&blueprint, &params, &batch, structures::ALL).unwrap_err();
    assert!(matches!(error, GraphError::FlatCell { frame: 9, .. }), "{error}");
}
