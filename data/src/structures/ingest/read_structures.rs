//! Structures of files without an ingest: for predictions, dynamics and comparisons.
//!
//! Everything that a file says of a structure comes with it, its labels in eV and Å.

use std::path::PathBuf;

use genesis_schema::Frame;

use super::interpret::{Accepted, interpret};
use super::labels::{Conflict, FoundKey};
use super::{StructuresIngest, Units, open, records, sources};
use crate::error::Result;
use crate::formats::raw_frame::{RawFrame, Value};
use crate::formats::{Refusal, Unparsed};
use crate::ingest::inputs::Source;
use crate::ingest::pipeline::{self, Done, Placed};
use crate::ingest::{Reject, Silent};

/// A structure and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Structure {
    /// The structure, in Å and eV; labels that the file has.
    pub frame: Frame,
    /// All that its file says of it. Labels that were read are in eV, eV/Å and eV/Å^3 here too;
    /// positions and cell are as the file has them.
    pub raw: RawFrame,
    /// Its file, as given.
    pub file: PathBuf,
    /// Its first line (binary formats: its number), from 1.
    pub line: u64,
    /// Labels that two keys contradict, with both values; they are not in `frame`.
    pub conflicts: Vec<String>,
}

/// All structures of the inputs of `plan` in reading order, and what was refused.
///
/// Of the plan only inputs, format, keys, units, cut-off and limits matter; labels may be absent,
/// single atoms are structures like any other, and everything is held in memory.
///
/// # Errors
/// Files that cannot be read; single structures that cannot are in the second list.
pub fn read_structures(plan: &StructuresIngest) -> Result<(Vec<Structure>, Vec<Reject>)> {
    let (mut structures, mut rejects) = (Vec::new(), Vec::new());
    for record in read_each_structure(plan)? {
        match record {
            Ok(structure) => structures.push(structure),
            Err(reject) => rejects.push(reject),
        }
    }
    Ok((structures, rejects))
}

/// As [`read_structures`], but a structure that is refused keeps its place among the others.
///
/// # Errors
/// As [`read_structures`].
pub fn read_each_structure(
    plan: &StructuresIngest,
) -> Result<Vec<std::result::Result<Structure, Reject>>> {
    let sources = sources(plan)?;
    let mut all = Vec::new();
    let mut keep = |piece: Vec<Done<(Accepted, RawFrame)>>| {
        for Done { source, line, outcome, .. } in piece {
            let file = &sources[source].path;
            all.push(match outcome {
                Ok((Accepted { frame, conflicts, .. }, raw)) => {
                    let said = |it: Conflict| format!("{}; {}", it.problem, it.fix);
                    let conflicts = conflicts.into_iter().map(said).collect();
                    Ok(Structure { frame, raw, file: file.clone(), line, conflicts })
                }
                Err(refusal) => Err(Reject {
                    file: file.display().to_string(),
                    line,
                    reason: refusal.reason.to_owned(),
                    detail: refusal.detail,
                }),
            });
        }
        Ok(())
    };
    let open = |source: &Source| open(source, plan);
    let understand = |placed| with_its_file(placed, plan);
    pipeline::run(&records(&sources, &open), &understand, &mut keep, &Silent)?;
    Ok(all)
}

/// A record understood.
fn with_its_file(
    Placed { in_file, record, .. }: Placed<Unparsed>,
    plan: &StructuresIngest,
) -> std::result::Result<(Accepted, RawFrame), Refusal> {
    let read = record.content.and_then(Unparsed::parse).and_then(|mut raw| {
        let accepted = interpret(&raw, plan)?;
        convert(&mut raw, &accepted.keys, accepted.units.units);
        Ok((accepted, raw))
    });
    read.map_err(|e| Refusal::new(e.reason, format!("structure {in_file}: {}", e.detail)))
}

/// Labels that were read, in eV, eV/Å and eV/Å^3 under the keys that they have.
fn convert(raw: &mut RawFrame, keys: &[FoundKey], units: Units) {
    for FoundKey { quantity, key } in keys {
        let unit = quantity.unit(units);
        if unit.to_bits() == 1.0f64.to_bits() {
            continue;
        }
        if let Some(rows) = raw.vectors.get_mut(key) {
            rows.as_flattened_mut().iter_mut().for_each(|number| *number *= unit);
        }
        if let Some(numbers) = raw.info.get(key).and_then(Value::numbers) {
            let numbers = numbers.into_iter().map(|number| number * unit).collect();
            raw.info.insert(key.clone(), Value::Numbers(numbers));
        }
    }
}
