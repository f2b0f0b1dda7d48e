//! Scores of sequences: log-likelihoods, pseudo-log-likelihoods, and effects of protein variants.
//!
//! All in nats, summed in f64. Which method applies follows from the model and the options, and is
//! named in the summary.

use std::path::Path;

use genesis_data::sequences::tokenize::Tokenizer;
use genesis_kernels::Kernels;
use genesis_schema::TokenBatch;
use serde::Serialize;

use super::batches;
use super::error::InferenceError;
use super::load::SequencesModel;
use super::marginal::MaskedMarginals;
use super::records::{Record, read_records};
use super::sampling::log_probability;
use super::spearman::spearman;
use super::table::{Column, write_table};
use super::variants::{apply, canonical_residues, consensus, differences, parse_mutations};

/// What to score, and against what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScoreOptions {
    /// Wild type of the variants: letters, or a file with one sequence. The consensus of the
    /// sequences if absent.
    pub wild_type: Option<String>,
    /// Masked models: score each sequence by itself instead of as a variant.
    pub pseudo_likelihood: bool,
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
}

/// Scores and their summary.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreTable {
    /// One row per sequence, in the order of the input.
    pub rows: Vec<ScoreRow>,
    /// Summary of the rows.
    pub summary: ScoreSummary,
}

/// Scores the sequences of `input`; `progress` gets what is done and all there is.
///
/// # Errors
/// A model without tokenizer, a sequence or variant that does not fit tokenizer, model or wild
/// type, no common length to take a consensus of.
pub fn score<B: Kernels>(
    model: &SequencesModel<B>,
    input: &Path,
    options: &ScoreOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<ScoreTable, InferenceError> {
    let tokenizer = model.tokenizer()?;
    let mut subject = Subject { path: input, records: read_records(input)? };
    if model.config.causal() {
        return score_causal(model, tokenizer, &mut subject, options, progress);
    }
    if options.pseudo_likelihood {
        let rows = pseudo_log_likelihoods(model, tokenizer, &subject, progress)?;
        return Ok(ScoreTable::new(Method::PseudoLogLikelihood, rows, None));
    }
    let wild_type = subject.take_wild_type(options)?;
    let rows = masked_marginals(model, tokenizer, &subject, &wild_type.0, progress)?;
    Ok(ScoreTable::new(Method::MaskedMarginal, rows, Some(wild_type.1)))
}

/// The sequences to score.
struct Subject<'a> {
    path: &'a Path,
    records: Vec<Record>,
}

impl Subject<'_> {
    fn problem(&self, index: usize, problem: impl Into<String>) -> InferenceError {
        InferenceError::Record {
            path: self.path.to_path_buf(),
            record: index + 1,
            id: self.records[index].id.clone(),
            problem: problem.into(),
        }
    }

    /// The wild type and where it comes from. Records that name variants become sequences.
    fn take_wild_type(
        &mut self,
        options: &ScoreOptions,
    ) -> Result<(String, String), InferenceError> {
        for record in &mut self.records {
            record.sequence = canonical_residues(&record.sequence);
        }
        let Some(given) = &options.wild_type else {
            let sequences = self.records.iter().map(|record| record.sequence.as_str());
            let count = self.records.len();
            let consensus = consensus(sequences).ok_or_else(|| {
                InferenceError::input(
                    self.path,
                    "the sequences differ in length, so they have no consensus: give the wild \
                     type, or ask for pseudo-log-likelihoods",
                )
            })?;
            return Ok((consensus, format!("consensus of {count} sequences")));
        };
        let wild_type = read_wild_type(given)?;
        self.expand_variants(&wild_type)?;
        Ok((wild_type, "given".to_owned()))
    }

    /// `A42G`, or `A42G 1.5` with a measured value, becomes the sequence it stands for.
    fn expand_variants(&mut self, wild_type: &str) -> Result<(), InferenceError> {
        let separators = [' ', '\t', ',', ';'];
        for index in 0..self.records.len() {
            let text = self.records[index].sequence.clone();
            let mut fields = text.split(separators).filter(|field| !field.is_empty());
            let Some(name) = fields.next() else { continue };
            let Some(mutations) = parse_mutations(name) else { continue };
            let sequence =
                apply(wild_type, &mutations).map_err(|problem| self.problem(index, problem))?;
            let measured = fields.next().unwrap_or_default();
            let record = &mut self.records[index];
            record.sequence = sequence;
            name.clone_into(&mut record.id);
            record.header = format!("{name}|{measured}");
        }
        Ok(())
    }
}

/// Letters, or the one sequence of a file.
fn read_wild_type(given: &str) -> Result<String, InferenceError> {
    let path = Path::new(given);
    if !path.is_file() {
        let letters = given.bytes().all(|b| b.is_ascii_alphabetic() || b == b'*');
        if letters && !given.is_empty() {
            return Ok(canonical_residues(given));
        }
        return Err(InferenceError::Text {
            what: "wild type",
            problem: format!("`{given}` is neither a file nor a sequence of letters"),
        });
    }
    match read_records(path)?.as_slice() {
        [only] => Ok(canonical_residues(&only.sequence)),
        more => {
            let problem = format!("it holds {} sequences; the wild type is one", more.len());
            Err(InferenceError::input(path, problem))
        }
    }
}

