//! Writing a checkpoint so that a kill at any instant leaves either all of it or ignorable junk.
//!
//! Order: `step-N.tmp/` with a proof of ownership, every file synced, manifest, folder synced,
//! rename, parent synced, `COMMITTED` by its own rename, folder synced, proof removed. Where ranks divide the
//! optimizer's state, one of them does all this ([`Begun`]) and every rank writes its file before the manifest.
//! Also here, because it follows the same order: writing one anew ([`replace`]).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use genesis_data::dataset::card::sha256_of_bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::disk::{Disk, is_full};
use super::error::CheckpointError;
use super::format::{
    COMMITTED_FILE, Description, FORMAT_VERSION, FileEntry, KIND, MANIFEST_FILE, MODEL_FILE,
    Manifest, OPTIMIZER_FILE, OWNER_FILE, OWNER_TEXT, TensorEntry, UNDIVIDED_VERSION,
    is_optimizer_file, is_plain_name, slice_file,
};
use super::load::expect_size;
use super::naming;
use super::stretch::{Stretch, merge};
use super::sweep::{claim, discard, move_durably};
use super::tensors::{self, HostTensor, Stored};

/// `COMMITTED` before its rename.
const COMMITTED_TEMPORARY: &str = "COMMITTED.tmp";

/// What goes into a checkpoint.
#[derive(Debug)]
pub struct Contents<'a, T = HostTensor> {
    /// What the run knows of this moment.
    pub description: Description,
    /// Parameters.
    pub model: &'a [T],
    /// Optimizer state; `None` for a model that was never trained here.
    pub optimizer: Option<&'a [T]>,
    /// Further files by plain name, such as those of the tokenizer.
    pub attachments: &'a BTreeMap<String, Vec<u8>>,
}

/// Whether a step has a checkpoint already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saving {
    /// It has none.
    New,
    /// It has one of the same parameters, which learns what was measured of them.
    Again,
}

/// Writes the checkpoint of `contents.description.step` under `checkpoints`; returns its folder.
///
/// # Errors
/// [`CheckpointError::Exists`] when the step has a folder already; [`CheckpointError::DiskFull`]
/// and [`CheckpointError::Io`] after removing what was written.
pub fn save(
    disk: &mut dyn Disk,
    checkpoints: &Path,
    contents: &Contents<'_, impl Stored>,
) -> Result<PathBuf, CheckpointError> {
    save_as(disk, checkpoints, contents, Saving::New)
}

/// Writes the checkpoint of `contents.description.step` anew, in the place of the one that is there.
/// A kill at any instant leaves the old or the new one, once [`super::sweep::sweep`] has run.
///
/// # Errors
/// As [`save`]; the old one is then in its place.
pub fn replace(
    disk: &mut dyn Disk,
    checkpoints: &Path,
    contents: &Contents<'_, impl Stored>,
) -> Result<PathBuf, CheckpointError> {
    save_as(disk, checkpoints, contents, Saving::Again)
}

/// One or the other.
///
/// # Errors
/// As [`save`] or [`replace`].
pub fn save_as(
    disk: &mut dyn Disk,
    checkpoints: &Path,
    contents: &Contents<'_, impl Stored>,
    saving: Saving,
) -> Result<PathBuf, CheckpointError> {
    let mut begun = Begun::open(disk, checkpoints, contents.description.step, saving)?;
    begun.fill(contents)?;
    begun.finish(Vec::new())
}

/// What a rank wrote of a checkpoint, for the rank that finishes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Written {
    file: FileEntry,
    tensors: Vec<TensorEntry>,
}

/// Writes what one of `world` ranks holds of the optimizer's state into the checkpoint of `step` that the first
/// rank has begun.
///
/// # Errors
/// As [`save`]; the rank that began it removes what was written.
pub fn write_slice(
    disk: &mut dyn Disk,
    (checkpoints, step): (&Path, u64),
    (rank, world): (usize, usize),
    stretches: &[impl Stored],
) -> Result<Written, CheckpointError> {
    let name = slice_file(rank, world);
    let folder = naming::temporary_path(checkpoints, step);
    let tensors = stretches.iter().map(|it| entry(&it.stretch(), it.dtype(), &name)).collect();
    let bytes = stretches.iter().map(|it| it.num_bytes() as u64).sum();
    let mut writer = Writer { disk, step, bytes };
    let file = writer.add_tensors(&folder, &name, stretches)?;
    Ok(Written { file, tensors })
}

