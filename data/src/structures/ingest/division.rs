//! Which structures of the inputs are held out while training.

use std::collections::HashSet;

use genesis_schema::Seeds;

use super::interpret::Accepted;
use super::{StructuresIngest, ValidationChoice, understand};
use crate::dataset::Split;
use crate::error::{DataError, Result};
use crate::formats::Unparsed;
use crate::ingest::Progress;
use crate::ingest::inputs::total_bytes;
use crate::ingest::pipeline::{self, Done, Records};

/// Divides inputs between training and validation.
#[derive(Debug)]
pub(super) enum Division {
    /// Held out when the hash of atoms and cell is below this fraction of 2^64.
    Fraction(f64),
    /// Held out by the number of the record.
    Numbers(HashSet<u64>),
    /// Nothing is held out.
    Nothing,
}

impl Division {
    pub(super) fn holds_out(&self, number: u64, geometry: u128) -> bool {
        match self {
            Self::Fraction(fraction) => hash(geometry) < *fraction,
            Self::Numbers(numbers) => numbers.contains(&number),
            Self::Nothing => false,
        }
    }
}

/// 0 to 1, the same for equal atoms and cell.
fn hash(geometry: u128) -> f64 {
    let high = u64::try_from(geometry >> 64).expect("half of 128 bits");
    high as f64 / 2f64.powi(64)
}

/// How the inputs are divided; a count takes a pass of its own.
pub(super) fn of(
    plan: &StructuresIngest,
    records: &Records<'_, Unparsed>,
    progress: &dyn Progress,
) -> Result<Division> {
    let (frames, seed) = match plan.validation {
        ValidationChoice::Fraction { fraction } => return Ok(Division::Fraction(fraction)),
        ValidationChoice::Files { .. } => return Ok(Division::Nothing),
        ValidationChoice::Count { frames, seed } => (frames, seed),
    };
    progress.phase("choose validation", total_bytes(records.sources));
    let stream = Seeds::new(seed).stream("ingest/validation");
    let mut seen = HashSet::new();
    let mut drawn: Vec<(u64, u64)> = Vec::new();
    let mut draw = |piece: Vec<Done<Accepted>>| {
        for done in piece {
            let Ok(accepted) = done.outcome else { continue };
            let input = records.sources[done.source].split == Split::Train && !accepted.isolated;
            if input && (plan.keep_duplicates || seen.insert(accepted.identity)) {
                drawn.push((stream.word(done.number, 0), done.number));
            }
        }
        Ok(())
    };
    let understand = |placed| understand(placed, plan);
    pipeline::run(records, &understand, &mut draw, progress)?;
    if frames >= drawn.len() as u64 {
        return Err(DataError::invalid(
            "validation.frames",
            format!("{frames} of {} structures would be held out", drawn.len()),
            "leave some to train on",
        ));
    }
    drawn.sort_unstable();
    let held_out = usize::try_from(frames).expect("fewer than there are");
    Ok(Division::Numbers(drawn[..held_out].iter().map(|&(_, number)| number).collect()))
}
