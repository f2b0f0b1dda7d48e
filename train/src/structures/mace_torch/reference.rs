//! A structure of the elements that a network knows, to compare two copies of it by.

use genesis_data::structures::neighbor_list;
use genesis_model::equivariant::{Prediction, Wanted};
use genesis_schema::{Frame, FrameLabels, FrameWeights, GraphBatch, Seeds};

use crate::structures::{StructuresError, StructuresModel};

/// Atoms along an edge of the cube.
const EDGE: u64 = 2;
/// Distance of neighbours on the undisturbed cube, Å.
const SPACING: f64 = 2.0;

/// Eight atoms near the corners of a cube in a periodic cell, once for each head.
pub(super) fn batch(model: &StructuresModel) -> Result<GraphBatch, StructuresError> {
    let config = model.blueprint.config();
    let mut batch = GraphBatch::default();
    for (head, id) in config.heads.iter().zip(0u64..) {
        let frame = frame(&config.elements, head, id);
        let found = neighbor_list(&frame.positions, &frame.cell, frame.periodic, model.cutoff());
        let edges = found.map_err(|source| StructuresError::Neighbors {
            place: "the structure that compares exports".to_owned(),
            source,
        })?;
        batch.push(frame, &edges, id);
    }
    Ok(batch)
}

fn frame(elements: &[u8], head: &str, id: u64) -> Frame {
    let stream = Seeds::new(0).stream("export/reference");
    let corner = |at: u64| [at % EDGE, at / EDGE % EDGE, at / EDGE / EDGE];
    let shifted = |at: u64| {
        let corner = corner(at);
        [0u64, 1, 2].map(|axis| {
            let place = corner[usize::try_from(axis).expect("three axes")] as f64;
            SPACING * (place + 0.2 * (stream.uniform(8 * id + at, axis) - 0.5))
        })
    };
    let atoms = EDGE.pow(3);
    let cell = SPACING * EDGE as f64 + 1.0;
    Frame {
        atomic_numbers: elements.iter().cycle().copied().take(8).collect(),
        positions: (0..atoms).map(shifted).collect(),
        cell: [[cell, 0.0, 0.0], [0.3, cell, 0.0], [0.0, -0.2, cell]],
        periodic: [true; 3],
        labels: FrameLabels::default(),
        weights: FrameWeights::default(),
        config_type: String::new(),
        head: head.to_owned(),
    }
}

/// Largest difference of an energy (eV), force (eV/Å) or stress (eV/Å^3), relative to the largest
/// of its kind or to one.
pub(super) fn largest_difference(
    a: &StructuresModel,
    b: &StructuresModel,
) -> Result<f64, StructuresError> {
    let batch = batch(a)?;
    let wanted = Wanted { forces: true, stress: true };
    let (a, b) = (a.predict(&batch, wanted)?, b.predict(&batch, wanted)?);
    let of = |numbers: fn(&Prediction) -> Vec<f64>| {
        let (a, b) = (numbers(&a), numbers(&b));
        let scale = a.iter().fold(1.0f64, |most, value| most.max(value.abs()));
        let apart = a.iter().zip(&b).map(|(a, b)| (a - b).abs());
        // A NaN on either side must not pass as no difference.
        apart.fold(0.0f64, |most, d| if d.is_nan() { f64::INFINITY } else { most.max(d) }) / scale
    };
    let energies = of(|it| it.energies.clone());
    let forces = of(|it| it.forces.iter().flatten().flatten().copied().collect());
    let stress =
        of(|it| it.stress.iter().flatten().flatten().flatten().flatten().copied().collect());
    Ok(energies.max(forces).max(stress))
}
