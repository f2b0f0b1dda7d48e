//! Which checkpoints of a run stay: the newest few, the best few by validation loss, those of every so many steps, and
//! those that somebody pinned.
//!
//! Safety before tidiness: nothing is removed until one of those that stay was read back in full,
//! and what the run did not make is never touched: links, folders without `COMMITTED` or with a name
//! of another form, checkpoints of another run, folders in which somebody put a file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::disk::Disk;
use super::error::CheckpointError;
use super::format::{COMMITTED_FILE, MANIFEST_FILE, Manifest, OWNER_FILE};
use super::naming::{self, FolderName};
use super::{load, sweep};

/// A file in the folder of a checkpoint that is never removed.
pub const PINNED_FILE: &str = "PINNED";

/// What to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Newest checkpoints to keep; 0 is read as 1.
    pub keep_last: usize,
    /// Checkpoints with the lowest validation losses of the newest stage to keep too.
    pub keep_best: usize,
    /// Steps whose multiples are kept too.
    pub keep_every: Option<u64>,
}

/// Removes the checkpoints that `policy` does not keep; returns their paths.
pub fn retain(
    disk: &mut dyn Disk,
    checkpoints: &Path,
    policy: Retention,
) -> Result<Vec<PathBuf>, CheckpointError> {
    let found = committed(checkpoints)?;
    let kept = reasons(&found, policy);
    if !kept.keys().rev().any(|&step| is_valid(checkpoints, step)) {
        return Ok(Vec::new());
    }
    let newest = found.last().map(|(_, manifest)| manifest);
    let mut removed = Vec::new();
    for (step, manifest) in found.iter().filter(|(step, _)| !kept.contains_key(step)) {
        let made_here = newest.is_some_and(|newest| are_of_one_run(newest, manifest));
        if !made_here || holds_more(&naming::final_path(checkpoints, *step), manifest) {
            continue;
        }
        sweep::remove(disk, checkpoints, *step)?;
        removed.push(naming::final_path(checkpoints, *step));
    }
    Ok(removed)
}

/// Whether what makes a run itself is the same in both, up to the step of `b`, the older.
fn are_of_one_run(a: &Manifest, b: &Manifest) -> bool {
    let (a, b) = (&a.description, &b.description);
    a.seed == b.seed
        && a.family == b.family
        && b.mixture().changed_past(&a.mixture(), b.step).is_empty()
        && a.model == b.model
}

/// Whether `folder` has a file that no save wrote.
fn holds_more(folder: &Path, manifest: &Manifest) -> bool {
    let own = [MANIFEST_FILE, COMMITTED_FILE, OWNER_FILE];
    let is_known = |name: &str| own.contains(&name) || manifest.file(name).is_some();
    let Ok(entries) = std::fs::read_dir(folder) else { return true };
    entries.flatten().any(|entry| !entry.file_name().to_str().is_some_and(is_known))
}

/// Steps and manifests of the committed checkpoints, oldest first. A link is none of them.
fn committed(checkpoints: &Path) -> Result<Vec<(u64, Manifest)>, CheckpointError> {
    let listed = naming::list(checkpoints)?.into_iter();
    Ok(listed
        .filter_map(|(name, path)| match name {
            FolderName::Final(_) if naming::is_link(&path) => None,
            FolderName::Final(step) => Some((step, load::read_manifest(&path).ok()?)),
            FolderName::Temporary(_) | FolderName::Replaced(_) => None,
        })
        .collect())
}

/// Why a checkpoint stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It is one of the newest.
    Newest,
    /// Its validation loss is one of the lowest.
    Best,
    /// Its step is a multiple of `keep_every`.
    Every,
    /// Somebody put [`PINNED_FILE`] or another file into its folder.
    Pinned,
}

/// Why those of the committed checkpoints stay that `policy` keeps, by step.
///
/// # Errors
/// The folder cannot be listed.
pub fn kept(checkpoints: &Path, policy: Retention) -> Result<Kept, CheckpointError> {
    let found = committed(checkpoints)?;
    let mut kept = reasons(&found, policy);
    for (step, manifest) in &found {
        if holds_more(&naming::final_path(checkpoints, *step), manifest) {
            kept.entry(*step).or_default().push(Reason::Pinned);
        }
    }
    Ok(kept)
}

/// Reasons by step.
pub type Kept = BTreeMap<u64, Vec<Reason>>;

/// Why checkpoints stay by `policy` alone.
fn reasons(found: &[(u64, Manifest)], policy: Retention) -> Kept {
    let mut kept = Kept::new();
    let first_kept = found.len().saturating_sub(policy.keep_last.max(1));
    let newest = found.iter().skip(first_kept).map(|(step, _)| (*step, Reason::Newest));
    let best = lowest_losses(found).into_iter().take(policy.keep_best);
    let every = found.iter().map(|(step, _)| *step);
    let every = every.filter(|step| policy.keep_every.is_some_and(|it| step.is_multiple_of(it)));
    let all = newest.chain(best.map(|step| (step, Reason::Best)));
    for (step, reason) in all.chain(every.map(|step| (step, Reason::Every))) {
        kept.entry(step).or_default().push(reason);
    }
    kept
}

/// Steps of the newest stage with a validation loss, the lowest first; of equal ones the older.
fn lowest_losses(found: &[(u64, Manifest)]) -> Vec<u64> {
    let metrics = |manifest: &Manifest| manifest.description.metrics;
    let newest_stage = found.iter().map(|(_, manifest)| metrics(manifest).stage).max();
    let of_stage = found.iter().filter(|(_, it)| Some(metrics(it).stage) == newest_stage);
    let losses = of_stage.filter_map(|(step, it)| Some((*step, metrics(it).validation_loss?)));
    let mut losses: Vec<(u64, f64)> = losses.filter(|(_, loss)| loss.is_finite()).collect();
    losses.sort_by(|a, b| a.1.total_cmp(&b.1));
    losses.into_iter().map(|(step, _)| step).collect()
}

fn is_valid(checkpoints: &Path, step: u64) -> bool {
    load::open(&naming::final_path(checkpoints, step)).is_ok()
}
