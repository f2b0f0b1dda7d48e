//! Buckets whose numbers stay in the memory of the GPU while ranks exchange them.
//!
//! Where the engine works there and the backend lends its memory, nothing goes through the host: the sum is given to
//! the stream that computes, behind the gradients and before their update. The host waits for none of it; the next
//! exchange through the host comes behind and says what failed. Not here: which buckets ([`super::reduction`]).

use std::sync::{Arc, Mutex, PoisonError};

use burn::tensor::{DType, Device, Tensor};
use genesis_kernels::Kernels;
use genesis_kernels::lend::Lent;

use crate::cluster::{Cluster, ClusterError, Collective, Exchange, OnGpu};

/// Ranks that exchange numbers from GPU to GPU.
#[derive(Debug)]
pub(super) struct Resident<'a> {
    cluster: &'a Cluster,
    engine: Arc<dyn Collective>,
}

impl<'a> Resident<'a> {
    /// Those of `cluster`, if its engine works in the memory of `device`.
    pub(super) fn of<B: Kernels>(cluster: &'a Cluster, device: &Device<B>) -> Option<Self> {
        let engine = cluster.on_gpu(B::gpu_of(device)?)?;
        Some(Self { cluster, engine })
    }

    /// The sum of `numbers` over all ranks.
    ///
    /// # Errors
    /// The exchange cannot be given to the GPU.
    pub(super) fn sum<B: Kernels>(
        &self,
        numbers: Tensor<B, 1>,
    ) -> Result<Tensor<B, 1>, ClusterError> {
        let [length] = numbers.dims();
        self.exchange(Exchange::Sum, numbers, (length, length))
    }

    /// The sums of `numbers` over all ranks, of which each gets its part: the first rank the first.
    ///
    /// # Errors
    /// As in [`Resident::sum`].
    pub(super) fn scatter_sums<B: Kernels>(
        &self,
        numbers: Tensor<B, 1>,
    ) -> Result<Tensor<B, 1>, ClusterError> {
        let part = numbers.dims()[0] / self.cluster.world();
        self.exchange(Exchange::ScatterSums, numbers, (part, part))
    }

    /// The numbers of all ranks, one after the other.
    ///
    /// # Errors
    /// As in [`Resident::sum`].
    pub(super) fn gather<B: Kernels>(
        &self,
        mine: Tensor<B, 1>,
    ) -> Result<Tensor<B, 1>, ClusterError> {
        let [count] = mine.dims();
        self.exchange(Exchange::Gather, mine, (count, count * self.cluster.world()))
    }

    fn exchange<B: Kernels>(
        &self,
        what: Exchange,
        numbers: Tensor<B, 1>,
        (count, results): (usize, usize),
    ) -> Result<Tensor<B, 1>, ClusterError> {
        let double = numbers.dtype() == DType::F64;
        let failed = Arc::new(Mutex::new(None));
        let (engine, failure) = (Arc::clone(&self.engine), Arc::clone(&failed));
        let borrower = move |Lent { from, to, stream }: Lent| {
            let of = OnGpu { from, to, count, double, stream };
            // SAFETY: memory of so many numbers was lent on a stream of the engine's GPU; results have their own.
            let given = unsafe { engine.exchange_on_gpu(what, of) };
            given.map_err(|error| {
                let said = error.to_string();
                *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                said
            })
        };
        let lent = self.cluster.wait(|| B::lend(numbers, results, Box::new(borrower)));
        lent.map_err(|reason| {
            let own = failed.lock().unwrap_or_else(PoisonError::into_inner).take();
            own.unwrap_or(ClusterError::Engine { engine: self.engine.name(), reason })
        })
    }
}

/// `tensors` end to end, and zeros up to `length`, of the type and on the device of `place`.
pub(super) fn joined<B: Kernels>(
    mut tensors: Vec<Tensor<B, 1>>,
    length: usize,
    (device, dtype): &(Device<B>, DType),
) -> Tensor<B, 1> {
    let known: usize = tensors.iter().map(|it| it.dims()[0]).sum();
    if known < length {
        tensors.push(Tensor::zeros([length - known], (device, *dtype)));
    }
    Tensor::cat(tensors, 0)
}

/// `numbers` cut into tensors of `lengths`.
pub(super) fn divided<B: Kernels>(
    numbers: &Tensor<B, 1>,
    lengths: impl Iterator<Item = usize>,
) -> Vec<Tensor<B, 1>> {
    let mut first = 0;
    let mut next = |length| {
        let part = numbers.clone().narrow(0, first, length);
        first += length;
        part
    };
    lengths.map(&mut next).collect()
}
