//! Documents to shards, in order, and what the card says of them.

use std::path::{Path, PathBuf};

use super::SequencesIngest;
use super::document::{Document, SPLIT_HASH};
use crate::dataset::Split;
use crate::dataset::card::SourceCard;
use crate::error::Result;
use crate::ingest::books::Books;
use crate::ingest::inputs::Source;
use crate::ingest::pipeline::Done;
use crate::ingest::{Filled, IngestError};
use crate::sequences::card::{SequencesPart, SplitCard, SplitRule, Splits, TokenType};
use crate::sequences::shards::{ShardLimits, ShardWriter};
use crate::sequences::tokenize::Tokenizer;

pub(super) struct Sink<'p> {
    root: PathBuf,
    plan: &'p SequencesIngest,
    tokenizer: &'p Tokenizer,
    train: ShardWriter,
    validation: ShardWriter,
    splits: Splits,
    books: Books<'p>,
}

impl<'p> Sink<'p> {
    pub(super) fn create(
        root: &Path,
        plan: &'p SequencesIngest,
        sources: &'p [Source],
        tokenizer: &'p Tokenizer,
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
            train: writer(Split::Train)?,
            validation: writer(Split::Validation)?,
            splits: Splits { train: counts(), validation: counts() },
            books: Books::new(sources, plan.keep_duplicates),
        })
    }

    pub(super) fn store(&mut self, done: Vec<Done<Document>>) -> Result<()> {
        for Done { source, number, line, outcome } in done {
            if let Some(document) = self.books.enter((source, line), outcome)
                && self.books.is_new(document.identity)
            {
                self.push(&document, number, source)?;
            }
        }
        Ok(())
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
        let Self { root, plan, tokenizer, splits, books, .. } = self;
        let (train, held_out) = (splits.train.documents, splits.validation.documents);
        books.check(plan.max_reject_fraction, (train, held_out))?;
        let mut shards = self.train.finish()?;
        shards.extend(self.validation.finish()?);
        let validation_fraction = plan.validation_fraction;
        let empty = validation_fraction > 0.0 && held_out == 0;
        let note = empty.then(|| {
            format!(
                "none of the {train} documents fell into the validation split (fraction \
                 {validation_fraction}); shorter documents or a larger fraction fill it"
            )
        });
        let part = SequencesPart {
            tokenizer: tokenizer.card(),
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
            notes: note.into_iter().collect(),
        })
    }
}
