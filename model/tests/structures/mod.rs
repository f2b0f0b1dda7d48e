//! What the tests of the equivariant network share: structures, edges by brute force, parameters,
//! reading reference folders.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "each test binary uses a part, and a panic is its report"
)]

pub(crate) mod oracle;

use std::collections::BTreeMap;

use burn::tensor::Device;
use genesis_kernels::Cpu;
use genesis_model::{
    Params,
    equivariant::{
        Blueprint, CouplingSigns, DistanceTransform, EnergyKind, InteractionKind, MaceConfig,
        Prediction, ProductBasisKind, Wanted, predict,
    },
};
use genesis_schema::{
    Seeds,
    atoms::{Edges, Frame, FrameLabels, FrameWeights, GraphBatch, Matrix, Vector},
};

pub(crate) const ALL: Wanted = Wanted { forces: true, stress: true };

pub(crate) fn device() -> Device<Cpu> {
    Device::<Cpu>::default()
}

/// Model B of the published golden vectors: residual blocks, degrees to 3, three factors.
pub(crate) fn config() -> MaceConfig {
    MaceConfig {
        elements: vec![1, 6, 8],
        heads: vec!["Default".into()],
        atomic_energies_ev: vec![vec![-1.0, -2.0, -3.0]],
        energy: EnergyKind::ScaleShift { scale: vec![0.8], shift_ev: vec![0.1] },
        r_max_angstrom: 4.5,
        num_bessel: 8,
        cutoff_power: 5,
        cutoff_on_basis: true,
        distance_transform: DistanceTransform::None,
        zbl: false,
        max_ell: 3,
        channels: 4,
        max_hidden_degree: 1,
        correlation: 3,
        num_interactions: 2,
        interaction_first: InteractionKind::RealAgnosticResidual,
        interaction: InteractionKind::RealAgnosticResidual,
        radial_widths: vec![64, 64, 64],
        readout_width: 16,
        avg_num_neighbors: 3.5,
        product_basis: ProductBasisKind::Unreduced,
        coupling_signs: CouplingSigns::E3nn04,
    }
}

/// Five atoms; the last ones are a C-H pair beside a water molecule.
pub(crate) fn molecule() -> Frame {
    let positions = vec![
        [0.0, 0.0, 0.0],
        [0.96, 0.05, 0.0],
        [-0.24, 0.93, 0.02],
        [0.1, -0.4, 2.1],
        [1.3, -0.2, 2.6],
    ];
    frame(&[8, 1, 1, 6, 1], positions)
}

/// The same atoms in a triclinic cell.
pub(crate) fn crystal() -> Frame {
    Frame {
        cell: [[5.0, 0.0, 0.0], [0.5, 6.0, 0.0], [0.2, 0.3, 7.0]],
        periodic: [true; 3],
        ..molecule()
    }
}

pub(crate) fn frame(atomic_numbers: &[u8], positions: Vec<Vector>) -> Frame {
    Frame {
        atomic_numbers: atomic_numbers.to_vec(),
        positions,
        cell: [[0.0; 3]; 3],
        periodic: [false; 3],
        labels: FrameLabels::default(),
        weights: FrameWeights::default(),
        config_type: String::new(),
        head: String::new(),
    }
}

pub(crate) fn batch(r_max: f64, frames: &[Frame]) -> GraphBatch {
    let mut batch = GraphBatch::default();
    for (id, frame) in frames.iter().enumerate() {
        batch.push(frame.clone(), &edges(r_max, frame), id as u64);
    }
    batch
}

/// All pairs closer than `r_max` by trying every image that could be.
pub(crate) fn edges(r_max: f64, frame: &Frame) -> Edges {
    let positions = &frame.positions;
    let reach = r_max + diameter(positions);
    let range = |axis: usize| {
        let height = height(&frame.cell, axis);
        if frame.periodic[axis] { (reach / height).ceil() as i32 } else { 0 }
    };
    let [nx, ny, nz] = [range(0), range(1), range(2)];
    let mut edges = Edges::default();
    for receiver in 0..positions.len() {
        for sender in 0..positions.len() {
            for x in -nx..=nx {
                for y in -ny..=ny {
                    for z in -nz..=nz {
                        let shift = [x, y, z];
                        let own = sender == receiver && shift == [0; 3];
                        if !own && distance(frame, sender, receiver, shift) < r_max {
                            edges.senders.push(sender as u32);
                            edges.receivers.push(receiver as u32);
                            edges.shifts.push(shift);
                        }
                    }
                }
            }
        }
    }
    edges
}

