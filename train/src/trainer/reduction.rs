//! Gradients of ranks to the gradients of a step, and updated pieces to whole parameters.
//!
//! Buckets go to the host, over the ranks, and back; or stay on the GPU where the engine works there. Usually the engine sums: all gradients for all ranks, or,
//! where ranks hold pieces only (`ZeRO`), to each rank those of its own, in half the traffic. In the deterministic
//! mode whole buckets are gathered and summed along the tree of [`super::sums`], cut or not.

use std::collections::VecDeque;
use std::ops::Range;

use burn::tensor::{DType, Device, Tensor, TensorData};
use genesis_kernels::Kernels;
use genesis_model::{ParamSpec, Params};

use super::error::TrainError;
use super::optim::GradientNorm;
use super::resident::{Resident, divided, joined};
use super::shards::{Bucket, Piece, Shards};
use super::sums::{Add, tree};
use super::task::Gradients;
use crate::cluster::{Cluster, ClusterError, Element};
use crate::keys::ParallelConfig;

/// How gradients are summed over ranks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Summing {
    /// Along the tree, by gathering; otherwise by the engine's own sums.
    pub(crate) deterministic: bool,
    /// Bytes that are exchanged at once.
    pub(crate) bucket_bytes: usize,
    /// What ranks divide among them: nothing, moments and averages, or gradients too.
    pub(crate) zero: u8,
}

impl From<&ParallelConfig> for Summing {
    fn from(config: &ParallelConfig) -> Self {
        let ParallelConfig { deterministic, zero, .. } = *config;
        Self { deterministic, bucket_bytes: config.bucket_bytes(), zero }
    }
}

/// Loss and gradients of a step.
#[derive(Debug)]
pub(crate) struct Reduced<B: Kernels> {
    pub(crate) loss: f64,
    /// What each rank added to it.
    pub(crate) losses: Vec<f64>,
    /// One for each piece that this rank holds.
    pub(crate) gradients: Vec<Tensor<B, 1>>,
    /// Squares of whole gradients, where they were at hand.
    squares: Option<Vec<f64>>,
}

impl<B: Kernels> Add for Reduced<B> {
    fn add(self, next: Self) -> Self {
        let (loss, gradients) = (self.loss, self.gradients).add((next.loss, next.gradients));
        Self { loss, losses: self.losses.add(next.losses), gradients, squares: None }
    }
}

/// What a run does between its ranks.
#[derive(Debug, Clone)]
pub(crate) struct Reduction {
    cluster: Cluster,
    summing: Summing,
    shards: Shards,
    double: bool,
}

impl Reduction {
    /// Between the ranks of `cluster`, of parameters that are `double` or single precision.
    pub(crate) fn new(
        cluster: &Cluster,
        summing: Summing,
        specs: &[ParamSpec],
        double: bool,
    ) -> Self {
        let lengths = specs.iter().map(ParamSpec::num_elements).collect();
        let most = summing.bucket_bytes / if double { 8 } else { 4 };
        let cut = if summing.zero > 0 { cluster.world() } else { 1 };
        let shards = Shards::new(lengths, most, cut, cluster.rank());
        Self { cluster: cluster.clone(), summing, shards, double }
    }

    /// What a user should know of it, where ranks hold pieces.
    pub(crate) fn sentence(&self) -> Option<String> {
        if !self.shards.are_cut() {
            return None;
        }
        let all: usize = self.shards.buckets().iter().map(|it| it.length).sum();
        let held = self.shards.num_held();
        let what = match self.summing {
            Summing { zero: 2, deterministic: false, .. } => "gradients, moments and averages",
            Summing { zero: 2, .. } => {
                "moments and averages (gradients of a step stay whole until they are summed: \
                 parallel.deterministic adds up whole ones)"
            }
            _ => "moments and averages",
        };
        Some(format!("each rank holds its part of {what}: {held} of {all} values on the first"))
    }

    /// Whether ranks hold pieces of what they update.
    pub(crate) fn is_cut(&self) -> bool {
        self.shards.are_cut()
    }

    /// What this rank holds.
    pub(crate) fn held(&self) -> Vec<Piece> {
        self.shards.held()
    }

    /// The ranks.
    pub(crate) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Whether gradients are exchanged after each part of a step, so that no rank adds up whole ones.
    pub(crate) fn follows_each_part(&self) -> bool {
        self.shards.are_cut() && self.summing.zero == 2 && !self.summing.deterministic
    }

    /// Loss and gradients over all ranks; the loss has the same bits on each.
    ///
    /// # Errors
    /// A rank that is gone.
    pub(crate) fn reduce<B: Kernels>(
        &self,
        (loss, gradients): Gradients<B>,
    ) -> Result<Reduced<B>, TrainError> {
        if self.cluster.is_alone() {
            return Ok(Reduced { loss, losses: vec![loss], gradients, squares: None });
        }
        let (gradients, squares) = if self.double {
            self.exchange::<B, f64>(gradients)?
        } else {
            self.exchange::<B, f32>(gradients)?
        };
        // After the gradients: where those are still under way on a GPU, this waits for them and says what fails.
        let losses = self.cluster.gather(&[loss])?.concat();
        let loss = tree(losses.iter().map(|it| Ok::<_, ClusterError>(*it)))?.unwrap_or_default();
        let found_whole = self.is_cut() && self.summing.deterministic;
        Ok(Reduced { loss, losses, gradients, squares: found_whole.then_some(squares) })
    }

