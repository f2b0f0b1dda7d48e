//! Neighbour lists of a periodic crystal whose atoms are moved by a formula, so that a peer sees
//! the same atoms without a file.

use genesis_data::structures::neighbor_list;
use genesis_kernels::Cpu;
use serde::{Deserialize, Serialize};

use super::{CaseError, Fields, Repeats, median_s, put, timed};

/// Å; with one atom in 20 Å^3 an atom has about 26 neighbours.
const CUTOFF: f64 = 5.0;
/// Edge of the cube that one atom has for itself, Å.
const SPACING: f64 = 2.714;
/// Å.
const AMPLITUDE: f64 = 0.1;

/// A crystal of `sides` atoms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeighborsCase {
    /// Atoms along each axis.
    pub sides: [usize; 3],
    /// How often.
    pub repeats: Repeats,
}

impl NeighborsCase {
    pub(super) fn measure(&self) -> Result<Fields, CaseError> {
        let positions = self.positions();
        let length = self.sides.map(|side| SPACING * side as f64);
        let cell = [[length[0], 0.0, 0.0], [0.0, length[1], 0.0], [0.0, 0.0, length[2]]];
        let (mut seconds, mut num_edges) = (Vec::new(), 0);
        let cpu = burn::tensor::Device::<Cpu>::default();
        for _ in 0..self.repeats.total() {
            let (edges, taken) =
                timed::<Cpu, _>(&cpu, || neighbor_list(&positions, &cell, [true; 3], CUTOFF));
            let edges = edges.map_err(|error| CaseError::Network(error.to_string()))?;
            num_edges = edges.len();
            seconds.push(taken);
        }
        let build_s = median_s(&seconds, self.repeats)?;
        let mut fields = Fields::new();
        put(&mut fields, "build_ms", 1e3 * build_s);
        put(&mut fields, "atoms_per_s", positions.len() as f64 / build_s);
        put(&mut fields, "atoms", positions.len());
        put(&mut fields, "edges", num_edges);
        Ok(fields)
    }

    /// Atom `i` of the lattice, moved by `AMPLITUDE sin(78.233 i + 12.9898 k)` along axis `k`.
    pub(crate) fn positions(&self) -> Vec<[f64; 3]> {
        let [nx, ny, nz] = self.sides;
        let atom = |i: usize| {
            let place = [i % nx, i / nx % ny, i / (nx * ny)];
            [0, 1, 2].map(|k| {
                let phase = 78.233 * i as f64 + 12.989_8 * k as f64;
                SPACING * place[k] as f64 + AMPLITUDE * phase.sin()
            })
        };
        (0..nx * ny * nz).map(atom).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crystal_has_26_neighbours_an_atom() {
        let repeats = Repeats { warmup: 0, steps: 1 };
        let fields = NeighborsCase { sides: [6, 5, 4], repeats }.measure().unwrap();
        assert_eq!(fields["atoms"], 120);
        // Along the diagonal of the cube the neighbour is 4.70 Å away, the next shell 5.43 Å.
        let edges = fields["edges"].as_f64().unwrap() / 120.0;
        assert!((edges - 26.0).abs() < 0.5, "{edges}");
    }
}
