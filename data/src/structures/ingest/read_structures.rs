//! Structures of files without an ingest: for predictions, and for comparing with references.

use std::path::PathBuf;

use genesis_schema::Frame;

use super::interpret::Accepted;
use super::{StructuresIngest, open, records, sources, understand};
use crate::error::Result;
use crate::ingest::inputs::Source;
use crate::ingest::pipeline::{self, Done};
use crate::ingest::{Reject, Silent};

/// A structure and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Structure {
    /// The structure, in Å and eV; labels that the file has.
    pub frame: Frame,
    /// Its file, as given.
    pub file: PathBuf,
    /// Its first line (binary formats: its number), from 1.
    pub line: u64,
}

/// All structures of the inputs of `plan` in reading order, and what was refused.
///
/// Of the plan only inputs, format, keys, units, cut-off and limits matter; labels may be absent,
/// single atoms are structures like any other, and everything is held in memory.
///
/// # Errors
/// Files that cannot be read; single structures that cannot are in the second list.
pub fn read_structures(plan: &StructuresIngest) -> Result<(Vec<Structure>, Vec<Reject>)> {
    let sources = sources(plan)?;
    let (mut structures, mut rejects) = (Vec::new(), Vec::new());
    let mut keep = |piece: Vec<Done<Accepted>>| {
        for Done { source, line, outcome, .. } in piece {
            let file = &sources[source].path;
            match outcome {
                Ok(accepted) => {
                    structures.push(Structure { frame: accepted.frame, file: file.clone(), line });
                }
                Err(refusal) => rejects.push(Reject {
                    file: file.display().to_string(),
                    line,
                    reason: refusal.reason.to_owned(),
                    detail: refusal.detail,
                }),
            }
        }
        Ok(())
    };
    let open = |source: &Source| open(source, plan);
    let understand = |placed| understand(placed, plan);
    pipeline::run(&records(&sources, &open), &understand, &mut keep, &Silent)?;
    Ok((structures, rejects))
}
