//! Which checkpoints of a run stay: the newest few, and the best by validation loss.
//!
//! Safety before tidiness: nothing is removed until one of those that stay was read back in full,
//! and what the run did not make is never touched: links, folders without `COMMITTED` or with a name
//! of another form, checkpoints of another run, folders in which somebody put a file.

use std::path::{Path, PathBuf};

use super::disk::Disk;
use super::error::CheckpointError;
use super::format::{COMMITTED_FILE, MANIFEST_FILE, Manifest, OWNER_FILE};
use super::naming::{self, FolderName};
use super::{load, sweep};

/// What to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Newest checkpoints to keep; 0 is read as 1.
    pub keep_last: usize,
    /// Keep the checkpoint with the lowest validation loss of the newest stage too.
    pub keep_best: bool,
}

/// Removes the checkpoints that `policy` does not keep; returns their paths.
pub fn retain(
    disk: &mut dyn Disk,
    checkpoints: &Path,
    policy: Retention,
) -> Result<Vec<PathBuf>, CheckpointError> {
    let found = committed(checkpoints)?;
    let kept = choose(&found, policy);
    let newest_first = kept.iter().rev();
    if !newest_first.into_iter().any(|&step| is_valid(checkpoints, step)) {
        return Ok(Vec::new());
    }
    let newest = found.last().map(|(_, manifest)| manifest);
    let mut removed = Vec::new();
    for (step, manifest) in found.iter().filter(|(step, _)| !kept.contains(step)) {
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

/// Steps to keep, in ascending order.
fn choose(found: &[(u64, Manifest)], policy: Retention) -> Vec<u64> {
    let first_kept = found.len().saturating_sub(policy.keep_last.max(1));
    let stage = |manifest: &Manifest| manifest.description.metrics.stage;
    let newest_stage = found.iter().map(|(_, manifest)| stage(manifest)).max();
    let best = found
        .iter()
        .filter(|(_, manifest)| Some(stage(manifest)) == newest_stage)
        .filter_map(|(step, manifest)| Some((*step, manifest.description.metrics.validation_loss?)))
        .filter(|(_, loss)| loss.is_finite())
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .filter(|_| policy.keep_best)
        .map(|(step, _)| step);
    let steps = found.iter().enumerate();
    steps
        .filter(|(index, (step, _))| *index >= first_kept || Some(*step) == best)
        .map(|(_, (step, _))| *step)
        .collect()
}

fn is_valid(checkpoints: &Path, step: u64) -> bool {
    load::open(&naming::final_path(checkpoints, step)).is_ok()
}