/// A checkpoint that waits for the parts of other ranks. Dropped before it is finished, it leaves nothing.
pub struct Begun<'a> {
    writer: Writer<'a>,
    checkpoints: PathBuf,
    saving: Saving,
    /// Once its files are written.
    manifest: Option<Manifest>,
    /// Nothing is to be taken back.
    is_over: bool,
}

impl<'a> Begun<'a> {
    /// Makes the folder of the checkpoint of `step`, into which ranks may write from then on.
    ///
    /// # Errors
    /// As [`save`] or [`replace`].
    pub fn open(
        disk: &'a mut dyn Disk,
        checkpoints: &Path,
        step: u64,
        saving: Saving,
    ) -> Result<Self, CheckpointError> {
        let last = naming::final_path(checkpoints, step);
        let temporary = naming::temporary_path(checkpoints, step);
        let in_the_way = [&temporary, &last].into_iter().find(|path| path.exists());
        match (in_the_way, saving) {
            (Some(path), _) if *path == temporary => {
                return Err(CheckpointError::Exists { path: temporary });
            }
            (Some(_), Saving::New) => return Err(CheckpointError::Exists { path: last }),
            (_, Saving::Again) => {
                move_durably(disk, &last, &naming::replaced_path(checkpoints, step))?;
            }
            (None, Saving::New) => {}
        }
        let writer = Writer { disk, step, bytes: 0 };
        let checkpoints = checkpoints.to_path_buf();
        let mut begun = Self { writer, checkpoints, saving, manifest: None, is_over: false };
        begun.writer.open(&temporary)?;
        Ok(begun)
    }

    /// Writes everything of `contents`, which other ranks may add to.
    ///
    /// # Errors
    /// As [`save`] or [`replace`].
    ///
    /// # Panics
    /// If `contents` are of another step.
    pub fn fill(&mut self, contents: &Contents<'_, impl Stored>) -> Result<(), CheckpointError> {
        assert_eq!(contents.description.step, self.writer.step, "the step that was begun");
        self.writer.bytes = size_of_contents(contents);
        let temporary = naming::temporary_path(&self.checkpoints, self.writer.step);
        let files = self.writer.fill(&temporary, contents)?;
        self.manifest = Some(Manifest { files, ..describe(contents) });
        Ok(())
    }

    /// Adds the `parts` of other ranks and commits; returns the folder.
    ///
    /// # Errors
    /// As [`save`] or [`replace`]; also a part that is not as long as its rank wrote it.
    ///
    /// # Panics
    /// If it was not filled.
    pub fn finish(mut self, parts: Vec<Written>) -> Result<PathBuf, CheckpointError> {
        let last = self.commit(parts)?;
        self.is_over = true;
        self.writer.finish(&last)?;
        if self.saving == Saving::Again {
            let replaced = naming::replaced_path(&self.checkpoints, self.writer.step);
            claim(self.writer.disk, &replaced)?;
            discard(self.writer.disk, &replaced);
        }
        Ok(last)
    }

    fn commit(&mut self, parts: Vec<Written>) -> Result<PathBuf, CheckpointError> {
        let step = self.writer.step;
        let last = naming::final_path(&self.checkpoints, step);
        let temporary = naming::temporary_path(&self.checkpoints, step);
        let mut manifest = self.manifest.take().expect("it was filled");
        if !parts.is_empty() {
            add_parts(&mut manifest, parts, &temporary)?;
        }
        let manifest = manifest.to_bytes();
        self.writer.write(&temporary.join(MANIFEST_FILE), &manifest)?;
        self.writer.sync(&temporary)?;
        self.writer.rename(&temporary, &last)?;
        self.writer.sync(&self.checkpoints)?;
        self.writer.commit(&last, &sha256_of_bytes(&manifest))?;
        Ok(last)
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let step = self.writer.step;
        let last = naming::final_path(&self.checkpoints, step);
        discard(self.writer.disk, &naming::temporary_path(&self.checkpoints, step));
        discard(self.writer.disk, &last);
        if self.saving == Saving::Again {
            let replaced = naming::replaced_path(&self.checkpoints, step);
            // Where this fails the next start does it: see [`super::sweep::sweep`].
            let _ = move_durably(self.writer.disk, &replaced, &last);
        }
    }
}

impl std::fmt::Debug for Begun<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "an unfinished checkpoint of step {}", self.writer.step)
    }
}

