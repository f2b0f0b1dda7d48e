//! The engine over NCCL: a process a GPU.
//!
//! Ranks exchange the id of a communicator by TCP ([`super::rendezvous`]) or by MPI, and join without blocking,
//! within a time. Numbers of the host go through page-locked memory and a buffer on the GPU, on a stream of its
//! own, in pieces of [`gpu`]'s buffers. While the stream works, the communicator is asked for errors; one of them
//! aborts it. Numbers that lie on the GPU stay there: their exchange is given to the stream of whoever lends them, and
//! the next one through the host, which comes behind it, waits for it and says what failed.
//!
//! Reading order: [`library`] (what NCCL is), [`gpu`] (the device), [`transport`] (what is between hosts),
//! `operations` (what a [`Collective`] does, in pieces).

mod gpu;
pub mod library;
mod operations;
mod raw;
mod transport;

use std::ffi::c_int;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use self::gpu::Gpu;
use self::library::{Comm, IN_PROGRESS, Operation, SUCCESS, UniqueId};
pub use self::library::{Found, NAMES};
use self::transport::Facts;
use super::Cluster;
use super::collective::Collective;
use super::error::ClusterError;
use super::launch::{Launch, Lookup};
use super::phase::Phase;
use super::rendezvous::{Meeting, Place, Seat, Secret, shared_gpu};

/// After which a thread that waits sleeps between two looks: short exchanges are done by then.
const EAGER: Duration = Duration::from_micros(200);
const LOOK_EVERY: Duration = Duration::from_micros(50);
/// For the others to leave too.
const TO_LEAVE: Duration = Duration::from_secs(20);

/// What this machine has, as whoever knows devices found it.
#[derive(Debug)]
pub struct Machine {
    /// NCCL, the first of [`NAMES`].
    pub nccl: Option<Found>,
    /// The driver of its GPUs.
    pub driver: Option<Found>,
    /// Names of the GPUs that this process sees, or why there are none.
    pub gpus: Result<Vec<String>, String>,
}

/// What carries the id of the communicator.
#[derive(Debug)]
pub enum Carrier {
    /// Another engine, which this process joined.
    Engine(Arc<dyn Collective>),
    /// TCP.
    Tcp {
        /// Where rank 0 is.
        place: Place,
        /// What the launcher gave all ranks.
        secret: Secret,
    },
}

/// This process as a rank of a communicator.
pub struct Nccl {
    rank: usize,
    world: usize,
    host: String,
    name: String,
    warning: Option<String>,
    ordinal: usize,
    library: library::Nccl,
    inner: Mutex<Inner>,
    carrier: Option<Arc<dyn Collective>>,
}

struct Inner {
    gpu: Gpu,
    /// `None` after it was aborted or left.
    comm: Option<Comm>,
}

// SAFETY: a communicator is used by one thread at a time, behind the lock.
unsafe impl Send for Inner {}

impl std::fmt::Debug for Nccl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "rank {} of {} over {}", self.rank, self.world, self.name)
    }
}

/// What a rank needs before it meets the others.
struct Ready {
    library: library::Nccl,
    gpu: Gpu,
}

impl Nccl {
    /// Joins the ranks of `launch`; this one is on `host`. All is done within `limit`, twice over where ranks
    /// come late.
    ///
    /// # Errors
    /// A library that is missing or too old, no GPU for a rank, ranks that do not come, NCCL's own; each rank is
    /// told of the first.
    pub fn join(
        launch: &Launch,
        (host, machine): (&str, &Machine),
        carrier: Carrier,
        limit: Duration,
        lookup: Lookup<'_>,
    ) -> Result<Self, ClusterError> {
        let ready = library::Nccl::of(machine.nccl.as_ref())
            .and_then(|library| Ok(Ready { library, gpu: Gpu::take(machine, launch.local_rank)? }));
        let seat = Seat {
            rank: launch.rank,
            world: launch.world,
            host: host.to_owned(),
            process: std::process::id(),
            gpu: ready.as_ref().map_or(String::new(), |it| format!("the GPU {}", it.gpu.uuid)),
            problem: ready.as_ref().err().map(ToString::to_string),
        };
        match carrier {
            Carrier::Engine(engine) => Self::by_engine(engine, &seat, ready, limit, lookup),
            Carrier::Tcp { place, secret } => {
                let is_one_host = place.is_one_host;
                let offer = || {
                    let ready = ready.as_ref().map_err(Clone::clone)?;
                    ready.library.new_id().map(|id| id.0.to_vec())
                };
                let met = Meeting::meet(&place, seat.clone(), &secret, limit, offer);
                // Its own failure is said as it is.
                let (meeting, id) = match (met, &ready) {
                    (Err(_), Err(mine)) => return Err(mine.clone()),
                    (met, _) => met?,
                };
                let joined = ready.and_then(|it| Self::begin(it, &seat, &id, limit));
                let mut joined = meeting.agree("joining over NCCL", joined, limit)?;
                joined.describe(is_one_host, lookup);
                Ok(joined)
            }
        }
    }

