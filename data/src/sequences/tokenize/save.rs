//! Tokenizers on disk: `tokenizer.json` and `tokenizer_config.json`, as transformers reads them.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::hugging_face::Pretrained;
use super::json::{spelling, tokenizer_json};
use super::residue::AMINO_ACID;
use super::{Engine, Tokenizer, TokenizerKind, problem, smiles};
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
        let tokenizer = match &self.engine {
            Engine::HuggingFace(inner) => inner.to_json()?,
            _ => pretty(&tokenizer_json(self))?,
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
        let special = self.special;
        let named = [
            ("bos_token", special.bos),
            ("eos_token", special.eos),
            ("pad_token", special.pad),
            ("mask_token", special.mask),
            ("unk_token", special.unknown),
        ];
        for (key, id) in named {
            if let Some(id) = id {
                config.insert(key.to_owned(), json!(spelling(self, id)));
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
        let config = read_config(dir)?;
        let Some(kind) = config.get(KIND_KEY) else { return Self::from_file(&path) };
        let kind: TokenizerKind = serde_json::from_value(kind.clone()).map_err(|_| {
            let found = format!("{KIND_KEY} is {kind} in {CONFIG_FILE}");
            problem(shown(dir), found, "use byte, amino_acid, nucleotide, smiles or hugging_face")
        })?;
        match kind {
            TokenizerKind::Byte => Self::byte().checked(&path),
            TokenizerKind::AminoAcid => Self::amino_acid().checked(&path),
            TokenizerKind::Nucleotide => Self::nucleotide().checked(&path),
            TokenizerKind::Smiles => Self::smiles(smiles_vocabulary(&path)?).checked(&path),
            TokenizerKind::HuggingFace => Self::from_file(&path),
        }
    }

    /// Any Hugging Face `tokenizer.json`. Special tokens are those that a
    /// `tokenizer_config.json` beside it names, else those with customary names.
    pub fn from_file(path: &Path) -> Result<Self> {
        let text = read(path)?;
        let config = match path.parent() {
            Some(dir) => read_config(dir)?,
            None => Map::new(),
        };
        Pretrained::new(&shown(path), &text, config).map(Self::pretrained)
    }

    /// The file must describe this tokenizer: ids from a table and ids from the file agree.
    fn checked(self, path: &Path) -> Result<Self> {
        if parse(path, &read(path)?)? == tokenizer_json(&self) {
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

fn read_config(dir: &Path) -> Result<Map<String, Value>> {
    let path = dir.join(CONFIG_FILE);
    if !path.exists() {
        return Ok(Map::new());
    }
    match parse(&path, &read(&path)?)? {
        Value::Object(config) => Ok(config),
        _ => Err(problem(shown(&path), "it is not a JSON object", "restore the file")),
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
