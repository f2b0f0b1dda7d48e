//! The plan of a mixture: sources by name and digest, and their weights from declared steps on.
//!
//! Its digest stands for the data of a run, as that of the card does where there is one dataset. Two
//! plans agree up to a step when everything that was learned from before it is the same. Not here: where
//! datasets lie, and how weights were said.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Mixture;
use super::turns::{MOST_PARTS, Turns, common_factor};
use crate::dataset::card::sha256_of_bytes;
use crate::error::{DataError, Result};

/// What a run learns from, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MixturePlan {
    /// By name, ascending.
    pub sources: Vec<SourcePlan>,
    /// By first step, ascending; the first begins at 0.
    pub stretches: Vec<StretchPlan>,
}

/// A dataset of a mixture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourcePlan {
    /// Its name, from which its seeds are derived.
    pub name: String,
    /// SHA-256 of its card.
    pub digest: String,
    /// How its documents are packed in rows; absent where they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packing: Option<PackingPlan>,
}

/// Documents of a source packed in rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackingPlan {
    /// Most tokens of a row.
    pub context: u64,
    /// Documents that are packed together.
    pub window: u64,
    /// Rows of an epoch.
    pub rows: u64,
    /// SHA-256 of the rows of every window, and of what they follow from.
    pub digest: String,
}

/// Steps with fixed weights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StretchPlan {
    /// Steps done before it.
    pub from_step: u64,
    /// Weights by samples, without a common factor; sources of weight 0 are left out.
    pub weights: BTreeMap<String, u64>,
}

impl MixturePlan {
    /// A run with one dataset.
    pub fn sole(name: &str, digest: &str) -> Self {
        Self {
            sources: vec![SourcePlan::new(name, digest)],
            stretches: vec![StretchPlan::new(0, [(name, 1)])],
        }
    }

    /// SHA-256 of the plan as compact JSON.
    pub fn digest(&self) -> String {
        let text = serde_json::to_vec(self).expect("names and numbers");
        sha256_of_bytes(&text)
    }

    /// The stretch of the step numbered `step` from 0.
    pub fn stretch(&self, step: u64) -> &StretchPlan {
        let behind = self.stretches.partition_point(|stretch| stretch.from_step <= step);
        &self.stretches[behind.saturating_sub(1)]
    }

    /// The order it describes, for steps of `per_step` samples.
    ///
    /// # Errors
    /// Weights of more than [`MOST_PARTS`] parts, a stretch without any, steps that do not rise from 0, or a
    /// step beyond counting; with the values.
    pub fn mixture(&self, per_step: u64) -> Result<Mixture> {
        let stretches = self.stretches.iter().map(|stretch| {
            let first = stretch.from_step.checked_mul(per_step).ok_or_else(|| {
                let problem =
                    format!("step {} of {per_step} samples passes 2^64", stretch.from_step);
                DataError::invalid("data.change.from_step", problem, "choose an earlier step")
            })?;
            Ok((first, self.turns(stretch)?))
        });
        let stretches = stretches.collect::<Result<Vec<_>>>()?;
        let rising = stretches.windows(2).all(|pair| pair[0].0 < pair[1].0);
        if !rising || stretches.first().is_none_or(|it| it.0 != 0) {
            let steps: Vec<u64> = self.stretches.iter().map(|it| it.from_step).collect();
            let problem = format!("weights begin at the steps {steps:?}");
            let fix = "let the first be 0 and each follow the one before";
            return Err(DataError::invalid("data.change.from_step", problem, fix));
        }
        Ok(Mixture::new(stretches))
    }

    fn turns(&self, stretch: &StretchPlan) -> Result<Turns> {
        let weight = |it: &SourcePlan| stretch.weights.get(&it.name).copied().unwrap_or(0);
        let weights: Vec<u64> = self.sources.iter().map(weight).collect();
        Turns::new(&weights).ok_or_else(|| {
            let (step, sum) = (stretch.from_step, weights.iter().sum::<u64>());
            let problem = format!(
                "the weights from step {step} on have the sum {sum} without a common factor; it must be from 1 to \
                 {MOST_PARTS}"
            );
            let fix = "choose smaller whole numbers, such as 70 and 30";
            DataError::invalid("data.mixture.weight", problem, fix)
        })
    }

