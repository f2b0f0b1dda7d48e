//! Raw files of structures to records: one reader a format, none trusting the file.

use std::path::Path;
use std::sync::Arc;

use super::extxyz::{FrameText, Scanned, Scanner};
use super::plan::{AtomsFormat, AtomsPlan};
use super::record::{RawFrame, Value};
use super::sources::AtomsSource;
use super::{extxyz, jsonl, npz, parquet};
use crate::error::Result;
use crate::ingest::generate::{GenerateAtoms, SiliconFrames};
use crate::ingest::read::lines::Lines;
use crate::ingest::read::{Tally, open};
use crate::ingest::rejects::Refusal;

/// A structure as read, or why it cannot be.
#[derive(Debug)]
pub(super) struct Record {
    /// Its first line (binary formats: its number), from 1.
    pub(super) line: u64,
    pub(super) raw: std::result::Result<Raw, Refusal>,
}

/// What is left to understand, which is done in parallel.
#[derive(Debug)]
pub(super) enum Raw {
    Extxyz(FrameText),
    Json(Vec<u8>),
    Frame(Box<RawFrame>),
}

impl Record {
    /// Understands the text; `bytes` is for cutting pieces.
    pub(super) fn frame(self) -> std::result::Result<RawFrame, Refusal> {
        match self.raw? {
            Raw::Extxyz(text) => extxyz::parse(&text, self.line),
            Raw::Json(line) => jsonl::parse(&line),
            Raw::Frame(frame) => Ok(*frame),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        match &self.raw {
            Ok(Raw::Extxyz(text)) => text.comment.len() + text.body.len(),
            Ok(Raw::Json(line)) => line.len(),
            Ok(Raw::Frame(frame)) => 49 * frame.atomic_numbers.len(),
            Err(_) => 0,
        }
    }
}

/// Yields the structures of one file in order.
pub(super) trait AtomsReader: Send {
    fn next_record(&mut self) -> Result<Option<Record>>;
}

/// A file being read, and what was read of it so far.
pub(super) struct Opened {
    pub(super) reader: Box<dyn AtomsReader>,
    pub(super) tally: Arc<Tally>,
}

/// Opens a source by its format.
pub(super) fn open_source(source: &AtomsSource, plan: &AtomsPlan) -> Result<Opened> {
    if let (true, Some(GenerateAtoms::Silicon { frames, seed })) =
        (source.generated, &plan.generate)
    {
        let (frames, seed) = (*frames, *seed);
        let tally = Arc::new(Tally::default());
        let reader = GeneratedReader {
            frames: SiliconFrames::new(seed),
            count: frames,
            next: 0,
            tally: Arc::clone(&tally),
        };
        return Ok(Opened { reader: Box::new(reader), tally });
    }
    match source.format {
        AtomsFormat::Extxyz | AtomsFormat::Guess => {
            let (lines, tally) = lines(&source.path, plan)?;
            Ok(Opened { reader: Box::new(Scanner::new(lines)), tally })
        }
        AtomsFormat::Jsonl => {
            let (lines, tally) = lines(&source.path, plan)?;
            Ok(Opened { reader: Box::new(jsonl::JsonlReader::new(lines)), tally })
        }
        AtomsFormat::Npz => npz::open(&source.path),
        AtomsFormat::Parquet => parquet::open(&source.path),
    }
}

fn lines(path: &Path, plan: &AtomsPlan) -> Result<(Lines, Arc<Tally>)> {
    let (input, tally) = open::open(path)?;
    Ok((Lines::new(input, path, plan.max_record_bytes), tally))
}

impl AtomsReader for Scanner {
    fn next_record(&mut self) -> Result<Option<Record>> {
        let record = |Scanned { line, text }| Record { line, raw: text.map(Raw::Extxyz) };
        Ok(self.next()?.map(record))
    }
}

/// The built-in generator as a file.
struct GeneratedReader {
    frames: SiliconFrames,
    count: u64,
    next: u64,
    tally: Arc<Tally>,
}

impl AtomsReader for GeneratedReader {
    fn next_record(&mut self) -> Result<Option<Record>> {
        if self.next >= self.count {
            return Ok(None);
        }
        self.next += 1;
        let Some(made) = self.frames.next() else { return Ok(None) };
        let raw = made.map_err(|e| Refusal::new("no_neighbors", e.to_string())).map(|made| {
            for number in made.positions.iter().flatten() {
                self.tally.add(&number.to_le_bytes());
            }
            let kind = format!("{}K", made.temperature_k);
            let info = [
                ("energy".to_owned(), Value::Numbers(vec![made.labelled.energy])),
                ("stress".to_owned(), Value::Numbers(made.labelled.stress.concat())),
                ("config_type".to_owned(), Value::Text(kind)),
            ];
            Raw::Frame(Box::new(RawFrame {
                atomic_numbers: vec![14; made.positions.len()],
                positions: made.positions,
                cell: made.cell,
                periodic: [true; 3],
                info: info.into(),
                vectors: [("forces".to_owned(), made.labelled.forces)].into(),
            }))
        });
        Ok(Some(Record { line: self.next, raw }))
    }
}
