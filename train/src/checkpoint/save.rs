//! Writing a checkpoint so that a kill at any instant leaves either all of it or ignorable junk.
//!
//! Order: `step-N.tmp/` with a proof of ownership, every file synced, manifest, folder synced,
//! rename, parent synced, `COMMITTED` by its own rename, folder synced, proof removed.
//! Also here, because they follow the same order: writing one anew ([`replace`]), removing what a
//! killed save left ([`sweep`]), removing a checkpoint ([`remove`]) and moving one out of the way
//! ([`set_aside_after`]). No link is followed: what it leads to was put elsewhere by someone.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use genesis_data::dataset::card::sha256_of_bytes;

use super::disk::{Disk, is_full};
use super::error::CheckpointError;
use super::format::{
    COMMITTED_FILE, Description, FORMAT_VERSION, FileEntry, KIND, MANIFEST_FILE, MODEL_FILE,
    Manifest, OPTIMIZER_FILE, OWNER_FILE, OWNER_TEXT, Slice, TensorEntry, is_plain_name,
};
use super::naming::{self, FolderName};
use super::tensors::{self, HostTensor};

/// `COMMITTED` before its rename.
const COMMITTED_TEMPORARY: &str = "COMMITTED.tmp";

/// What goes into a checkpoint.
#[derive(Debug)]
pub struct Contents<'a> {
    /// What the run knows of this moment.
    pub description: Description,
    /// Parameters.
    pub model: &'a [HostTensor],
    /// Optimizer state; `None` for a model that was never trained here.
    pub optimizer: Option<&'a [HostTensor]>,
    /// Further files by plain name, such as those of the tokenizer.
    pub attachments: &'a BTreeMap<String, Vec<u8>>,
}

/// Writes the checkpoint of `contents.description.step` under `checkpoints`; returns its folder.
///
/// # Errors
/// [`CheckpointError::Exists`] when the step has a folder already; [`CheckpointError::DiskFull`]
/// and [`CheckpointError::Io`] after removing what was written.
pub fn save(
    disk: &mut dyn Disk,
    checkpoints: &Path,
    contents: &Contents<'_>,
) -> Result<PathBuf, CheckpointError> {
    let step = contents.description.step;
    let last = naming::final_path(checkpoints, step);
    let temporary = naming::temporary_path(checkpoints, step);
    for path in [&last, &temporary] {
        if path.exists() {
            return Err(CheckpointError::Exists { path: path.clone() });
        }
    }
    let mut writer = Writer { disk, step, bytes: size_of_contents(contents) };
    let committed = writer.fill(&temporary, contents).and_then(|digest| {
        writer.rename(&temporary, &last)?;
        writer.sync(checkpoints)?;
        writer.commit(&last, &digest)
    });
    if let Err(error) = committed {
        discard(writer.disk, &temporary);
        discard(writer.disk, &last);
        return Err(error);
    }
    writer.finish(&last)?;
    Ok(last)
}

/// Writes the checkpoint of `contents.description.step` anew, in the place of the one that is there.
/// A kill at any instant leaves the old or the new one, once [`sweep`] has run.
///
/// # Errors
/// As [`save`]; the old one is then in its place.
pub fn replace(
    disk: &mut dyn Disk,
    checkpoints: &Path,
    contents: &Contents<'_>,
) -> Result<PathBuf, CheckpointError> {
    let step = contents.description.step;
    let last = naming::final_path(checkpoints, step);
    let replaced = naming::replaced_path(checkpoints, step);
    move_durably(disk, &last, &replaced)?;
    match save(disk, checkpoints, contents) {
        Ok(path) => {
            claim(disk, &replaced)?;
            discard(disk, &replaced);
            Ok(path)
        }
        Err(error) => {
            move_durably(disk, &replaced, &last)?;
            Err(error)
        }
    }
}

fn move_durably(disk: &mut dyn Disk, from: &Path, to: &Path) -> Result<(), CheckpointError> {
    disk.rename(from, to).map_err(CheckpointError::io("rename", from))?;
    let folder = to.parent().unwrap_or(to);
    disk.sync_dir(folder).map_err(CheckpointError::io("sync", folder))
}

/// Marks a folder as one that may be deleted.
fn claim(disk: &mut dyn Disk, folder: &Path) -> Result<(), CheckpointError> {
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

/// The disk, with what error messages need to say.
struct Writer<'a> {
    disk: &'a mut dyn Disk,
    step: u64,
    bytes: u64,
}

