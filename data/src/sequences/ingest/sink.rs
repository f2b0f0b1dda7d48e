//! Documents to shards, in order, and what the card says of them.

use std::path::{Path, PathBuf};

use super::SequencesIngest;
use super::document::{Document, SPLIT_HASH};
use crate::dataset::Split;
use crate::dataset::card::{FileCard, SCHEMA_VERSION, SourceCard};
use crate::error::Result;
use crate::ingest::books::Books;
use crate::ingest::inputs::Source;
use crate::ingest::pipeline::Done;
use crate::ingest::{IngestError, REJECTS_FILE, Reject};
use crate::sequences::card::{SequencesCard, SplitCard, SplitRule, Splits, TokenType};
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

    /// Ends the shards and describes the dataset; refuses one made of rejects.
    pub(super) fn finish(
        self,
        sources: Vec<SourceCard>,
    ) -> std::result::Result<(SequencesCard, Vec<Reject>), IngestError> {
        let Self { root, plan, tokenizer, splits, books, .. } = self;
        let counts = (splits.train.documents, splits.validation.documents);
        books.check(plan.max_reject_fraction, counts)?;
        let mut shards = self.train.finish()?;
        shards.extend(self.validation.finish()?);
        let (rejects, listed) = books.rejects.save(&root)?;
        let files =
            Tokenizer::FILES.into_iter().chain((rejects.listed > 0).then_some(REJECTS_FILE));
        let files = files.map(|name| FileCard::measure(&root, name)).collect::<Result<_>>()?;
        let card = SequencesCard {
            schema_version: SCHEMA_VERSION,
            name: plan.shown_name(),
            description: plan.description.clone(),
            tokenizer: tokenizer.card(),
            token_type: TokenType::for_vocabulary(tokenizer.vocab_size()),
            splits,
            split_rule: SplitRule {
                hash: SPLIT_HASH.to_owned(),
                validation_fraction: plan.validation_fraction,
            },
            rejects,
            duplicates_dropped: books.duplicates,
            sources,
            options: plan.recorded_options()?,
            licence: plan.licence.clone(),
            classification: plan.classification.clone(),
            code_version: env!("CARGO_PKG_VERSION").to_owned(),
            files,
            shards,
        };
        Ok((card, listed))
    }
}
