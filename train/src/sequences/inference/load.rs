//! Opens whatever holds a model: a run folder, a checkpoint, or a Hugging Face folder.
//!
//! A run folder means its best checkpoint by validation loss if that was kept and is valid, else
//! its newest valid one. Not here: resuming a run, which also needs the optimiser.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use burn::backend::flex::FlexDevice;
use genesis_data::dataset::card::sha256_of_bytes;
use genesis_data::sequences::tokenize::{Tokenizer, end_tokens};
use genesis_kernels::{Cpu, Kernels, Precision};
use genesis_model::{Mode, Packed, Params, Transformer, TransformerConfig, specs};
use genesis_schema::TokenBatch;

use super::error::InferenceError;
use super::letters::ModelLetters;
use crate::checkpoint::Checkpoint;
use crate::checkpoint::format::MANIFEST_FILE;
use crate::exchange::{CONFIG, ExchangeError, ModelSource, REPORT, choose, holds_checkpoint};
use crate::family::Family;
use crate::sequences::Sequences;
use crate::sequences::huggingface::{
    ForeignModel, HUGGING_FACE, ORIGIN_FILE, ORIGIN_TENSORS, Origin,
};

/// Generation settings of a Hugging Face folder.
const GENERATION: &str = "generation_config.json";

/// A model ready to answer, on the CPU unless it was moved.
#[derive(Debug, Clone)]
pub struct SequencesModel<B: Kernels = Cpu> {
    /// What the network is.
    pub config: TransformerConfig,
    /// Its parameters.
    pub params: Params<B>,
    /// From text to tokens and back, if the folder has it.
    pub tokenizer: Option<Tokenizer>,
    /// Where it came from.
    pub source: ModelSource,
    /// What import kept of the original folder.
    pub origin: Option<Origin>,
    /// What becomes of letters that are no residue in what it is given.
    pub letters: ModelLetters,
}

impl SequencesModel {
    /// Opens `path` and checks that tokenizer and network fit together.
    ///
    /// # Errors
    /// [`InferenceError::Open`] if nothing there is a model or a file is damaged;
    /// [`InferenceError::Vocabulary`] if the tokenizer has more tokens than the network has rows.
    pub fn open(path: &Path) -> Result<Self, InferenceError> {
        let model = Self::read(path)?;
        match &model.tokenizer {
            Some(tokenizer) if tokenizer.vocab_size() as usize > model.config.vocab_size => {
                Err(InferenceError::Vocabulary {
                    tokenizer: tokenizer.vocab_size() as usize,
                    path: model.source.path,
                    model: model.config.vocab_size,
                })
            }
            _ => Ok(model),
        }
    }

    /// [`SequencesModel::open`] for what needs no text.
    pub(crate) fn read(path: &Path) -> Result<Self, ExchangeError> {
        if holds_checkpoint(path) {
            let (checkpoint, notes) = choose(path)?;
            return Self::from_checkpoint(&checkpoint, notes);
        }
        if path.join(CONFIG).is_file() {
            return Self::from_foreign(path, ForeignModel::read(path)?);
        }
        let because = if path.is_dir() {
            "it has neither a `checkpoints` folder nor COMMITTED nor config.json"
        } else {
            "there is no such folder"
        };
        Err(ExchangeError::NotAModel { path: path.to_path_buf(), because: because.to_owned() })
    }

    fn from_checkpoint(checkpoint: &Checkpoint, notes: Vec<String>) -> Result<Self, ExchangeError> {
        let path = &checkpoint.path;
        let manifest_path = path.join(MANIFEST_FILE);
        let description = &checkpoint.manifest.description;
        checkpoint.expect_family(Sequences::NAME)?;
        let config: TransformerConfig = serde_json::from_value(description.model.clone())
            .map_err(|error| manifest_problem(&manifest_path, &error))?;
        config.validate().map_err(|problems| manifest_problem(&manifest_path, &problems))?;
        let tensors = checkpoint.model()?;
        let values =
            tensors.into_iter().map(|tensor| (tensor.name, tensor.values.into_f32())).collect();
        let listed = |name: &str| checkpoint.manifest.file(name).is_some();
        let origin = if listed(ORIGIN_FILE) {
            let (description, tensors) =
                (checkpoint.read(ORIGIN_FILE)?, checkpoint.read(ORIGIN_TENSORS)?);
            Some(Origin::from_attachments(path, &description, &tensors)?)
        } else {
            None
        };
        let source = ModelSource::of_checkpoint(checkpoint, notes)?;
        let letters = ModelLetters::of_run(&description.config);
        Self::assemble(config, &values, read_tokenizer(path)?, source, (origin, letters))
    }

    fn from_foreign(path: &Path, foreign: ForeignModel) -> Result<Self, ExchangeError> {
        let source = ModelSource {
            kind: HUGGING_FACE,
            path: path.to_path_buf(),
            digest: digest_of_folder(path)?,
            step: None,
            notes: foreign.origin.preserved.notes.clone(),
        };
        let tokenizer = read_tokenizer(path)?;
        let more = (Some(foreign.origin), letters_of_export(path)?);
        Self::assemble(foreign.config, &foreign.values, tokenizer, source, more)
    }

