//! Documents to shards, in order: duplicates dropped, rejects logged, everything counted.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::SequencesIngest;
use super::pipeline::{Document, Encoded, SPLIT_HASH, format_name};
use crate::dataset::Split;
use crate::dataset::card::{FileCard, RejectsCard, SCHEMA_VERSION, SourceCard};
use crate::error::Result;
use crate::ingest::inputs::Source;
use crate::ingest::rejects::{REJECTS_FILE, RejectLog};
use crate::ingest::{IngestError, Reject};
use crate::sequences::card::{SequencesCard, ShardCard, SplitCard, SplitRule, Splits, TokenType};
use crate::sequences::shards::{ShardLimits, ShardWriter};
use crate::sequences::tokenize::Tokenizer;

/// Rejects that an error message shows.
const SHOWN: usize = 3;

pub(crate) struct Sink<'p> {
    root: PathBuf,
    sources: Vec<String>,
    tokenizer: &'p Tokenizer,
    token_type: TokenType,
    train: ShardWriter,
    validation: ShardWriter,
    splits: Splits,
    rejects: RejectLog,
    /// Only asked whether it holds a document, never walked: its order reaches no result.
    seen: HashSet<u128>,
    keep_duplicates: bool,
    duplicates: u64,
    records: u64,
}

impl<'p> Sink<'p> {
    pub(crate) fn create(
        root: &Path,
        plan: &SequencesIngest,
        sources: &[Source],
        tokenizer: &'p Tokenizer,
    ) -> Result<Self> {
        let vocab_size = tokenizer.vocab_size();
        let token_type = TokenType::for_vocabulary(vocab_size);
        let mut limits = ShardLimits::default();
        limits.shard_bytes = plan.max_shard_bytes.unwrap_or(limits.shard_bytes);
        let writer = |split| ShardWriter::create(root, split, token_type, limits);
        Ok(Self {
            root: root.to_path_buf(),
            sources: sources.iter().map(Source::shown).collect(),
            tokenizer,
            token_type,
            train: writer(Split::Train)?,
            validation: writer(Split::Validation)?,
            splits: Splits {
                train: SplitCard::new(vocab_size),
                validation: SplitCard::new(vocab_size),
            },
            rejects: RejectLog::default(),
            seen: HashSet::new(),
            keep_duplicates: plan.keep_duplicates,
            duplicates: 0,
            records: 0,
        })
    }

    pub(crate) fn store(&mut self, chunk: Vec<Encoded>) -> Result<()> {
        for encoded in chunk {
            self.records += 1;
            match encoded.document {
                Ok(document) => self.push(&document, encoded.number, encoded.source)?,
                Err(refusal) => {
                    let file = &self.sources[encoded.source as usize];
                    self.rejects.add(file, encoded.line, refusal);
                }
            }
        }
        Ok(())
    }

    fn push(&mut self, document: &Document, number: u64, source: u32) -> Result<()> {
        if !self.keep_duplicates && !self.seen.insert(document.identity) {
            self.duplicates += 1;
            return Ok(());
        }
        let (writer, counts) = match document.split {
            Split::Train => (&mut self.train, &mut self.splits.train),
            Split::Validation | Split::Test => (&mut self.validation, &mut self.splits.validation),
        };
        counts.count(document.tokens.iter().copied(), document.source_bytes);
        writer.push(&document.tokens, number, source)
    }

    /// Ends the shards and describes the dataset; refuses one made of rejects.
    pub(crate) fn finish(
        self,
        source_cards: Vec<SourceCard>,
        plan: &SequencesIngest,
        sources: &[Source],
    ) -> std::result::Result<(SequencesCard, Vec<Reject>), IngestError> {
        self.check(plan, sources)?;
        let mut shards = self.train.finish()?;
        shards.extend(self.validation.finish()?);
        let (rejects, listed) = self.rejects.save(&self.root)?;
        let files = extra_files(&self.root, rejects.listed > 0)?;
        let card = SequencesCard {
            splits: self.splits,
            duplicates_dropped: self.duplicates,
            token_type: self.token_type,
            ..describe(plan, self.tokenizer, rejects, source_cards, files, shards)?
        };
        Ok((card, listed))
    }

    fn check(
        &self,
        plan: &SequencesIngest,
        sources: &[Source],
    ) -> std::result::Result<(), IngestError> {
        let (rejected, total) = (self.rejects.total(), self.records);
        let limit = plan.max_reject_fraction;
        if rejected == total || rejected as f64 > limit * total as f64 {
            let listed = self.rejects.listed();
            let first = listed[..listed.len().min(SHOWN)].to_vec();
            let hint = guess_hint(&first, sources);
            return Err(IngestError::Rejected { rejected, total, limit, first, hint });
        }
        if self.splits.train.documents == 0 {
            let documents = self.splits.validation.documents;
            return Err(IngestError::NothingToTrainOn { documents });
        }
        Ok(())
    }
}

/// If the format of a refused file was only guessed, the guess may be what is wrong.
fn guess_hint(first: &[Reject], sources: &[Source]) -> Option<String> {
    let of = |reject: &Reject| sources.iter().find(|s| s.guessed && s.shown() == reject.file);
    let source = first.iter().find_map(of)?;
    Some(format!(
        "{} was read as {} because of its name; state the format if that is wrong",
        source.shown(),
        format_name(source.format)
    ))
}

fn extra_files(root: &Path, with_rejects: bool) -> Result<Vec<FileCard>> {
    let rejects = with_rejects.then_some(REJECTS_FILE);
    let names = Tokenizer::FILES.into_iter().chain(rejects);
    names.map(|name| FileCard::measure(root, name)).collect()
}

fn describe(
    plan: &SequencesIngest,
    tokenizer: &Tokenizer,
    rejects: RejectsCard,
    sources: Vec<SourceCard>,
    files: Vec<FileCard>,
    shards: Vec<ShardCard>,
) -> Result<SequencesCard> {
    Ok(SequencesCard {
        schema_version: SCHEMA_VERSION,
        name: plan.shown_name(),
        description: plan.description.clone(),
        tokenizer: tokenizer.card(),
        token_type: TokenType::for_vocabulary(tokenizer.vocab_size()),
        splits: Splits::default(),
        split_rule: SplitRule {
            hash: SPLIT_HASH.to_owned(),
            validation_fraction: plan.validation_fraction,
        },
        rejects,
        duplicates_dropped: 0,
        sources,
        options: plan.recorded_options()?,
        licence: plan.licence.clone(),
        classification: plan.classification.clone(),
        code_version: env!("CARGO_PKG_VERSION").to_owned(),
        files,
        shards,
    })
}
