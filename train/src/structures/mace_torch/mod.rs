//! Folders that mace-torch can rebuild: `config.json` (hyper-parameters), `model.safetensors` (its
//! state dict, F64) and `load_mace.py`, which makes the torch model from both.
//!
//! Reading order: [`foreign`] (a folder as it is), [`import`](mod@import) and [`export`](mod@export)
//! (checkpoint and back), [`check`](mod@check) (comparison with reference outputs). What names and
//! buffers mean is in `genesis_model::equivariant::mace_torch`.

pub mod check;
mod curve;
pub mod export;
pub mod foreign;
pub mod import;
mod reference;

use std::path::Path;

use crate::exchange::CONFIG;

pub use check::{MaceCheckReport, check};
pub use export::{MaceExportReport, export};
pub use foreign::ForeignMace;
pub use import::{MaceImportReport, import};

/// Kind of the source of a model that came from such a folder.
const MACE: &str = "mace";

/// Whether `path` holds the hyper-parameters of a MACE.
pub fn is_mace_folder(path: &Path) -> bool {
    let text = std::fs::read_to_string(path.join(CONFIG)).unwrap_or_default();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    json.get("hidden_irreps").is_some()
}
