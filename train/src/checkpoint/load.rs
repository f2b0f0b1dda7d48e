//! Reading checkpoints back, trusting nothing: `COMMITTED`, sizes and digests are checked first.
//!
//! [`open`] takes one folder and fails loudly; [`latest`] takes the newest valid one of a run and
//! says why newer ones were passed over; [`best`] goes by validation loss.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use genesis_data::DataError;
use genesis_data::dataset::card::{sha256_of_bytes, sha256_of_file};

use super::error::CheckpointError;
use super::format::{
    COMMITTED_FILE, FileEntry, MANIFEST_FILE, MODEL_FILE, Manifest, TensorEntry, is_optimizer_file,
};
use super::naming::{self, FolderName};
use super::stretch::{HostStretch, Stretch};
use super::tensors::{self, HostTensor, Values};

/// Largest `manifest.json` that is read; a million tensors fit.
const MAX_MANIFEST_BYTES: u64 = 512 << 20;

/// A checkpoint whose files all had the recorded size and digest when it was opened.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// Its folder.
    pub path: PathBuf,
    /// What it says of itself.
    pub manifest: Manifest,
}

/// A folder that was passed over, and why.
#[derive(Debug)]
pub struct Rejection {
    /// The folder.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: CheckpointError,
}

/// Result of looking for the newest valid checkpoint of a run.
#[derive(Debug, Default)]
pub struct Latest {
    /// The newest valid one, if any.
    pub checkpoint: Option<Checkpoint>,
    /// Newer ones that are not valid, newest first.
    pub rejections: Vec<Rejection>,
}

/// Opens one checkpoint folder after checking every byte of it.
pub fn open(path: &Path) -> Result<Checkpoint, CheckpointError> {
    let checkpoint = Checkpoint { path: path.to_path_buf(), manifest: read_manifest(path)? };
    for file in &checkpoint.manifest.files {
        check_file(path, file)?;
    }
    Ok(checkpoint)
}

/// The newest valid checkpoint under `checkpoints`.
///
/// # Errors
/// Only when the folder cannot be listed; bad checkpoints become [`Latest::rejections`].
pub fn latest(checkpoints: &Path) -> Result<Latest, CheckpointError> {
    Ok(first_valid(newest_first(checkpoints)?))
}

/// The valid checkpoint with the lowest recorded validation loss of the newest stage that has any;
/// without any, the newest.
pub fn best(checkpoints: &Path) -> Result<Latest, CheckpointError> {
    let rank = |path: &PathBuf| {
        let metrics = read_manifest(path).ok().map(|it| it.description.metrics);
        let loss = metrics.and_then(|it| it.validation_loss).filter(|loss| loss.is_finite());
        let stage = loss.and(metrics).map_or(0, |it| it.stage);
        (stage, loss.unwrap_or(f64::INFINITY))
    };
    let mut folders = newest_first(checkpoints)?;
    folders.sort_by_cached_key(|path| {
        let (stage, loss) = rank(path);
        (std::cmp::Reverse(stage), OrderedLoss(loss))
    });
    Ok(first_valid(folders))
}

/// A loss that can be sorted by.
#[derive(PartialEq)]
struct OrderedLoss(f64);

impl Eq for OrderedLoss {}

impl PartialOrd for OrderedLoss {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for OrderedLoss {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

fn newest_first(checkpoints: &Path) -> Result<Vec<PathBuf>, CheckpointError> {
    let listed = naming::list(checkpoints)?.into_iter().rev();
    let finals = listed.filter(|(name, _)| matches!(name, FolderName::Final(_)));
    Ok(finals.map(|(_, path)| path).collect())
}

fn first_valid(folders: Vec<PathBuf>) -> Latest {
    let mut latest = Latest::default();
    for path in folders {
        match open(&path) {
            Ok(checkpoint) => {
                latest.checkpoint = Some(checkpoint);
                break;
            }
            Err(reason) => latest.rejections.push(Rejection { path, reason }),
        }
    }
    latest
}

/// Reads `manifest.json` after checking it against `COMMITTED`; looks at no other file.
pub fn read_manifest(folder: &Path) -> Result<Manifest, CheckpointError> {
    let committed = folder.join(COMMITTED_FILE);
    let expected = match fs::metadata(&committed) {
        Ok(metadata) if metadata.len() == 65 => {
            fs::read_to_string(&committed).map_err(CheckpointError::io("read", &committed))?
        }
        Ok(metadata) => {
            let reason = format!("{} bytes, but a digest and a line feed are 65", metadata.len());
            return Err(CheckpointError::malformed(&committed, reason));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(CheckpointError::NotCommitted { path: folder.to_path_buf() });
        }
        Err(error) => return Err(CheckpointError::io("read", &committed)(error)),
    };
    let path = folder.join(MANIFEST_FILE);
    let length = file_length(&path)?;
    if length > MAX_MANIFEST_BYTES {
        let reason = format!("{length} bytes; a manifest has at most {MAX_MANIFEST_BYTES}");
        return Err(CheckpointError::malformed(&path, reason));
    }
    let bytes = fs::read(&path).map_err(CheckpointError::io("read", &path))?;
    expect_digest(&path, expected.trim_end_matches('\n'), sha256_of_bytes(&bytes), COMMITTED_FILE)?;
    Manifest::parse(&path, &bytes)
}

impl Checkpoint {
    /// Refuses a model of another family than `wanted`.
    ///
    /// # Errors
    /// [`CheckpointError::Family`] with both.
    pub fn expect_family(&self, wanted: &'static str) -> Result<(), CheckpointError> {
        let found = &self.manifest.description.family;
        if found == wanted {
            return Ok(());
        }
        let (path, found) = (self.path.clone(), found.clone());
        Err(CheckpointError::Family { path, found, wanted })
    }

