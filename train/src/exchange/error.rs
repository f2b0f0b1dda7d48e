//! What can go wrong between a Genesis checkpoint and a foreign folder. Every variant names the
//! file, the tensor or key, both values that disagree, and what would fix it.

use std::path::{Path, PathBuf};

/// Errors of export, import and check.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// The operating system refused to read or write.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What was being done, as a verb phrase.
        action: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file was read but is not what its name says.
    #[error("{}: {problem}\nhint: {fix}", path.display())]
    Malformed {
        /// File.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What would fix it.
        fix: String,
    },
    /// The tensors of a folder are not those its configuration asks for; all of them at once.
    #[error(
        "{}: the tensors do not fit config.json:{}\n\
         hint: the weights and the config.json do not belong together, or one of them was edited",
        file.display(), listed(problems)
    )]
    Misfit {
        /// Weight file or index.
        file: PathBuf,
        /// One entry per tensor.
        problems: Vec<TensorProblem>,
    },
    /// A parameter is stored in a type that is not a float of 16, 32 or 64 bits.
    #[error(
        "{}: tensor `{tensor}` is stored as {dtype}; parameters must be F32, F16, BF16 or F64\n\
         hint: quantised weights are not read; export the original ones",
        file.display()
    )]
    Dtype {
        /// Weight file.
        file: PathBuf,
        /// Name in the file.
        tensor: String,
        /// Type in the file.
        dtype: String,
    },
    /// A parameter holds NaN or infinity.
    #[error(
        "{}: tensor `{tensor}`: element {index} is {value}; a model with such a weight answers NaN \
         everywhere\nhint: the file is damaged or its training diverged; take an earlier one",
        file.display()
    )]
    NotFinite {
        /// Weight file.
        file: PathBuf,
        /// Name in the file.
        tensor: String,
        /// Flat index, row-major.
        index: usize,
        /// The value, as text.
        value: f32,
    },
    /// The model that was written does not answer like the one it was made from.
    #[error(
        "{}: logits of the folder read back differ from the trained model by {figure:e}, more than \
         {bound:e}: {because}\nhint: nothing was kept; this is a bug of export, please report it with \
         the checkpoint's config.json",
        path.display()
    )]
    LogitsDiffer {
        /// Folder that was being written.
        path: PathBuf,
        /// Largest absolute difference.
        figure: f64,
        /// Largest difference allowed.
        bound: f64,
        /// Where the bound comes from.
        because: &'static str,
    },
    /// The network of atoms that was written does not answer like the one it was made from.
    #[error(
        "{}: predictions of the folder read back differ from the model's by {figure:e} of their \
         size, more than {bound:e}: {because}\nhint: nothing was kept; this is a bug of export, \
         please report it with the checkpoint's manifest.json",
        path.display()
    )]
    PredictionsDiffer {
        /// Folder that was being written.
        path: PathBuf,
        /// Largest relative difference.
        figure: f64,
        /// Largest difference allowed.
        bound: f64,
        /// Where the bound comes from.
        because: &'static str,
    },
    /// The output is there already.
    #[error("{} exists already\nhint: choose another folder, or remove it", path.display())]
    Exists {
        /// Output folder.
        path: PathBuf,
    },
    /// Nothing at this path is a model.
    #[error(
        "{} is not a model: {because}\nhint: give a run folder, a checkpoint folder \
         (…/checkpoints/step-…) or a folder with config.json and model.safetensors",
        path.display()
    )]
    NotAModel {
        /// Path that was given.
        path: PathBuf,
        /// What was looked for.
        because: String,
    },
    /// The model cannot do what was asked.
    #[error("{}: {problem}", path.display())]
    Unsuitable {
        /// Model or oracle.
        path: PathBuf,
        /// Why, and what would fix it.
        problem: String,
    },
    /// The checkpoint could not be read or written.
    #[error(transparent)]
    Checkpoint(#[from] crate::checkpoint::CheckpointError),
}

/// What is wrong with one tensor of a folder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TensorProblem {
    /// The configuration asks for it and no file holds it.
    #[error("tensor `{tensor}` {want:?} is missing")]
    Missing {
        /// Canonical Hugging Face name.
        tensor: String,
        /// Shape the configuration implies.
        want: Vec<usize>,
    },
    /// A file holds it and the configuration has no place for it.
    #[error("tensor `{tensor}` {got:?} has no place in this architecture and would be dropped")]
    Unknown {
        /// Name in the file.
        tensor: String,
        /// Shape in the file.
        got: Vec<usize>,
    },
    /// Two names of the file mean the same parameter.
    #[error("tensors `{first}` and `{second}` are both the parameter `{parameter}`")]
    Duplicate {
        /// Canonical Hugging Face name.
        parameter: String,
        /// One name in the file.
        first: String,
        /// The other.
        second: String,
    },
    /// The shapes differ.
    #[error("tensor `{tensor}` is {got:?} but config.json makes it {want:?}")]
    Shape {
        /// Name in the file.
        tensor: String,
        /// Shape in the file.
        got: Vec<usize>,
        /// Shape the configuration implies.
        want: Vec<usize>,
    },
    /// Tied to another parameter by the configuration, and different from it.
    #[error(
        "tensor `{tensor}` differs from `{parameter}`, to which config.json ties it; set \
         `tie_word_embeddings` to false if it is a parameter of its own"
    )]
    NotTied {
        /// Name in the file.
        tensor: String,
        /// Canonical name of the parameter it should equal.
        parameter: String,
    },
}

/// Longest list of tensors in one message.
const LISTED: usize = 20;

fn listed(problems: &[TensorProblem]) -> String {
    let mut lines: Vec<String> = problems.iter().take(LISTED).map(ToString::to_string).collect();
    if problems.len() > LISTED {
        lines.push(format!("and {} more", problems.len() - LISTED));
    }
    format!("\n  - {}", lines.join("\n  - "))
}

impl ExchangeError {
    /// Names `path` and `action` in an input/output error.
    pub(crate) fn io(
        path: &Path,
        action: &'static str,
    ) -> impl FnOnce(std::io::Error) -> ExchangeError {
        let path = path.to_path_buf();
        move |source| ExchangeError::Io { path, action, source }
    }

    /// A file that is not what its name says.
    pub(crate) fn malformed(
        path: &Path,
        problem: impl Into<String>,
        fix: impl Into<String>,
    ) -> ExchangeError {
        ExchangeError::Malformed {
            path: path.to_path_buf(),
            problem: problem.into(),
            fix: fix.into(),
        }
    }

    /// A model or oracle that cannot do what was asked.
    pub(crate) fn unsuitable(path: &Path, problem: impl Into<String>) -> ExchangeError {
        ExchangeError::Unsuitable { path: path.to_path_buf(), problem: problem.into() }
    }
}
