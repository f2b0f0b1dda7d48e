//! The checkpoint format, version 3: the folder and its manifest.
//!
//! ```text
//! checkpoints/step-00000500/
//!   model.safetensors       parameters under the names of their field, one tensor each: those that
//!                           are evaluated and exported, so averages where a run averages
//!   optimizer.safetensors   `first.<parameter>`, `second.<parameter>`: moments; for AMSGrad also
//!                           `largest.<parameter>`; where a run averages, `raw.<parameter>`: the
//!                           parameters that are trained; absent when the model was imported and
//!                           never trained
//!   optimizer-rank-0-of-4.safetensors …
//!                           in its place where ranks divide that state: flat stretches of the same
//!                           tensors, one file a rank
//!   tokenizer.json …        attachments: the tokenizer, and what an import preserved
//!   manifest.json           this file's [`Manifest`]
//!   COMMITTED               lower-case hexadecimal SHA-256 of manifest.json, and a line feed
//! ```
//!
//! The manifest lists every other file with its size and SHA-256, so the one digest in `COMMITTED`
//! covers the whole folder. A safetensors file carries no metadata of its own: with two keys its
//! bytes would depend on a hash map's order. A change of this file that old programs cannot read
//! raises [`FORMAT_VERSION`]. Version 3 is written only where ranks divided the state. Version 1 had no `family`: a tokenizer of the kind `atoms` stood for models
//! of structures, every other for models of sequences.

use std::collections::BTreeSet;
use std::path::Path;

use genesis_data::dataset::MixturePlan;
use genesis_data::dataset::card::sha256_of_bytes;
use genesis_data::dataset::corpus::ONLY_SOURCE;
use serde::{Deserialize, Serialize};

use super::error::CheckpointError;

/// Newest version this program writes and reads: ranks divide the optimizer's state.
pub const FORMAT_VERSION: u32 = 3;
/// Version of a checkpoint that one rank wrote, which older programs read too.
pub const UNDIVIDED_VERSION: u32 = 2;
/// Oldest version this program reads.
pub const OLDEST_VERSION: u32 = 1;
/// Value of [`Manifest::kind`].
pub const KIND: &str = "genesis-checkpoint";
/// Parameters.
pub const MODEL_FILE: &str = "model.safetensors";
/// Optimizer state, whole.
pub const OPTIMIZER_FILE: &str = "optimizer.safetensors";
/// What the names of files with a part of the optimizer state begin with.
const SLICE_PREFIX: &str = "optimizer-rank-";
/// Description of everything else.
pub const MANIFEST_FILE: &str = "manifest.json";
/// Written last; its presence with the right digest makes the folder a checkpoint.
pub const COMMITTED_FILE: &str = "COMMITTED";
/// Present while the folder is being written or removed: proof that it may be deleted.
pub const OWNER_FILE: &str = ".genesis-unfinished";
/// Content of [`OWNER_FILE`].
pub const OWNER_TEXT: &str = "A checkpoint being written or removed by genesis; safe to delete.\n";

/// Everything a checkpoint says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT_VERSION`] of the writer.
    pub format_version: u32,
    /// [`KIND`].
    pub kind: String,
    /// What the run knows of this moment.
    #[serde(flatten)]
    pub description: Description,
    /// Every other file but `COMMITTED`, by name.
    pub files: Vec<FileEntry>,
    /// Every tensor, by name, with where its parts lie.
    pub tensors: Vec<TensorEntry>,
}

