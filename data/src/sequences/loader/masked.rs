//! Masked samples: whole documents, cropped to the context, corrupted, packed without padding.
//!
//! **Crop.** A document longer than `context` gives a window of `context` tokens at a uniformly
//! drawn place of its full token sequence. The begin token (`<cls>`) is in the window only when
//! the window begins where the document does, the end token only when it ends there: they keep
//! their meaning, and a model can tell a cropped sequence from a whole one (as ESM-2 was trained).
//!
//! **Corruption** (BERT, arXiv:1810.04805, section 3.1). Each token that is not special is chosen
//! with probability `rate`; a chosen one is labelled with its original and replaced by the mask
//! token (80 %), by a random standard token, possibly itself (10 %), or left (10 %). In a window
//! of two or more such tokens, if none was chosen, one drawn uniformly is: no sample is wasted.
//! A window with a single such token is not forced, as nothing would be left to predict it from.
//!
//! Tokens that are read and not learned (`N` of bases) are neither hidden nor predicted; a window of
//! nothing else is drawn anew.
//!
//! In a row of packed documents each is as it is, or a piece of one longer than a row: nothing is cropped.
//!
//! Every number is drawn from a named stream at (global sample, place in the window), so the
//! batch is the same for any number of ranks.

use genesis_schema::{IGNORE, Seeds, Stream, TokenBatch};

use crate::dataset::Split;
use crate::error::{DataError, Result};
use crate::sequences::card::TokenizerCard;
use crate::sequences::shards::TokenSlice;
use crate::sequences::{Segment, SequencesDataset};

use super::labels::{DRAWS, Labels};

/// The seed of validation: not the run's, so that runs of different seeds are measured alike.
const VALIDATION_SEED: u64 = 0;

/// How documents become masked samples.
#[derive(Debug, Clone)]
pub(crate) struct MaskedDocuments {
    context: u64,
    rate: f64,
    mask: u32,
    /// `[vocabulary]` whether the id is special.
    special: Vec<bool>,
    labels: Labels,
    /// What a random replacement is drawn from.
    standard: Vec<u32>,
    train: Streams,
    validation: Streams,
}

#[derive(Debug, Clone, Copy)]
struct Streams {
    crop: Stream,
    corrupt: Stream,
    force: Stream,
}

/// Where random numbers are drawn for the tokens of a segment.
#[derive(Debug, Clone, Copy)]
struct Draws {
    /// Of the sample.
    key: u64,
    /// Number of the segment in it.
    segment: u64,
    /// Tokens of the sample before the segment.
    first: u64,
}

impl Streams {
    fn new(seeds: Seeds, split: Split) -> Self {
        let stream = |what: &str| seeds.stream(&format!("loader/{}/{what}", split.name()));
        Self { crop: stream("crop"), corrupt: stream("corrupt"), force: stream("force") }
    }
}

impl MaskedDocuments {
    pub(crate) fn new(
        tokenizer: &TokenizerCard,
        context: usize,
        rate: f64,
        seeds: Seeds,
    ) -> Result<Self> {
        check_settings(context, rate)?;
        let mask = tokenizer.mask.ok_or_else(|| {
            DataError::invalid(
                "objective.kind",
                format!(
                    "masked training needs a mask token, tokenizer `{}` has none",
                    tokenizer.kind
                ),
                "use kind = \"causal\", or ingest with a tokenizer that has one",
            )
        })?;
        let mut special = vec![false; tokenizer.vocab_size as usize];
        for &id in &tokenizer.special {
            if let Some(flag) = special.get_mut(id as usize) {
                *flag = true;
            }
        }
        Ok(Self {
            context: context as u64,
            rate,
            mask,
            standard: standard_ids(tokenizer, &special)?,
            special,
            labels: Labels::new(tokenizer),
            train: Streams::new(seeds, Split::Train),
            validation: Streams::new(Seeds::new(VALIDATION_SEED), Split::Validation),
        })
    }

    /// Documents of an epoch of training.
    pub(crate) fn per_epoch(dataset: &SequencesDataset) -> Result<u64> {
        match dataset.num_documents(Split::Train) {
            0 => Err(DataError::invalid(
                "data",
                "the training split has 0 documents",
                "ingest more data, or hold out a smaller fraction",
            )),
            documents => Ok(documents),
        }
    }

    /// Appends the training document `index`, as the `sample`-th sample of the run.
    pub(crate) fn push(
        &self,
        dataset: &SequencesDataset,
        index: u64,
        sample: u64,
        batch: &mut TokenBatch,
    ) -> Result<()> {
        let document = dataset.document(Split::Train, index)?;
        self.push_window(document.tokens, (index, sample), self.train, batch);
        Ok(())
    }

    /// Appends the validation document `index`; crop and corruption depend on its id alone.
    pub(crate) fn push_validation(
        &self,
        dataset: &SequencesDataset,
        index: u64,
        batch: &mut TokenBatch,
    ) -> Result<()> {
        let document = dataset.document(Split::Validation, index)?;
        self.push_window(document.tokens, (index, document.id), self.validation, batch);
        Ok(())
    }

