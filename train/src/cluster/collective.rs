//! What an engine does between ranks.
//!
//! Every rank calls the same operations in the same order with the same lengths; an engine moves numbers and
//! knows nothing of what they mean. Not here: how a run uses them ([`super::Cluster`]).

use std::ffi::c_void;

use super::error::ClusterError;

/// Numbers that are sent.
#[derive(Debug, Clone, Copy)]
pub enum Sent<'a> {
    /// Of single precision.
    F32(&'a [f32]),
    /// Of double precision.
    F64(&'a [f64]),
    /// Anything.
    Bytes(&'a [u8]),
}

/// Where numbers are received, of the type that is sent.
#[derive(Debug)]
pub enum Received<'a> {
    /// Of single precision.
    F32(&'a mut [f32]),
    /// Of double precision.
    F64(&'a mut [f64]),
    /// Anything.
    Bytes(&'a mut [u8]),
}

/// Numbers that are summed where they lie.
#[derive(Debug)]
pub enum Summed<'a> {
    /// Of single precision.
    F32(&'a mut [f32]),
    /// Of double precision.
    F64(&'a mut [f64]),
}

/// What ranks do with numbers that lie in the memory of their GPUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exchange {
    /// As [`Collective::all_reduce`], of `count` numbers.
    Sum,
    /// As [`Collective::reduce_scatter`], of which each rank keeps `count`.
    ScatterSums,
    /// As [`Collective::all_gather`], to which each rank gives `count`.
    Gather,
}

/// Numbers in the memory of a GPU, and where results go.
#[derive(Debug, Clone, Copy)]
pub struct OnGpu {
    /// Address of the numbers.
    pub from: u64,
    /// Address of the results.
    pub to: u64,
    /// How many, as the exchange counts.
    pub count: usize,
    /// Whether they are of double precision; else of single.
    pub double: bool,
    /// The stream that the exchange is given to.
    pub stream: *mut c_void,
}

/// A type of numbers that ranks exchange.
pub trait Element: Copy + Default + Send + Sync + std::ops::Add<Output = Self> + 'static {
    /// `values` to be sent.
    fn sent(values: &[Self]) -> Sent<'_>;
    /// `values` to be written over.
    fn received(values: &mut [Self]) -> Received<'_>;
    /// `values` to be summed.
    fn summed(values: &mut [Self]) -> Summed<'_>;
}

impl Element for f32 {
    fn sent(values: &[Self]) -> Sent<'_> {
        Sent::F32(values)
    }
    fn received(values: &mut [Self]) -> Received<'_> {
        Received::F32(values)
    }
    fn summed(values: &mut [Self]) -> Summed<'_> {
        Summed::F32(values)
    }
}

impl Element for f64 {
    fn sent(values: &[Self]) -> Sent<'_> {
        Sent::F64(values)
    }
    fn received(values: &mut [Self]) -> Received<'_> {
        Received::F64(values)
    }
    fn summed(values: &mut [Self]) -> Summed<'_> {
        Summed::F64(values)
    }
}

/// Operations that all ranks take part in. Ranks count from 0 to `world - 1`.
pub trait Collective: std::fmt::Debug + Send + Sync {
    /// This rank.
    fn rank(&self) -> usize;

    /// How many ranks there are.
    fn world(&self) -> usize;

    /// What carries the numbers, such as `Open MPI 4.1.4`.
    fn name(&self) -> String;

    /// Replaces `values` by their sum over all ranks: the same bits on every rank, in an order of the engine's
    /// choice.
    fn all_reduce(&self, values: Summed<'_>) -> Result<(), ClusterError>;

    /// Sums over all ranks, of which each keeps its part: `values` has `world` parts of the length of `mine`.
    fn reduce_scatter(&self, values: Sent<'_>, mine: Summed<'_>) -> Result<(), ClusterError>;

    /// Everyone's `mine`, which are equally long, in the order of ranks.
    fn all_gather(&self, mine: Sent<'_>, all: Received<'_>) -> Result<(), ClusterError>;

    /// Replaces `bytes` by those of `root`, which are equally many.
    fn broadcast(&self, root: usize, bytes: &mut [u8]) -> Result<(), ClusterError>;

    /// Whether [`Collective::swap`] is there: an engine may know only what all ranks take part in.
    fn swaps(&self) -> bool {
        false
    }

    /// Sends `mine` to rank `partner`, and receives what it sends at the same time, as many bytes, into `theirs`.
    fn swap(&self, _partner: usize, _mine: &[u8], _theirs: &mut [u8]) -> Result<(), ClusterError> {
        let reason = "it moves nothing between two ranks alone".to_owned();
        Err(ClusterError::Engine { engine: self.name(), reason })
    }

    /// The GPU, by its number in this process, in whose memory [`Collective::exchange_on_gpu`] works; `None` where
    /// numbers go through the host.
    fn gpu(&self) -> Option<usize> {
        None
    }

    /// Gives an exchange to a stream and returns before it is done. What fails later is said by the next operation.
    ///
    /// # Safety
    /// Both addresses have as many numbers as the exchange takes and gives, apart from each other, until the stream has
    /// done it, and the stream is of the GPU of [`Collective::gpu`], whose context is that of this thread.
    ///
    /// # Errors
    /// It cannot be given to the stream.
    unsafe fn exchange_on_gpu(&self, _what: Exchange, _of: OnGpu) -> Result<(), ClusterError> {
        let reason = "it moves numbers of the host only".to_owned();
        Err(ClusterError::Engine { engine: self.name(), reason })
    }

    /// Waits for everyone.
    fn barrier(&self) -> Result<(), ClusterError>;

    /// Leaves the others, who all do so: the last call of a process that ends well, or of one whose error
    /// all know. Waits for them, so that no launcher takes an early end for a failure.
    fn leave(&self);

    /// Ends all ranks at once with exit code `code`: this one cannot go on, and the others do not know.
    /// Engines that cannot do so return.
    fn abort(&self, code: i32);
}
