//! Scores of sequences: log-likelihoods, pseudo-log-likelihoods, and effects of protein variants.
//!
//! All in nats, summed in f64. Which method applies follows from the model and the options, and is
//! named in the summary, as is whether the token that ends a sequence is scored.

use std::path::Path;

use genesis_data::sequences::tokenize::Tokenizer;
use genesis_kernels::Kernels;
use genesis_schema::TokenBatch;
use serde::Serialize;

use super::batches::{self, End};
use super::error::InferenceError;
use super::load::SequencesModel;
use super::marginal::MaskedMarginals;
use super::records::{Record, RecordOptions, Records, Refused, none_left, read_records};
use super::sampling::log_probability;
use super::spearman::spearman;
use super::table::{Column, write_table};
use super::variants::differences;
use super::wild_type::{WildType, expand_variants, given, majority};

/// What to score, and against what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScoreOptions {
    /// Wild type of the variants: letters, or a file with one sequence. The consensus of the
    /// sequences if absent.
    pub wild_type: Option<String>,
    /// Masked models: score each sequence by itself instead of as a variant.
    pub pseudo_likelihood: bool,
    /// Causal models: whether the token that ends a sequence is scored too. By default it is where the
    /// tokenizer marks texts, by a token before or behind them, and not where it marks none.
    pub end_token: Option<bool>,
    /// How the input is read.
    pub reading: RecordOptions,
}

/// How a score is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Causal: `sum_t log p(token_t | tokens before t)`; the first token is given, not scored.
    LogLikelihood,
    /// Causal with a wild type: log-likelihood of the variant minus that of the wild type.
    LogLikelihoodRatio,
    /// Masked: `sum_t log p(token_t | all others)`. Salazar et al., arXiv:1910.14659, eq. 1.
    PseudoLogLikelihood,
    /// Masked: `sum over mutated positions of log p(mutant) - log p(wild type)` with that position
    /// masked in the wild type. Meier et al., doi:10.1101/2021.07.09.450648, masked marginals.
    MaskedMarginal,
}

/// The score of one sequence.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreRow {
    /// Name of the sequence.
    pub id: String,
    /// Nats.
    pub score: f64,
    /// One term of the score per scored token or mutated position, in order.
    pub terms: Vec<f64>,
    /// Differences from the wild type, as `A42G:L50P`; empty where there is none.
    pub mutations: String,
    /// The measured value of the input.
    pub measured: Option<f64>,
}

/// What a run of scores amounts to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScoreSummary {
    /// How the scores are made.
    pub method: Method,
    /// Sequences.
    pub num_sequences: usize,
    /// Mean score, nats.
    pub mean_score: f64,
    /// Sum of all scores over the number of their terms, nats.
    pub mean_term: Option<f64>,
    /// Rank correlation of score and measured value, if there are measured values.
    pub spearman: Option<f64>,
    /// Sequences with a measured value.
    pub spearman_n: usize,
    /// Where the wild type comes from, if one was used.
    pub wild_type_from: Option<String>,
    /// Log-likelihoods: whether the token that ends a sequence is a term of its score.
    pub end_token_included: Option<bool>,
    /// Records that were left out.
    pub refused: Vec<Refused>,
    /// What was taken for what in the input.
    pub notes: Vec<String>,
}

/// Scores and their summary.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreTable {
    /// One row per sequence, in the order of the input.
    pub rows: Vec<ScoreRow>,
    /// Summary of the rows.
    pub summary: ScoreSummary,
}