    fn by_engine(
        engine: Arc<dyn Collective>,
        seat: &Seat,
        ready: Result<Ready, ClusterError>,
        limit: Duration,
        lookup: Lookup<'_>,
    ) -> Result<Self, ClusterError> {
        let cluster = Cluster::of(Arc::clone(&engine), &seat.host)?;
        let ready = cluster.agree(Phase::Start, "getting ready", ready)?;
        let written = |error: serde_json::Error| refused(error.to_string());
        let seats = cluster.gather_bytes(&serde_json::to_vec(seat).map_err(written)?)?;
        let seats: Result<Vec<Seat>, _> =
            seats.iter().map(|it| serde_json::from_slice(it)).collect();
        if let Some(problem) = shared_gpu(&seats.map_err(written)?) {
            return Err(refused(problem));
        }
        let id = if seat.rank == 0 {
            ready.library.new_id().map(|id| id.0.to_vec())
        } else {
            Ok(Vec::new())
        };
        let id = cluster.from_first(cluster.agree(Phase::Start, "making an id", id)?)?;
        let joined = Self::begin(ready, seat, &id, limit);
        let mut joined = cluster.agree(Phase::Start, "joining over NCCL", joined)?;
        joined.describe(cluster.ranks_here() == cluster.world(), lookup);
        joined.carrier = Some(engine);
        Ok(joined)
    }

    /// Joins the communicator of `id`.
    fn begin(ready: Ready, seat: &Seat, id: &[u8], limit: Duration) -> Result<Self, ClusterError> {
        let Ready { library, gpu } = ready;
        let small = |number: usize| {
            c_int::try_from(number)
                .map_err(|_| refused(format!("{number} ranks are more than NCCL counts")))
        };
        let id =
            UniqueId(id.try_into().map_err(|_| refused("rank 0 sent what is no id".to_owned()))?);
        gpu.enter()?;
        let (status, comm) = library.join(small(seat.world)?, id, small(seat.rank)?);
        let joined = Self {
            rank: seat.rank,
            world: seat.world,
            host: seat.host.clone(),
            name: format!("NCCL {}", library.version()),
            warning: None,
            ordinal: gpu.ordinal,
            library,
            inner: Mutex::new(Inner { gpu, comm: None }),
            carrier: None,
        };
        let until = Instant::now() + limit;
        let over = || {
            format!(
                "the communicator is not ready after {} s (parallel.join_limit_s): the GPUs of the ranks do not \
                 reach each other; NCCL_DEBUG=INFO says over which network they try, NCCL_SOCKET_IFNAME names another",
                limit.as_secs()
            )
        };
        joined.settled("ncclCommInitRankConfig", status, comm, || Instant::now() < until, over)?;
        joined.inner().comm = Some(comm);
        Ok(joined)
    }

    fn describe(&mut self, is_one_host: bool, lookup: Lookup<'_>) {
        let facts = Facts::here(is_one_host, lookup);
        self.name = format!("{}, {}", self.name, facts.said());
        self.warning = facts.warning();
    }

    /// The number of the GPU of this rank, as the driver counts in this process.
    pub fn ordinal(&self) -> usize {
        self.ordinal
    }

