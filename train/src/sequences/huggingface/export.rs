//! Writes a Hugging Face folder, reads it back, and refuses it if it does not answer like the
//! model it was made from.

use std::path::Path;

use burn::backend::flex::FlexDevice;
use burn::tensor::Tensor;
use genesis_data::dataset::card::sha256_of_bytes;
use genesis_data::sequences::LetterRules;
use genesis_data::sequences::tokenize::{Tokenizer, TokenizerKind};
use genesis_kernels::Cpu;
use genesis_model::Params;
use serde::Serialize;

use super::folder::{self, StoredDtype, files};
use super::reference::{REFERENCE, ReferenceBatch};
use crate::checkpoint::FileEntry;
use crate::exchange::error::ExchangeError;
use crate::exchange::staging::StagedFolder;
use crate::exchange::tensor::StoredTensor;
use crate::exchange::weights::serialise_safetensors;
use crate::exchange::{CONFIG, ModelSource, REPORT};
use crate::sequences::inference::SequencesModel;

/// Largest logit difference between the folder read back and what was written, and why.
const BOUND: f64 = 0.0;
const BOUND_BECAUSE: &str =
    "the same weights in the same deterministic arithmetic give the same bits";

/// How to export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExportOptions {
    /// Element type of the parameters; if absent, that of the folder the model was imported from,
    /// else f32.
    pub dtype: Option<StoredDtype>,
    /// Replace an earlier export at the same place.
    pub overwrite: bool,
}

/// What was written; stored in the folder as [`REPORT`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExportReport {
    /// Always `huggingface`.
    pub format: &'static str,
    /// Class of transformers that loads the folder.
    pub architecture: Option<String>,
    /// Model it was made from.
    pub source: ModelSource,
    /// Version of genesis.
    pub code_version: &'static str,
    /// Scalars in all parameters.
    pub num_parameters: usize,
    /// Largest absolute difference of a logit between the folder read back and the trained model.
    /// Zero unless the element type rounds.
    pub logits_max_abs: f64,
    /// The same against the trained model with its parameters rounded to the element type.
    pub logits_max_abs_rounded: f64,
    /// What `logits_max_abs_rounded` must not exceed.
    pub logits_bound: f64,
    /// Where the bound comes from.
    pub logits_bound_because: &'static str,
    /// `[B, T, V]` of the compared logits.
    pub logits_shape: [usize; 3],
    /// Every parameter and its shape, by canonical name.
    pub shapes: std::collections::BTreeMap<String, Vec<usize>>,
    /// Rules for letters that are no residue, as in training, where they are not the usual ones.
    #[serde(skip_serializing_if = "LetterRules::is_default")]
    pub letters: LetterRules,
    /// Texts and what the tokenizer makes of them.
    pub tokenizer_examples: Vec<TokenizerExample>,
    /// Every other file of the folder.
    pub files: Vec<FileEntry>,
}

/// A text and its token ids, as `AutoTokenizer.from_pretrained(folder)(text).input_ids` gives them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenizerExample {
    /// The text.
    pub text: String,
    /// Its ids.
    pub ids: Vec<u32>,
}

/// Exports the run, checkpoint or Hugging Face folder `model` to the folder `out`.
///
/// # Errors
/// [`ExchangeError::LogitsDiffer`] if the folder does not answer like the model;
/// [`ExchangeError::Exists`] if `out` is there; what opening and writing can fail with. Nothing is
/// left at `out` then.
pub fn export(
    model: &Path,
    out: &Path,
    options: &ExportOptions,
) -> Result<ExportReport, ExchangeError> {
    export_model(&SequencesModel::read(model)?, out, options)
}

/// [`export`] of a model in memory.
///
/// # Errors
/// As [`export`].
pub fn export_model(
    model: &SequencesModel,
    out: &Path,
    options: &ExportOptions,
) -> Result<ExportReport, ExchangeError> {
    let staged = StagedFolder::create(out, options.overwrite.then_some(REPORT))?;
    let scratch = StagedFolder::create(&staged.path().join("tokenizer"), None)?;
    let mut files = files(model, options.dtype, scratch.path())?;
    drop(scratch);
    for (name, bytes) in &files {
        staged.write(name, bytes)?;
    }
    let compared = compare(model, staged.path(), out, options.dtype)?;
    let reference = compared
        .batch
        .file(model, &compared.logits)
        .map_err(|error| ExchangeError::unsuitable(&model.source.path, error.to_string()))?;
    let reference = serialise_safetensors(reference.iter().map(|(name, t)| (name.as_str(), t)));
    staged.write(REFERENCE, &reference)?;
    files.insert(REFERENCE.to_owned(), reference);
    let examples = examples(model.tokenizer.as_ref(), staged.path())?;
    let report = report(model, &compared, examples, &files);
    let value = serde_json::to_value(&report).expect("a report has string keys");
    staged.write(REPORT, folder::pretty(&value).as_bytes())?;
    staged.commit()?;
    Ok(report)
}

/// Answers of the trained model and how far the written folder is from them.
struct Compared {
    batch: ReferenceBatch,
    logits: Vec<f32>,
    to_trained: f64,
    to_rounded: f64,
}