/// Scores the sequences of `input`; `progress` gets what is done and all there is. Records that cannot
/// be scored are listed in the summary.
///
/// # Errors
/// A model without tokenizer, an input of which nothing can be scored, a wild type that cannot be used, no
/// majority to take one from.
pub fn score<B: Kernels>(
    model: &SequencesModel<B>,
    input: &Path,
    options: &ScoreOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<ScoreTable, InferenceError> {
    let tokenizer = model.tokenizer()?;
    let Records { read: records, refused, notes } =
        read_records(input, &options.reading, tokenizer, &model.letters)?;
    let causal = model.config.causal();
    check_options(options, causal)?;
    let mut subject = Subject { model, tokenizer, path: input, records, refused };
    let wild_type = match &options.wild_type {
        Some(text) => Some(given(tokenizer, text, model.letters.over(&options.reading.letters))?),
        None if causal || options.pseudo_likelihood => None,
        None => Some(majority(tokenizer, input, &subject.records)?),
    };
    if let Some(wild_type) = &wild_type {
        expand_variants(tokenizer, wild_type, &mut subject.records, &mut subject.refused);
        none_left(input, subject.records.is_empty(), &subject.refused)?;
    }
    let mut table = match (wild_type, causal) {
        (wild_type, true) => score_causal(subject, wild_type, options, progress),
        (Some(wild_type), false) => masked_marginals(subject, &wild_type, progress),
        (None, false) => pseudo_log_likelihoods(subject, progress),
    }?;
    table.summary.notes = notes;
    Ok(table)
}

/// Refuses options that do not apply to the model.
fn check_options(options: &ScoreOptions, causal: bool) -> Result<(), InferenceError> {
    let refuse =
        |option, value: String, because| Err(InferenceError::Option { option, value, because });
    if let Some(end_token) = options.end_token.filter(|_| !causal) {
        let because = "a masked model scores residues alone; leave it out";
        return refuse("--end-token", end_token.to_string(), because);
    }
    if options.pseudo_likelihood && causal {
        let because = "it is for masked models; a causal model has a likelihood, leave it out";
        return refuse("--pseudo-likelihood", "true".to_owned(), because);
    }
    if options.pseudo_likelihood && options.wild_type.is_some() {
        let because = "it scores sequences by themselves; leave --wild-type out";
        return refuse("--pseudo-likelihood", "true".to_owned(), because);
    }
    Ok(())
}

/// The sequences to score, by what.
struct Subject<'a, B: Kernels> {
    model: &'a SequencesModel<B>,
    tokenizer: &'a Tokenizer,
    path: &'a Path,
    records: Vec<Record>,
    refused: Vec<Refused>,
}

impl<B: Kernels> Subject<'_, B> {
    /// Tokens of every record as the tokenizer gives them, with or without the end of a document; those
    /// that cannot be used are moved to the refused.
    fn encode(&mut self, end: End) -> Result<Vec<Vec<u32>>, InferenceError> {
        let records = std::mem::take(&mut self.records);
        let mut encoded = Vec::with_capacity(records.len());
        for record in records {
            match batches::encode(self.model, self.tokenizer, &record, end) {
                Ok(tokens) => {
                    encoded.push(tokens);
                    self.records.push(record);
                }
                Err(problem) => self.refused.push(record.refused(problem)),
            }
        }
        none_left(self.path, self.records.is_empty(), &self.refused)?;
        Ok(encoded)
    }
}

