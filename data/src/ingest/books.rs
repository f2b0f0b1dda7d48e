//! What an ingest counts of its records, whatever they hold: how many there were, which were
//! refused, and which had come before.
//!
//! The three add up to what the readers gave, in the end: a record that is in none of them was lost
//! by a fault of the program. Refused records weigh by their bytes as well as by their number: a few
//! may be most of the data.

use std::collections::HashSet;
use std::path::Path;

use super::inputs::Source;
use super::pipeline::Done;
use super::rejects::RejectLog;
use super::{IngestError, Reject};
use crate::dataset::card::RejectsCard;
use crate::error::DataError;
use crate::formats::{Cut, Refusal};

/// Rejects that an error message shows.
const SHOWN: usize = 3;

#[derive(Debug)]
pub(crate) struct Books<'p> {
    sources: &'p [Source],
    rejects: RejectLog,
    counted: Counted,
    keep_duplicates: bool,
    /// Only asked whether it holds a sample, never walked: its order reaches no result.
    seen: HashSet<u128>,
}

/// Numbers of records, and bytes of what they held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// Records that the readers gave; of those that were cut, their pieces.
    pub records: u64,
    /// Those that are in the dataset.
    pub kept: u64,
    /// Those that were refused.
    pub rejected: u64,
    /// Those that equal an earlier one and were dropped.
    pub duplicates: u64,
    /// Bytes of all.
    pub bytes: u64,
    /// Bytes of those that were refused.
    pub rejected_bytes: u64,
    /// Records beyond the limit that were cut.
    pub cut: u64,
    /// Their pieces.
    pub pieces: u64,
}

/// What was counted in the end.
pub(crate) struct Booked {
    pub(crate) rejects: RejectsCard,
    /// The first rejects.
    pub(crate) listed: Vec<Reject>,
    pub(crate) counted: Counted,
}

/// A record as it is entered: its source and line, its bytes, and how it was cut.
pub(crate) struct Entry {
    pub(crate) source: usize,
    pub(crate) line: u64,
    pub(crate) bytes: u64,
    pub(crate) cut: Cut,
}

impl<S> Done<S> {
    /// As it is entered, and what became of it.
    pub(crate) fn into_entry(self) -> (Entry, Result<S, Refusal>) {
        let Self { source, line, bytes, cut, outcome, .. } = self;
        (Entry { source, line, bytes, cut }, outcome)
    }
}

impl Counted {
    /// Fraction of the records that was refused, or of their bytes where that is more.
    pub fn lost_fraction(&self) -> f64 {
        let of = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
        of(self.rejected, self.records).max(of(self.rejected_bytes, self.bytes))
    }
}

impl<'p> Books<'p> {
    pub(crate) fn new(sources: &'p [Source], keep_duplicates: bool) -> Self {
        let (rejects, seen) = (RejectLog::default(), HashSet::new());
        Self { sources, rejects, counted: Counted::default(), keep_duplicates, seen }
    }

    /// Counts a record; what it holds, unless it was refused.
    pub(crate) fn enter<S>(&mut self, entry: &Entry, outcome: Result<S, Refusal>) -> Option<S> {
        let counted = &mut self.counted;
        counted.records += 1;
        counted.bytes += entry.bytes;
        counted.pieces += u64::from(entry.cut.before || entry.cut.after);
        counted.cut += u64::from(entry.cut.after && !entry.cut.before);
        match outcome {
            Ok(sample) => {
                counted.kept += 1;
                Some(sample)
            }
            Err(refusal) => {
                counted.rejected += 1;
                counted.rejected_bytes += entry.bytes;
                self.rejects.add(&self.sources[entry.source].shown(), entry.line, refusal);
                None
            }
        }
    }

    /// Whether no sample, of those that were entered, with these 128 bits came before, or duplicates are kept.
    pub(crate) fn is_new(&mut self, identity: u128) -> bool {
        let new = self.keep_duplicates || self.seen.insert(identity);
        self.counted.duplicates += u64::from(!new);
        self.counted.kept -= u64::from(!new);
        new
    }

    /// Refuses a dataset made of rejects, or without anything to train on; `given` is how many
    /// records the readers say they gave.
    pub(crate) fn check(
        &self,
        max_reject_fraction: f64,
        (train, held_out): (u64, u64),
        given: u64,
    ) -> Result<(), IngestError> {
        let Counted { records, kept, rejected, duplicates, .. } = self.counted;
        if records != given || kept + rejected + duplicates != records {
            let problem = format!(
                "{given} records were read, {records} were entered: {kept} kept, {rejected} \
                 rejected, {duplicates} duplicates"
            );
            return Err(IngestError::Miscounted { problem });
        }
        let counted = self.counted;
        if rejected == records || counted.lost_fraction() > max_reject_fraction {
            let listed = self.rejects.listed();
            let first = listed[..listed.len().min(SHOWN)].to_vec();
            let (limit, hint) = (max_reject_fraction, self.guess_hint(&first));
            return Err(IngestError::Rejected { counted, limit, first, hint });
        }
        if train == 0 {
            return Err(IngestError::NothingToTrainOn { documents: held_out });
        }
        Ok(())
    }

    /// What was counted so far.
    pub(crate) fn counted(&self) -> Counted {
        self.counted
    }

    /// Writes the list of rejects to `root` and ends the counting.
    pub(crate) fn close(self, root: &Path) -> Result<Booked, DataError> {
        let (rejects, listed) = self.rejects.save(root)?;
        Ok(Booked { rejects, listed, counted: self.counted })
    }

    /// If the format of a refused file was only guessed, the guess may be what is wrong.
    fn guess_hint(&self, first: &[Reject]) -> Option<String> {
        let of =
            |reject: &Reject| self.sources.iter().find(|s| s.guessed && s.shown() == reject.file);
        // The length of a record says nothing of its format.
        let source = first.iter().filter(|reject| reject.reason != "too_long").find_map(of)?;
        Some(format!(
            "{} was read as {} because of its name; state the format if that is wrong",
            source.shown(),
            source.format_name()
        ))
    }
}