    fn push_window(
        &self,
        document: TokenSlice<'_>,
        (index, key): (u64, u64),
        streams: Streams,
        batch: &mut TokenBatch,
    ) {
        let mut tokens = self.window(document, key, 0, streams);
        for draw in 1..=DRAWS {
            if !self.labels.hides() || tokens.iter().any(|&token| self.may_be_chosen(token)) {
                break;
            }
            tokens = self.window(document, key, draw, streams);
        }
        let labels = self.corrupt(&mut tokens, Draws { key, segment: 0, first: 0 }, streams);
        batch.push_segment(&tokens, &labels, 0, index);
    }

    /// Appends the segments of a row, as the `sample`-th sample of the run.
    pub(crate) fn push_segments(
        &self,
        segments: &[Segment<'_>],
        sample: u64,
        batch: &mut TokenBatch,
    ) {
        let mut draws = Draws { key: sample, segment: 0, first: 0 };
        for segment in segments {
            let mut tokens = segment.tokens.to_vec();
            let labels = self.corrupt(&mut tokens, draws, self.train);
            batch.push_segment(&tokens, &labels, 0, segment.document);
            draws.segment += 1;
            draws.first += tokens.len() as u64;
        }
    }

    /// Whether something of the segments may be hidden; known at once where that holds for any residue.
    pub(crate) fn are_labelled(&self, segments: &[Segment<'_>]) -> bool {
        if !self.labels.hides() {
            return true;
        }
        let may = |segment: &Segment<'_>| {
            segment.tokens.to_vec().into_iter().any(|token| self.may_be_chosen(token))
        };
        segments.iter().any(may)
    }

    /// The `draw`-th window of a document; of one that fits, the document.
    fn window(&self, document: TokenSlice<'_>, key: u64, draw: u64, streams: Streams) -> Vec<u32> {
        let length = document.len() as u64;
        let take = length.min(self.context);
        let start = streams.crop.below(key, draw, length - take + 1);
        let place = |at: u64| usize::try_from(at).expect("a place inside a mapped document");
        document.slice(place(start)..place(start + take)).to_vec()
    }

    fn may_be_chosen(&self, token: u32) -> bool {
        !self.is_special(token) && self.labels.has(token)
    }

    /// Corrupts `tokens` in place and returns their labels.
    fn corrupt(&self, tokens: &mut [u32], draws: Draws, streams: Streams) -> Vec<i64> {
        let Draws { key, segment, first } = draws;
        let draw = |i: usize| streams.corrupt.block(key, first + i as u64);
        let mut labels = vec![IGNORE; tokens.len()];
        let candidates: Vec<usize> =
            (0..tokens.len()).filter(|&i| self.may_be_chosen(tokens[i])).collect();
        let mut chosen: Vec<usize> =
            candidates.iter().copied().filter(|&i| fraction(draw(i)[0]) < self.rate).collect();
        if chosen.is_empty() && candidates.len() >= 2 {
            let pick = streams.force.below(key, segment, candidates.len() as u64);
            chosen.push(candidates[usize::try_from(pick).expect("below a length")]);
        }
        for i in chosen {
            labels[i] = i64::from(tokens[i]);
            let [_, action, pick, _] = draw(i);
            tokens[i] = self.replacement(tokens[i], fraction(action), pick);
        }
        labels
    }

    fn replacement(&self, original: u32, action: f64, draw: u32) -> u32 {
        if action < 0.8 {
            return self.mask;
        }
        if action >= 0.9 {
            return original;
        }
        let pick = (u64::from(draw) * self.standard.len() as u64) >> 32;
        self.standard[usize::try_from(pick).expect("below a length")]
    }

    /// Ids beyond the vocabulary cannot occur in a verified dataset; they are left alone.
    fn is_special(&self, token: u32) -> bool {
        self.special.get(token as usize).copied().unwrap_or(true)
    }
}

fn fraction(word: u32) -> f64 {
    f64::from(word) / 4_294_967_296.0
}

fn check_settings(context: usize, rate: f64) -> Result<()> {
    if context < 2 || u32::try_from(context).is_err() {
        let problem = format!("a context of {context} tokens leaves nothing to predict from");
        return Err(DataError::invalid("objective.context", problem, "use 2 or more"));
    }
    if rate > 0.0 && rate <= 1.0 {
        return Ok(());
    }
    let problem = format!("a rate of {rate} is not in (0, 1]");
    Err(DataError::invalid("objective.mask_rate", problem, "0.15 is customary"))
}

fn standard_ids(tokenizer: &TokenizerCard, special: &[bool]) -> Result<Vec<u32>> {
    let standard: Vec<u32> = if tokenizer.standard.is_empty() {
        (0..tokenizer.vocab_size).filter(|&id| !special[id as usize]).collect()
    } else {
        tokenizer.standard.clone()
    };
    let outside = standard.iter().chain(&tokenizer.mask).find(|&&id| id >= tokenizer.vocab_size);
    if let Some(id) = outside {
        let problem = format!("id {id} is outside its vocabulary of {}", tokenizer.vocab_size);
        return Err(DataError::invalid("dataset tokenizer", problem, "ingest again"));
    }
    if standard.is_empty() {
        let problem = "every id is special, so there is nothing to predict";
        return Err(DataError::invalid("dataset tokenizer", problem, "ingest again"));
    }
    Ok(standard)
}
