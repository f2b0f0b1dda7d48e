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

use super::{
    config::MaceConfig,
    covalent_radii::covalent_radius,
    graph::{GraphInput, constant},
    radial::polynomial_cutoff,
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
    <B as Kernels>::sum_rows(energy, graph.layout.edges.receivers())
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
