//! What can go wrong when a network of atoms is used.

use std::path::{Path, PathBuf};

use genesis_data::error::DataError;
use genesis_data::structures::NeighborError;
use genesis_model::equivariant::GraphError;

use crate::exchange::error::ExchangeError;

/// Why structures could not be measured, predicted or moved.
#[derive(Debug, thiserror::Error)]
pub enum StructuresError {
    /// Structures could not be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The model could not be read.
    #[error(transparent)]
    Model(#[from] ExchangeError),
    /// A batch does not fit the network.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// A structure does not fit the network.
    #[error("{place}: {source}")]
    Structure {
        /// File and line.
        place: String,
        /// What does not fit.
        source: GraphError,
    },
    /// Neighbours of a structure could not be found.
    #[error("{place}: {source}")]
    Neighbors {
        /// File and line.
        place: String,
        /// Why.
        source: NeighborError,
    },
    /// There is nothing to work on.
    #[error("{place}: {problem}")]
    Nothing {
        /// File or folder.
        place: String,
        /// What is missing, and what would fix it.
        problem: String,
    },
    /// An option has a value that cannot work.
    #[error("{option} is {value}, must be {allowed}")]
    Option {
        /// Its name.
        option: &'static str,
        /// Its value.
        value: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// A simulation left the numbers that mean anything.
    #[error(
        "step {step}: {problem}. The last good frame is that of step {good}, the last of {written} in \
         the trajectory; use a shorter time step, or relax the structure first"
    )]
    Exploded {
        /// Step, from 1.
        step: u64,
        /// What left all bounds.
        problem: String,
        /// The last step that had not.
        good: u64,
        /// Frames in the trajectory.
        written: u64,
    },
    /// The name of a file to write tells no format that can hold it.
    #[error("{}: no format is written under this extension; name it {known}", path.display())]
    Extension {
        /// File.
        path: PathBuf,
        /// Extensions that are known.
        known: &'static str,
    },
    /// What is to be computed is in the input already.
    #[error(
        "{place}: it has `{key}` already, the name of a result; name results otherwise, such as \
         --prefix again_"
    )]
    Taken {
        /// File and line.
        place: String,
        /// The key.
        key: String,
    },
    /// Two keys of a structure say different things of one label.
    #[error("{place}: {problem}")]
    Contradiction {
        /// File and line.
        place: String,
        /// Both values, and how to choose.
        problem: String,
    },
    /// What a file says of how a structure moves cannot be used.
    #[error("{place}: {problem}")]
    Motion {
        /// File and line.
        place: String,
        /// What is wrong, and what would fix it.
        problem: String,
    },
    /// The operating system refused.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What was being done, as a verb.
        action: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A table could not be written.
    #[error("{}: cannot write it: {reason}", path.display())]
    Table {
        /// File.
        path: PathBuf,
        /// What the writer said.
        reason: String,
    },
}

impl StructuresError {
    /// An [`StructuresError::Io`], for `map_err`.
    pub fn io(path: &Path, action: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { path, action, source }
    }
}
