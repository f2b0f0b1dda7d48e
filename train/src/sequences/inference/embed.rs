//! Hidden states of sequences after the model's last norm: per token, or their mean.
//!
//! The tokens that begin and end a document are part of what the model sees, and are left out of
//! both the mean and the per-token rows: row `r` belongs to residue `r` of the sequence.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use genesis_kernels::Kernels;
use safetensors::Dtype;
use serde::Serialize;

use super::batches::{self, End};
use super::error::InferenceError;
use super::load::SequencesModel;
use super::records::{Record, RecordOptions, Records, Refused, none_left, read_records};
use super::table::{Column, Ending, write_parquet};
use crate::exchange::tensor::StoredTensor;
use crate::exchange::weights::serialise_safetensors;

/// What to write.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EmbedOptions {
    /// One vector per token instead of the mean.
    pub per_token: bool,
    /// How the input is read.
    pub reading: RecordOptions,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EmbedSummary {
    /// Sequences.
    pub num_sequences: usize,
    /// Tokens of the texts, without those that begin and end them.
    pub num_tokens: usize,
    /// Length of a vector, `C`.
    pub width: usize,
    /// File.
    pub out: PathBuf,
    /// Records that were left out.
    pub refused: Vec<Refused>,
    /// What was taken for what in the input.
    pub notes: Vec<String>,
}

/// The representation of one sequence.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedding {
    /// Name of the sequence.
    pub id: String,
    /// Tokens of the text, `L`.
    pub num_tokens: usize,
    /// `[C]` mean, or `[L, C]` row-major.
    pub values: Vec<f32>,
}

/// Embeds every sequence of `input` and writes `out`: `.safetensors` with one tensor per sequence
/// id (`[C]`, or `[L, C]` per token), or `.parquet` with columns `id`, `num_tokens`, `embedding`
/// (per token: `id`, `position` from 1, `embedding`). `progress` gets sequences done and all.
///
/// # Errors
/// A model without tokenizer, an input of which nothing can be used, two sequences of one id in
/// safetensors, input/output errors. Nothing is written then. Single sequences that tokenizer or model
/// refuse are listed in the summary.
pub fn embed<B: Kernels>(
    model: &SequencesModel<B>,
    input: &Path,
    out: &Path,
    options: &EmbedOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<EmbedSummary, InferenceError> {
    let ending = Ending::of(out, &[Ending::Safetensors, Ending::Parquet])?;
    let Records { read: records, mut refused, notes } =
        read_records(input, &options.reading, model.tokenizer()?, &model.letters)?;
    if ending == Ending::Safetensors {
        refuse_repeated_ids(input, &records)?;
    }
    let embeddings = embed_records(model, &records, options.per_token, &mut refused, progress)?;
    none_left(input, embeddings.is_empty(), &refused)?;
    let width = model.config.width;
    match ending {
        Ending::Safetensors => write_safetensors(out, &embeddings, width, options.per_token)?,
        _ => write_parquet(out, &columns(&embeddings, width, options.per_token))?,
    }
    Ok(EmbedSummary {
        num_sequences: embeddings.len(),
        num_tokens: embeddings.iter().map(|embedding| embedding.num_tokens).sum(),
        width,
        out: out.to_path_buf(),
        refused,
        notes,
    })
}

/// The representations of `records`, in order; those that cannot be used are added to `refused`.
fn embed_records<B: Kernels>(
    model: &SequencesModel<B>,
    records: &[Record],
    per_token: bool,
    refused: &mut Vec<Refused>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Vec<Embedding>, InferenceError> {
    let tokenizer = model.tokenizer()?;
    let (mut encoded, mut ids) = (Vec::new(), Vec::new());
    for record in records {
        match batches::encode(model, tokenizer, record, End::AsGiven) {
            Ok(tokens) => {
                encoded.push(tokens);
                ids.push(record.id.clone());
            }
            Err(problem) => refused.push(record.refused(problem)),
        }
    }
    let lengths: Vec<usize> = encoded.iter().map(Vec::len).collect();
    let width = model.config.width;
    let mut embeddings = Vec::with_capacity(encoded.len());
    for run in batches::runs(&lengths, width) {
        let mut batch = genesis_schema::TokenBatch::default();
        encoded[run.clone()].iter().for_each(|tokens| batches::push(&mut batch, tokens));
        let hidden = model.hidden(&batch);
        let mut rows = hidden.chunks_exact(width);
        for index in run {
            let states: Vec<&[f32]> = rows.by_ref().take(lengths[index]).collect();
            let states = &states[batches::body(tokenizer, lengths[index])];
            let values = if per_token { states.concat() } else { mean(states, width) };
            let id = ids[index].clone();
            embeddings.push(Embedding { id, num_tokens: states.len(), values });
            progress(embeddings.len() as u64, encoded.len() as u64);
        }
    }
    Ok(embeddings)
}

/// Mean of rows, summed in f64; zeros if there is none.
#[expect(clippy::cast_possible_truncation, reason = "states are f32")]
fn mean(rows: &[&[f32]], width: usize) -> Vec<f32> {
    let mut sum = vec![0.0f64; width];
    for row in rows {
        sum.iter_mut().zip(*row).for_each(|(sum, &value)| *sum += f64::from(value));
    }
    sum.into_iter().map(|sum| (sum / rows.len().max(1) as f64) as f32).collect()
}

fn refuse_repeated_ids(input: &Path, records: &[Record]) -> Result<(), InferenceError> {
    let mut seen = BTreeSet::new();
    match records.iter().position(|record| !seen.insert(record.id.as_str())) {
        None => Ok(()),
        Some(index) => Err(InferenceError::Record {
            path: input.to_path_buf(),
            record: index + 1,
            id: records[index].id.clone(),
            problem: "a second sequence of this id; a safetensors file has one tensor per id, so \
                      write .parquet or rename it"
                .to_owned(),
        }),
    }
}

fn write_safetensors(
    out: &Path,
    embeddings: &[Embedding],
    width: usize,
    per_token: bool,
) -> Result<(), InferenceError> {
    let shape = |embedding: &Embedding| {
        if per_token { vec![embedding.num_tokens, width] } else { vec![width] }
    };
    let tensors: BTreeMap<&str, StoredTensor> = embeddings
        .iter()
        .map(|e| (e.id.as_str(), StoredTensor::from_f32(&e.values, &shape(e), Dtype::F32)))
        .collect();
    let bytes = serialise_safetensors(tensors.iter().map(|(id, tensor)| (*id, tensor)));
    super::table::write_file(out, &bytes)
}

fn columns(embeddings: &[Embedding], width: usize, per_token: bool) -> Vec<(&'static str, Column)> {
    if !per_token {
        return vec![
            ("id", Column::Text(embeddings.iter().map(|e| e.id.clone()).collect())),
            ("num_tokens", Column::Count(embeddings.iter().map(|e| e.num_tokens as u64).collect())),
            ("embedding", Column::Vectors(embeddings.iter().map(|e| e.values.clone()).collect())),
        ];
    }
    let rows = || embeddings.iter().flat_map(|e| (0..e.num_tokens).map(move |row| (e, row)));
    vec![
        ("id", Column::Text(rows().map(|(e, _)| e.id.clone()).collect())),
        ("position", Column::Count(rows().map(|(_, row)| row as u64 + 1).collect())),
        (
            "embedding",
            Column::Vectors(
                rows().map(|(e, row)| e.values[row * width..][..width].to_vec()).collect(),
            ),
        ),
    ]
}