    /// Parameters, in order of their names.
    pub fn model(&self) -> Result<Vec<HostTensor>, CheckpointError> {
        self.tensors(MODEL_FILE)
    }

    /// Optimizer state, whole, in the order of the manifest.
    ///
    /// # Errors
    /// Also when there is none, because the model was imported and never trained.
    pub fn optimizer(&self) -> Result<Vec<HostTensor>, CheckpointError> {
        let of_optimizer = |tensor: &&TensorEntry| {
            tensor.slices.first().is_some_and(|slice| is_optimizer_file(&slice.file))
        };
        let entries = self.manifest.tensors.iter().filter(of_optimizer);
        let wanted: Vec<Stretch> =
            entries.map(|it| Stretch::whole(it.name.clone(), it.shape.clone())).collect();
        let stretches = wanted.clone().into_iter().zip(self.stretches(&wanted)?);
        let named =
            |(of, values): (Stretch, _)| HostTensor { name: of.tensor, shape: of.shape, values };
        Ok(stretches.map(named).collect())
    }

    /// Values of the stretches `wanted` of the optimizer's state, whichever ranks wrote them. Files are read one
    /// at a time, those alone that hold some of it.
    ///
    /// # Errors
    /// [`CheckpointError::Mismatch`] naming the first tensor that is missing or has another shape; also when there
    /// is no state, because the model was imported and never trained.
    pub fn stretches(&self, wanted: &[Stretch]) -> Result<Vec<Values>, CheckpointError> {
        if !self.manifest.has_optimizer() {
            return Err(CheckpointError::Mismatch {
                path: self.path.clone(),
                reason: "holds no optimizer state because its model was imported; it can be \
                         evaluated, sampled and exported, but there is no training to resume"
                    .to_owned(),
            });
        }
        let entries: BTreeMap<&str, &TensorEntry> =
            self.manifest.tensors.iter().map(|it| (it.name.as_str(), it)).collect();
        let mut found = Vec::with_capacity(wanted.len());
        for stretch in wanted {
            let entry = entries.get(stretch.tensor.as_str());
            found.push(self.expect(stretch, entry.copied())?);
        }
        for file in self.manifest.optimizer_files() {
            self.copy_from(file, &entries, &mut found)?;
        }
        Ok(found.into_iter().map(|it| it.values).collect())
    }

    /// Room for `stretch` of the tensor that `entry` lists.
    fn expect(
        &self,
        stretch: &Stretch,
        entry: Option<&TensorEntry>,
    ) -> Result<HostStretch, CheckpointError> {
        let Stretch { tensor, shape, range } = stretch;
        let problem = match entry {
            None => format!("optimizer state `{tensor}` of shape {shape:?} is missing"),
            Some(entry) if entry.shape != *shape => {
                format!(
                    "optimizer state `{tensor}` is {:?} but its parameter is {shape:?}",
                    entry.shape
                )
            }
            Some(entry) => {
                return Ok(stretch.clone().with(Values::zeros(&entry.dtype, range.len())));
            }
        };
        let reason = format!("{problem}; was [model] changed?");
        Err(CheckpointError::Mismatch { path: self.path.join(MANIFEST_FILE), reason })
    }