fn score_causal<B: Kernels>(
    model: &SequencesModel<B>,
    tokenizer: &Tokenizer,
    subject: &mut Subject<'_>,
    options: &ScoreOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<ScoreTable, InferenceError> {
    if options.wild_type.is_none() {
        let rows = log_likelihoods(model, tokenizer, subject, progress)?;
        return Ok(ScoreTable::new(Method::LogLikelihood, rows, None));
    }
    let (wild_type, from) = subject.take_wild_type(options)?;
    let record = Record { id: "wild type".into(), header: String::new(), sequence: wild_type };
    subject.records.push(record);
    let mut rows = log_likelihoods(model, tokenizer, subject, progress)?;
    let base = rows.pop().map_or(0.0, |row| row.score);
    for row in &mut rows {
        row.score -= base;
    }
    Ok(ScoreTable::new(Method::LogLikelihoodRatio, rows, Some(from)))
}

fn log_likelihoods<B: Kernels>(
    model: &SequencesModel<B>,
    tokenizer: &Tokenizer,
    subject: &Subject<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Vec<ScoreRow>, InferenceError> {
    let encoded = encode_all(model, tokenizer, subject)?;
    let lengths: Vec<usize> = encoded.iter().map(Vec::len).collect();
    let vocabulary = model.config.vocab_size;
    let mut rows = Vec::with_capacity(encoded.len());
    for run in batches::runs(&lengths, vocabulary) {
        let mut batch = TokenBatch::default();
        encoded[run.clone()].iter().for_each(|tokens| batches::push(&mut batch, tokens));
        let logits = model.logits(&batch);
        let mut answers = logits.chunks_exact(vocabulary);
        for index in run {
            let following = encoded[index].iter().skip(1).map(Some).chain([None]);
            let terms = following
                .filter_map(|next| {
                    let answer = answers.next().expect("one row per token");
                    next.map(|&token| log_probability(answer, token as usize))
                })
                .collect();
            rows.push(ScoreRow::new(&subject.records[index], terms, String::new()));
            progress(rows.len() as u64, encoded.len() as u64);
        }
    }
    Ok(rows)
}

fn pseudo_log_likelihoods<B: Kernels>(
    model: &SequencesModel<B>,
    tokenizer: &Tokenizer,
    subject: &Subject<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Vec<ScoreRow>, InferenceError> {
    let encoded = encode_all(model, tokenizer, subject)?;
    let mut rows = Vec::with_capacity(encoded.len());
    for (tokens, record) in encoded.iter().zip(&subject.records) {
        let places: Vec<usize> = batches::body(tokenizer, tokens.len()).collect();
        let marginals =
            MaskedMarginals::compute(model, tokenizer, tokens, &places, &mut |_, _| {})?;
        let terms = places.iter().map(|&place| marginals.log_p(place, tokens[place])).collect();
        rows.push(ScoreRow::new(record, terms, String::new()));
        progress(rows.len() as u64, encoded.len() as u64);
    }
    Ok(rows)
}

fn masked_marginals<B: Kernels>(
    model: &SequencesModel<B>,
    tokenizer: &Tokenizer,
    subject: &Subject<'_>,
    wild_type: &str,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Vec<ScoreRow>, InferenceError> {
    let encoded = encode_all(model, tokenizer, subject)?;
    let record =
        Record { id: "wild type".into(), header: String::new(), sequence: wild_type.into() };
    let wild = batches::encode(model, tokenizer, subject.path, 0, &record)?;
    let mut mutated = Vec::with_capacity(encoded.len());
    for (index, tokens) in encoded.iter().enumerate() {
        let named = differences(wild_type, &subject.records[index].sequence)
            .map_err(|problem| subject.problem(index, problem))?;
        if tokens.len() != wild.len() {
            return Err(
                subject.problem(index, "it has another number of tokens than the wild type")
            );
        }
        let places: Vec<usize> =
            (0..wild.len()).filter(|&place| tokens[place] != wild[place]).collect();
        let named: Vec<String> = named.iter().map(ToString::to_string).collect();
        mutated.push((places, named.join(":")));
    }
    let mut places: Vec<usize> = mutated.iter().flat_map(|(places, _)| places.clone()).collect();
    places.sort_unstable();
    places.dedup();
    let marginals = MaskedMarginals::compute(model, tokenizer, &wild, &places, progress)?;
    let rows = encoded.iter().zip(&subject.records).zip(mutated);
    Ok(rows
        .map(|((tokens, record), (places, mutations))| {
            let term = |&place: &usize| {
                marginals.log_p(place, tokens[place]) - marginals.log_p(place, wild[place])
            };
            ScoreRow::new(record, places.iter().map(term).collect(), mutations)
        })
        .collect())
}

fn encode_all<B: Kernels>(
    model: &SequencesModel<B>,
    tokenizer: &Tokenizer,
    subject: &Subject<'_>,
) -> Result<Vec<Vec<u32>>, InferenceError> {
    let records = subject.records.iter().enumerate();
    records
        .map(|(index, record)| batches::encode(model, tokenizer, subject.path, index, record))
        .collect()
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
        let measured: Vec<(f64, f64)> =
            rows.iter().filter_map(|row| Some((row.score, row.measured?))).collect();
        let (scores, values): (Vec<f64>, Vec<f64>) = measured.iter().copied().unzip();
        let total: f64 = rows.iter().map(|row| row.score).sum();
        let num_terms: usize = rows.iter().map(|row| row.terms.len()).sum();
        let summary = ScoreSummary {
            method,
            num_sequences: rows.len(),
            mean_score: total / rows.len().max(1) as f64,
            mean_term: (num_terms > 0).then(|| total / num_terms as f64),
            spearman: spearman(&scores, &values),
            spearman_n: measured.len(),
            wild_type_from,
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
        match self.spearman {
            Some(rho) => write!(f, "; Spearman {rho:.4} (n = {})", self.spearman_n),
            None => Ok(()),
        }
    }
}
