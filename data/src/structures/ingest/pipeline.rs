//! Records of all sources to structures: read in order, understood in parallel, stored in order.

use rayon::prelude::*;

use super::interpret::{Accepted, interpret};
use super::plan::StructuresIngest;
use super::read::{Opened, Record, open_source};
use super::sources::StructuresSource;
use crate::dataset::card::SourceCard;
use crate::error::Result;
use crate::ingest::rejects::Refusal;
use crate::ingest::{Progress, overlap};

const PIECE_BYTES: usize = 4 << 20;
const PIECE_RECORDS: usize = 1 << 10;

/// A record after interpretation.
pub(crate) struct Done {
    /// Index among the sources.
    pub(crate) source: usize,
    /// Number among all records of all sources, from 0.
    pub(crate) number: u64,
    /// First line in its file, from 1.
    pub(crate) line: u64,
    pub(crate) outcome: std::result::Result<Accepted, Refusal>,
}

struct Placed {
    source: usize,
    number: u64,
    /// Number among the records of its file, from 1.
    frame: u64,
    record: Record,
}

/// Gives everything that the sources hold to `store`, in order, and describes the sources.
pub(crate) fn run(
    sources: &[StructuresSource],
    plan: &StructuresIngest,
    progress: &dyn Progress,
    store: &mut (dyn FnMut(Vec<Done>) -> Result<()> + Send),
) -> Result<Vec<SourceCard>> {
    let mut reader = PieceReader {
        sources,
        plan,
        current: None,
        bytes: 0,
        number: 0,
        frame: 0,
        cards: Vec::new(),
    };
    let work = |(bytes, piece): (u64, Vec<Placed>)| {
        let done: Vec<Done> =
            piece.into_par_iter().map(|placed| understand(placed, plan)).collect();
        (bytes, done)
    };
    let mut tell = |(bytes, done): (u64, Vec<Done>)| {
        let records = done.len() as u64;
        store(done)?;
        progress.advance(bytes, records);
        Ok(())
    };
    overlap::run(&mut || reader.next_piece(), &work, &mut tell)?;
    Ok(reader.cards)
}

fn understand(placed: Placed, plan: &StructuresIngest) -> Done {
    let Placed { source, number, frame, record } = placed;
    let line = record.line;
    let outcome = record.frame().and_then(|raw| interpret(&raw, plan));
    let outcome =
        outcome.map_err(|e| Refusal::new(e.reason, format!("structure {frame}: {}", e.detail)));
    Done { source, number, line, outcome }
}

struct PieceReader<'p> {
    sources: &'p [StructuresSource],
    plan: &'p StructuresIngest,
    current: Option<Opened>,
    /// Bytes of the current source that were told of.
    bytes: u64,
    /// Records given out of all sources, and of the current one.
    number: u64,
    frame: u64,
    cards: Vec<SourceCard>,
}

impl PieceReader<'_> {
    fn next_piece(&mut self) -> Result<Option<(u64, Vec<Placed>)>> {
        let (mut piece, mut text_bytes, mut file_bytes) = (Vec::new(), 0, 0);
        while text_bytes < PIECE_BYTES && piece.len() < PIECE_RECORDS {
            let Some(source) = self.sources.get(self.cards.len()) else { break };
            let opened = match &mut self.current {
                Some(opened) => opened,
                None => self.current.insert(open_source(source, self.plan)?),
            };
            let record = opened.reader.next_record()?;
            file_bytes += opened.tally.bytes() - self.bytes;
            self.bytes = opened.tally.bytes();
            if let Some(record) = record {
                text_bytes += record.bytes();
                piece.push(self.placed(record));
            } else {
                self.end_source(source, &mut piece);
            }
        }
        Ok(if piece.is_empty() { None } else { Some((file_bytes, piece)) })
    }

    fn placed(&mut self, record: Record) -> Placed {
        self.number += 1;
        self.frame += 1;
        Placed { source: self.cards.len(), number: self.number - 1, frame: self.frame, record }
    }

    fn end_source(&mut self, source: &StructuresSource, piece: &mut Vec<Placed>) {
        if self.frame == 0 {
            let raw = Err(Refusal::new("empty_file", "the file has no structures"));
            piece.push(self.placed(Record { line: 1, raw }));
        }
        let opened = self.current.take().expect("a source is open until it ends");
        self.cards.push(SourceCard {
            path: source.shown(),
            bytes: opened.tally.bytes(),
            sha256: opened.tally.digest(),
            format: if source.generated { "generated" } else { source.format.name() }.to_owned(),
            records: self.frame,
        });
        (self.frame, self.bytes) = (0, 0);
    }
}
