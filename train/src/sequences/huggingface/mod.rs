//! Hugging Face folders: written so that transformers loads them as `GPT2LMHeadModel`,
//! `LlamaForCausalLM` or `EsmForMaskedLM`, and read into checkpoints.
//!
//! Reading order: [`foreign`] (a folder as configuration, parameters and the rest), [`mod@import`]
//! (into a checkpoint), [`origin`] (what the checkpoint remembers of the folder), [`folder`] (the
//! files of an export), [`mod@reference`] (the export's own reference outputs), [`mod@export`],
//! [`mod@check`] (comparison with reference outputs of another program).

pub mod check;
pub mod export;
pub mod folder;
pub mod foreign;
pub mod import;
pub mod origin;
pub mod reference;

pub use check::{CheckReport, check};
pub use export::{ExportOptions, ExportReport, export, export_model};
pub use folder::StoredDtype;
pub use foreign::ForeignModel;
pub use import::{ImportReport, import};
pub use origin::{ORIGIN_FILE, ORIGIN_TENSORS, Origin};

/// Kind of the source of a model that came from a folder of transformers.
pub(crate) const HUGGING_FACE: &str = "hugging_face";