    /// Copies what `file` has of the stretches `to`.
    fn copy_from(
        &self,
        file: &str,
        entries: &BTreeMap<&str, &TensorEntry>,
        to: &mut [HostStretch],
    ) -> Result<(), CheckpointError> {
        // Each stretch with the part of its tensor that is here.
        let here = |(at, stretch): (usize, &HostStretch)| {
            let entry = entries[stretch.of.tensor.as_str()];
            let slice = entry.slices.iter().find(|slice| slice.file == file)?;
            let range = entry.range_of(slice)?;
            overlap(&range, &stretch.of.range).then(|| (at, slice.shape.clone(), range))
        };
        let needed: Vec<_> = to.iter().enumerate().filter_map(here).collect();
        if needed.is_empty() {
            return Ok(());
        }
        let path = self.path.join(file);
        let mut tensors: BTreeMap<String, HostTensor> = tensors::decode(&path, &self.read(file)?)?
            .into_iter()
            .map(|tensor| (tensor.name.clone(), tensor))
            .collect();
        for (at, shape, range) in needed {
            let stretch = &mut to[at];
            let tensor = tensors.remove(&stretch.of.tensor).filter(|it| it.shape == shape);
            let Some(tensor) = tensor.filter(|it| it.values.dtype() == stretch.values.dtype())
            else {
                let reason = format!(
                    "no {} tensor {:?} of shape {shape:?}, which manifest.json says is here",
                    stretch.values.dtype(),
                    stretch.of.tensor
                );
                return Err(CheckpointError::malformed(&path, reason));
            };
            stretch.take_from(range, tensor.values);
        }
        Ok(())
    }

    /// Every listed file that holds no tensors of the run, by name.
    pub fn attachments(&self) -> Result<BTreeMap<String, Vec<u8>>, CheckpointError> {
        let names = self.manifest.attachments();
        names.map(|name| Ok((name.to_owned(), self.read(name)?))).collect()
    }

    /// The bytes of a listed file, checked once more, so that what is parsed is what was written.
    pub fn read(&self, name: &str) -> Result<Vec<u8>, CheckpointError> {
        let path = self.path.join(name);
        let Some(entry) = self.manifest.file(name) else {
            return Err(CheckpointError::malformed(&path, "not listed in manifest.json"));
        };
        expect_size(&path, entry)?;
        let bytes = fs::read(&path).map_err(CheckpointError::io("read", &path))?;
        expect_digest(&path, &entry.sha256, sha256_of_bytes(&bytes), MANIFEST_FILE)?;
        Ok(bytes)
    }

    fn tensors(&self, name: &str) -> Result<Vec<HostTensor>, CheckpointError> {
        let path = self.path.join(name);
        let tensors = tensors::decode(&path, &self.read(name)?)?;
        let listed = self.manifest.tensors.iter().filter(|tensor| {
            tensor.slices.iter().all(|slice| slice.file == name && slice.shape == tensor.shape)
        });
        let wanted: Vec<_> =
            listed.map(|tensor| (tensor.name.clone(), tensor.shape.clone())).collect();
        tensors::arrange(&path, tensors, &wanted)
    }
}

fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start.max(b.start) < a.end.min(b.end)
}

fn check_file(folder: &Path, entry: &FileEntry) -> Result<(), CheckpointError> {
    let path = folder.join(&entry.name);
    expect_size(&path, entry)?;
    let (_, actual) = sha256_of_file(&path, |_| ()).map_err(|error| match error {
        DataError::Io { action, path, source } => CheckpointError::Io { action, path, source },
        other => CheckpointError::malformed(&path, other.to_string()),
    })?;
    expect_digest(&path, &entry.sha256, actual, MANIFEST_FILE)
}

pub(super) fn expect_size(path: &Path, entry: &FileEntry) -> Result<(), CheckpointError> {
    let actual = file_length(path)?;
    if actual == entry.bytes {
        return Ok(());
    }
    Err(CheckpointError::Size { path: path.to_path_buf(), expected: entry.bytes, actual })
}

fn file_length(path: &Path) -> Result<u64, CheckpointError> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(metadata.len()),
        Ok(_) => Err(CheckpointError::malformed(path, "not a file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(CheckpointError::Missing { path: path.to_path_buf() })
        }
        Err(error) => Err(CheckpointError::io("read", path)(error)),
    }
}

fn expect_digest(
    path: &Path,
    expected: &str,
    actual: String,
    recorded_in: &'static str,
) -> Result<(), CheckpointError> {
    if actual == expected {
        return Ok(());
    }
    let (path, expected) = (path.to_path_buf(), expected.to_owned());
    Err(CheckpointError::Digest { path, expected, actual, recorded_in })
}
