//! Where a loader is: one integer, the number of samples consumed by all ranks together.
//!
//! A step takes the next `per_step` samples of the endless sequence of epochs; rank `r` of `W`
//! takes the `r`-th contiguous part, and each accumulation slice a contiguous part of that. So
//! the samples of a step do not depend on the number of ranks or slices.

use std::ops::Range;

use crate::error::{DataError, Result};

/// Arithmetic from steps to samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    per_step: u64,
    rank: u64,
    slices: u64,
    per_slice: u64,
}

/// How a step is shared; `key` and `noun` are what messages call it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shares {
    /// The configuration key of `per_step`.
    pub(crate) key: &'static str,
    /// What the samples are.
    pub(crate) noun: &'static str,
    /// Samples of a step over all ranks.
    pub(crate) per_step: usize,
    /// Slices of a rank's part.
    pub(crate) accumulation: usize,
    pub(crate) rank: usize,
    pub(crate) world: usize,
}

impl Shares {
    /// Refuses a step that is larger than the epoch of the only dataset.
    pub(crate) fn fit(&self, per_epoch: u64) -> Result<()> {
        let Self { key, noun, per_step, .. } = *self;
        if per_epoch >= per_step as u64 {
            return Ok(());
        }
        Err(DataError::invalid(
            key,
            format!("a step takes {per_step} {noun}, the training split has {per_epoch}"),
            format!("use at most {per_epoch} {noun}, or more data"),
        ))
    }
}

impl Cursor {
    /// Checks that a step divides evenly.
    pub(crate) fn new(shares: &Shares) -> Result<Self> {
        let Shares { key, noun, per_step, accumulation, rank, world } = *shares;
        let parts = world.saturating_mul(accumulation);
        if per_step == 0 || parts == 0 || per_step % parts != 0 {
            return Err(DataError::invalid(
                key,
                format!(
                    "{per_step} {noun} per step cannot be shared by {world} ranks with \
                     {accumulation} accumulation slices each"
                ),
                format!("make it a multiple of {world} x {accumulation} = {parts}"),
            ));
        }
        if rank >= world {
            let problem = format!("rank {rank} does not exist among {world} ranks");
            return Err(DataError::invalid("rank", problem, "count ranks from 0"));
        }
        Ok(Self {
            per_step: per_step as u64,
            rank: rank as u64,
            slices: accumulation as u64,
            per_slice: (per_step / parts) as u64,
        })
    }

    /// Samples consumed before `step`.
    pub fn position(&self, step: u64) -> Result<u64> {
        // One step of slack, so that the end of the step is a number too.
        step.checked_add(1)
            .and_then(|s| s.checked_mul(self.per_step))
            .map(|end| end - self.per_step)
            .ok_or_else(|| {
                let problem = format!("step {step} of {} sequences passes 2^64", self.per_step);
                DataError::invalid("step", problem, "resume from a step that was trained")
            })
    }

    /// The samples of this rank in `step`, one range per accumulation slice.
    pub fn slices(&self, step: u64) -> Result<impl Iterator<Item = Range<u64>> + use<>> {
        let Self { rank, slices, per_slice, .. } = *self;
        let first = self.position(step)? + rank * slices * per_slice;
        Ok((0..slices).map(move |i| first + i * per_slice..first + (i + 1) * per_slice))
    }
}
