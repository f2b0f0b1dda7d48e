//! Translation to and from the models of mace-torch: hyper-parameters as JSON, parameters and
//! buffers by name.
//!
//! Pure functions of values and names; reading and writing files is not done here. Parameters have
//! the same names and flat values on both sides, whatever the memory layout inside either. Buffers
//! follow from the configuration: an export writes them, an import compares them, so that a file
//! with other couplings, cut-offs or energies of atoms never becomes a silently different model.
//!
//! Not here: pickled models, reduced coupling bases of cuEquivariance, other radial functions.

mod buffers;
mod config_in;
mod config_out;
mod export;
mod import;
mod irreps;

pub use buffers::{Buffer, BufferType, buffers};
pub use config_in::config_from_json;
pub use config_out::config_to_json;
pub use export::{Exported, export};
pub use import::{HostTensor, ImportError, Imported, import};

use super::choices::InteractionKind;

/// The class of mace-torch.
fn interaction_name(kind: InteractionKind) -> &'static str {
    match kind {
        InteractionKind::RealAgnostic => "RealAgnosticInteractionBlock",
        InteractionKind::RealAgnosticResidual => "RealAgnosticResidualInteractionBlock",
        InteractionKind::RealAgnosticDensity => "RealAgnosticDensityInteractionBlock",
        InteractionKind::RealAgnosticDensityResidual => {
            "RealAgnosticDensityResidualInteractionBlock"
        }
    }
}
