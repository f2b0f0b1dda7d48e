//! What a family of models adds to the loop: its batches, its gradients, its evaluation.
//!
//! The loop asks a [`Task`] for numbers and never looks inside a batch, so it has no branches on
//! what is learned. Not here: schedules, optimizers, checkpoints, which all families share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use burn::tensor::{FloatDType, Tensor};
use genesis_data::dataset::Loader;
use genesis_kernels::Kernels;
use genesis_model::{ParamSpec, Params};
use genesis_schema::Sample;

use super::course::Course;
use super::error::TrainError;
use crate::cluster::Cluster;
use crate::report::Figures;
use crate::report::audit::Delivered;
use crate::trainer::gate::Trial;

/// Loss of a step, or a part of it, and its gradients in the order of the specs.
pub(crate) type Gradients<B> = (f64, Vec<Tensor<B, 1>>);

/// What a step holds in numbers that add up over its parts and over ranks; each family says which.
pub(crate) type Tally = Vec<f64>;

/// Batches of one rank whose gradients are summed in the order they have.
#[derive(Debug)]
pub struct Part<'a, S> {
    /// Its number among the parts of this rank.
    pub number: usize,
    /// Its batches.
    pub slices: &'a [S],
}

/// What is learned from what.
pub trait Task<B: Kernels> {
    /// Part of a step whose gradients are made at once.
    type Slice: Send + 'static;

    /// What makes the data.
    type Loader: Loader<Batch = Self::Slice>;

    /// What the parity gate computes.
    type Trial: Trial;

    /// What "samples" are called in messages.
    fn samples_are(&self) -> &'static str;

    /// Parameters of the network.
    fn specs(&self) -> Arc<[ParamSpec]>;

    /// Type of parameters, gradients and moments.
    fn dtype(&self) -> FloatDType;

    /// Where everything is computed.
    fn device(&self) -> &B::Device;

    /// The data, step by step.
    fn loader(&self) -> &Arc<Self::Loader>;

    /// What `slices` hold.
    fn tally(&self, slices: &[Self::Slice]) -> Tally;

    /// What `part` adds to the loss of the step numbered `step` from 0, and to its gradients. `whole` is the
    /// tally of the step over all ranks, by which a mean divides.
    fn gradients(
        &self,
        step: u64,
        params: &Params<B>,
        part: &Part<'_, Self::Slice>,
        whole: &Tally,
    ) -> Result<Gradients<B>, TrainError>;

    /// A few samples of a step for the parity gate; `None` when none of them has a label.
    fn trial(&self, slices: &[Self::Slice]) -> Option<Self::Trial>;

    /// Tokens or atoms of a step.
    fn size(&self, whole: &Tally) -> u64;

    /// Rates of a step that took `seconds`, and the `seen` tokens or atoms since step 0.
    fn rates(&self, whole: &Tally, seconds: f64, seen: u64) -> Figures;

    /// Samples in `slices`.
    fn sample_ids(&self, slices: &[Self::Slice]) -> Vec<u64>;

    /// Samples in a slice, with what they held.
    fn delivered(&self, slice: &Self::Slice) -> Vec<Delivered>;

    /// Measures `params` on held-out data after `step` updates, each rank on its share; `None` when `stop`
    /// was set on any rank meanwhile or there is nothing to measure on.
    fn evaluate(
        &self,
        step: u64,
        params: &Params<B>,
        cluster: &Cluster,
        stop: &AtomicBool,
    ) -> Result<Option<Measurement>, TrainError>;

    /// Files that travel with every checkpoint.
    fn attachments(&self) -> Result<BTreeMap<String, Vec<u8>>, TrainError>;
}

/// What is done with the task of a run, whatever family it is of.
pub trait Work {
    /// What comes of it.
    type Output;

    /// Does it with `task`, which follows `course`.
    ///
    /// # Errors
    /// [`TrainError`]
    fn on<B: Kernels, T: Task<B>>(
        self,
        course: &Course,
        task: &T,
    ) -> Result<Self::Output, TrainError>;
}

/// What an evaluation found.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// What is to be lowered.
    pub loss: f64,
    /// The same of each dataset by name, where several are measured.
    pub of_sources: BTreeMap<String, f64>,
    /// What makes it readable.
    pub figures: Figures,
    /// A sentence for the first evaluation of a run.
    pub baseline: Option<String>,
}

/// A sample of the dataset called `source`, by what it held.
pub(crate) fn delivered(sample: &Sample, source: &str, content: &[u8]) -> Delivered {
    Delivered {
        position: sample.position,
        source: source.to_owned(),
        epoch: sample.epoch,
        index: sample.index,
        content: Delivered::content_of(content),
    }
}
