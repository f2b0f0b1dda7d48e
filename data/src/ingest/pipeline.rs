//! Records of all sources, one after the other: read in pieces, understood in parallel, stored in
//! order (`overlap`).
//!
//! Pieces are cut by bytes and records alone, so the number of threads changes nothing in the
//! result.

use rayon::prelude::*;

use super::inputs::Source;
use super::{Progress, overlap};
use crate::dataset::card::SourceCard;
use crate::error::{DataError, Result};
use crate::formats::{Content, Cut, Opened, Record, Refusal};

/// Bytes of content after which a piece ends.
const PIECE_BYTES: usize = 4 << 20;

/// What the records of an ingest are, and how a source of them is opened.
pub(crate) struct Records<'p, T> {
    pub(crate) sources: &'p [Source],
    pub(crate) open: &'p (dyn Fn(&Source) -> Result<Opened<T>> + Sync),
    /// Records after which a piece ends.
    pub(crate) per_piece: usize,
    /// What messages call them.
    pub(crate) noun: &'static str,
}

/// A record with its place.
pub(crate) struct Placed<T> {
    /// Index among the sources.
    pub(crate) source: usize,
    /// Number among all records of all sources, from 0: the id of its sample.
    pub(crate) number: u64,
    /// Number among the records of its file, from 1.
    pub(crate) in_file: u64,
    pub(crate) record: Record<T>,
}

/// Some consecutive records.
pub(crate) struct Piece<T> {
    pub(crate) records: Vec<Placed<T>>,
    content_bytes: usize,
    /// Bytes of the files that were read for it.
    pub(crate) file_bytes: u64,
}

/// A record after it was understood.
pub(crate) struct Done<S> {
    pub(crate) source: usize,
    pub(crate) number: u64,
    /// First line in its file, from 1.
    pub(crate) line: u64,
    /// Bytes of what it held.
    pub(crate) bytes: u64,
    pub(crate) cut: Cut,
    pub(crate) outcome: std::result::Result<S, Refusal>,
}

/// Reads all sources, one after the other, piece by piece.
pub(crate) struct Pieces<'p, T> {
    of: &'p Records<'p, T>,
    current: Option<Opened<T>>,
    /// Records and bytes of the current source that were given out.
    in_file: u64,
    bytes: u64,
    number: u64,
    cards: Vec<SourceCard>,
    /// How files were read, where that was not said.
    notes: Vec<String>,
}

impl<'p, T: Content> Pieces<'p, T> {
    pub(crate) fn new(of: &'p Records<'p, T>) -> Self {
        Self {
            of,
            current: None,
            in_file: 0,
            bytes: 0,
            number: 0,
            cards: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// The next records; `None` at the end of the last source.
    pub(crate) fn next_piece(&mut self) -> Result<Option<Piece<T>>> {
        let mut piece = Piece { records: Vec::new(), content_bytes: 0, file_bytes: 0 };
        while piece.content_bytes < PIECE_BYTES && piece.records.len() < self.of.per_piece {
            let Some(source) = self.of.sources.get(self.cards.len()) else { break };
            let opened = match &mut self.current {
                Some(opened) => opened,
                None => self.current.insert((self.of.open)(source)?),
            };
            let record = opened.reader.next_record()?;
            piece.file_bytes += opened.tally.bytes() - self.bytes;
            self.bytes = opened.tally.bytes();
            match record {
                Some(record) => self.place(record, &mut piece),
                None => self.end_source(source, &mut piece),
            }
        }
        Ok(if piece.records.is_empty() { None } else { Some(piece) })
    }

    fn place(&mut self, record: Record<T>, piece: &mut Piece<T>) {
        piece.content_bytes += record.content.as_ref().map_or(0, Content::bytes);
        self.in_file += 1;
        let (source, number, in_file) = (self.cards.len(), self.number, self.in_file);
        piece.records.push(Placed { source, number, in_file, record });
        self.number += 1;
    }

    fn end_source(&mut self, source: &Source, piece: &mut Piece<T>) {
        if self.in_file == 0 {
            let empty = if source.bytes == 0 { "is empty: it " } else { "" };
            let what = format!("the file {empty}has no {}", self.of.noun);
            let content = Err(Refusal::new("empty_file", what));
            self.place(Record::new(1, content), piece);
        }
        let opened = self.current.take().expect("a source is open until it ends");
        let shown = source.shown();
        self.notes.extend(opened.tally.notes().iter().map(|note| format!("{shown}: {note}")));
        self.cards.push(SourceCard {
            path: shown,
            bytes: opened.tally.bytes(),
            sha256: opened.tally.digest(),
            format: source.format_name().to_owned(),
            records: self.in_file,
        });
        (self.in_file, self.bytes) = (0, 0);
    }
}

/// Gives everything that the sources hold to `store`, in order, and describes the sources: their
/// cards, and notes on how they were read.
pub(crate) fn run<T: Content, S: Send>(
    of: &Records<'_, T>,
    understand: &(dyn Fn(Placed<T>) -> std::result::Result<S, Refusal> + Sync),
    store: &mut (dyn FnMut(Vec<Done<S>>) -> Result<()> + Send),
    progress: &dyn Progress,
) -> Result<(Vec<SourceCard>, Vec<String>)> {
    let one = |placed: Placed<T>| {
        let (source, number, record) = (placed.source, placed.number, &placed.record);
        let (line, cut) = (record.line, record.cut);
        let bytes = record.content.as_ref().map_or_else(|it| it.bytes, |it| it.bytes() as u64);
        Done { source, number, line, bytes, cut, outcome: understand(placed) }
    };
    let work = |piece: Piece<T>| {
        let done = piece.records.into_par_iter().with_min_len(16).map(one);
        (piece.file_bytes, done.collect::<Vec<_>>())
    };
    let mut tell = |(bytes, done): (u64, Vec<Done<S>>)| {
        let records = done.len() as u64;
        store(done)?;
        progress.advance(bytes, records);
        if progress.is_stopped() { Err(DataError::Interrupted) } else { Ok(()) }
    };
    let mut pieces = Pieces::new(of);
    overlap::run(&mut || pieces.next_piece(), &work, &mut tell)?;
    Ok((pieces.cards, pieces.notes))
}