    /// A sentence about a slow network.
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until what `call` began is no longer in progress. `goes_on` ends the wait, `over` says why.
    fn settled(
        &self,
        call: &str,
        status: c_int,
        comm: Comm,
        goes_on: impl Fn() -> bool,
        over: impl Fn() -> String,
    ) -> Result<(), ClusterError> {
        let mut status = status;
        let mut pause = Pause::default();
        while status == IN_PROGRESS {
            if !goes_on() {
                return Err(self.broken(Some(comm), &over()));
            }
            pause.wait();
            status = self.library.state(comm);
        }
        if status == SUCCESS {
            return Ok(());
        }
        let reason = self.library.words(call, status, Some(comm));
        Err(self.broken(Some(comm).filter(|comm| !comm.is_null()), &reason))
    }

    /// Ends the communicator; the error that says why.
    fn broken(&self, comm: Option<Comm>, reason: &str) -> ClusterError {
        if let Some(comm) = comm {
            self.library.abort(comm);
        }
        let Self { rank, host, ordinal, name, .. } = self;
        ClusterError::Engine {
            engine: name.clone(),
            reason: format!("rank {rank} on {host}, GPU {ordinal}: {reason}"),
        }
    }

    /// Sends `up` bytes at the beginning of the buffer, does `operation` and gets the bytes of `down` back.
    fn exchange(
        &self,
        inner: &mut Inner,
        operation: Operation,
        piece: &Piece,
    ) -> Result<(), ClusterError> {
        let comm = inner.comm.ok_or_else(ended)?;
        let done = self.exchange_on(&inner.gpu, comm, operation, piece);
        if done.is_err() {
            inner.comm = None;
        }
        done
    }

    fn exchange_on(
        &self,
        gpu: &Gpu,
        comm: Comm,
        operation: Operation,
        piece: &Piece,
    ) -> Result<(), ClusterError> {
        let fails = |error: ClusterError| self.broken(Some(comm), &error.to_string());
        let Piece { up, to, down, count, dtype } = *piece;
        gpu.enter().map_err(fails)?;
        gpu.upload(0, up).map_err(fails)?;
        let places = (gpu.on_device, gpu.on_device + to as u64);
        // SAFETY: the pieces lie within the buffer by `Piece`, which lives as long as the process.
        let status =
            unsafe { self.library.operate(operation, places, (count, dtype), (comm, gpu.stream)) };
        let call = operation.name();
        self.settled(call, status, comm, || true, String::new)?;
        gpu.download(to, down).map_err(fails)?;
        let mut pause = Pause::default();
        while !gpu.is_done().map_err(fails)? {
            self.settled(call, self.library.state(comm), comm, || true, String::new)?;
            pause.wait();
        }
        Ok(())
    }

    /// Waits for everyone to come here, then ends the communicator.
    fn finish(&self) {
        if self.inner().comm.is_none() || self.barrier().is_err() {
            return;
        }
        let mut inner = self.inner();
        let Some(comm) = inner.comm.take() else { return };
        let until = Instant::now() + TO_LEAVE;
        let status = self.library.finalize(comm);
        let over = || "it does not end".to_owned();
        if self.settled("ncclCommFinalize", status, comm, || Instant::now() < until, over).is_ok() {
            self.library.destroy(comm);
        }
    }
}

fn ended() -> ClusterError {
    refused("the communicator was ended before".to_owned())
}

fn refused(reason: String) -> ClusterError {
    ClusterError::Engine { engine: "NCCL".to_owned(), reason }
}

/// First without a pause, then with short ones: exchanges take from microseconds to seconds.
#[derive(Debug, Default)]
struct Pause {
    begun: Option<Instant>,
}

impl Pause {
    fn wait(&mut self) {
        let begun = *self.begun.get_or_insert_with(Instant::now);
        if begun.elapsed() < EAGER {
            std::thread::yield_now();
        } else {
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

/// A part of an exchange that fits the buffers: `up` bytes from their beginning are sent, `down` bytes are received
/// at byte `to`.
#[derive(Debug, Clone, Copy)]
struct Piece {
    up: usize,
    to: usize,
    down: usize,
    count: usize,
    dtype: c_int,
}