fn compare(
    model: &SequencesModel,
    written: &Path,
    out: &Path,
    dtype: Option<StoredDtype>,
) -> Result<Compared, ExchangeError> {
    let batch = ReferenceBatch::new(&model.config);
    let logits = model.logits(&batch.packed);
    let read_back = SequencesModel::read(written)?.logits(&batch.packed);
    let rounded = rounded(model, dtype)?.logits(&batch.packed);
    let (to_trained, to_rounded) =
        (largest_difference(&read_back, &logits), largest_difference(&read_back, &rounded));
    // Written so that NaN is refused too.
    if to_rounded <= BOUND {
        return Ok(Compared { batch, logits, to_trained, to_rounded });
    }
    Err(ExchangeError::LogitsDiffer {
        path: out.to_path_buf(),
        figure: to_rounded,
        bound: BOUND,
        because: BOUND_BECAUSE,
    })
}

/// The model with its parameters as the element types of the export hold them.
fn rounded(
    model: &SequencesModel,
    dtype: Option<StoredDtype>,
) -> Result<SequencesModel, ExchangeError> {
    let tensors = folder::tensors(model, dtype)?;
    let name = |parameter: &str| match &model.origin {
        Some(origin) => origin.preserved.file_name(parameter).to_owned(),
        None => parameter.to_owned(),
    };
    let specs = model.params.specs().clone();
    let values = specs.iter().map(|spec| {
        let tensor: &StoredTensor = &tensors[&name(&spec.name)];
        let values = tensor.as_f32().expect("parameters are written as floats");
        Tensor::<Cpu, 1>::from_floats(values.as_slice(), &FlexDevice)
    });
    let values = values.collect();
    Ok(SequencesModel { params: Params::from_values(specs, values), ..model.clone() })
}

/// Largest absolute difference; NaN if any is, infinite if the lengths differ.
fn largest_difference(a: &[f32], b: &[f32]) -> f64 {
    if a.len() != b.len() {
        return f64::INFINITY;
    }
    a.iter().zip(b).fold(0.0, |worst: f64, (x, y)| {
        let difference = (f64::from(*x) - f64::from(*y)).abs();
        if difference.is_nan() { f64::NAN } else { worst.max(difference) }
    })
}

fn report(
    model: &SequencesModel,
    compared: &Compared,
    tokenizer_examples: Vec<TokenizerExample>,
    files: &std::collections::BTreeMap<String, Vec<u8>>,
) -> ExportReport {
    let config: serde_json::Value = serde_json::from_slice(&files[CONFIG]).unwrap_or_default();
    let specs = model.params.specs();
    let entry = |(name, bytes): (&String, &Vec<u8>)| FileEntry {
        name: name.clone(),
        bytes: bytes.len() as u64,
        sha256: sha256_of_bytes(bytes),
    };
    ExportReport {
        format: "huggingface",
        architecture: config["architectures"][0].as_str().map(str::to_owned),
        source: model.source.clone(),
        code_version: env!("CARGO_PKG_VERSION"),
        num_parameters: model.params.num_elements(),
        logits_max_abs: compared.to_trained,
        logits_max_abs_rounded: compared.to_rounded,
        logits_bound: BOUND,
        logits_bound_because: BOUND_BECAUSE,
        logits_shape: compared.batch.shape(&model.config),
        shapes: specs.iter().map(|spec| (spec.name.clone(), spec.shape.clone())).collect(),
        letters: model.letters.rules,
        tokenizer_examples,
        files: files.iter().map(entry).collect(),
    }
}

/// Texts that exercise each kind; those a tokenizer refuses are left out.
fn texts(kind: TokenizerKind) -> &'static [&'static str] {
    match kind {
        TokenizerKind::AminoAcid => &["MKTAYIAKQR", "ACDEFGHIKLMNPQRSTVWYXBUZO"],
        TokenizerKind::Nucleotide => &["ACGTTGCA", "ACGTNRYSWKMBDHV"],
        TokenizerKind::Smiles => &["CCO", "CC(=O)Oc1ccccc1C(=O)O", "C[C@H](N)C(=O)O"],
        TokenizerKind::Byte | TokenizerKind::HuggingFace => {
            &["The quick brown fox.", " two  spaces\n\tand 3.14 < 42!", "na\u{ef}ve \u{3a9}"]
        }
    }
}

/// What the `tokenizers` library makes of texts by the `tokenizer.json` of `folder`, after a proof that
/// training saw the same: a document is what the library gives, and where that has no end the token that
/// ends documents. Empty where the folder has no such file.
fn examples(
    tokenizer: Option<&Tokenizer>,
    folder: &Path,
) -> Result<Vec<TokenizerExample>, ExchangeError> {
    let Some(tokenizer) = tokenizer.filter(|_| folder.join(Tokenizer::FILES[0]).is_file()) else {
        return Ok(Vec::new());
    };
    let mut examples = Vec::new();
    for text in texts(tokenizer.kind()) {
        let mut trained = Vec::new();
        if tokenizer.encode(text, &mut trained).is_err() {
            continue;
        }
        let ids = Tokenizer::ids_of_library(folder, text)
            .map_err(|error| ExchangeError::unsuitable(folder, error.to_string()))?;
        let end: Vec<u32> = tokenizer.eos().into_iter().collect();
        if trained != ids && trained != [ids.as_slice(), &end].concat() {
            let problem = format!(
                "its tokenizer.json makes {ids:?} of `{text}`, but the model was trained on \
                 {trained:?}; export the model with the tokenizer it was trained with"
            );
            return Err(ExchangeError::unsuitable(folder, problem));
        }
        examples.push(TokenizerExample { text: (*text).to_owned(), ids });
    }
    Ok(examples)
}
