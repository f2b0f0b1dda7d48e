//! Documents to shards, in order, and what the card says of them.

use std::path::{Path, PathBuf};

use super::SequencesIngest;
use super::document::{Document, SPLIT_HASH};
use crate::dataset::Split;
use crate::dataset::card::SourceCard;
use crate::error::Result;
use crate::ingest::books::{Books, Entry};
use crate::ingest::inputs::Source;
use crate::ingest::pipeline::Done;
use crate::ingest::{Filled, IngestError};
use crate::sequences::card::{
    SequencesPart, SplitCard, SplitRule, Splits, TokenType, TokenizerCard,
};
use crate::sequences::letters::{LetterCounts, Letters};
use crate::sequences::shards::{ShardLimits, ShardWriter};
use crate::sequences::tokenize::Tokenizer;

pub(super) struct Sink<'p> {
    root: PathBuf,
    plan: &'p SequencesIngest,
    tokenizer: &'p Tokenizer,
    letters: Option<Letters>,
    met: Met,
    train: ShardWriter,
    validation: ShardWriter,
    splits: Splits,
    books: Books<'p>,
    sources: &'p [Source],
}

/// What was met in documents that went into the dataset.
#[derive(Default)]
struct Met {
    letters: LetterCounts,
    /// Source and line of the first document with an unknown token.
    unknown_at: Option<(usize, u64)>,
}

impl<'p> Sink<'p> {
    pub(super) fn create(
        root: &Path,
        plan: &'p SequencesIngest,
        sources: &'p [Source],
        (tokenizer, letters): (&'p Tokenizer, Option<Letters>),
    ) -> Result<Self> {
        let vocab_size = tokenizer.vocab_size();
        let token_type = TokenType::for_vocabulary(vocab_size);
        let mut limits = ShardLimits::default();
        limits.shard_bytes = plan.max_shard_bytes.unwrap_or(limits.shard_bytes);
        let writer = |split| ShardWriter::create(root, split, token_type, limits);
        let counts = || SplitCard::new(vocab_size);
        Ok(Self {
            root: root.to_path_buf(),
            plan,
            tokenizer,
            letters,
            met: Met::default(),
            train: writer(Split::Train)?,
            validation: writer(Split::Validation)?,
            splits: Splits { train: counts(), validation: counts() },
            books: Books::new(sources, plan.keep_duplicates),
            sources,
        })
    }

    pub(super) fn store(&mut self, done: Vec<Done<Document>>) -> Result<()> {
        for done in done {
            let number = done.number;
            let (entry, outcome) = done.into_entry();
            if let Some(document) = self.books.enter(&entry, outcome)
                && self.books.is_new(document.identity)
            {
                self.met.letters += document.met;
                self.note_unknown(&document, &entry);
                self.push(&document, number, entry.source)?;
            }
        }
        Ok(())
    }

    /// Remembers the first document with a token for what the vocabulary lacks.
    fn note_unknown(&mut self, document: &Document, entry: &Entry) {
        if self.met.unknown_at.is_none()
            && self.tokenizer.unknown().is_some_and(|id| document.tokens.contains(&id))
        {
            self.met.unknown_at = Some((entry.source, entry.line));
        }
    }

    fn push(&mut self, document: &Document, number: u64, source: usize) -> Result<()> {
        let (writer, counts) = match document.split {
            Split::Train => (&mut self.train, &mut self.splits.train),
            Split::Validation | Split::Test => (&mut self.validation, &mut self.splits.validation),
        };
        counts.count(document.tokens.iter().copied(), document.source_bytes);
        let source = u32::try_from(source).expect("fewer than 2^32 files");
        writer.push(&document.tokens, number, source)
    }

    /// Ends the shards and describes them; refuses a dataset made of rejects.
    pub(super) fn finish(
        self,
        sources: Vec<SourceCard>,
    ) -> Result<Filled<SequencesPart>, IngestError> {
        let (train, held_out) = (self.splits.train.documents, self.splits.validation.documents);
        self.check(&sources, (train, held_out))?;
        let notes = self.notes();
        let Self { root, plan, tokenizer, letters, splits, books, .. } = self;
        let mut shards = self.train.finish()?;
        shards.extend(self.validation.finish()?);
        let validation_fraction = plan.validation_fraction;
        let unlabelled = letters.map(|it| it.unlabelled(tokenizer)).unwrap_or_default();
        let part = SequencesPart {
            tokenizer: TokenizerCard { unlabelled, ..tokenizer.card() },
            token_type: TokenType::for_vocabulary(tokenizer.vocab_size()),
            splits,
            split_rule: SplitRule { hash: SPLIT_HASH.to_owned(), validation_fraction },
        };
        Ok(Filled {
            part,
            shards,
            files: Tokenizer::FILES.to_vec(),
            sources,
            booked: books.close(&root)?,
            held_out_seen_in_training: None,
            notes,
        })
    }

    /// Refuses records that do not add up, a dataset made of rejects, one that has nothing to train on
    /// where that was not asked for.
    fn check(
        &self,
        sources: &[SourceCard],
        (train, held_out): (u64, u64),
    ) -> std::result::Result<(), IngestError> {
        let given = sources.iter().map(|source| source.records).sum();
        let learned = if self.plan.validation_fraction < 1.0 { train } else { held_out };
        self.books.check(self.plan.max_reject_fraction, (learned, held_out), given)?;
        let (kept, written) = (self.books.counted().kept, train + held_out);
        if kept == written {
            return Ok(());
        }
        let problem = format!("{kept} records were kept, {written} documents written");
        Err(IngestError::Miscounted { problem })
    }

    /// What a user should know of the documents.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let Splits { train, validation } = &self.splits;
        let validation_fraction = self.plan.validation_fraction;
        if validation_fraction > 0.0 && validation.documents == 0 {
            notes.push(format!(
                "none of the {} documents fell into the validation split (fraction \
                 {validation_fraction}); shorter documents or a larger fraction fill it",
                train.documents
            ));
        }
        if let Some(letters) = self.letters.filter(|it| it.matter(&self.met.letters)) {
            notes.push(letters.told(&self.met.letters));
        }
        notes.extend(self.unknown_note());
        if self.tokenizer.eos().is_none() && self.tokenizer.frame().1 == 0 {
            notes.push(
                "the tokenizer has no token that ends a document, so documents have none: a model \
                 of them cannot learn where one ends"
                    .to_owned(),
            );
        }
        notes
    }

    /// How many tokens stand for what the vocabulary lacks.
    fn unknown_note(&self) -> Option<String> {
        let (source, line) = self.met.unknown_at?;
        let id = self.tokenizer.unknown()?;
        let Splits { train, validation } = &self.splits;
        let at = id as usize;
        let (count, all) = (
            train.token_counts[at] + validation.token_counts[at],
            train.tokens + validation.tokens,
        );
        Some(format!(
            "{count} of {all} tokens ({:.3} %) are `{}`, for what the vocabulary lacks; the first in \
             {}:{line}",
            100.0 * count as f64 / all as f64,
            self.tokenizer.token_text(id).unwrap_or_default(),
            self.sources[source].shown()
        ))
    }
}
