//! What a kill left, and checkpoints that go: removed, or moved out of the way.
//!
//! Every folder that may be deleted has a proof of ownership in it, so a kill at any instant leaves all of a
//! checkpoint or ignorable junk. No link is followed: what it leads to was put elsewhere by someone.

use std::fs;
use std::path::{Path, PathBuf};

use super::disk::Disk;
use super::error::CheckpointError;
use super::format::{COMMITTED_FILE, OWNER_FILE, OWNER_TEXT};
use super::naming::{self, FolderName};

/// Removes what a killed save or removal left, and only that: a folder with our name and our proof
/// of ownership (or nothing at all in it), and no `COMMITTED`. Returns the folders removed.
pub fn sweep(disk: &mut dyn Disk, checkpoints: &Path) -> Result<Vec<PathBuf>, CheckpointError> {
    let mut removed = Vec::new();
    for (name, path) in naming::list(checkpoints)? {
        if naming::is_link(&path) {
            continue;
        }
        let committed = path.join(COMMITTED_FILE).exists();
        match name {
            FolderName::Replaced(step) => settle(disk, checkpoints, step, &path)?,
            FolderName::Final(_) if committed => {
                if path.join(OWNER_FILE).exists() {
                    let owner = path.join(OWNER_FILE);
                    disk.remove_file(&owner).map_err(CheckpointError::io("remove", &owner))?;
                }
            }
            FolderName::Final(_) | FolderName::Temporary(_) if is_ours(&path) => {
                discard(disk, &path);
                removed.push(path);
            }
            FolderName::Final(_) | FolderName::Temporary(_) => {}
        }
    }
    Ok(removed)
}

/// Ends a replacement that was cut short: the old checkpoint goes if the new one is there, and comes
/// back if not.
fn settle(
    disk: &mut dyn Disk,
    checkpoints: &Path,
    step: u64,
    replaced: &Path,
) -> Result<(), CheckpointError> {
    let last = naming::final_path(checkpoints, step);
    if last.join(COMMITTED_FILE).exists() {
        claim(disk, replaced)?;
        discard(disk, replaced);
        return Ok(());
    }
    if last.exists() { Ok(()) } else { move_durably(disk, replaced, &last) }
}

/// Removes a checkpoint: marks it ours, renames it to `.tmp`, then deletes its files.
pub fn remove(disk: &mut dyn Disk, checkpoints: &Path, step: u64) -> Result<(), CheckpointError> {
    let last = naming::final_path(checkpoints, step);
    let temporary = naming::temporary_path(checkpoints, step);
    claim(disk, &last)?;
    disk.rename(&last, &temporary).map_err(CheckpointError::io("rename", &last))?;
    disk.sync_dir(checkpoints).map_err(CheckpointError::io("sync", checkpoints))?;
    discard(disk, &temporary);
    Ok(())
}

/// Renames every folder of a step after `step` to `step-N.superseded`, so that a run continued from
/// an earlier step neither collides with it nor mistakes it for its own. Nothing is deleted.
/// Returns the new paths.
pub fn set_aside_after(
    disk: &mut dyn Disk,
    checkpoints: &Path,
    step: u64,
) -> Result<Vec<PathBuf>, CheckpointError> {
    let mut moved = Vec::new();
    for (name, path) in naming::list(checkpoints)? {
        if name.step() <= step {
            continue;
        }
        let aside = free_name(&path);
        disk.rename(&path, &aside).map_err(CheckpointError::io("rename", &path))?;
        moved.push(aside);
    }
    if !moved.is_empty() {
        disk.sync_dir(checkpoints).map_err(CheckpointError::io("sync", checkpoints))?;
    }
    Ok(moved)
}

fn free_name(path: &Path) -> PathBuf {
    let base = path.to_string_lossy().into_owned();
    let numbered = (2..).map(|n| PathBuf::from(format!("{base}.superseded-{n}")));
    std::iter::once(PathBuf::from(format!("{base}.superseded")))
        .chain(numbered)
        .find(|candidate| !candidate.exists())
        .expect("some number is free")
}

/// Whether this program made `folder` and did not finish it.
fn is_ours(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return false };
    let names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
    match fs::read_to_string(folder.join(OWNER_FILE)) {
        Ok(text) if text == OWNER_TEXT => true,
        // Killed while the proof itself was written: nothing else can be there yet.
        Ok(text) => OWNER_TEXT.starts_with(&text) && names.len() == 1,
        Err(_) => names.is_empty(),
    }
}

/// Deletes the files of a folder of ours, the proof of ownership last, then the folder. What
/// cannot be deleted stays for the next [`sweep`].
pub(super) fn discard(disk: &mut dyn Disk, folder: &Path) {
    if !is_ours(folder) {
        return;
    }
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    // `COMMITTED` first: half a checkpoint must not look like one.
    paths.sort_by_key(|path| (path.ends_with(OWNER_FILE), !path.ends_with(COMMITTED_FILE)));
    let all_gone = paths.iter().all(|path| disk.remove_file(path).is_ok());
    if all_gone
        && disk.remove_dir(folder).is_ok()
        && let Some(parent) = folder.parent()
    {
        // Losing this sync costs nothing: the next start sweeps again.
        let _ = disk.sync_dir(parent);
    }
}

pub(super) fn move_durably(
    disk: &mut dyn Disk,
    from: &Path,
    to: &Path,
) -> Result<(), CheckpointError> {
    disk.rename(from, to).map_err(CheckpointError::io("rename", from))?;
    let folder = to.parent().unwrap_or(to);
    disk.sync_dir(folder).map_err(CheckpointError::io("sync", folder))
}

/// Marks a folder as one that may be deleted.
pub(super) fn claim(disk: &mut dyn Disk, folder: &Path) -> Result<(), CheckpointError> {
    let owner = folder.join(OWNER_FILE);
    if fs::read_to_string(&owner).ok().as_deref() != Some(OWNER_TEXT) {
        // Half of it: the process that wrote it was killed.
        if owner.exists() {
            disk.remove_file(&owner).map_err(CheckpointError::io("remove", &owner))?;
        }
        disk.write(&owner, OWNER_TEXT.as_bytes()).map_err(CheckpointError::io("write", &owner))?;
    }
    disk.sync_dir(folder).map_err(CheckpointError::io("sync", folder))
}
