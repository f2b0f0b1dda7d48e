//! `[data]`: a dataset folder, raw files to ingest on first use, data the program generates, or several
//! datasets.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use genesis_data::dataset::corpus::ONLY_SOURCE;
use genesis_data::sequences::{GenerateSequences, SequencesIngest};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::keys::{MixtureChange, MixtureKeys, MixtureSource};
use crate::trainer::DATASET_FOLDER;

/// `[data]`: exactly one of the first four keys.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-may-change-on-resume" = "where the data lie; their digest must be the same, and weights of steps that are done"))]
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
    /// Several datasets by name, learned from in the ratio of their weights. A name is what the shuffling of its
    /// dataset is seeded by; that of a run with one dataset is `dataset`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub mixture: BTreeMap<String, MixtureSource>,
    /// What the weights of `mixture` count.
    #[serde(default, skip_serializing_if = "SequencesWeighting::is_samples")]
    pub weighting: SequencesWeighting,
    /// Other weights of `mixture` from steps on. One that begins where the run has not been yet may be added on
    /// resuming, and with it datasets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub change: Vec<MixtureChange>,
    /// Datasets of `mixture` whose validation split is measured; absent means those with a weight from the first
    /// step on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub validation: Vec<String>,
}

/// What the weights of a mixture count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SequencesWeighting {
    /// Samples.
    #[default]
    Samples,
    /// Tokens: samples are weighed by one over the mean number of their tokens. Blocks of a causal objective are
    /// equally long; documents of a masked one have the mean that their card says, cropped to the context.
    Tokens,
}

impl SequencesWeighting {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
    fn is_samples(&self) -> bool {
        *self == Self::Samples
    }
}

impl SequencesData {
    /// Where the datasets of a run in `run_dir` lie, or will lie, by name.
    pub fn folders(&self, run_dir: &Path) -> Vec<(String, PathBuf)> {
        if self.mixture.is_empty() {
            return vec![(ONLY_SOURCE.to_owned(), self.folder(run_dir))];
        }
        self.mixture.iter().map(|(name, it)| (name.clone(), it.dataset.clone())).collect()
    }

    /// What it says of several datasets.
    pub(crate) fn keys(&self) -> MixtureKeys<'_> {
        let Self { mixture: sources, change: changes, validation, .. } = self;
        MixtureKeys { sources, changes, validation }
    }

    /// Where the only dataset of a run in `run_dir` lies, or will lie.
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