fn diameter(positions: &[Vector]) -> f64 {
    let pairs = positions.iter().flat_map(|a| positions.iter().map(move |b| length(sub(*a, *b))));
    pairs.fold(0.0, f64::max)
}

fn height(cell: &Matrix, axis: usize) -> f64 {
    let normal = cross(cell[(axis + 1) % 3], cell[(axis + 2) % 3]);
    dot(cell[axis], normal).abs() / length(normal)
}

fn distance(frame: &Frame, sender: usize, receiver: usize, shift: [i32; 3]) -> f64 {
    let mut vector = sub(frame.positions[receiver], frame.positions[sender]);
    for (axis, x) in vector.iter_mut().enumerate() {
        *x += (0..3).map(|row| f64::from(shift[row]) * frame.cell[row][axis]).sum::<f64>();
    }
    length(vector)
}

pub(crate) fn sub(a: Vector, b: Vector) -> Vector {
    std::array::from_fn(|i| a[i] - b[i])
}

fn cross(a: Vector, b: Vector) -> Vector {
    std::array::from_fn(|i| {
        let (j, k) = ((i + 1) % 3, (i + 2) % 3);
        a[j] * b[k] - a[k] * b[j]
    })
}

fn dot(a: Vector, b: Vector) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

pub(crate) fn length(a: Vector) -> f64 {
    dot(a, a).sqrt()
}

/// `r R` for a row vector.
pub(crate) fn apply(r: Vector, matrix: &Matrix) -> Vector {
    std::array::from_fn(|axis| (0..3).map(|row| r[row] * matrix[row][axis]).sum())
}

/// Every position and lattice vector multiplied from the right.
pub(crate) fn transformed(frame: &Frame, matrix: &Matrix) -> Frame {
    Frame {
        positions: frame.positions.iter().map(|r| apply(*r, matrix)).collect(),
        cell: frame.cell.map(|row| apply(row, matrix)),
        ..frame.clone()
    }
}

/// Random parameters in f64.
pub(crate) fn random_params(blueprint: &Blueprint) -> Params<Cpu> {
    let stream = Seeds::new(3).stream("test");
    let dtype = burn::tensor::FloatDType::F64;
    Params::initialise_as(blueprint.specs().clone(), &stream, dtype, &device())
}

/// Parameters as the golden vectors define them: names in byte order, one linear congruential
/// generator through all, weights of couplings over their number.
pub(crate) fn golden_params(blueprint: &Blueprint) -> Params<Cpu> {
    let specs = blueprint.specs();
    let by_name: BTreeMap<_, _> = specs.iter().map(|spec| (spec.name.clone(), spec)).collect();
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        12.0_f64.sqrt() * (f64::from(state) / 2.0_f64.powi(32) - 0.5)
    };
    let mut host = BTreeMap::new();
    for (name, spec) in by_name {
        let is_coupling = name.contains("contractions");
        let divisor = if is_coupling { spec.shape[1] as f64 } else { 1.0 };
        let values: Vec<f64> = (0..spec.num_elements()).map(|_| next() / divisor).collect();
        host.insert(name, values);
    }
    Params::from_host(specs.clone(), &host, &device()).unwrap()
}

/// Energies, forces and stress of these structures.
pub(crate) fn run(blueprint: &Blueprint, params: &Params<Cpu>, frames: &[Frame]) -> Prediction {
    let batch = batch(blueprint.config().r_max_angstrom, frames);
    predict(blueprint, params, &batch, ALL).unwrap()
}

pub(crate) fn assert_close(got: f64, want: f64, tolerance: f64, what: &str) {
    assert!((got - want).abs() <= tolerance, "{what}: {got} against {want}, allowed {tolerance}");
}

pub(crate) fn assert_vectors(got: &[Vector], want: &[Vector], tolerance: f64, what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (atom, (got, want)) in got.iter().zip(want).enumerate() {
        for (got, want) in got.iter().zip(want) {
            assert_close(*got, *want, tolerance, &format!("{what}, row {atom}"));
        }
    }
}