/// What the run knows of the moment of a checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// Updates done.
    pub step: u64,
    /// The loader's position: samples delivered since the start of the run.
    pub position: u64,
    /// Tokens trained on since the start of the run; of a structure, every atom counts as one.
    pub tokens_seen: u64,
    /// Wall time of training so far, over all starts of the run.
    pub wall_seconds: f64,
    /// Ranks that wrote slices.
    pub world_size: u32,
    /// Root of every random stream of the run.
    pub seed: u64,
    /// Family of the model, such as `sequences`; every version but the first says it.
    #[serde(default)]
    pub family: String,
    /// The resolved model, as `genesis_model::TransformerConfig` or `MaceConfig` serialises.
    pub model: serde_json::Value,
    /// The resolved run configuration; compared key by key on resume.
    pub config: serde_json::Value,
    /// SHA-256 of `config` as written here, compact.
    pub config_digest: String,
    /// Root digest of the dataset; of several, that of `mixture`.
    pub dataset_digest: String,
    /// Datasets and their weights, where the run learns from several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mixture: Option<MixturePlan>,
    /// Kind of the tokenizer, for example `byte` or `amino_acid`; `atoms` where there is none.
    pub tokenizer_kind: String,
    /// Version of genesis that wrote it.
    pub code_version: String,
    /// Losses of this moment.
    pub metrics: Metrics,
    /// The best validation loss of the run so far, if it was ever measured.
    #[serde(default, deserialize_with = "best_if_finite")]
    pub best: Option<Best>,
    /// What a plateau schedule remembers; absent for every other schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plateau: Option<PlateauState>,
    /// Steps without an update, because they could not be trusted.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out_steps: u64,
    /// Times that the run went on past a step that it could not trust.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub went_on: u64,
    /// By what a jump of loss or gradients is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watched: Option<Watched>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Description {
    /// The data of the run: one dataset is a mixture of one.
    pub fn mixture(&self) -> MixturePlan {
        let sole = || MixturePlan::sole(ONLY_SOURCE, &self.dataset_digest);
        self.mixture.clone().unwrap_or_else(sole)
    }
}

/// Losses: nats per label for sequences, the weighted loss for atoms.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Metrics {
    /// Training loss of the step that led here.
    pub train_loss: Option<f64>,
    /// Validation loss of exactly these parameters.
    pub validation_loss: Option<f64>,
    /// Stage of the loss, from 0; losses of different stages cannot be compared.
    #[serde(default, skip_serializing_if = "is_first")]
    pub stage: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_first(stage: &u32) -> bool {
    *stage == 0
}

/// The best validation loss of a run, or of its present stage.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Updates done when it was measured.
    pub step: u64,
    /// In the unit of [`Metrics`].
    pub validation_loss: f64,
}

/// JSON has no NaN: a loss that was none is read as never measured.
fn best_if_finite<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Best>, D::Error> {
    #[derive(Deserialize)]
    struct Stored {
        step: u64,
        validation_loss: Option<f64>,
    }
    let stored = Option::<Stored>::deserialize(from)?;
    Ok(stored.and_then(|it| {
        it.validation_loss.map(|validation_loss| Best { step: it.step, validation_loss })
    }))
}

/// What a plateau schedule remembers between evaluations.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PlateauState {
    /// Present factor of the rate.
    pub scale: f64,
    /// Lowest validation loss that counted; `None` before the first.
    pub best: Option<f64>,
    /// Evaluations since then.
    pub waited: u64,
}

/// Running statistics of the steps so far.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Watched {
    /// Of their losses.
    pub loss: Running,
    /// Of the norms of their gradients.
    pub grad_norm: Running,
}

/// Exponential mean and variance of a number.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Running {
    /// Steps that count.
    pub seen: u64,
    /// Mean.
    pub mean: f64,
    /// Variance.
    pub variance: f64,
}

/// One file of the folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Plain file name.
    pub name: String,
    /// Length.
    pub bytes: u64,
    /// Lower-case hexadecimal.
    pub sha256: String,
}

/// One tensor of the run, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TensorEntry {
    /// Name inside its file.
    pub name: String,
    /// Shape of the whole tensor over all ranks.
    pub shape: Vec<usize>,
    /// `F32` or `F64`.
    pub dtype: String,
    /// Where its parts lie; one part that covers it when `world_size` is 1.
    pub slices: Vec<Slice>,
}

/// All of a tensor, or, with one axis, a range of its row-major values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slice {
    /// File that holds it.
    pub file: String,
    /// Zero along every axis, or the first value.
    pub start: Vec<usize>,
    /// Shape of the tensor, or how many values.
    pub shape: Vec<usize>,
}

