//! `dataset.json` as a file: its digest, its version and which kind of card it is.
//!
//! Cards of tokens carry no kind, as none existed when the format began; cards of graphs say
//! `"kind": "graphs"`. Not here: what a card says.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::dataset::card::{CARD_DIGEST_FILE, CARD_FILE, SCHEMA_VERSION};
use crate::error::{DataError, Result};
use crate::files::{sha256_of_bytes, write_durably};

/// What the samples of a dataset are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatasetKind {
    /// Documents of tokens: [`crate::sequences::card::SequencesCard`].
    #[default]
    #[serde(rename = "tokens")]
    Sequences,
    /// Structures of atoms: [`crate::structures::card::StructuresCard`].
    #[serde(rename = "graphs")]
    Structures,
}

/// A card as it lies on disk, proven against its digest file.
#[derive(Debug)]
pub(crate) struct CardFile {
    pub(crate) path: PathBuf,
    pub(crate) bytes: Vec<u8>,
    pub(crate) digest: String,
    pub(crate) kind: DatasetKind,
}

/// The kind of the dataset in the folder `root`.
///
/// # Errors
/// [`DataError::NotADataset`] when there is no card; a damaged card or one of another version.
pub fn kind_of(root: &Path) -> Result<DatasetKind> {
    Ok(CardFile::read(root)?.kind)
}

impl CardFile {
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let path = root.join(CARD_FILE);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(DataError::NotADataset { root: root.to_path_buf() });
            }
            Err(e) => return Err(DataError::io("read", &path)(e)),
        };
        let digest = sha256_of_bytes(&bytes);
        check_digest_file(root, &digest)?;
        let kind = check_version(&bytes)
            .map_err(|problem| DataError::Card { path: path.clone(), problem })?;
        Ok(Self { path, bytes, digest, kind })
    }

    /// The fields, for a card of the kind that the caller reads.
    pub(crate) fn parse<T: for<'de> Deserialize<'de>>(&self, wanted: DatasetKind) -> Result<T> {
        if self.kind != wanted {
            let (holds, asked) = (samples(self.kind), samples(wanted));
            return Err(self.problem(format!("it holds {holds}, {asked} are asked for")));
        }
        serde_json::from_slice(&self.bytes).map_err(|e| self.problem(e.to_string()))
    }

    pub(crate) fn problem(&self, problem: String) -> DataError {
        DataError::Card { path: self.path.clone(), problem }
    }
}

fn samples(kind: DatasetKind) -> &'static str {
    match kind {
        DatasetKind::Sequences => "documents of tokens",
        DatasetKind::Structures => "graphs of atoms",
    }
}

/// The one serialisation: indented JSON, fields in the order of the type, a final newline.
pub(crate) fn to_json<T: Serialize>(card: &T) -> Result<String> {
    let mut text = serde_json::to_string_pretty(card)
        .map_err(|e| DataError::invalid("dataset card", e.to_string(), "report this"))?;
    text.push('\n');
    Ok(text)
}

/// Writes the digest file, then the card, each durably and by rename, and returns the digest.
pub(crate) fn save(root: &Path, json: &str) -> Result<String> {
    let digest = sha256_of_bytes(json.as_bytes());
    write_durably(root, CARD_DIGEST_FILE, format!("{digest}  {CARD_FILE}\n").as_bytes())?;
    write_durably(root, CARD_FILE, json.as_bytes())?;
    Ok(digest)
}

/// Every file a card names must lie directly in the folder, each under its own name.
pub(crate) fn check_names<'n>(
    names: impl Iterator<Item = &'n String>,
) -> std::result::Result<(), String> {
    let mut seen = BTreeSet::new();
    for name in names {
        let mut parts = Path::new(name).components();
        let plain = matches!(parts.next(), Some(Component::Normal(part)) if part == name.as_str());
        if !plain || parts.next().is_some() {
            return Err(format!("`{name}` is not the name of a file inside the folder"));
        }
        if !seen.insert(name) {
            return Err(format!("`{name}` is listed twice"));
        }
    }
    Ok(())
}

/// Reports the version before the fields, so an old program names the cause.
fn check_version(bytes: &[u8]) -> std::result::Result<DatasetKind, String> {
    #[derive(Deserialize)]
    struct Head {
        schema_version: u32,
        #[serde(default)]
        kind: DatasetKind,
    }
    let Head { schema_version, kind } =
        serde_json::from_slice(bytes).map_err(|e| format!("not a dataset card: {e}"))?;
    if schema_version == SCHEMA_VERSION {
        return Ok(kind);
    }
    Err(format!("schema_version is {schema_version}, this program reads {SCHEMA_VERSION}"))
}

fn check_digest_file(root: &Path, digest: &str) -> Result<()> {
    let path = root.join(CARD_DIGEST_FILE);
    let recorded = fs::read(&path).map_err(DataError::io("read", &path))?;
    if recorded == format!("{digest}  {CARD_FILE}\n").as_bytes() {
        return Ok(());
    }
    let recorded = String::from_utf8_lossy(&recorded[..recorded.len().min(64)]).into_owned();
    Err(DataError::corrupt(
        &root.join(CARD_FILE),
        "",
        format!("its SHA-256 is {digest}, {CARD_DIGEST_FILE} says {recorded}"),
    ))
}