    /// Norms of the gradients of a step, the same bits on each rank.
    ///
    /// # Errors
    /// A rank that is gone.
    pub(crate) fn norm<B: Kernels>(&self, of: &Reduced<B>) -> Result<GradientNorm, TrainError> {
        if let Some(squares) = &of.squares {
            return Ok(GradientNorm { squares: squares.clone() });
        }
        let mine = GradientNorm::of(&of.gradients);
        if !self.is_cut() {
            return Ok(mine);
        }
        let mut squares = vec![0.0; self.shards.num_params()];
        for (piece, square) in self.held().iter().zip(mine.squares) {
            squares[piece.param] += square;
        }
        let all = self.cluster.gather(&squares)?.into_iter().map(Ok::<_, ClusterError>);
        Ok(GradientNorm { squares: tree(all)?.unwrap_or_default() })
    }

    /// What this rank holds of `values`, one tensor a parameter, made as they are asked for.
    pub(crate) fn pieces<B: Kernels>(
        &self,
        values: Vec<Tensor<B, 1>>,
    ) -> impl Iterator<Item = Tensor<B, 1>> + use<B> {
        let mut values = values.into_iter().enumerate().peekable();
        self.held().into_iter().map(move |Piece { param, range }| {
            // Pieces come in the order of parameters: what is passed over is not asked for again.
            while values.next_if(|(at, _)| *at < param).is_some() {}
            let (_, value) = values.peek().expect("a value for each parameter");
            let is_whole = range.len() == value.dims()[0];
            if is_whole { value.clone() } else { narrow(value, range) }
        })
    }

    /// Replaces `params` by the `pieces` that all ranks hold, bucket by bucket, asking for those of one at a time.
    ///
    /// # Errors
    /// A rank that is gone; `params` are of no use then.
    pub(crate) fn gather<B: Kernels>(
        &self,
        params: &mut Params<B>,
        pieces: impl Iterator<Item = Tensor<B, 1>>,
    ) -> Result<(), TrainError> {
        if self.double {
            self.gather_as::<B, f64>(params, pieces)
        } else {
            self.gather_as::<B, f32>(params, pieces)
        }
    }

