//! The operations of a [`Collective`], in pieces that fit the buffers of a rank.

use std::ffi::c_int;

use super::gpu::BUFFER_BYTES;
use super::library::{BYTES, DOUBLES, FLOATS, Operation};
use super::raw::{Raw, RawMut};
use super::{Nccl, Piece, ended, refused};
use crate::cluster::collective::{Collective, Exchange, OnGpu, Received, Sent, Summed};
use crate::cluster::error::ClusterError;

/// Pieces of a buffer begin where any type may.
const ALIGNED: usize = 16;

/// Bytes of one rank's part where one part goes one way and those of all go the other.
fn part_bytes(world: usize) -> usize {
    BUFFER_BYTES / (world + 1) / ALIGNED * ALIGNED
}

impl Collective for Nccl {
    fn rank(&self) -> usize {
        self.rank
    }

    fn world(&self) -> usize {
        self.world
    }

    fn name(&self) -> String {
        self.name.clone()
    }

    fn all_reduce(&self, values: Summed<'_>) -> Result<(), ClusterError> {
        let RawMut { bytes, size, dtype } = RawMut::summed(values);
        let inner = &mut *self.inner();
        for chunk in bytes.chunks_mut(BUFFER_BYTES) {
            let up = chunk.len();
            inner.gpu.host()[..up].copy_from_slice(chunk);
            let piece = Piece { up, to: 0, down: up, count: up / size, dtype };
            self.exchange(inner, Operation::AllReduce, &piece)?;
            chunk.copy_from_slice(&inner.gpu.host()[..up]);
        }
        Ok(())
    }

    fn reduce_scatter(&self, values: Sent<'_>, mine: Summed<'_>) -> Result<(), ClusterError> {
        let from = Raw::of(values).bytes;
        let RawMut { bytes: mine, size, dtype } = RawMut::summed(mine);
        let (all, inner) = (mine.len(), &mut *self.inner());
        for (number, chunk) in mine.chunks_mut(part_bytes(self.world)).enumerate() {
            let (at, bytes) = (number * part_bytes(self.world), chunk.len());
            for (rank, part) in inner.gpu.host().chunks_mut(bytes).take(self.world).enumerate() {
                part.copy_from_slice(&from[rank * all + at..][..bytes]);
            }
            let (up, count) = (bytes * self.world, bytes / size);
            let to = up.next_multiple_of(ALIGNED);
            let piece = Piece { up, to, down: bytes, count, dtype };
            self.exchange(inner, Operation::ReduceScatter, &piece)?;
            chunk.copy_from_slice(&inner.gpu.host()[to..][..bytes]);
        }
        Ok(())
    }

    fn all_gather(&self, mine: Sent<'_>, all: Received<'_>) -> Result<(), ClusterError> {
        let Raw { bytes: mine, size, dtype } = Raw::of(mine);
        let all = RawMut::received(all).bytes;
        let inner = &mut *self.inner();
        for (number, chunk) in mine.chunks(part_bytes(self.world)).enumerate() {
            let (at, up) = (number * part_bytes(self.world), chunk.len());
            inner.gpu.host()[..up].copy_from_slice(chunk);
            let to = up.next_multiple_of(ALIGNED);
            let piece = Piece { up, to, down: up * self.world, count: up / size, dtype };
            self.exchange(inner, Operation::AllGather, &piece)?;
            for (rank, part) in inner.gpu.host()[to..].chunks(up).take(self.world).enumerate() {
                all[rank * mine.len() + at..][..up].copy_from_slice(part);
            }
        }
        Ok(())
    }

    fn broadcast(&self, root: usize, bytes: &mut [u8]) -> Result<(), ClusterError> {
        let root = c_int::try_from(root).map_err(|_| refused(format!("no rank {root}")))?;
        let inner = &mut *self.inner();
        for chunk in bytes.chunks_mut(BUFFER_BYTES) {
            let up = chunk.len();
            inner.gpu.host()[..up].copy_from_slice(chunk);
            let piece = Piece { up, to: 0, down: up, count: up, dtype: BYTES };
            self.exchange(inner, Operation::Broadcast { root }, &piece)?;
            chunk.copy_from_slice(&inner.gpu.host()[..up]);
        }
        Ok(())
    }

    fn gpu(&self) -> Option<usize> {
        Some(self.ordinal)
    }

    unsafe fn exchange_on_gpu(&self, what: Exchange, of: OnGpu) -> Result<(), ClusterError> {
        let operation = match what {
            Exchange::Sum => Operation::AllReduce,
            Exchange::ScatterSums => Operation::ReduceScatter,
            Exchange::Gather => Operation::AllGather,
        };
        let OnGpu { from, to, count, double, stream } = of;
        let dtype = if double { DOUBLES } else { FLOATS };
        let inner = &mut *self.inner();
        let comm = inner.comm.ok_or_else(ended)?;
        // SAFETY: promised by the caller.
        let status =
            unsafe { self.library.operate(operation, (from, to), (count, dtype), (comm, stream)) };
        let given = self.settled(operation.name(), status, comm, || true, String::new);
        if given.is_err() {
            inner.comm = None;
        }
        given
    }

    fn barrier(&self) -> Result<(), ClusterError> {
        let mut all = vec![0; self.world];
        self.all_gather(Sent::Bytes(&[1]), Received::Bytes(&mut all))
    }

    fn leave(&self) {
        self.finish();
        if let Some(carrier) = &self.carrier {
            carrier.leave();
        }
    }

    fn abort(&self, code: i32) {
        let comm = self.inner().comm.take();
        if let Some(comm) = comm {
            self.library.abort(comm);
        }
        if let Some(carrier) = &self.carrier {
            carrier.abort(code);
        }
    }
}
