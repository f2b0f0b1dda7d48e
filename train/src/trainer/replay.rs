//! A step that could not be trusted, computed again from its capsule on one rank: the share of each rank of that run in
//! turn, in the slices that it had, since random numbers such as those of dropout depend on them.

use genesis_data::dataset::Loader as _;
use genesis_kernels::Kernels;
use genesis_model::Params;
use serde::Serialize;

use super::capsule::{Capsule, Told};
use super::course::Course;
use super::error::TrainError;
use super::next_step;
use super::optim::GradientNorm;
use super::share::RankOf;
use super::state::params_of;
use super::sums::Add;
use super::task::{Part, Tally, Task, Work};
use super::watch::Watch;
use crate::checkpoint::Checkpoint;
use crate::checkpoint::host::to_f64;
use crate::cluster::Cluster;

/// What came of a step that was computed again.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Replayed {
    /// Loss of the step.
    pub loss: Told,
    /// Norm of its gradients.
    pub grad_norm: Told,
    /// Norm of the gradient of each parameter, by name.
    pub gradients: Vec<(String, Told)>,
    /// Why it would not be trusted, if so.
    pub fault: Option<String>,
    /// The shares of the ranks, the first one first.
    pub ranks: Vec<Shared>,
    /// What samples are called: documents, structures.
    pub samples_are: &'static str,
}

/// The share of a rank in a step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shared {
    /// What it adds to the loss.
    pub loss: Told,
    /// Its slices, each computed alone.
    pub slices: Vec<Found>,
}

/// What a slice adds to a step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found {
    /// To its loss.
    pub loss: Told,
    /// Norm of what it adds to the gradients.
    pub grad_norm: Told,
    /// Samples in it, by their numbers in the training split.
    pub samples: Vec<u64>,
}

/// Computes the step of the capsule in `kept` again; `with` does the work of a rank with its task.
///
/// # Errors
/// The capsule is damaged, or its data cannot be read.
pub(crate) fn replay(
    kept: &Checkpoint,
    with: impl Fn(&RankOf<'_>, Replaying<'_>) -> Result<OfRank, TrainError>,
) -> Result<Replayed, TrainError> {
    let capsule = Capsule::of(kept)?;
    let (alone, world) = (Cluster::alone(), capsule.hosts.len());
    let of_rank = |rank, whole: Option<&Tally>| {
        with(&RankOf::of_another(&alone, rank, world), Replaying { kept, whole })
    };
    let mut whole = Tally::default();
    for rank in 0..world {
        let tally = of_rank(rank, None)?.tally;
        whole = if whole.is_empty() { tally } else { whole.add(tally) };
    }
    let (mut sum, mut ranks, mut samples_are) = (Vec::new(), Vec::new(), "samples");
    for rank in 0..world {
        let found = of_rank(rank, Some(&whole))?;
        sum = if sum.is_empty() { found.gradients } else { sum_of(sum, found.gradients) };
        ranks.push(found.share);
        samples_are = found.samples_are;
    }
    let norms = sum.iter().map(|values| values.iter().map(|it| it * it).sum::<f64>());
    let squares: Vec<f64> = norms.collect();
    let (loss, norm) = (ranks.iter().map(|it| it.loss.0).sum(), squares.iter().sum::<f64>().sqrt());
    let names = capsule.first.gradients.iter().map(|(name, _)| name.clone());
    Ok(Replayed {
        loss: Told(loss),
        grad_norm: Told(norm),
        gradients: names.zip(squares.iter().map(|it| Told(it.sqrt()))).collect(),
        fault: fault(&capsule, loss, norm),
        ranks,
        samples_are,
    })
}

/// What is done for a rank: where the `whole` step is known, its share of loss and gradients; else it is counted.
pub(crate) struct Replaying<'a> {
    kept: &'a Checkpoint,
    whole: Option<&'a Tally>,
}

/// What a rank has of a step, with its gradients by parameter.
pub(crate) struct OfRank {
    tally: Tally,
    share: Shared,
    gradients: Vec<Vec<f64>>,
    samples_are: &'static str,
}

impl Work for Replaying<'_> {
    type Output = OfRank;

    fn on<B: Kernels, T: Task<B>>(self, _: &Course, task: &T) -> Result<OfRank, TrainError> {
        let step = self.kept.manifest.description.step;
        let parts = parts_of(task, step)?;
        let tally = parts.iter().map(|slices| task.tally(slices)).reduce(Add::add);
        let (mut loss, mut sum, mut slices) = (0.0, Vec::new(), Vec::new());
        if let Some(whole) = self.whole {
            let params: Params<B> = params_of(self.kept, self.kept.model()?, task)?;
            for (number, slice) in parts.iter().flatten().enumerate() {
                let alone = std::slice::from_ref(slice);
                let part = Part { number, slices: alone };
                let (added, gradients) = task.gradients(step, &params, &part, whole)?;
                let norm = GradientNorm::of(&gradients).total();
                let samples = task.sample_ids(alone);
                slices.push(Found { loss: Told(added), grad_norm: Told(norm), samples });
                let gradients = to_f64(&gradients);
                sum = if sum.is_empty() { gradients } else { sum_of(sum, gradients) };
                loss += added;
            }
        }
        Ok(OfRank {
            tally: tally.unwrap_or_default(),
            share: Shared { loss: Told(loss), slices },
            gradients: sum,
            samples_are: task.samples_are(),
        })
    }
}

fn parts_of<B: Kernels, T: Task<B>>(task: &T, step: u64) -> Result<Vec<Vec<T::Slice>>, TrainError> {
    next_step(&mut task.loader().clone().prefetch(step, 1), step)
}

fn sum_of(sum: Vec<Vec<f64>>, next: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    sum.into_iter().zip(next).map(|(sum, next)| sum.add(next)).collect()
}

/// Why numbers of the step of `capsule` are not to be trusted.
fn fault(capsule: &Capsule, loss: f64, norm: f64) -> Option<String> {
    if !(loss.is_finite() && norm.is_finite()) {
        return Some("not finite".to_owned());
    }
    let watch = Watch::new(capsule.deviations, Some(capsule.watched));
    watch.jump(loss, norm).map(|jump| jump.to_string())
}