impl Writer<'_> {
    /// Writes everything but `COMMITTED`; returns the manifest's digest.
    fn fill(&mut self, folder: &Path, contents: &Contents<'_>) -> Result<String, CheckpointError> {
        self.disk.create_dir(folder).map_err(|e| self.failed("create", folder, e))?;
        self.write(&folder.join(OWNER_FILE), OWNER_TEXT.as_bytes())?;
        self.sync(folder)?;
        let mut files = Vec::new();
        for (name, tensors) in tensor_files(contents) {
            let path = folder.join(name);
            let bytes =
                tensors::encode(tensors).map_err(|e| CheckpointError::malformed(&path, e))?;
            files.push(self.add(&path, name, &bytes)?);
        }
        for (name, bytes) in contents.attachments {
            assert!(!is_reserved(name), "attachment {name:?} has a name of the format's own");
            files.push(self.add(&folder.join(name), name, bytes)?);
        }
        let manifest = describe(contents, files).to_bytes();
        self.write(&folder.join(MANIFEST_FILE), &manifest)?;
        self.sync(folder)?;
        Ok(sha256_of_bytes(&manifest))
    }

    fn add(&mut self, path: &Path, name: &str, bytes: &[u8]) -> Result<FileEntry, CheckpointError> {
        self.write(path, bytes)?;
        Ok(FileEntry {
            name: name.to_owned(),
            bytes: bytes.len() as u64,
            sha256: sha256_of_bytes(bytes),
        })
    }

    /// After the rename here the checkpoint is complete.
    fn commit(&mut self, folder: &Path, digest: &str) -> Result<(), CheckpointError> {
        let temporary = folder.join(COMMITTED_TEMPORARY);
        self.write(&temporary, format!("{digest}\n").as_bytes())?;
        self.rename(&temporary, &folder.join(COMMITTED_FILE))
    }

    /// Makes the commit durable and removes the proof of ownership.
    fn finish(&mut self, folder: &Path) -> Result<(), CheckpointError> {
        self.sync(folder)?;
        let owner = folder.join(OWNER_FILE);
        self.disk.remove_file(&owner).map_err(|e| self.failed("remove", &owner, e))?;
        self.sync(folder)
    }

    fn write(&mut self, path: &Path, bytes: &[u8]) -> Result<(), CheckpointError> {
        self.disk.write(path, bytes).map_err(|e| self.failed("write", path, e))
    }

    fn sync(&mut self, path: &Path) -> Result<(), CheckpointError> {
        self.disk.sync_dir(path).map_err(|e| self.failed("sync", path, e))
    }

    fn rename(&mut self, from: &Path, to: &Path) -> Result<(), CheckpointError> {
        self.disk.rename(from, to).map_err(|e| self.failed("rename", from, e))
    }

    fn failed(&self, action: &'static str, path: &Path, source: io::Error) -> CheckpointError {
        let path = path.to_path_buf();
        if is_full(&source) {
            CheckpointError::DiskFull { step: self.step, bytes: self.bytes, path, source }
        } else {
            CheckpointError::Io { action, path, source }
        }
    }
}

fn tensor_files<'a>(
    contents: &Contents<'a>,
) -> impl Iterator<Item = (&'static str, &'a [HostTensor])> {
    let optimizer = contents.optimizer.map(|tensors| (OPTIMIZER_FILE, tensors));
    std::iter::once((MODEL_FILE, contents.model)).chain(optimizer)
}

fn is_reserved(name: &str) -> bool {
    let own = [
        MODEL_FILE,
        OPTIMIZER_FILE,
        MANIFEST_FILE,
        COMMITTED_FILE,
        COMMITTED_TEMPORARY,
        OWNER_FILE,
    ];
    own.contains(&name) || !is_plain_name(name)
}

fn describe(contents: &Contents<'_>, files: Vec<FileEntry>) -> Manifest {
    let tensors = tensor_files(contents).flat_map(|(file, tensors)| {
        tensors.iter().map(move |tensor| TensorEntry {
            name: tensor.name.clone(),
            shape: tensor.shape.clone(),
            dtype: tensor.values.dtype().to_owned(),
            slices: vec![Slice {
                file: file.to_owned(),
                start: vec![0; tensor.shape.len()],
                shape: tensor.shape.clone(),
            }],
        })
    });
    Manifest {
        format_version: FORMAT_VERSION,
        kind: KIND.to_owned(),
        description: contents.description.clone(),
        files,
        tensors: tensors.collect(),
    }
}

/// Bytes of the large files; headers and the manifest are left out.
fn size_of_contents(contents: &Contents<'_>) -> u64 {
    let tensors = tensor_files(contents).flat_map(|(_, tensors)| tensors);
    let values: usize = tensors.map(|tensor| tensor.values.num_bytes()).sum();
    let attached: usize = contents.attachments.values().map(Vec::len).sum();
    (values + attached) as u64
}

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
fn discard(disk: &mut dyn Disk, folder: &Path) {
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
