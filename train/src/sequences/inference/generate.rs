//! New sequences from a causal model, token by token, with cached keys and values.
//!
//! Number `t` of sample `i` comes from position `(index i, lane t)` of the stream
//! `generate` of the seed: samples do not depend on each other or on how many are drawn. Ids that the
//! tokenizer does not have, as when a vocabulary was rounded up, are never drawn.

use std::borrow::Cow;
use std::collections::BTreeSet;

use genesis_data::sequences::letters::{Letters, Ruled};
use genesis_data::sequences::tokenize::Tokenizer;
use genesis_kernels::{Kernels, Precision};
use genesis_model::{KvCache, Transformer};
use genesis_schema::{Seeds, Stream};
use serde::Serialize;

use super::error::InferenceError;
use super::letters::ModelLetters;
use super::load::SequencesModel;
use super::sampling::{Sampling, log_probability};

/// What to draw.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerateOptions {
    /// Number of the first sample; those before it are there already.
    pub first: u64,
    /// Samples, those before `first` included.
    pub count: u64,
    /// Most tokens to add; what is left of the model's context if absent. Beyond the context, the
    /// model sees a window: whenever it is full, the last half of it is read anew from position 0.
    pub max_tokens: Option<usize>,
    /// Divides the logits; 0 takes the likeliest token.
    pub temperature: f64,
    /// Keep only this many likeliest tokens.
    pub top_k: Option<usize>,
    /// Keep the smallest set of likeliest tokens whose probabilities reach this sum.
    pub top_p: Option<f64>,
    /// Seed of the stream.
    pub seed: u64,
}

impl Default for GenerateOptions {
    fn default() -> Self {
        Self {
            first: 0,
            count: 1,
            max_tokens: None,
            temperature: 1.0,
            top_k: None,
            top_p: None,
            seed: 0,
        }
    }
}

/// Why a sample ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// The model drew the token that ends a sequence.
    EndOfSequence,
    /// `max_tokens` were added.
    MaxTokens,
    /// The model's context is used up and no number of tokens was asked for.
    ContextFull,
}

/// One generated sequence.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sample {
    /// Number of the sample, from 0.
    pub index: u64,
    /// Text it continues.
    pub prompt: String,
    /// The continuation, without special tokens: what the prompt and the new tokens read together have
    /// behind the prompt.
    pub text: String,
    /// Tokens that were added, including the one that ended the sequence.
    pub tokens: Vec<u32>,
    /// Log-likelihood of `tokens` given the prompt under the model as it is (temperature 1, no
    /// filters), nats.
    pub log_likelihood: f64,
    /// Why it ended.
    pub ended: Ended,
}

/// Draws `options.count` samples that continue `prompt` and hands each to `observe` as it is done.
/// An empty prompt begins a new document.
///
/// # Errors
/// A masked model, a model without tokenizer, an option out of range, a prompt that the tokenizer
/// refuses or that fills the context, NaN logits.
pub fn generate<B: Kernels>(
    model: &SequencesModel<B>,
    prompt: &str,
    options: &GenerateOptions,
    observe: &mut dyn FnMut(Sample),
) -> Result<(), InferenceError> {
    require_causal(model)?;
    let tokenizer = model.tokenizer()?;
    let start = encode_prompt(model, prompt)?;
    let limits = Limits::of(model)?;
    let generator = Generator::start(model, &start, limits, options)?;
    for index in options.first..options.count {
        let Drawn { tokens, log_likelihood, ended } = generator.draw(index)?;
        let (prompt, text) = (prompt.to_owned(), continuation(tokenizer, &start, &tokens));
        observe(Sample { index, prompt, text, tokens, log_likelihood, ended });
    }
    Ok(())
}

fn require_causal<B: Kernels>(model: &SequencesModel<B>) -> Result<(), InferenceError> {
    if model.config.causal() {
        return Ok(());
    }
    Err(InferenceError::Unsuitable {
        path: model.source.path.clone(),
        problem: "a masked model fills in tokens and cannot generate from left to right; use \
                  `score` or `embed`"
            .to_owned(),
    })
}

/// The text of `tokens` behind a prompt. Decoders drop the blank before a first word, so the tokens alone
/// would not tell.
fn continuation(tokenizer: &Tokenizer, prompt: &[u32], tokens: &[u32]) -> String {
    let before = tokenizer.decode(prompt);
    let mut whole = tokenizer.decode(&[prompt, tokens].concat());
    // A decoder may spell the end of the prompt otherwise once something follows.
    let pairs = before.chars().zip(whole.chars());
    let same: usize = pairs.take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum();
    whole.split_off(same)
}

/// The prompt's tokens; the token that begins or separates documents when there are none.
fn encode_prompt<B: Kernels>(
    model: &SequencesModel<B>,
    prompt: &str,
) -> Result<Vec<u32>, InferenceError> {
    let tokenizer = model.tokenizer()?;
    check_letters(&model.letters, tokenizer, prompt)?;
    let tokens = tokenizer
        .encode_prompt(prompt)
        .map_err(|error| InferenceError::Text { what: "prompt", problem: error.to_string() })?;
    if !tokens.is_empty() {
        return Ok(tokens);
    }
    let first = tokenizer.bos().or(tokenizer.eos()).ok_or(InferenceError::Text {
        what: "prompt",
        problem:
            "it is empty and the tokenizer has no token that begins a document; give some text"
                .to_owned(),
    })?;
    Ok(vec![first])
}

