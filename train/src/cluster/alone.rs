//! The engine of one rank: every sum is its own.

use super::collective::{Collective, Received, Sent, Summed};
use super::error::ClusterError;

/// One rank.
#[derive(Debug, Clone, Copy, Default)]
pub struct Alone;

impl Collective for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn world(&self) -> usize {
        1
    }

    fn name(&self) -> String {
        "one process".to_owned()
    }

    fn all_reduce(&self, _values: Summed<'_>) -> Result<(), ClusterError> {
        Ok(())
    }

    fn reduce_scatter(&self, values: Sent<'_>, mine: Summed<'_>) -> Result<(), ClusterError> {
        match (values, mine) {
            (Sent::F32(from), Summed::F32(to)) => to.copy_from_slice(from),
            (Sent::F64(from), Summed::F64(to)) => to.copy_from_slice(from),
            _ => unreachable!("both sides have one type"),
        }
        Ok(())
    }

    fn all_gather(&self, mine: Sent<'_>, all: Received<'_>) -> Result<(), ClusterError> {
        match (mine, all) {
            (Sent::F32(from), Received::F32(to)) => to.copy_from_slice(from),
            (Sent::F64(from), Received::F64(to)) => to.copy_from_slice(from),
            (Sent::Bytes(from), Received::Bytes(to)) => to.copy_from_slice(from),
            _ => unreachable!("both sides have one type"),
        }
        Ok(())
    }

    fn broadcast(&self, _root: usize, _bytes: &mut [u8]) -> Result<(), ClusterError> {
        Ok(())
    }

    fn barrier(&self) -> Result<(), ClusterError> {
        Ok(())
    }

    fn leave(&self) {}

    fn abort(&self, _code: i32) {}
}
