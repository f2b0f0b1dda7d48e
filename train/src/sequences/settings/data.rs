//! `[data]`: a dataset folder, raw files to ingest on first use, or data the program generates.

use std::path::{Path, PathBuf};

use genesis_data::sequences::{GenerateSequences, SequencesIngest};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::trainer::DATASET_FOLDER;

/// `[data]`: exactly one of the three keys.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-may-change-on-resume" = "where the data lie; their digest must be the same"))]
pub struct SequencesData {
    /// A dataset folder made by `genesis ingest`. `${NAME}` is expanded from the environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<PathBuf>,
    /// Raw files, ingested into `<run.dir>/dataset` on first use; the options of
    /// `genesis ingest`. `${NAME}` is expanded in `inputs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SequencesIngest>,
    /// Data the program makes itself, written to `<run.dir>/dataset` on first use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generate: Option<GenerateSequences>,
}

impl SequencesData {
    /// Where the dataset of a run in `run_dir` lies, or will lie.
    pub fn folder(&self, run_dir: &Path) -> PathBuf {
        self.dataset.clone().unwrap_or_else(|| run_dir.join(DATASET_FOLDER))
    }

    /// How the dataset is made; `None` if it is there already.
    pub fn ingest_plan(&self, run_dir: &Path) -> Option<SequencesIngest> {
        let output = self.folder(run_dir);
        match (&self.source, &self.generate) {
            (Some(source), _) => Some(SequencesIngest { output, ..source.clone() }),
            (None, Some(generate)) => Some(SequencesIngest::of_generated(generate.clone(), output)),
            (None, None) => None,
        }
    }
}