/// SHA-256 of a value as a manifest stores it, compact.
pub fn digest_of(value: &serde_json::Value) -> String {
    sha256_of_bytes(value.to_string().as_bytes())
}

impl Manifest {
    /// Parses and checks `bytes` read from `path`. Never panics, whatever the bytes.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, CheckpointError> {
        let value: serde_json::Value = serde_json::from_slice(bytes)
            .map_err(|e| CheckpointError::malformed(path, format!("not JSON: {e}")))?;
        if value.get("kind").and_then(serde_json::Value::as_str) != Some(KIND) {
            return Err(CheckpointError::malformed(path, format!("`kind` is not {KIND:?}")));
        }
        let found = value.get("format_version").and_then(serde_json::Value::as_u64).unwrap_or(0);
        if !(u64::from(OLDEST_VERSION)..=u64::from(FORMAT_VERSION)).contains(&found) {
            return Err(CheckpointError::Version {
                path: path.to_path_buf(),
                found,
                supported: (OLDEST_VERSION, FORMAT_VERSION),
            });
        }
        let mut manifest: Self = serde_json::from_value(value)
            .map_err(|e| CheckpointError::malformed(path, format!("not a manifest: {e}")))?;
        if manifest.format_version == 1 {
            let of_structures = manifest.description.tokenizer_kind == "atoms";
            let family = if of_structures { "structures" } else { "sequences" };
            family.clone_into(&mut manifest.description.family);
        }
        manifest.check(path)?;
        Ok(manifest)
    }

    /// The bytes of `manifest.json`.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("a manifest has string keys only");
        bytes.push(b'\n');
        bytes
    }

    /// The entry of a file.
    pub fn file(&self, name: &str) -> Option<&FileEntry> {
        self.files.iter().find(|file| file.name == name)
    }

    /// Names of the files that hold no tensors of the run.
    pub fn attachments(&self) -> impl Iterator<Item = &str> {
        let names = self.files.iter().map(|file| file.name.as_str());
        names.filter(|name| *name != MODEL_FILE && !is_optimizer_file(name))
    }

    /// Names of the files with the optimizer's state, whole or a part of each rank.
    pub fn optimizer_files(&self) -> impl Iterator<Item = &str> {
        let names = self.files.iter().map(|file| file.name.as_str());
        names.filter(|name| is_optimizer_file(name))
    }

    /// Whether training can go on from it.
    pub fn has_optimizer(&self) -> bool {
        self.optimizer_files().next().is_some()
    }

    /// Bytes of all listed files.
    pub fn num_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).fold(0, u64::saturating_add)
    }

    fn check(&self, path: &Path) -> Result<(), CheckpointError> {
        if self.description.family.is_empty() {
            return Err(CheckpointError::malformed(path, "`family` is missing"));
        }
        let mut seen = BTreeSet::new();
        for file in &self.files {
            if !is_plain_name(&file.name) {
                let reason = format!("file name {:?} would leave the folder", file.name);
                return Err(CheckpointError::malformed(path, reason));
            }
            if !seen.insert(file.name.as_str()) {
                let reason = format!("file {:?} is listed twice", file.name);
                return Err(CheckpointError::malformed(path, reason));
            }
        }
        if !seen.contains(MODEL_FILE) {
            return Err(CheckpointError::malformed(path, format!("{MODEL_FILE} is not listed")));
        }
        let world = self.description.world_size;
        if world != 1 && self.format_version < FORMAT_VERSION {
            let (version, least) = (self.format_version, FORMAT_VERSION);
            let reason = format!("{world} ranks in format version {version}; {least} is the first");
            return Err(CheckpointError::malformed(path, reason));
        }
        self.check_tensors(path)
    }

    /// Every value of every tensor lies in one listed file.
    fn check_tensors(&self, path: &Path) -> Result<(), CheckpointError> {
        let files: BTreeSet<&str> = self.files.iter().map(|file| file.name.as_str()).collect();
        for tensor in &self.tensors {
            if let Some(slice) = tensor.slices.iter().find(|it| !files.contains(it.file.as_str())) {
                let reason = format!("tensor {:?} is in {:?}, not listed", tensor.name, slice.file);
                return Err(CheckpointError::malformed(path, reason));
            }
            if let Some(reason) = tensor.not_covered() {
                return Err(CheckpointError::malformed(path, reason));
            }
        }
        Ok(())
    }
}

