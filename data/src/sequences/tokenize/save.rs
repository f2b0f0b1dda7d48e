//! Tokenizers on disk: `tokenizer.json` and `tokenizer_config.json`, as transformers reads them.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::declared::{Role, declared};
use super::hugging_face::{self, Pretrained};
use super::json::{spelling, tokenizer_json, tokenizer_json_that};
use super::residue::AMINO_ACID;
use super::{Engine, SpecialTokens, Tokenizer, TokenizerKind, problem, smiles};
use crate::error::{DataError, Result};
use crate::files::write_durably;

/// Name of the tokenizer in a folder.
pub(super) const TOKENIZER_FILE: &str = "tokenizer.json";
/// Name of its settings in a folder.
pub(super) const CONFIG_FILE: &str = "tokenizer_config.json";
/// The key of [`CONFIG_FILE`] that names the [`TokenizerKind`].
const KIND_KEY: &str = "genesis_kind";

impl Tokenizer {
    /// Names of the files that [`Tokenizer::save`] writes.
    pub const FILES: [&'static str; 2] = [TOKENIZER_FILE, CONFIG_FILE];

    /// Writes `tokenizer.json` and `tokenizer_config.json` into the existing folder `dir`.
    ///
    /// `PreTrainedTokenizerFast.from_pretrained(dir)` loads them and gives the same ids.
    pub fn save(&self, dir: &Path) -> Result<()> {
        self.save_file(dir, || tokenizer_json(self))
    }

    /// As [`Tokenizer::save`] for the programs that open a model: where `causal`, their prompts are not
    /// ended; else their texts are, as in training. A file of the `tokenizers` library stays as it is.
    pub fn save_for_model(&self, dir: &Path, causal: bool) -> Result<()> {
        self.save_file(dir, || tokenizer_json_that(self, !causal))
    }

    fn save_file(&self, dir: &Path, own: impl FnOnce() -> Value) -> Result<()> {
        let tokenizer = match &self.engine {
            Engine::HuggingFace(inner) => inner.to_json()?,
            _ => pretty(&own())?,
        };
        write_durably(dir, TOKENIZER_FILE, tokenizer.as_bytes())?;
        write_durably(dir, CONFIG_FILE, pretty(&self.config_json())?.as_bytes())
    }

    fn config_json(&self) -> Value {
        let mut config = match &self.engine {
            Engine::HuggingFace(inner) => inner.config.clone(),
            _ => Map::new(),
        };
        config.insert("tokenizer_class".to_owned(), json!("PreTrainedTokenizerFast"));
        let SpecialTokens { bos, eos, pad, mask, unknown } = self.special;
        let named = [
            (Role::Begin, bos),
            (Role::End, eos),
            (Role::Pad, pad),
            (Role::Mask, mask),
            (Role::Unknown, unknown),
        ];
        for (role, id) in named {
            // What was declared stays as it was; what follows from the template needs no name.
            if let Some(id) = id.filter(|_| self.kind != TokenizerKind::HuggingFace) {
                config.insert(role.keys()[0].to_owned(), json!(spelling(self, id)));
            }
        }
        // Cleaning would remove spaces that belong to the text.
        config.insert("clean_up_tokenization_spaces".to_owned(), json!(false));
        config.insert(KIND_KEY.to_owned(), json!(self.kind.name()));
        if self.kind == TokenizerKind::Nucleotide {
            config.insert("genesis_uracil".to_owned(), json!("read as thymine"));
        }
        Value::Object(config)
    }

    /// The tokenizer of a folder: one that [`Tokenizer::save`] wrote, any folder with a
    /// `tokenizer.json`, or an ESM-2 checkpoint, which has a `vocab.txt` only.
    pub fn load(dir: &Path) -> Result<Self> {
        let path = dir.join(TOKENIZER_FILE);
        if !path.exists() {
            return load_vocabulary_list(dir);
        }
        let config = read_object(&dir.join(CONFIG_FILE))?;
        let Some(kind) = config.get(KIND_KEY) else { return Self::of_library(&path) };
        let kind: TokenizerKind = serde_json::from_value(kind.clone()).map_err(|_| {
            let found = format!("{KIND_KEY} is {kind} in {CONFIG_FILE}");
            problem(shown(dir), found, "use byte, amino_acid, nucleotide, smiles or hugging_face")
        })?;
        match kind {
            TokenizerKind::Byte => Self::byte().checked(&path),
            TokenizerKind::AminoAcid => Self::amino_acid().checked(&path),
            TokenizerKind::Nucleotide => Self::nucleotide().checked(&path),
            TokenizerKind::Smiles => Self::smiles(smiles_vocabulary(&path)?).checked(&path),
            TokenizerKind::HuggingFace => Self::of_library(&path),
        }
    }

    /// Any Hugging Face `tokenizer.json`. Special tokens are those that the files beside it declare:
    /// `tokenizer_config.json`, `special_tokens_map.json`, `config.json`. A file that
    /// [`Tokenizer::save`] wrote is the tokenizer that was saved.
    pub fn from_file(path: &Path) -> Result<Self> {
        match path.parent() {
            Some(dir) if path.file_name().is_some_and(|it| it == TOKENIZER_FILE) => Self::load(dir),
            _ => Self::of_library(path),
        }
    }

    fn of_library(path: &Path) -> Result<Self> {
        let name = shown(path);
        let text = read(path)?;
        let inner = hugging_face::parse(&name, &text)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let config = declared(folder, |id| inner.id_to_token(id))?;
        Pretrained::wrap(&name, inner, config).map(|it| Self::pretrained(it.of_text(&text)))
    }

    /// The ids that the `tokenizers` library gives for `text` by the `tokenizer.json` of a folder, with the
    /// tokens that its post-processor adds: what transformers gives.
    ///
    /// # Errors
    /// No such file, or one that the library refuses.
    pub fn ids_of_library(folder: &Path, text: &str) -> Result<Vec<u32>> {
        let path = folder.join(TOKENIZER_FILE);
        let inner = hugging_face::parse(&shown(&path), &read(&path)?)?;
        let encoding = inner
            .encode(text, true)
            .map_err(|e| problem(shown(&path), e.to_string(), "restore the file"))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The file must describe this tokenizer: ids from a table and ids from the file agree.
    fn checked(self, path: &Path) -> Result<Self> {
        let file = parse(path, &read(path)?)?;
        if [false, true].into_iter().any(|ends| file == tokenizer_json_that(&self, ends)) {
            return Ok(self);
        }
        let kind = self.kind.name();
        Err(problem(
            shown(path),
            format!("{KIND_KEY} is `{kind}`, but the file is not the {kind} tokenizer"),
            format!("restore the file, or remove {KIND_KEY} from {CONFIG_FILE} to use it as it is"),
        ))
    }
}

/// The tokens of a saved SMILES tokenizer, without the special ones.
fn smiles_vocabulary(path: &Path) -> Result<Vec<String>> {
    let file = parse(path, &read(path)?)?;
    let vocabulary = file
        .pointer("/model/vocab")
        .and_then(Value::as_object)
        .ok_or_else(|| problem(shown(path), "it has no object model.vocab", "restore the file"))?;
    let plain = |token: &&String| !smiles::SPECIAL_TOKENS.contains(&token.as_str());
    Ok(vocabulary.keys().filter(plain).cloned().collect())
}

fn load_vocabulary_list(dir: &Path) -> Result<Tokenizer> {
    let path = dir.join("vocab.txt");
    let missing = || {
        problem(
            shown(dir),
            "the folder has no tokenizer.json",
            "give a folder that has one, or convert the tokenizer with transformers: \
             AutoTokenizer.from_pretrained(…).save_pretrained(…)",
        )
    };
    let Ok(text) = fs::read_to_string(&path) else { return Err(missing()) };
    if text.split_whitespace().eq(AMINO_ACID) {
        Ok(Tokenizer::amino_acid())
    } else {
        Err(missing())
    }
}

/// The object of a JSON file; empty where there is no file.
pub(super) fn read_object(path: &Path) -> Result<Map<String, Value>> {
    if !path.exists() {
        return Ok(Map::new());
    }
    match parse(path, &read(path)?)? {
        Value::Object(config) => Ok(config),
        _ => Err(problem(shown(path), "it is not a JSON object", "restore the file")),
    }
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(DataError::io("read", path))
}

fn parse(path: &Path, text: &str) -> Result<Value> {
    serde_json::from_str(text)
        .map_err(|e| problem(shown(path), format!("not JSON: {e}"), "restore the file"))
}

fn pretty(value: &Value) -> Result<String> {
    let mut text = serde_json::to_string_pretty(value)
        .map_err(|e| problem("save", e.to_string(), "report this"))?;
    text.push('\n');
    Ok(text)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
