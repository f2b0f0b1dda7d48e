//! What an ingest counts of its records, whatever they hold: how many there were, which were
//! refused, and which had come before.

use std::collections::HashSet;
use std::path::Path;

use super::inputs::Source;
use super::rejects::RejectLog;
use super::{IngestError, Reject};
use crate::dataset::card::RejectsCard;
use crate::error::DataError;
use crate::formats::Refusal;

/// Rejects that an error message shows.
const SHOWN: usize = 3;

#[derive(Debug)]
pub(crate) struct Books<'p> {
    sources: &'p [Source],
    rejects: RejectLog,
    duplicates: u64,
    records: u64,
    keep_duplicates: bool,
    /// Only asked whether it holds a sample, never walked: its order reaches no result.
    seen: HashSet<u128>,
}

/// What was counted in the end.
pub(crate) struct Booked {
    pub(crate) rejects: RejectsCard,
    /// The first rejects.
    pub(crate) listed: Vec<Reject>,
    pub(crate) duplicates: u64,
}

impl<'p> Books<'p> {
    pub(crate) fn new(sources: &'p [Source], keep_duplicates: bool) -> Self {
        let (rejects, seen) = (RejectLog::default(), HashSet::new());
        Self { sources, rejects, duplicates: 0, records: 0, keep_duplicates, seen }
    }

    /// Counts a record; what it holds, unless it was refused.
    pub(crate) fn enter<S>(
        &mut self,
        (source, line): (usize, u64),
        outcome: Result<S, Refusal>,
    ) -> Option<S> {
        self.records += 1;
        outcome
            .map_err(|refusal| self.rejects.add(&self.sources[source].shown(), line, refusal))
            .ok()
    }

    /// Whether no sample with these 128 bits came before, or duplicates are kept.
    pub(crate) fn is_new(&mut self, identity: u128) -> bool {
        let new = self.keep_duplicates || self.seen.insert(identity);
        self.duplicates += u64::from(!new);
        new
    }

    /// Refuses a dataset made of rejects, or without anything to train on.
    pub(crate) fn check(
        &self,
        max_reject_fraction: f64,
        (train, held_out): (u64, u64),
    ) -> Result<(), IngestError> {
        let (rejected, total) = (self.rejects.total(), self.records);
        if rejected == total || rejected as f64 > max_reject_fraction * total as f64 {
            let listed = self.rejects.listed();
            let first = listed[..listed.len().min(SHOWN)].to_vec();
            let (limit, hint) = (max_reject_fraction, self.guess_hint(&first));
            return Err(IngestError::Rejected { rejected, total, limit, first, hint });
        }
        if train == 0 {
            return Err(IngestError::NothingToTrainOn { documents: held_out });
        }
        Ok(())
    }

    /// Writes the list of rejects to `root` and ends the counting.
    pub(crate) fn close(self, root: &Path) -> Result<Booked, DataError> {
        let (rejects, listed) = self.rejects.save(root)?;
        Ok(Booked { rejects, listed, duplicates: self.duplicates })
    }

    /// If the format of a refused file was only guessed, the guess may be what is wrong.
    fn guess_hint(&self, first: &[Reject]) -> Option<String> {
        let of =
            |reject: &Reject| self.sources.iter().find(|s| s.guessed && s.shown() == reject.file);
        let source = first.iter().find_map(of)?;
        Some(format!(
            "{} was read as {} because of its name; state the format if that is wrong",
            source.shown(),
            source.format_name()
        ))
    }
}
