//! Raw files of structures to records: one reader a format, none trusting the file.

use std::path::Path;
use std::sync::Arc;

use super::plan::{StructuresFormat, StructuresIngest};
use super::sources::StructuresSource;
use crate::error::Result;
use crate::formats::extxyz::{FrameText, Scanned, Scanner};
use crate::formats::lines::Lines;
use crate::formats::raw_frame::{RawFrame, Value};
use crate::formats::{Tally, open};
use crate::formats::{extxyz, jsonl, npz, parquet};
use crate::ingest::rejects::Refusal;
use crate::structures::{GenerateStructures, SiliconFrames};

/// A structure as read, or why it cannot be.
#[derive(Debug)]
pub(crate) struct Record {
    /// Its first line (binary formats: its number), from 1.
    pub(crate) line: u64,
    pub(crate) raw: std::result::Result<Raw, Refusal>,
}

/// What is left to understand, which is done in parallel.
#[derive(Debug)]
pub(crate) enum Raw {
    Extxyz(FrameText),
    Json(Vec<u8>),
    Frame(Box<RawFrame>),
}

impl Record {
    /// Understands the text; `bytes` is for cutting pieces.
    pub(crate) fn frame(self) -> std::result::Result<RawFrame, Refusal> {
        match self.raw? {
            Raw::Extxyz(text) => extxyz::parse(&text, self.line),
            Raw::Json(line) => jsonl::structure::parse(&line),
            Raw::Frame(frame) => Ok(*frame),
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        match &self.raw {
            Ok(Raw::Extxyz(text)) => text.comment.len() + text.body.len(),
            Ok(Raw::Json(line)) => line.len(),
            Ok(Raw::Frame(frame)) => 49 * frame.atomic_numbers.len(),
            Err(_) => 0,
        }
    }
}

/// Yields the structures of one file in order.
pub(crate) trait StructuresReader: Send {
    fn next_record(&mut self) -> Result<Option<Record>>;
}

/// A file being read, and what was read of it so far.
pub(crate) struct Opened {
    pub(crate) reader: Box<dyn StructuresReader>,
    pub(crate) tally: Arc<Tally>,
}

/// Opens a source by its format.
pub(crate) fn open_source(source: &StructuresSource, plan: &StructuresIngest) -> Result<Opened> {
    if let (true, Some(GenerateStructures::Silicon { frames, seed })) =
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
        StructuresFormat::Extxyz | StructuresFormat::Guess => {
            let (lines, tally) = lines(&source.path, plan)?;
            Ok(Opened { reader: Box::new(Scanner::new(lines)), tally })
        }
        StructuresFormat::Jsonl => {
            let (lines, tally) = lines(&source.path, plan)?;
            Ok(Opened { reader: Box::new(jsonl::structure::JsonlReader::new(lines)), tally })
        }
        StructuresFormat::Npz => npz::open(&source.path),
        StructuresFormat::Parquet => parquet::structure::open(&source.path),
    }
}

fn lines(path: &Path, plan: &StructuresIngest) -> Result<(Lines, Arc<Tally>)> {
    let (input, tally) = open::open(path)?;
    Ok((Lines::new(input, path, plan.max_record_bytes), tally))
}

impl StructuresReader for Scanner {
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

impl StructuresReader for GeneratedReader {
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