/// Takes the files of other ranks into the manifest.
fn add_parts(
    manifest: &mut Manifest,
    parts: Vec<Written>,
    folder: &Path,
) -> Result<(), CheckpointError> {
    manifest.format_version = FORMAT_VERSION;
    manifest.description.world_size = u32::try_from(parts.len()).unwrap_or(u32::MAX);
    for Written { file, tensors } in parts {
        let path = folder.join(&file.name);
        // A rank whose folder is another than this one's wrote into it, not here.
        expect_size(&path, &file)?;
        manifest.files.push(file);
        manifest.tensors.extend(tensors);
    }
    manifest.tensors = merge(std::mem::take(&mut manifest.tensors));
    Ok(())
}

/// The disk, with what error messages need to say.
struct Writer<'a> {
    disk: &'a mut dyn Disk,
    step: u64,
    bytes: u64,
}

impl Writer<'_> {
    /// Makes the folder, as one of ours.
    fn open(&mut self, folder: &Path) -> Result<(), CheckpointError> {
        self.disk.create_dir(folder).map_err(|e| self.failed("create", folder, e))?;
        self.write(&folder.join(OWNER_FILE), OWNER_TEXT.as_bytes())?;
        self.sync(folder)
    }

    /// Writes everything but the manifest and `COMMITTED`.
    fn fill(
        &mut self,
        folder: &Path,
        contents: &Contents<'_, impl Stored>,
    ) -> Result<Vec<FileEntry>, CheckpointError> {
        let mut files = Vec::new();
        for (name, tensors) in tensor_files(contents) {
            files.push(self.add_tensors(folder, name, tensors)?);
        }
        for (name, bytes) in contents.attachments {
            assert!(!is_reserved(name), "attachment {name:?} has a name of the format's own");
            files.push(self.add(folder, name, std::iter::once(Cow::Borrowed(&**bytes)))?);
        }
        Ok(files)
    }

    fn add_tensors(
        &mut self,
        folder: &Path,
        name: &str,
        tensors: &[impl Stored],
    ) -> Result<FileEntry, CheckpointError> {
        let malformed = |error| CheckpointError::malformed(&folder.join(name), error);
        let pieces = tensors::encode(tensors).map_err(malformed)?;
        self.add(folder, name, pieces.map(Cow::Owned))
    }

    fn add<'b>(
        &mut self,
        folder: &Path,
        name: &str,
        pieces: impl Iterator<Item = Cow<'b, [u8]>>,
    ) -> Result<FileEntry, CheckpointError> {
        let (mut bytes, mut digest) = (0, Sha256::new());
        let mut counted = pieces.inspect(|piece| {
            bytes += piece.len() as u64;
            digest.update(piece);
        });
        let path = folder.join(name);
        let written = self.disk.write_pieces(&path, &mut counted);
        written.map_err(|e| self.failed("write", &path, e))?;
        let sha256 = format!("{:x}", digest.finalize());
        Ok(FileEntry { name: name.to_owned(), bytes, sha256 })
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

fn tensor_files<'a, T>(
    contents: &Contents<'a, T>,
) -> impl Iterator<Item = (&'static str, &'a [T])> + use<'a, T> {
    let optimizer = contents.optimizer.map(|tensors| (OPTIMIZER_FILE, tensors));
    std::iter::once((MODEL_FILE, contents.model)).chain(optimizer)
}

fn is_reserved(name: &str) -> bool {
    let own = [MODEL_FILE, MANIFEST_FILE, COMMITTED_FILE, COMMITTED_TEMPORARY, OWNER_FILE];
    own.contains(&name) || is_optimizer_file(name) || !is_plain_name(name)
}

/// The manifest of `contents`, without its files.
fn describe(contents: &Contents<'_, impl Stored>) -> Manifest {
    let tensors = tensor_files(contents).flat_map(|(file, tensors)| {
        tensors.iter().map(move |it| entry(&it.stretch(), it.dtype(), file))
    });
    Manifest {
        format_version: UNDIVIDED_VERSION,
        kind: KIND.to_owned(),
        description: contents.description.clone(),
        files: Vec::new(),
        tensors: tensors.collect(),
    }
}

/// What a manifest says of a stretch of type `dtype` in `file`.
fn entry(stretch: &Stretch, dtype: &str, file: &str) -> TensorEntry {
    TensorEntry {
        name: stretch.tensor.clone(),
        shape: stretch.shape.clone(),
        dtype: dtype.to_owned(),
        slices: vec![stretch.in_file(file)],
    }
}

/// Bytes of the large files; headers and the manifest are left out.
fn size_of_contents(contents: &Contents<'_, impl Stored>) -> u64 {
    let tensors = tensor_files(contents).flat_map(|(_, tensors)| tensors);
    let values: usize = tensors.map(Stored::num_bytes).sum();
    let attached: usize = contents.attachments.values().map(Vec::len).sum();
    (values + attached) as u64
}