    fn assemble(
        config: TransformerConfig,
        values: &BTreeMap<String, Vec<f32>>,
        tokenizer: Option<Tokenizer>,
        source: ModelSource,
        (origin, letters): (Option<Origin>, ModelLetters),
    ) -> Result<Self, ExchangeError> {
        let params = Params::from_host(specs(&config), values, &FlexDevice)
            .map_err(|error| ExchangeError::unsuitable(&source.path, error.to_string()))?;
        Ok(Self { config, params, tokenizer, source, origin, letters })
    }
}

impl<B: Kernels> SequencesModel<B> {
    /// The same model on another device.
    #[must_use]
    pub fn on<To: Kernels>(self, device: &To::Device) -> SequencesModel<To> {
        let Self { config, params, tokenizer, source, origin, letters } = self;
        SequencesModel { params: params.on(device), config, tokenizer, source, origin, letters }
    }

    /// Where its parameters lie.
    pub fn device(&self) -> B::Device {
        self.params.device()
    }

    /// The network, sharing the parameters' memory.
    pub fn network(&self) -> Transformer<B> {
        Transformer::bind(&self.config, &self.params)
    }

    /// The tokenizer, for what cannot do without.
    ///
    /// # Errors
    /// [`InferenceError::NoTokenizer`] naming the model.
    pub fn tokenizer(&self) -> Result<&Tokenizer, InferenceError> {
        self.tokenizer
            .as_ref()
            .ok_or_else(|| InferenceError::NoTokenizer { path: self.source.path.clone() })
    }

    /// Every token that ends what it generates: that of its tokenizer, and those that the generation
    /// settings or the configuration of the folder it was imported from list.
    ///
    /// # Errors
    /// Settings that list something that is no id.
    pub fn end_tokens(&self) -> Result<BTreeSet<u32>, InferenceError> {
        let mut ends: BTreeSet<u32> =
            self.tokenizer.as_ref().and_then(Tokenizer::eos).into_iter().collect();
        let Some(origin) = &self.origin else { return Ok(ends) };
        let path = self.source.path.join(GENERATION);
        let settings = origin.texts.get(GENERATION).map(|text| serde_json::from_str(text));
        let settings: Option<serde_json::Value> = settings.transpose().map_err(|error| {
            ExchangeError::malformed(&path, error.to_string(), "restore the file")
        })?;
        let listed = end_tokens(settings.as_ref(), Some(&origin.preserved.config))
            .map_err(|error| ExchangeError::unsuitable(&path, error.to_string()))?;
        ends.extend(listed);
        Ok(ends)
    }

    /// `[N, V]` logits of a batch that was checked, row-major.
    pub(crate) fn logits(&self, batch: &TokenBatch) -> Vec<f32> {
        let packed = Packed::upload(batch, &self.device());
        let logits = self.network().logits(&packed, &Mode::inference(Precision::Full));
        logits.into_data().convert::<f32>().into_vec().expect("converted to f32 just now")
    }

    /// `[N, C]` hidden states after the last norm of a batch that was checked, row-major.
    pub(crate) fn hidden(&self, batch: &TokenBatch) -> Vec<f32> {
        let packed = Packed::upload(batch, &self.device());
        let hidden = self.network().hidden(&packed, &Mode::inference(Precision::Full));
        hidden.into_data().convert::<f32>().into_vec().expect("converted to f32 just now")
    }
}

fn manifest_problem(path: &Path, problem: &dyn std::fmt::Display) -> ExchangeError {
    let fix = "the checkpoint was written by another version of genesis, or edited";
    ExchangeError::malformed(path, format!("`model`: {problem}"), fix)
}

/// The rules for letters that the report of an export states; a folder of another program has none.
fn letters_of_export(folder: &Path) -> Result<ModelLetters, ExchangeError> {
    let path = folder.join(REPORT);
    if !path.is_file() {
        return Ok(ModelLetters::default());
    }
    let text = std::fs::read_to_string(&path).map_err(ExchangeError::io(&path, "read"))?;
    let report = serde_json::from_str(&text)
        .map_err(|error| ExchangeError::malformed(&path, error.to_string(), "restore the file"))?;
    Ok(ModelLetters::stated(&report))
}

/// The tokenizer of a folder, if it has one that can be read.
fn read_tokenizer(folder: &Path) -> Result<Option<Tokenizer>, ExchangeError> {
    let path = folder.join("tokenizer.json");
    if path.is_file() {
        let tokenizer = Tokenizer::load(folder)
            .map_err(|error| ExchangeError::unsuitable(&path, error.to_string()))?;
        return Ok(Some(tokenizer));
    }
    // A vocab.txt that is not ESM-2's belongs to a tokenizer that needs a program to run.
    Ok(Tokenizer::load(folder).ok())
}

/// SHA-256 of the lines `name digest` of config.json and the weight files, sorted.
fn digest_of_folder(folder: &Path) -> Result<String, ExchangeError> {
    let entries = std::fs::read_dir(folder).map_err(ExchangeError::io(folder, "list"))?;
    let mut lines = Vec::new();
    for entry in entries {
        let path = entry.map_err(ExchangeError::io(folder, "list"))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_model = name == CONFIG || name.starts_with("model") && name.contains("safetensors");
        if is_model && path.is_file() {
            lines.push(format!("{name} {}\n", sha256_of_bytes(&read(&path)?)));
        }
    }
    lines.sort();
    Ok(sha256_of_bytes(lines.concat().as_bytes()))
}

fn read(path: &Path) -> Result<Vec<u8>, ExchangeError> {
    std::fs::read(path).map_err(ExchangeError::io(path, "read"))
}
