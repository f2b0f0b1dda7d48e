//! What import keeps of a foreign folder beyond the parameters, so that export gives it back.
//!
//! It travels with the checkpoint as two attachments and is carried unchanged by training that
//! starts from it: original names and element types, tensors the model does not use, the text of
//! config.json and of the small files beside it.

use std::collections::BTreeMap;
use std::path::Path;

use genesis_model::transformer::hugging_face::Preserved;
use safetensors::Dtype;
use serde::{Deserialize, Serialize};

use crate::exchange::error::ExchangeError;
use crate::exchange::tensor::StoredTensor;
use crate::exchange::weights::{parse_safetensors, serialise_safetensors};

/// Attachment with names, types and texts.
pub const ORIGIN_FILE: &str = "huggingface.json";
/// Attachment with the tensors that are kept and not used.
pub const ORIGIN_TENSORS: &str = "huggingface.safetensors";
/// Version of the two attachments.
const VERSION: u32 = 1;

/// Where an imported checkpoint comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// Version of this description.
    pub version: u32,
    /// Configuration keys and tensor names.
    pub preserved: Preserved,
    /// Element type of each tensor of the folder, by its name there.
    pub dtypes: BTreeMap<String, Dtype>,
    /// Text of config.json.
    pub config_text: String,
    /// Text of the other small files, by name: generation settings, tokenizer files.
    pub texts: BTreeMap<String, String>,
    /// Tensors kept unchanged, by their name in the file.
    #[serde(skip)]
    pub tensors: BTreeMap<String, StoredTensor>,
}

impl Origin {
    /// An origin of the current version.
    pub fn new(preserved: Preserved, config_text: String, texts: BTreeMap<String, String>) -> Self {
        Self {
            version: VERSION,
            preserved,
            dtypes: BTreeMap::new(),
            config_text,
            texts,
            tensors: BTreeMap::new(),
        }
    }

    /// The attachments of a checkpoint: file name and content.
    pub fn to_attachments(&self) -> Vec<(String, Vec<u8>)> {
        let description = serde_json::to_vec_pretty(self).expect("keys are strings");
        let tensors = self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor));
        vec![
            (ORIGIN_FILE.to_owned(), description),
            (ORIGIN_TENSORS.to_owned(), serialise_safetensors(tensors)),
        ]
    }

    /// Reads the attachments back; `folder` is for messages.
    ///
    /// # Errors
    /// Naming the attachment that is not what [`Origin::to_attachments`] writes.
    pub fn from_attachments(
        folder: &Path,
        description: &[u8],
        tensors: &[u8],
    ) -> Result<Self, ExchangeError> {
        let path = folder.join(ORIGIN_FILE);
        let fix = "import the Hugging Face folder again";
        let mut origin: Self = serde_json::from_slice(description)
            .map_err(|error| ExchangeError::malformed(&path, error.to_string(), fix))?;
        if origin.version != VERSION {
            let problem = format!("version is {}, this program reads {VERSION}", origin.version);
            return Err(ExchangeError::malformed(&path, problem, fix));
        }
        origin.tensors = parse_safetensors(tensors, &folder.join(ORIGIN_TENSORS))?;
        Ok(origin)
    }
}