fn score_causal<B: Kernels>(
    mut subject: Subject<'_, B>,
    wild_type: Option<WildType>,
    options: &ScoreOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<ScoreTable, InferenceError> {
    let end = match options.end_token {
        None => End::OfMarked,
        Some(true) => End::Always,
        Some(false) => End::Never,
    };
    let base =
        wild_type.as_ref().map(|wild_type| wild_type.tokens(subject.model, end)).transpose()?;
    let mut encoded = subject.encode(end)?;
    encoded.extend(base);
    let mut terms = log_likelihoods(subject.model, &encoded, progress)?;
    let base: Option<f64> = wild_type.as_ref().and_then(|_| terms.pop()).map(|it| it.iter().sum());
    let rows = subject.records.iter().zip(terms);
    let mut rows: Vec<ScoreRow> =
        rows.map(|(record, terms)| ScoreRow::new(record, terms, String::new())).collect();
    for row in &mut rows {
        row.score -= base.unwrap_or(0.0);
    }
    let method = if base.is_some() { Method::LogLikelihoodRatio } else { Method::LogLikelihood };
    let mut table = ScoreTable::new(method, rows, wild_type.map(|it| it.from));
    table.summary.end_token_included = Some(end.is_there(subject.tokenizer));
    table.summary.refused = subject.refused;
    Ok(table)
}

/// `log p(token | tokens before)` of every token but the first, for each of the sequences.
fn log_likelihoods<B: Kernels>(
    model: &SequencesModel<B>,
    encoded: &[Vec<u32>],
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Vec<Vec<f64>>, InferenceError> {
    let lengths: Vec<usize> = encoded.iter().map(Vec::len).collect();
    let vocabulary = model.config.vocab_size;
    let mut all = Vec::with_capacity(encoded.len());
    for run in batches::runs(&lengths, vocabulary) {
        let mut batch = TokenBatch::default();
        encoded[run.clone()].iter().for_each(|tokens| batches::push(&mut batch, tokens));
        let logits = model.logits(&batch);
        let mut answers = logits.chunks_exact(vocabulary);
        for index in run {
            let following = encoded[index].iter().skip(1).map(Some).chain([None]);
            let terms: Vec<f64> = following
                .filter_map(|next| {
                    let answer = answers.next().expect("one row per token");
                    next.map(|&token| log_probability(answer, token as usize))
                })
                .collect();
            if terms.iter().any(|term| term.is_nan()) {
                return Err(InferenceError::NotFinite { tokens: lengths[index] });
            }
            all.push(terms);
            progress(all.len() as u64, encoded.len() as u64);
        }
    }
    Ok(all)
}

fn pseudo_log_likelihoods<B: Kernels>(
    mut subject: Subject<'_, B>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<ScoreTable, InferenceError> {
    let encoded = subject.encode(End::AsGiven)?;
    let Subject { model, tokenizer, .. } = subject;
    let mut rows = Vec::with_capacity(encoded.len());
    for (tokens, record) in encoded.iter().zip(&subject.records) {
        let places: Vec<usize> = batches::body(tokenizer, tokens.len()).collect();
        let marginals =
            MaskedMarginals::compute(model, tokenizer, tokens, &places, &mut |_, _| {})?;
        let terms = places.iter().map(|&place| marginals.log_p(place, tokens[place])).collect();
        rows.push(ScoreRow::new(record, terms, String::new()));
        progress(rows.len() as u64, encoded.len() as u64);
    }
    let mut table = ScoreTable::new(Method::PseudoLogLikelihood, rows, None);
    table.summary.refused = subject.refused;
    Ok(table)
}

/// What a variant exchanges: places among the tokens, and in words.
type Exchanged = (Vec<usize>, String);

fn masked_marginals<B: Kernels>(
    mut subject: Subject<'_, B>,
    wild_type: &WildType,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<ScoreTable, InferenceError> {
    let (model, tokenizer) = (subject.model, subject.tokenizer);
    let wild = wild_type.tokens(model, End::AsGiven)?;
    let encoded = subject.encode(End::AsGiven)?;
    let mut kept: Vec<(Vec<u32>, Record, Exchanged)> = Vec::with_capacity(encoded.len());
    for (tokens, record) in encoded.into_iter().zip(std::mem::take(&mut subject.records)) {
        match exchanged(&wild_type.text, &wild, &tokens, &record.sequence) {
            Ok(found) => kept.push((tokens, record, found)),
            Err(problem) => subject.refused.push(record.refused(problem)),
        }
    }
    none_left(subject.path, kept.is_empty(), &subject.refused)?;
    let mut places: Vec<usize> = kept.iter().flat_map(|(_, _, found)| found.0.clone()).collect();
    places.sort_unstable();
    places.dedup();
    let marginals = MaskedMarginals::compute(model, tokenizer, &wild, &places, progress)?;
    let rows = kept.into_iter().map(|(tokens, record, (places, mutations))| {
        let term = |&place: &usize| {
            marginals.log_p(place, tokens[place]) - marginals.log_p(place, wild[place])
        };
        ScoreRow::new(&record, places.iter().map(term).collect(), mutations)
    });
    let from = Some(wild_type.from.clone());
    let mut table = ScoreTable::new(Method::MaskedMarginal, rows.collect(), from);
    table.summary.refused = subject.refused;
    Ok(table)
}

/// Where a variant differs from the wild type, letters and tokens.
fn exchanged(
    wild_type: &str,
    wild: &[u32],
    tokens: &[u32],
    sequence: &str,
) -> Result<Exchanged, String> {
    let named = differences(wild_type, sequence)?;
    if tokens.len() != wild.len() {
        return Err("it has another number of tokens than the wild type".to_owned());
    }
    let places = (0..wild.len()).filter(|&place| tokens[place] != wild[place]).collect();
    let named: Vec<String> = named.iter().map(ToString::to_string).collect();
    Ok((places, named.join(":")))
}

impl ScoreRow {
    fn new(record: &Record, terms: Vec<f64>, mutations: String) -> Self {
        Self {
            id: record.id.clone(),
            // An empty sum of floats is -0.0.
            score: 0.0 + terms.iter().sum::<f64>(),
            terms,
            mutations,
            measured: record.measured(),
        }
    }
}

impl ScoreTable {
    fn new(method: Method, rows: Vec<ScoreRow>, wild_type_from: Option<String>) -> Self {
        let measured = rows.iter().filter_map(|row| Some((row.score, row.measured?)));
        let (scores, values): (Vec<f64>, Vec<f64>) = measured.unzip();
        let total: f64 = rows.iter().map(|row| row.score).sum();
        let num_terms: usize = rows.iter().map(|row| row.terms.len()).sum();
        let summary = ScoreSummary {
            method,
            num_sequences: rows.len(),
            mean_score: total / rows.len().max(1) as f64,
            mean_term: (num_terms > 0).then(|| total / num_terms as f64),
            spearman: spearman(&scores, &values),
            spearman_n: scores.len(),
            wild_type_from,
            end_token_included: None,
            refused: Vec::new(),
            notes: Vec::new(),
        };
        Self { rows, summary }
    }

    /// Writes `.csv`, `.jsonl` or `.parquet` with the columns id, score, `num_terms`, `mean_term`,
    /// mutations, measured, and (not in CSV) terms.
    ///
    /// # Errors
    /// Another ending, input/output errors.
    pub fn write(&self, path: &Path) -> Result<(), InferenceError> {
        let rows = &self.rows;
        let mean = |row: &ScoreRow| {
            let count = row.terms.len();
            (count > 0).then(|| row.terms.iter().sum::<f64>() / count as f64)
        };
        let columns = [
            ("id", Column::Text(rows.iter().map(|row| row.id.clone()).collect())),
            ("score", Column::Number(rows.iter().map(|row| Some(row.score)).collect())),
            ("num_terms", Column::Count(rows.iter().map(|row| row.terms.len() as u64).collect())),
            ("mean_term", Column::Number(rows.iter().map(mean).collect())),
            ("mutations", Column::Text(rows.iter().map(|row| row.mutations.clone()).collect())),
            ("measured", Column::Number(rows.iter().map(|row| row.measured).collect())),
            ("terms", Column::Lists(rows.iter().map(|row| row.terms.clone()).collect())),
        ];
        write_table(path, &columns)
    }
}

impl std::fmt::Display for ScoreSummary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let method = match self.method {
            Method::LogLikelihood => "log-likelihood",
            Method::LogLikelihoodRatio => "log-likelihood ratio to the wild type",
            Method::PseudoLogLikelihood => "pseudo-log-likelihood",
            Method::MaskedMarginal => "masked-marginal score",
        };
        write!(
            f,
            "{method} of {} sequences: mean {:.4} nats",
            self.num_sequences, self.mean_score
        )?;
        if let Some(mean) = self.mean_term {
            write!(f, ", {mean:.4} per term")?;
        }
        if let Some(from) = &self.wild_type_from {
            write!(f, "; wild type: {from}")?;
        }
        if let Some(included) = self.end_token_included {
            let not = if included { "" } else { "not " };
            write!(f, "; the token that ends a sequence is {not}scored (--end-token)")?;
        }
        match self.spearman {
            Some(rho) => write!(f, "; Spearman {rho:.4} (n = {})", self.spearman_n),
            None => Ok(()),
        }
    }
}