    fn gather_as<B: Kernels, E: Element + burn::tensor::Element>(
        &self,
        params: &mut Params<B>,
        mut pieces: impl Iterator<Item = Tensor<B, 1>>,
    ) -> Result<(), TrainError> {
        let mut buckets = self.shards.buckets().iter();
        let (mut ready, mut failed) = (VecDeque::new(), None);
        params.replace(|_, old| {
            if ready.is_empty() && failed.is_none() {
                let bucket = buckets.next().expect("every parameter is in a bucket");
                let mine = pieces.by_ref().take(self.shards.held_of(bucket).len()).collect();
                match self.whole_bucket::<B, E>(bucket, mine, &place_of(&old)) {
                    Ok(values) => ready = values.into(),
                    Err(error) => failed = Some(error),
                }
            }
            ready.pop_front().unwrap_or(old)
        });
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    /// The parameters of `bucket` of which this rank holds `mine`.
    fn whole_bucket<B: Kernels, E: Element + burn::tensor::Element>(
        &self,
        bucket: &Bucket,
        mine: Vec<Tensor<B, 1>>,
        place: &Place<B>,
    ) -> Result<Vec<Tensor<B, 1>>, ClusterError> {
        let stretch = self.shards.stretch(bucket);
        if let Some(resident) = Resident::of::<B>(&self.cluster, &place.0) {
            let all = resident.gather(joined(mine, stretch, place))?;
            return Ok(divided(&all, self.lengths(bucket)));
        }
        let mut values = to_host::<B, E>(mine);
        values.resize(stretch, E::default());
        let all = self.cluster.gather(&values)?.concat();
        Ok(to_device(&all, self.lengths(bucket), place))
    }

    /// Gradients over the ranks: those of the pieces held, and squares of whole ones where a cut rank has them.
    fn exchange<B: Kernels, E: Element + burn::tensor::Element>(
        &self,
        gradients: Vec<Tensor<B, 1>>,
    ) -> Result<(Vec<Tensor<B, 1>>, Vec<f64>), ClusterError> {
        let (mut pieces, mut squares) = (Vec::new(), Vec::new());
        let mut gradients = gradients.into_iter();
        for bucket in self.shards.buckets() {
            let of_bucket: Vec<_> = gradients.by_ref().take(bucket.params.len()).collect();
            if self.is_cut() && !self.summing.deterministic {
                pieces.extend(self.own_sums::<B, E>(bucket, of_bucket)?);
                continue;
            }
            let whole = self.whole_sums::<B, E>(bucket, of_bucket)?;
            if self.is_cut() {
                squares.extend(GradientNorm::of(&whole).squares);
            }
            pieces.extend(self.cut(bucket, whole));
        }
        Ok((pieces, squares))
    }

    /// Sums of the gradients in `bucket`, as far as this rank holds their parameters.
    fn own_sums<B: Kernels, E: Element + burn::tensor::Element>(
        &self,
        bucket: &Bucket,
        gradients: Vec<Tensor<B, 1>>,
    ) -> Result<Vec<Tensor<B, 1>>, ClusterError> {
        let place = place_of(&gradients[0]);
        let lengths = self.shards.held_of(bucket).into_iter().map(|it| it.range.len());
        let all = self.shards.stretch(bucket) * self.cluster.world();
        if let Some(resident) = Resident::of::<B>(&self.cluster, &place.0) {
            let mine = resident.scatter_sums(joined(gradients, all, &place))?;
            return Ok(divided(&mine, lengths));
        }
        let mut values = to_host::<B, E>(gradients);
        values.resize(all, E::default());
        Ok(to_device(&self.cluster.scatter_sums(&values)?, lengths, &place))
    }

    /// Sums of the gradients in `bucket`.
    fn whole_sums<B: Kernels, E: Element + burn::tensor::Element>(
        &self,
        bucket: &Bucket,
        gradients: Vec<Tensor<B, 1>>,
    ) -> Result<Vec<Tensor<B, 1>>, ClusterError> {
        let place = place_of(&gradients[0]);
        if let Some(resident) = Resident::of::<B>(&self.cluster, &place.0) {
            let flat = joined(gradients, bucket.length, &place);
            return Ok(divided(&self.sum_resident(&resident, flat)?, self.lengths(bucket)));
        }
        let sum = self.sum(to_host::<B, E>(gradients))?;
        Ok(to_device(&sum, self.lengths(bucket), &place))
    }

    /// What this rank holds of the `whole` gradients of `bucket`.
    fn cut<B: Kernels>(&self, bucket: &Bucket, whole: Vec<Tensor<B, 1>>) -> Vec<Tensor<B, 1>> {
        if !self.is_cut() {
            return whole;
        }
        let of = |Piece { param, range }: Piece| narrow(&whole[param - bucket.params.start], range);
        self.shards.held_of(bucket).into_iter().map(of).collect()
    }

    /// Lengths of the parameters in `bucket`.
    fn lengths(&self, bucket: &Bucket) -> impl Iterator<Item = usize> {
        bucket.params.clone().map(|param| self.shards.length(param))
    }

    fn sum_resident<B: Kernels>(
        &self,
        resident: &Resident<'_>,
        flat: Tensor<B, 1>,
    ) -> Result<Tensor<B, 1>, ClusterError> {
        if !self.summing.deterministic {
            return resident.sum(flat);
        }
        let [length] = flat.dims();
        let all = resident.gather(flat)?;
        let parts = divided(&all, std::iter::repeat_n(length, self.cluster.world()));
        let sum = tree(parts.into_iter().map(Ok::<_, ClusterError>))?;
        Ok(sum.expect("a part of each rank"))
    }

    fn sum<E: Element>(&self, mut values: Vec<E>) -> Result<Vec<E>, ClusterError> {
        if self.summing.deterministic {
            let all = self.cluster.gather(&values)?.into_iter().map(Ok::<_, ClusterError>);
            return Ok(tree(all)?.unwrap_or_default());
        }
        self.cluster.sum(&mut values)?;
        Ok(values)
    }
}

fn narrow<B: Kernels>(tensor: &Tensor<B, 1>, range: Range<usize>) -> Tensor<B, 1> {
    tensor.clone().narrow(0, range.start, range.len())
}

/// Values of `tensors`, end to end.
fn to_host<B: Kernels, E: burn::tensor::Element>(tensors: Vec<Tensor<B, 1>>) -> Vec<E> {
    let mut values: Vec<E> = Vec::new();
    for tensor in tensors {
        let data = tensor.into_data().convert::<E>();
        values.extend(data.into_vec::<E>().expect("converted just now"));
    }
    values
}

/// Where a tensor is, and of which type.
type Place<B> = (Device<B>, DType);

fn place_of<B: Kernels>(tensor: &Tensor<B, 1>) -> Place<B> {
    (tensor.device(), tensor.dtype())
}

/// The first of `values`, cut into tensors of `lengths` at `place`.
fn to_device<B: Kernels, E: burn::tensor::Element>(
    values: &[E],
    lengths: impl Iterator<Item = usize>,
    (device, dtype): &Place<B>,
) -> Vec<Tensor<B, 1>> {
    let mut rest = values;
    let mut next = |length| {
        let (mine, after) = rest.split_at(length);
        rest = after;
        Tensor::from_data(TensorData::new(mine.to_vec(), [length]), (device, *dtype))
    };
    lengths.map(&mut next).collect()
}
