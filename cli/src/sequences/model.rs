//! Opening a model for the commands that use one.

use std::path::Path;

use genesis_train::sequences::inference::SequencesModel;

use crate::exit::{Code, OrExit};

/// Opens a run folder, a checkpoint or a Hugging Face folder.
pub(super) fn open(path: &Path) -> anyhow::Result<SequencesModel> {
    SequencesModel::open(path).or_exit(Code::Data)
}
