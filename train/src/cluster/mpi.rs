//! The engine over MPI: Open MPI, MPICH and what is compatible with them.
//!
//! MPI is initialised once in a process, so that any thread may call it, one at a time. An error inside of MPI
//! ends the job: that is what MPI does unless told otherwise, and its message names the call.

use std::sync::Mutex;

use mpi::Threading;
use mpi::collective::{CommunicatorCollectives, Root, SystemOperation};
use mpi::environment::Universe;
use mpi::point_to_point::send_receive_into;
use mpi::topology::{Communicator, SimpleCommunicator};

use super::collective::{Collective, Received, Sent, Summed};
use super::error::ClusterError;

/// This process as a rank of MPI's world.
pub struct Mpi {
    /// Finalises MPI when it goes.
    universe: Mutex<Option<Universe>>,
    rank: usize,
    world: usize,
}

impl std::fmt::Debug for Mpi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "rank {} of {} over {}", self.rank, self.world, self.name())
    }
}

impl Mpi {
    /// Joins the world that a launcher started.
    ///
    /// # Errors
    /// MPI was initialised before, or allows calls of one thread only.
    pub fn join() -> Result<Self, ClusterError> {
        let refused = |reason: &str| ClusterError::Engine {
            engine: "MPI".to_owned(),
            reason: reason.to_owned(),
        };
        let (universe, allowed) = mpi::initialize_with_threading(Threading::Serialized)
            .ok_or_else(|| refused("it was initialised in this process before"))?;
        if allowed < Threading::Serialized {
            return Err(refused(
                "it allows calls of one thread only; use a build of it with support for threads",
            ));
        }
        let world = universe.world();
        let (rank, size) = (world.rank().unsigned_abs(), world.size().unsigned_abs());
        let universe = Mutex::new(Some(universe));
        Ok(Self { universe, rank: rank as usize, world: size as usize })
    }

    fn comm() -> SimpleCommunicator {
        SimpleCommunicator::world()
    }
}

impl Collective for Mpi {
    fn rank(&self) -> usize {
        self.rank
    }

    fn world(&self) -> usize {
        self.world
    }

    fn name(&self) -> String {
        let version = mpi::environment::library_version().unwrap_or_default();
        // Both programs say far more than their name: `Open MPI v4.1.4, package: ...`.
        let first = version.lines().next().unwrap_or_default();
        let short = first.split(", package").next().unwrap_or(first);
        short.replace("MPICH Version:", "MPICH").split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn all_reduce(&self, values: Summed<'_>) -> Result<(), ClusterError> {
        let op = SystemOperation::sum();
        match values {
            Summed::F32(values) => {
                let sent = values.to_vec();
                Self::comm().all_reduce_into(&sent[..], values, op);
            }
            Summed::F64(values) => {
                let sent = values.to_vec();
                Self::comm().all_reduce_into(&sent[..], values, op);
            }
        }
        Ok(())
    }

    fn reduce_scatter(&self, values: Sent<'_>, mine: Summed<'_>) -> Result<(), ClusterError> {
        let op = SystemOperation::sum();
        match (values, mine) {
            (Sent::F32(values), Summed::F32(mine)) => {
                Self::comm().reduce_scatter_block_into(values, mine, op);
            }
            (Sent::F64(values), Summed::F64(mine)) => {
                Self::comm().reduce_scatter_block_into(values, mine, op);
            }
            _ => unreachable!("both sides have one type"),
        }
        Ok(())
    }

    fn all_gather(&self, mine: Sent<'_>, all: Received<'_>) -> Result<(), ClusterError> {
        match (mine, all) {
            (Sent::F32(mine), Received::F32(all)) => Self::comm().all_gather_into(mine, all),
            (Sent::F64(mine), Received::F64(all)) => Self::comm().all_gather_into(mine, all),
            (Sent::Bytes(mine), Received::Bytes(all)) => Self::comm().all_gather_into(mine, all),
            _ => unreachable!("both sides have one type"),
        }
        Ok(())
    }

    fn broadcast(&self, root: usize, bytes: &mut [u8]) -> Result<(), ClusterError> {
        let root = i32::try_from(root).expect("ranks of MPI have 32 bits");
        Self::comm().process_at_rank(root).broadcast_into(bytes);
        Ok(())
    }

    fn swaps(&self) -> bool {
        true
    }

    fn swap(&self, partner: usize, mine: &[u8], theirs: &mut [u8]) -> Result<(), ClusterError> {
        let world = Self::comm();
        let partner =
            world.process_at_rank(i32::try_from(partner).expect("ranks of MPI have 32 bits"));
        send_receive_into(mine, &partner, theirs, &partner);
        Ok(())
    }

    fn barrier(&self) -> Result<(), ClusterError> {
        Self::comm().barrier();
        Ok(())
    }

    fn leave(&self) {
        let universe = self.universe.lock().ok().and_then(|mut it| it.take());
        if universe.is_some() {
            Self::comm().barrier();
        }
        drop(universe);
    }

    fn abort(&self, code: i32) {
        Self::comm().abort(code);
    }
}
