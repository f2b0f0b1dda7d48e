//! The data of a run: which datasets, in which order, and which of them are measured on.
//!
//! One dataset is a mixture of one. Not here: whether datasets fit together, which each family says.

use std::collections::BTreeMap;

use genesis_data::dataset::corpus::ONLY_SOURCE;
use genesis_data::dataset::mixture::shares::{Mean, by_units};
use genesis_data::dataset::mixture::{PackingPlan, SourcePlan, StretchPlan};
use genesis_data::dataset::opened::Readable;
use genesis_data::dataset::{Corpus, Member, MixturePlan};

use crate::keys::{ConfigProblem, MixtureKeys};

/// The data of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blend {
    /// Sources and their weights.
    pub mixture: MixturePlan,
    /// Names of those that are measured on, in order.
    pub measured: Vec<String>,
}

impl Blend {
    /// One dataset.
    pub fn sole(digest: &str) -> Self {
        Self {
            mixture: MixturePlan::sole(ONLY_SOURCE, digest),
            measured: vec![ONLY_SOURCE.to_owned()],
        }
    }

    /// Several, as `keys` say. With `means` of samples, in the order of `corpus`, weights are by what samples are made
    /// of.
    ///
    /// # Errors
    /// Weights of too many parts.
    pub(crate) fn of<P: Readable>(
        corpus: &Corpus<P>,
        keys: MixtureKeys<'_>,
        means: Option<&[Mean]>,
    ) -> Result<Self, ConfigProblem> {
        let names: Vec<&str> = corpus.members().iter().map(|it| it.name.as_str()).collect();
        let stretch = |(from_step, weights): (u64, BTreeMap<String, u64>)| {
            let weights = names.iter().map(|&name| weights.get(name).copied().unwrap_or(0));
            let weights: Vec<u64> = weights.collect();
            let by_samples = means.map_or_else(|| weights.clone(), |it| by_units(&weights, it));
            StretchPlan::new(from_step, names.iter().copied().zip(by_samples))
        };
        let source = |it: &Member<P>| SourcePlan::new(&it.name, it.dataset.digest());
        let mixture = MixturePlan {
            sources: corpus.members().iter().map(source).collect(),
            stretches: keys.stretches().into_iter().map(stretch).collect(),
        };
        let checked = mixture.mixture(1);
        checked.map_err(|error| ConfigProblem::at("data.mixture", error.to_string()))?;
        Ok(Self { mixture, measured: keys.measured() })
    }

    /// The same with the documents of each source packed, in order; of none if there are no `plans`.
    #[must_use]
    pub(crate) fn packed(mut self, plans: impl Iterator<Item = PackingPlan>) -> Self {
        for (source, plan) in self.mixture.sources.iter_mut().zip(plans) {
            source.packing = Some(plan);
        }
        self
    }

    /// Whether it is one dataset alone.
    fn is_sole(&self) -> bool {
        let [only] = self.mixture.sources.as_slice() else { return false };
        only.name == ONLY_SOURCE && self.mixture.stretches.len() == 1
    }

    /// Whether the digest of its only dataset says all: nothing is mixed, nothing is packed.
    pub fn is_plain(&self) -> bool {
        self.is_sole() && self.mixture.sources[0].packing.is_none()
    }

    /// What stands for the data of the run: the digest of the only dataset, or that of the plan.
    pub fn digest(&self) -> String {
        if self.is_plain() {
            return self.mixture.sources[0].digest.clone();
        }
        self.mixture.digest()
    }

    /// Places of the measured ones in `corpus`.
    pub(crate) fn measured_in<P: Readable>(&self, corpus: &Corpus<P>) -> Vec<usize> {
        let is_measured = |name: &String| self.measured.contains(name);
        let all = corpus.members().iter().enumerate();
        all.filter(|(_, member)| is_measured(&member.name)).map(|(place, _)| place).collect()
    }

    /// The measured ones.
    pub(crate) fn measured_of<'c, P: Readable>(
        &self,
        corpus: &'c Corpus<P>,
    ) -> impl Iterator<Item = &'c Member<P>> {
        self.measured_in(corpus).into_iter().map(|place| &corpus.members()[place])
    }

    /// Those that have a weight from the first step on.
    pub(crate) fn begins_with<'c, P: Readable>(
        &self,
        corpus: &'c Corpus<P>,
    ) -> impl Iterator<Item = (&'c Member<P>, u64)> {
        let first = self.mixture.stretch(0).weights.clone();
        let all = corpus.members().iter();
        all.filter_map(move |member| Some((member, *first.get(&member.name)?)))
    }

    /// A line for every stretch: weights and shares of samples.
    pub(crate) fn facts(&self) -> Vec<(&'static str, String)> {
        if self.is_sole() {
            return Vec::new();
        }
        let share = |stretch: &StretchPlan| {
            let all: u64 = stretch.weights.values().sum();
            let said = stretch.weights.iter().map(|(name, &weight)| {
                format!("{name} {weight} ({:.2} %)", 100.0 * weight as f64 / all as f64)
            });
            said.collect::<Vec<_>>().join(", ")
        };
        let stretch = |it: &StretchPlan| {
            ("Mixture, by samples", format!("from step {}: {}", it.from_step + 1, share(it)))
        };
        let source = |it: &SourcePlan| ("Source", format!("{}: {}", it.name, it.digest));
        let stretches = self.mixture.stretches.iter().map(stretch);
        let sources = self.mixture.sources.iter().map(source);
        let measured = ("Measured on", self.measured.join(", "));
        stretches.chain(sources).chain([measured]).collect()
    }
}
