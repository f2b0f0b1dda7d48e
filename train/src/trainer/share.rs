//! The share of a rank in a step, and the parts that it is divided into.

use crate::cluster::{Cluster, ClusterError};
use crate::keys::ParallelConfig;

/// Which rank of how many computes, and with whom it agrees.
#[derive(Debug, Clone, Copy)]
pub struct RankOf<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) rank: usize,
    pub(crate) world: usize,
}

impl<'a> RankOf<'a> {
    /// That of this process.
    pub fn own(cluster: &'a Cluster) -> Self {
        Self { cluster, rank: cluster.rank(), world: cluster.world() }
    }

    /// That of a rank of another run, taken by a process that is `alone`.
    pub fn of_another(alone: &'a Cluster, rank: usize, world: usize) -> Self {
        Self { cluster: alone, rank, world }
    }
}

/// How a rank divides its share of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) rank: usize,
    pub(crate) world: usize,
    /// Parts of the share.
    pub(crate) parts: usize,
    /// Whether gradients of these parts are summed along the tree.
    pub(crate) apart: bool,
}

impl Share {
    /// All of a step.
    pub(crate) fn whole() -> Self {
        Self { rank: 0, world: 1, parts: 1, apart: false }
    }

    /// The share of a rank in a step of `samples`, which one rank alone would divide into `slices`.
    ///
    /// More ranks need fewer slices each, so that a slice stays as large as it was or gets smaller.
    ///
    /// # Errors
    /// In the deterministic mode a number of ranks that does not divide the parts of a step.
    pub(crate) fn of(
        of: &RankOf<'_>,
        parallel: &ParallelConfig,
        samples: usize,
        slices: usize,
    ) -> Result<Self, ClusterError> {
        let RankOf { rank, world, .. } = *of;
        if !parallel.deterministic {
            let mine = samples / world;
            let least = slices.div_ceil(world).max(1);
            let parts = (least..=mine).find(|parts| mine.is_multiple_of(*parts)).unwrap_or(1);
            return Ok(Self { rank, world, parts, apart: false });
        }
        let parts = parallel.parts();
        if world.is_power_of_two() && world <= parts {
            return Ok(Self { rank, world, parts: parts / world, apart: true });
        }
        Err(ClusterError::Launch {
            problem: format!(
                "{world} ranks cannot share the {parts} parts of a step: `parallel.deterministic` sums them in \
                 pairs"
            ),
            fix: format!(
                "start 1, 2, 4, ... ranks, at most {parts}, or set parallel.deterministic=false"
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::cluster::InProcess;

    /// Parts of every rank's share, or what is wrong.
    fn parts(world: usize, deterministic: bool, samples: usize, slices: usize) -> String {
        let parallel = ParallelConfig { deterministic, ..ParallelConfig::default() };
        let of = |engine: InProcess| {
            let cluster = Cluster::of(Arc::new(engine), "n").unwrap();
            match Share::of(&RankOf::own(&cluster), &parallel, samples, slices) {
                Ok(share) => format!("{} of {}", share.parts, share.world),
                Err(error) => error.to_string(),
            }
        };
        let found: Vec<String> = std::thread::scope(|scope| {
            let team: Vec<_> =
                InProcess::team(world).into_iter().map(|it| scope.spawn(move || of(it))).collect();
            team.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(found.iter().all(|it| *it == found[0]), "{found:?}");
        found[0].clone()
    }

    #[test]
    fn slices_of_a_rank_get_fewer_and_never_larger_when_ranks_join() {
        for (world, samples, slices, want) in [
            (1, 12, 4, "4 of 1"),
            (2, 12, 4, "2 of 2"),
            (4, 12, 4, "1 of 4"),
            (2, 12, 1, "1 of 2"),
            (3, 12, 4, "2 of 3"),
            (2, 12, 12, "6 of 2"),
            (2, 10, 3, "5 of 2"),
        ] {
            assert_eq!(parts(world, false, samples, slices), want, "{samples} in {slices}");
        }
    }

    #[test]
    fn deterministic_shares_are_whole_branches_of_the_tree() {
        for (world, want) in [(1, "8 of 1"), (2, "4 of 2"), (4, "2 of 4"), (8, "1 of 8")] {
            assert_eq!(parts(world, true, 16, 1), want);
        }
        for world in [3, 6, 16] {
            let error = parts(world, true, 48, 1);
            assert!(error.contains(&format!("{world} ranks")) && error.contains("8 parts"));
            assert!(error.contains("parallel.deterministic=false"), "{error}");
        }
    }
}
