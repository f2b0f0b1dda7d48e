//! Keys of `[data]` for several datasets, which every family has.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::Found;

/// `[data.mixture.NAME]`: one of several datasets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MixtureSource {
    /// A dataset folder made by `genesis ingest`.
    pub dataset: PathBuf,
    /// Its share from the first step on, a whole number beside those of the others: 7 and 3 are 70 % and 30 %. 0
    /// begins with a later change.
    pub weight: u64,
}

/// `[[data.change]]`: other weights from a step on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MixtureChange {
    /// Steps done before it.
    pub from_step: u64,
    /// Weights by name; a dataset that is not named has none from then on.
    pub weights: BTreeMap<String, u64>,
}

/// What a run file says of several datasets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MixtureKeys<'a> {
    pub(crate) sources: &'a BTreeMap<String, MixtureSource>,
    pub(crate) changes: &'a [MixtureChange],
    pub(crate) validation: &'a [String],
}

impl MixtureKeys<'_> {
    /// Weights from steps on, as they are written.
    pub(crate) fn stretches(&self) -> Vec<(u64, BTreeMap<String, u64>)> {
        let first = self.sources.iter().map(|(name, source)| (name.clone(), source.weight));
        let later = self.changes.iter().map(|change| (change.from_step, change.weights.clone()));
        std::iter::once((0, first.collect())).chain(later).collect()
    }

    /// Datasets that are measured on: those that are named, or that have a weight from the first step on, so
    /// that a dataset which is added later changes no loss that was measured.
    pub(crate) fn measured(&self) -> Vec<String> {
        if !self.validation.is_empty() {
            return self.validation.to_vec();
        }
        let begins =
            |(name, source): (&String, &MixtureSource)| (source.weight > 0).then(|| name.clone());
        self.sources.iter().filter_map(begins).collect()
    }
}

impl Found {
    /// `steps` are those of the run.
    pub(crate) fn check_mixture(&mut self, keys: MixtureKeys<'_>, steps: u64) {
        let MixtureKeys { sources, changes, validation } = keys;
        for (key, given) in
            [("data.change", !changes.is_empty()), ("data.validation", !validation.is_empty())]
        {
            self.require(!given || !sources.is_empty(), key, || {
                "is only for several datasets, in `data.mixture`; remove the key".to_owned()
            });
        }
        if sources.is_empty() {
            return;
        }
        for name in sources.keys() {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            self.require(!name.is_empty() && name.chars().all(plain), "data.mixture", || {
                format!("{name:?} is no name of a dataset; use letters, digits, `-` and `_`")
            });
        }
        self.require(sources.values().any(|it| it.weight > 0), "data.mixture", || {
            "no dataset has a weight above 0, so there is nothing to begin with".to_owned()
        });
        self.check_changes(keys, steps);
        for name in validation.iter().filter(|name| !sources.contains_key(*name)) {
            self.require(false, "data.validation", || not_there(name, keys));
        }
        for name in sources.keys() {
            let has = keys.stretches().iter().any(|it| it.1.get(name).is_some_and(|&w| w > 0));
            self.require(has || validation.contains(name), "data.mixture", || {
                format!(
                    "{name} has weight 0 from the first step to the last; give it one, in a `[[data.change]]` \
                     perhaps, or remove it"
                )
            });
        }
    }

    fn check_changes(&mut self, keys: MixtureKeys<'_>, steps: u64) {
        let mut before = 0;
        for (at, change) in keys.changes.iter().enumerate() {
            let (table, from) = (format!("data.change[{at}]"), change.from_step);
            self.require(from > before, &format!("{table}.from_step"), || {
                format!("is {from}, must be above {before}, where the weights before it begin")
            });
            self.require(from < steps, &format!("{table}.from_step"), || {
                format!("is {from}, but the run has {steps} steps (`schedule.steps`)")
            });
            self.require(
                change.weights.values().any(|&it| it > 0),
                &format!("{table}.weights"),
                || "has no weight above 0, so there is nothing to learn from".to_owned(),
            );
            for name in change.weights.keys().filter(|name| !keys.sources.contains_key(*name)) {
                self.require(false, &format!("{table}.weights"), || not_there(name, keys));
            }
            before = before.max(from);
        }
    }
}

fn not_there(name: &str, keys: MixtureKeys<'_>) -> String {
    let known: Vec<&str> = keys.sources.keys().map(String::as_str).collect();
    format!("names {name:?}, but `data.mixture` has {}", known.join(", "))
}
