//! Checkpoints that survive a kill at any instant and cannot lie about what they hold.
//!
//! Reading order: [`mod@format`] (what is in the folder), [`mod@save`], [`mod@sweep`], [`load`], [`retention`];
//! [`tensors`] turns safetensors bytes into host tensors, [`stretch`] says what a rank holds of them, [`disk`] is every write to the disk,
//! [`naming`] the folder names, `host` the way between device and host.
//!
//! What a kill leaves: the folder of a step exists under its final name only after all its files
//! are on disk, and counts as a checkpoint only once `COMMITTED` holds its manifest's digest.
//! Not here: what a run does with a checkpoint (`trainer`), formats of other programs (`exchange`).

pub mod disk;
pub mod error;
pub mod format;
pub(crate) mod host;
pub mod load;
pub mod naming;
pub mod retention;
pub mod save;
pub mod stretch;
pub mod sweep;
pub mod tensors;

pub use disk::{Disk, RealDisk};
pub use error::CheckpointError;
pub use format::{
    Best, Description, FileEntry, MANIFEST_FILE, Manifest, Metrics, PlateauState, Running, Slice,
    TensorEntry, Watched,
};
pub use load::{Checkpoint, Latest, Rejection, best, latest, open};
pub use naming::FolderName;
pub use retention::{Kept, PINNED_FILE, Reason, Retention, kept, retain};
pub use save::{Begun, Contents, Saving, Written, replace, save, save_as, write_slice};
pub use stretch::{HostStretch, Stretch};
pub use tensors::{HostTensor, Stored, Values};
