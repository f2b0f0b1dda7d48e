//! `dataset.json` as a file: written once, read once, with its digest, its version and its kind.
//!
//! Cards of tokens carry no kind, as none existed when the format began; others name theirs, as
//! `"kind": "graphs"`. Not here: what a card says, and which kinds there are (`kinds`).

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use crate::dataset::card::{CARD_DIGEST_FILE, CARD_FILE, Card, Part, SCHEMA_VERSION};
use crate::error::{DataError, Result};
use crate::files::{sha256_of_bytes, write_durably};

/// The kind of a card that does not name it.
const UNSAID: &str = "tokens";

pub(super) fn unsaid() -> Cow<'static, str> {
    UNSAID.into()
}

/// Whether a card of this kind does not name it.
pub(super) fn goes_unsaid(kind: &str) -> bool {
    kind == UNSAID
}

impl<P: Part> Card<P> {
    /// SHA-256 of [`Card::to_json`]: the identity of the dataset.
    pub fn digest(&self) -> Result<String> {
        Ok(sha256_of_bytes(self.to_json()?.as_bytes()))
    }

    /// The one serialisation: indented JSON, fields in the order of the type, a final newline.
    pub fn to_json(&self) -> Result<String> {
        let mut text = serde_json::to_string_pretty(self)
            .map_err(|e| DataError::invalid("dataset card", e.to_string(), "report this"))?;
        text.push('\n');
        Ok(text)
    }

    /// Writes the digest file, then the card, each durably and by rename, and returns the digest.
    ///
    /// Call it last: from then on the folder is a dataset.
    pub fn save(&self, root: &Path) -> Result<String> {
        let json = self.to_json()?;
        let digest = sha256_of_bytes(json.as_bytes());
        write_durably(root, CARD_DIGEST_FILE, format!("{digest}  {CARD_FILE}\n").as_bytes())?;
        write_durably(root, CARD_FILE, json.as_bytes())?;
        Ok(digest)
    }

    /// Reads the card of the folder `root` and its digest, which must match the digest file.
    pub fn load(root: &Path) -> Result<(Self, String)> {
        let file = CardFile::read(root)?;
        if file.kind != P::KIND {
            let ([samples, units], kind) = (P::NOUNS, P::KIND);
            let asked = format!("{samples} of {units} (`{kind}`) are asked for");
            return Err(file.problem(format!("it holds `{}`, {asked}", file.kind)));
        }
        let card: Self = file.parse()?;
        if card.held_out_seen_in_training.is_some() != P::COUNTS_SEEN {
            let what = if P::COUNTS_SEEN { "missing" } else { "unknown" };
            return Err(file.problem(format!("{what} field `held_out_seen_in_training`")));
        }
        let names = card.files.iter().map(|f| &f.file).chain(card.shards.iter().map(|s| &s.file));
        check_names(names).map_err(|problem| file.problem(problem))?;
        Ok((card, file.digest))
    }
}

/// A card as it lies on disk, proven against its digest file.
#[derive(Debug)]
pub(crate) struct CardFile {
    path: PathBuf,
    bytes: Vec<u8>,
    pub(crate) digest: String,
    pub(crate) kind: Cow<'static, str>,
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

    pub(crate) fn parse<T: for<'de> Deserialize<'de>>(&self) -> Result<T> {
        serde_json::from_slice(&self.bytes).map_err(|e| self.problem(e.to_string()))
    }

    pub(crate) fn problem(&self, problem: String) -> DataError {
        DataError::Card { path: self.path.clone(), problem }
    }
}

/// Every file a card names must lie directly in the folder, each under its own name.
fn check_names<'n>(names: impl Iterator<Item = &'n String>) -> std::result::Result<(), String> {
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
fn check_version(bytes: &[u8]) -> std::result::Result<Cow<'static, str>, String> {
    #[derive(Deserialize)]
    struct Head {
        schema_version: u32,
        #[serde(default = "unsaid")]
        kind: Cow<'static, str>,
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