/// The file of a rank's part of the optimizer's state.
pub(super) fn slice_file(rank: usize, world: usize) -> String {
    format!("{SLICE_PREFIX}{rank}-of-{world}.safetensors")
}

/// Whether a file of this name holds optimizer state.
pub(super) fn is_optimizer_file(name: &str) -> bool {
    name == OPTIMIZER_FILE || name.starts_with(SLICE_PREFIX)
}

/// Whether `name` is one component that stays inside its folder.
pub(super) fn is_plain_name(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    let plain = matches!(parts.next(), Some(std::path::Component::Normal(_)));
    plain && parts.next().is_none() && !name.contains(['/', '\\', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        for bad in ["", ".", "..", "/etc/passwd", "../x", "a/b", "a\\b", "a\0b"] {
            assert!(!is_plain_name(bad), "{bad:?}");
        }
        assert!(is_plain_name("model.safetensors"));
    }

    #[test]
    fn hostile_manifests_are_errors_and_never_panics() {
        let path = Path::new("manifest.json");
        let deep = "[".repeat(100_000);
        let texts = [
            "",
            "null",
            "[]",
            "{}",
            "\u{0}",
            "{\"kind\":\"genesis-checkpoint\"}",
            "{\"kind\":\"genesis-checkpoint\",\"format_version\":2}",
            "{\"kind\":\"genesis-checkpoint\",\"format_version\":3}",
            "{\"kind\":\"genesis-checkpoint\",\"format_version\":4}",
            "{\"kind\":\"genesis-checkpoint\",\"format_version\":1}",
            "{\"kind\":\"genesis-checkpoint\",\"format_version\":1e400}",
            deep.as_str(),
        ];
        for text in texts {
            assert!(Manifest::parse(path, text.as_bytes()).is_err(), "{text:.40}");
        }
    }

    /// A manifest of `version` whose tokenizer is of `kind`, with `family` where it is given.
    fn manifest(
        version: u32,
        kind: &str,
        family: Option<&str>,
    ) -> Result<Manifest, CheckpointError> {
        let mut value = serde_json::json!({
            "kind": KIND, "format_version": version, "step": 1, "position": 1, "tokens_seen": 1,
            "wall_seconds": 1.0, "world_size": 1, "seed": 1, "model": {}, "config": {},
            "config_digest": "", "dataset_digest": "", "tokenizer_kind": kind, "code_version": "0",
            "metrics": {"train_loss": null, "validation_loss": null}, "best": null,
            "files": [{"name": MODEL_FILE, "bytes": 1, "sha256": ""}], "tensors": [],
        });
        if let Some(family) = family {
            value["family"] = family.into();
        }
        Manifest::parse(Path::new("manifest.json"), value.to_string().as_bytes())
    }

    #[test]
    fn a_manifest_of_version_one_is_of_the_family_that_its_tokenizer_tells() {
        for (kind, family) in [("atoms", "structures"), ("byte", "sequences"), ("", "sequences")] {
            assert_eq!(manifest(1, kind, None).unwrap().description.family, family);
        }
        assert_eq!(manifest(2, "byte", Some("fields")).unwrap().description.family, "fields");
        assert!(manifest(2, "byte", None).unwrap_err().to_string().contains("`family` is missing"));
    }

    #[test]
    fn a_newer_version_is_refused_with_both_values_and_the_way_out() {
        let error = manifest(4, "byte", Some("fields")).unwrap_err().to_string();
        for part in ["format version 4", "reads 1 to 3", "use the version of genesis that wrote it"]
        {
            assert!(error.contains(part), "{part} in {error}");
        }
    }
}
