//! MACE: an equivariant network of atoms that predicts energies, forces and stress.
//!
//! Features of atoms are `[N, M, C]`: `M = (L + 1)^2` components, degree by degree and `m` inside,
//! channels fastest. Letters: `N` atoms, `E` directed edges sorted by receiver, `G` structures,
//! `S` elements, `C` channels, `L` highest degree, `Q` paths of a convolution, `T` monomials of a
//! product, `H` heads. Units Å, eV, eV/Å, eV/Å^3.
//!
//! Reading order: [`config`] and [`choices`] say what a network is; `coupling_tensors` and
//! [`product_basis`] are its tables, [`blueprint`] holds them, `specs` lists its parameters;
//! [`graph`] is the input; `radial`, `interaction`, `product`, `readout` are the parts and
//! [`network`] puts them together; [`predict()`] differentiates it once, `gradients` twice.
//! [`mace_torch`] translates to and from that program's models.
//!
//! Not here: neighbour lists, optimizers, files.

mod activation;
pub mod blueprint;
pub mod choices;
pub mod config;
mod coupling_tensors;
mod covalent_radii;
mod degree_linear;
mod element_linear;
mod error;
mod gradients;
pub mod graph;
mod interaction;
pub mod loss;
pub mod mace_torch;
pub mod network;
mod pair_repulsion;
pub mod predict;
mod product;
pub mod product_basis;
mod radial;
mod radial_basis;
mod readout;
mod specs;
#[cfg(test)]
mod testing;

pub use activation::SILU_SCALE;
pub use blueprint::Blueprint;
pub use choices::{
    CouplingSigns, DistanceTransform, EnergyKind, InteractionKind, ProductBasisKind,
};
pub use config::MaceConfig;
pub use coupling_tensors::CouplingTensor;
pub use error::GraphError;
pub use gradients::{LossAndGradients, loss_and_gradients};
pub use graph::{GraphInput, GraphLayout};
pub use loss::{LossConfig, LossCounts, LossTerms, Penalty};
pub use network::{Mace, Output};
pub use predict::{Prediction, Wanted, predict};
