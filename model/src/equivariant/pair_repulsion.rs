//! The screened repulsion of nuclei at short range.
//!
//! ```text
//! maths    s_i = 1/2 sum_j 14.3996 Z_i Z_j / r phi(r / a) f(r / (R_i + R_j)), eV
//!          a = 0.4543 0.529 / (Z_i^0.3 + Z_j^0.3), Å; phi a sum of four exponentials
//!          f the polynomial cut-off, R covalent radii
//! source   Ziegler, Biersack, Littmark, "The Stopping and Range of Ions in Solids", 1985;
//!          constants as in mace-torch
//! ```

use burn::tensor::Tensor;
use genesis_kernels::Kernels;
use genesis_kernels::radial_basis::curves::polynomial_cutoff;
use genesis_kernels::rows;

use super::{
    config::MaceConfig,
    covalent_radii::covalent_radius,
    graph::{GraphInput, constant},
};

/// `e^2 / (4 pi epsilon_0)`, eV Å.
const COULOMB: f64 = 14.3996;
/// Bohr radius, Å, to the digits mace-torch has.
const BOHR: f64 = 0.529;
/// Length and exponent of the screening: `a = PREFACTOR BOHR / (Z_i^EXPONENT + Z_j^EXPONENT)`.
pub(super) const PREFACTOR: f64 = 0.4543;
pub(super) const EXPONENT: f64 = 0.3;
/// Amplitudes of the screening function.
pub(super) const AMPLITUDES: [f64; 4] = [0.1818, 0.5099, 0.2802, 0.02817];
/// Its decays.
const DECAYS: [f64; 4] = [3.2, 0.9423, 0.4028, 0.2016];

/// `[N, 1]` repulsion of each atom, eV; `lengths` are `[E, 1]`.
pub(super) fn pair_repulsion<B: Kernels>(
    config: &MaceConfig,
    graph: &GraphInput<B>,
    lengths: Tensor<B, 2>,
) -> Tensor<B, 2> {
    let pairs = &graph.layout.edge_elements;
    let per_edge = |value: fn([u8; 2]) -> f64| {
        let values = pairs.iter().map(|&pair| value(pair)).collect();
        constant::<B, 2>(values, [pairs.len(), 1], lengths.dtype().into(), &lengths.device())
    };
    let y = lengths.clone().mul(per_edge(inverse_screening));
    let terms = AMPLITUDES.into_iter().zip(DECAYS);
    let phi = terms
        .map(|(amplitude, decay)| y.clone().mul_scalar(-decay).exp().mul_scalar(amplitude))
        .reduce(Tensor::add);
    let phi = phi.unwrap_or_else(|| unreachable!("the screening function has four terms"));
    let ratio = lengths.clone().mul(per_edge(inverse_range));
    let energy = phi
        .mul(per_edge(half_charges))
        .mul(lengths.recip())
        .mul(polynomial_cutoff(ratio, config.cutoff_power));
    rows::sum_rows(energy, graph.layout.edges.receivers())
}

fn inverse_screening(pair: [u8; 2]) -> f64 {
    pair.map(|z| f64::from(z).powf(EXPONENT)).iter().sum::<f64>() / (PREFACTOR * BOHR)
}

fn inverse_range(pair: [u8; 2]) -> f64 {
    1.0 / pair.map(covalent_radius).iter().sum::<f64>()
}

fn half_charges(pair: [u8; 2]) -> f64 {
    0.5 * COULOMB * pair.map(f64::from).iter().product::<f64>()
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, FloatDType};
    use genesis_kernels::Cpu;
    use genesis_schema::atoms::{Edges, Frame, FrameLabels, FrameWeights, GraphBatch};

    use super::*;
    use crate::equivariant::{Blueprint, predict::to_host, testing::small_config};

    /// The figure was printed by mace-torch 0.3.15, per atom.
    #[test]
    fn the_repulsion_of_h_and_o_at_0_8_angstrom_is_that_of_mace_torch() {
        let frame = Frame {
            atomic_numbers: vec![1, 8],
            positions: vec![[0.0; 3], [0.0, 0.8, 0.0]],
            cell: [[0.0; 3]; 3],
            periodic: [false; 3],
            labels: FrameLabels::default(),
            weights: FrameWeights::default(),
            config_type: String::new(),
            head: String::new(),
        };
        let pair = Edges { senders: vec![1, 0], receivers: vec![0, 1], shifts: vec![[0; 3]; 2] };
        let mut batch = GraphBatch::default();
        batch.push(frame, &pair, 0);
        let blueprint = Blueprint::new(small_config()).unwrap();
        let device = Device::<Cpu>::default();
        let graph =
            GraphInput::<Cpu>::upload(&blueprint, &batch, FloatDType::F64, &device).unwrap();
        let lengths = graph.vectors.clone().powi_scalar(2).sum_dim(1).sqrt();
        let got = to_host(pair_repulsion(blueprint.config(), &graph, lengths));
        for energy in got {
            assert!((energy - 0.079_357_444_677_021_87).abs() < 1e-9, "{energy}");
        }
    }
}