/// Refuses a prompt with letters that the data of the model had not, such as gaps where they were left out.
/// One that spells special tokens is taken as it is.
fn check_letters(
    of_model: &ModelLetters,
    tokenizer: &Tokenizer,
    prompt: &str,
) -> Result<(), InferenceError> {
    let refused = |problem: String| InferenceError::Text { what: "prompt", problem };
    let letters = Letters::of(&of_model.rules, tokenizer).map_err(|it| refused(it.to_string()))?;
    let Some(letters) = letters.filter(|_| !prompt.contains('<')) else { return Ok(()) };
    let Ruled { text, met } = letters.rule(prompt).map_err(|it| refused(it.to_string()))?;
    match text {
        Cow::Borrowed(_) => Ok(()),
        Cow::Owned(text) => Err(refused(format!(
            "the data of the model had no such letters ({}); give `{text}`",
            letters.told(&met)
        ))),
    }
}

/// One sample before it is text.
pub(crate) struct Drawn {
    pub(crate) tokens: Vec<u32>,
    pub(crate) log_likelihood: f64,
    pub(crate) ended: Ended,
}

/// What bounds a sample.
#[derive(Debug, Clone, Default)]
pub(crate) struct Limits {
    /// Tokens that end it.
    ends: BTreeSet<u32>,
    /// Ids that stand for nothing and are not drawn.
    absent: Vec<u32>,
}

impl Limits {
    fn of<B: Kernels>(model: &SequencesModel<B>) -> Result<Self, InferenceError> {
        let tokenizer = model.tokenizer()?;
        let rows = u32::try_from(model.config.vocab_size).unwrap_or(u32::MAX);
        let absent = (0..rows).filter(|&id| !tokenizer.has(id)).collect();
        Ok(Self { ends: model.end_tokens()?, absent })
    }
}

/// A model that has read the prompt.
pub(crate) struct Generator<B: Kernels> {
    network: Transformer<B>,
    cache: KvCache<B>,
    logits: Vec<f32>,
    prompt: Vec<u32>,
    context: usize,
    max_tokens: Option<usize>,
    limits: Limits,
    sampling: Sampling,
    stream: Stream,
}

impl<B: Kernels> Generator<B> {
    /// Reads `prompt`.
    pub(crate) fn start(
        model: &SequencesModel<B>,
        prompt: &[u32],
        limits: Limits,
        options: &GenerateOptions,
    ) -> Result<Self, InferenceError> {
        let GenerateOptions { temperature, top_k, top_p, seed, .. } = *options;
        let sampling = Sampling { temperature, top_k, top_p };
        sampling.validate()?;
        let context = model.config.context;
        if prompt.len() >= context {
            return Err(InferenceError::Text {
                what: "prompt",
                problem: format!(
                    "{} tokens leave no room in the model's context of {context}; shorten it",
                    prompt.len()
                ),
            });
        }
        let network = model.network();
        let mut cache = KvCache::new(&model.config);
        let logits = decode(&network, prompt, &mut cache)?;
        Ok(Self {
            network,
            cache,
            logits,
            prompt: prompt.to_vec(),
            context,
            max_tokens: options.max_tokens,
            limits,
            sampling,
            stream: Seeds::new(seed).stream("generate"),
        })
    }

    /// Sample number `index`.
    pub(crate) fn draw(&self, index: u64) -> Result<Drawn, InferenceError> {
        let (mut cache, mut logits) = (self.cache.clone(), self.logits.clone());
        let (mut tokens, mut log_likelihood) = (Vec::new(), 0.0);
        let ended = loop {
            if let Some(ended) = self.limit_reached(tokens.len()) {
                break ended;
            }
            // Logits of the last token drawn are made only now, when they are needed.
            if let Some(&last) = tokens.last() {
                logits = self.advance(last, &tokens, &mut cache)?;
            }
            if logits.iter().any(|logit| logit.is_nan()) {
                return Err(InferenceError::NotFinite { tokens: self.prompt.len() + tokens.len() });
            }
            let uniform = self.stream.uniform(index, tokens.len() as u64);
            let mut possible = logits.clone();
            self.limits.absent.iter().for_each(|&id| possible[id as usize] = f32::NEG_INFINITY);
            let token = self.sampling.pick(&possible, uniform);
            log_likelihood += log_probability(&logits, token as usize);
            tokens.push(token);
            if self.limits.ends.contains(&token) {
                break Ended::EndOfSequence;
            }
        };
        Ok(Drawn { tokens, log_likelihood, ended })
    }

    fn limit_reached(&self, num_drawn: usize) -> Option<Ended> {
        match self.max_tokens {
            Some(limit) => (num_drawn >= limit).then_some(Ended::MaxTokens),
            None => (self.prompt.len() + num_drawn >= self.context).then_some(Ended::ContextFull),
        }
    }

    /// Logits after `last`, the last of `tokens`.
    fn advance(
        &self,
        last: u32,
        tokens: &[u32],
        cache: &mut KvCache<B>,
    ) -> Result<Vec<f32>, InferenceError> {
        if cache.len() < self.context {
            return decode(&self.network, &[last], cache);
        }
        let all = [&self.prompt[..], tokens].concat();
        let window = &all[all.len() - (self.context / 2).max(1)..];
        *cache = KvCache::new(self.network.config());
        decode(&self.network, window, cache)
    }
}

fn decode<B: Kernels>(
    network: &Transformer<B>,
    tokens: &[u32],
    cache: &mut KvCache<B>,
) -> Result<Vec<f32>, InferenceError> {
    let logits = network.decode(tokens, cache, Precision::Full)?;
    Ok(logits.into_data().convert::<f32>().into_vec().expect("converted to f32 just now"))
}