    /// What `now` changes in the steps that are done when `steps_done` are: empty if nothing.
    pub fn changed_past(&self, now: &Self, steps_done: u64) -> Vec<String> {
        let (before, now) = (self.past(steps_done), now.past(steps_done));
        if before == now {
            return Vec::new();
        }
        let first = before.iter().zip(&now).position(|(a, b)| a != b);
        let first = first.unwrap_or(before.len().min(now.len()));
        let said =
            |of: &[Past<'_>]| of.get(first).map_or("nothing else".to_owned(), Past::in_words);
        vec![format!(
            "the data of the {steps_done} steps that are done were {} and are now {}",
            said(&before),
            said(&now)
        )]
    }

    /// What `now` declares for steps that are not done yet, in words; empty if it is as it was.
    pub fn declared(&self, now: &Self, steps_done: u64) -> Vec<String> {
        if self == now {
            return Vec::new();
        }
        let known = |plan: &Self, it: &SourcePlan| plan.sources.contains(it);
        let said = |it: &SourcePlan| format!("{} ({})", it.name, short(&it.digest));
        let added = now.sources.iter().filter(|it| !known(self, it));
        let added = added.map(|it| format!("source {} is new", said(it)));
        let gone = self.sources.iter().filter(|it| !known(now, it));
        let gone = gone.map(|it| format!("source {} is gone", said(it)));
        let coming = |plan: &Self| plan.coming(steps_done);
        let stretches = (coming(self) != coming(now)).then(|| match coming(now).as_slice() {
            [] => "weights stay as they are to the end".to_owned(),
            later => later.join("; "),
        });
        added.chain(gone).chain(stretches).collect()
    }

    /// Stretches that begin after `steps_done` steps or later.
    fn coming(&self, steps_done: u64) -> Vec<String> {
        let later = self.stretches.iter().filter(|it| it.from_step >= steps_done.max(1));
        later.map(|it| format!("from step {} on {}", it.from_step + 1, it.in_words())).collect()
    }

    fn past(&self, steps_done: u64) -> Vec<Past<'_>> {
        let done = self.stretches.iter().filter(|it| it.from_step < steps_done);
        let source = |name: &str| self.sources.iter().find(|it| it.name == name);
        let of = |it: &'_ StretchPlan| -> BTreeMap<String, (u64, Option<&SourcePlan>)> {
            let weights = it.weights.iter();
            weights.map(|(name, weight)| (name.clone(), (*weight, source(name)))).collect()
        };
        done.map(|stretch| Past { stretch, weights: of(stretch) }).collect()
    }
}

impl SourcePlan {
    /// A dataset whose documents are not packed.
    pub fn new(name: &str, digest: &str) -> Self {
        Self { name: name.to_owned(), digest: digest.to_owned(), packing: None }
    }

    /// `digest 0123456789ab`, and how it is packed.
    fn in_words(&self) -> String {
        let digest = format!("digest {}", short(&self.digest));
        match &self.packing {
            None => digest,
            Some(PackingPlan { context, window, rows, digest: packed }) => format!(
                "{digest}, packed in {rows} rows of {context} tokens from windows of {window} documents, digest {}",
                short(packed)
            ),
        }
    }
}

impl StretchPlan {
    /// `weights` from `from_step` on, divided by their common factor.
    pub fn new<'n>(from_step: u64, weights: impl IntoIterator<Item = (&'n str, u64)>) -> Self {
        let weights = weights.into_iter().filter(|(_, weight)| *weight > 0);
        let mut weights: BTreeMap<String, u64> =
            weights.map(|(name, weight)| (name.to_owned(), weight)).collect();
        let factor = weights.values().fold(0, |a, &b| common_factor(a, b)).max(1);
        for weight in weights.values_mut() {
            *weight /= factor;
        }
        Self { from_step, weights }
    }

    /// `corpus 3, reviews 1`.
    pub fn in_words(&self) -> String {
        let said: Vec<String> =
            self.weights.iter().map(|(name, w)| format!("{name} {w}")).collect();
        said.join(", ")
    }
}

/// A stretch of which steps are done.
struct Past<'a> {
    stretch: &'a StretchPlan,
    /// Weight and dataset by name.
    weights: BTreeMap<String, (u64, Option<&'a SourcePlan>)>,
}

impl PartialEq for Past<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.stretch.from_step == other.stretch.from_step && self.weights == other.weights
    }
}

impl Past<'_> {
    fn in_words(&self) -> String {
        let said = self.weights.iter().map(|(name, (weight, source))| {
            format!("{name} {weight} ({})", source.map(SourcePlan::in_words).unwrap_or_default())
        });
        let said: Vec<String> = said.collect();
        format!("{} from step {} on", said.join(", "), self.stretch.from_step + 1)
    }
}

fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}
