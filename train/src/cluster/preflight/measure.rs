//! What is measured: memory of a rank, sums over all ranks, links between two, clocks.
//!
//! How often something is done is decided by rank 0, because every rank has to do it equally often.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::super::{Cluster, ClusterError};
use super::Length;

/// Bytes a second of `a = b + s c` on all threads of this rank, the best of a few; counted as STREAM does, three
/// arrays of f64.
pub(super) fn triad(length: Length) -> f64 {
    let values = length.triad_bytes() / size_of::<f64>();
    let (mut a, b, c) = (vec![0.0; values], vec![1.0; values], vec![2.0; values]);
    let block = values.div_ceil(rayon::current_num_threads()).max(1);
    let once = |_| {
        let start = Instant::now();
        let blocks = a.par_chunks_mut(block).zip(b.par_chunks(block)).zip(c.par_chunks(block));
        blocks.for_each(|((a, b), c)| {
            a.iter_mut().zip(b).zip(c).for_each(|((a, b), c)| *a = *b + 3.0 * *c);
        });
        std::hint::black_box(&a);
        start.elapsed().as_secs_f64()
    };
    // The first touches the pages.
    let best = (0..4).map(once).skip(1).fold(f64::INFINITY, f64::min);
    (3 * values * size_of::<f64>()) as f64 / best
}

/// Sums over all ranks, as `nccl-tests` counts them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AllReduce {
    /// Of a sum of 8 bytes.
    pub latency_s: f64,
    /// Size of the large sum.
    pub bytes: u64,
    /// Its size over its time.
    pub algorithm_bytes_per_s: f64,
    /// That times `2 (n - 1) / n` for `n` ranks: what a link carries where ranks form a ring.
    pub bus_bytes_per_s: f64,
}

const MIB: usize = 1 << 20;

/// Measures sums over all ranks.
pub(super) fn all_reduce(cluster: &Cluster, length: Length) -> Result<AllReduce, ClusterError> {
    let mut word = [0.0_f64];
    let latency_s = repeated(cluster, length.moment(), 200, || cluster.sum(&mut word))?;
    let mut values = vec![0.0_f32; MIB / 16];
    cluster.sum(&mut values)?;
    let trial = repeated(cluster, Duration::ZERO, 1, || cluster.sum(&mut values))?;
    // As large as three of it fit into the time.
    let scale = (length.while_().as_secs_f64() / 4.0 / trial).clamp(1.0, 256.0);
    let scale = from_first(cluster, scale.floor())?;
    values.resize(values.len() * whole(scale), 0.0);
    cluster.sum(&mut values)?;
    let seconds = repeated(cluster, length.while_(), 3, || cluster.sum(&mut values))?;
    let (bytes, ranks) = (size_of_val(&*values), cluster.world() as f64);
    let algorithm_bytes_per_s = bytes as f64 / seconds;
    let bus_bytes_per_s = algorithm_bytes_per_s * 2.0 * (ranks - 1.0) / ranks;
    Ok(AllReduce { latency_s, bytes: bytes as u64, algorithm_bytes_per_s, bus_bytes_per_s })
}

/// The median of the seconds that `exchange` takes on rank 0: as often as fits into `limit`, once at least and
/// `most` times at most.
fn repeated(
    cluster: &Cluster,
    limit: Duration,
    most: usize,
    mut exchange: impl FnMut() -> Result<(), ClusterError>,
) -> Result<f64, ClusterError> {
    let mut timed = || {
        let start = Instant::now();
        exchange().map(|()| start.elapsed().as_secs_f64())
    };
    cluster.barrier()?;
    let first = timed()?;
    let more = (limit.as_secs_f64() / first.max(1e-9)).min(most as f64);
    let more = whole(from_first(cluster, more)?);
    let rest: Result<Vec<f64>, _> = (0..more).map(|_| timed()).collect();
    let seconds = rest?;
    from_first(cluster, if seconds.is_empty() { first } else { median(seconds) })
}

fn from_first(cluster: &Cluster, number: f64) -> Result<f64, ClusterError> {
    Ok(cluster.gather(&[number])?[0][0])
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates")]
fn whole(number: f64) -> usize {
    number as usize
}

/// The middle of `values`; 0 without any.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// Two ranks, and what lies between them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// The ranks, the lower first.
    pub ranks: [usize; 2],
    /// Until a message of 8 bytes is there.
    pub latency_s: f64,
    /// Each way, while both send.
    pub bytes_per_s: f64,
}

/// Pairs of ranks, measured in rounds in which everyone has a partner: the first rank of each host, or all ranks of
/// the only host. `per_s` is what a link is believed to carry. Empty where the engine knows no pairs.
pub(super) fn pairs(
    cluster: &Cluster,
    length: Length,
    per_s: f64,
) -> Result<Vec<Pair>, ClusterError> {
    if !cluster.engine.swaps() || cluster.is_alone() {
        return Ok(Vec::new());
    }
    let members = members(&cluster.hosts);
    let seconds = length.moment().as_secs_f64();
    let bytes = whole((per_s * seconds).clamp(65_536.0, (8 * MIB) as f64));
    let mine = members.iter().position(|rank| *rank == cluster.rank());
    let mut found = Vec::new();
    for round in 0..rounds(members.len()).min(length.rounds()) {
        cluster.barrier()?;
        let partner = mine.and_then(|mine| partner(mine, members.len(), round));
        if let Some(partner) = partner.map(|at| members[at]) {
            let (latency_s, bytes_per_s) = swap(cluster, partner, bytes)?;
            if cluster.rank() < partner {
                found.push(Pair { ranks: [cluster.rank(), partner], latency_s, bytes_per_s });
            }
        }
    }
    let said = serde_json::to_vec(&found).unwrap_or_default();
    let all = cluster.gather_bytes(&said)?;
    Ok(all
        .iter()
        .flat_map(|it| serde_json::from_slice::<Vec<Pair>>(it).unwrap_or_default())
        .collect())
}

/// The first rank of each host; every rank where there is one host.
pub(super) fn members(hosts: &[String]) -> Vec<usize> {
    let is_first = |rank: &usize| hosts[..*rank].iter().all(|host| *host != hosts[*rank]);
    let firsts: Vec<usize> = (0..hosts.len()).filter(is_first).collect();
    if firsts.len() > 1 { firsts } else { (0..hosts.len()).collect() }
}

/// Rounds in which each of so many meets each other one.
pub(super) fn rounds(members: usize) -> usize {
    members.next_multiple_of(2).saturating_sub(1)
}

/// Whom `mine` meets in `round`: all but the last sit around a table that turns, and one across meets the last.
/// `None` for the one who is left over where they are odd in number.
fn partner(mine: usize, members: usize, round: usize) -> Option<usize> {
    let around = rounds(members);
    let other = if mine == around {
        round
    } else {
        match (2 * round + around - mine) % around {
            across if across == mine => around,
            across => across,
        }
    };
    (other < members).then_some(other)
}

/// Latency, and bytes a second each way.
fn swap(cluster: &Cluster, partner: usize, bytes: usize) -> Result<(f64, f64), ClusterError> {
    let timed = |mine: &[u8], theirs: &mut [u8]| {
        let start = Instant::now();
        let swapped = cluster.doing.wait(|| cluster.engine.swap(partner, mine, theirs));
        swapped.map(|()| start.elapsed().as_secs_f64())
    };
    // The first message opens the connection.
    let small: Result<Vec<f64>, _> = (0..11).map(|_| timed(&[0; 8], &mut [0; 8])).collect();
    let (large, mut theirs) = (vec![0; bytes], vec![0; bytes]);
    let large: Result<Vec<f64>, _> = (0..3).map(|_| timed(&large, &mut theirs)).collect();
    let latency = median(small?.split_off(1));
    let best = large?.into_iter().skip(1).fold(f64::INFINITY, f64::min);
    Ok((latency, bytes as f64 / best))
}

/// How far the clock of each rank's host is ahead of that of rank 0, in seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Clocks {
    /// By rank.
    pub ahead_s: Vec<f64>,
    /// How far off these may be: the time of the exchange.
    pub within_s: f64,
}

/// Clocks read by all ranks right after they met.
pub(super) fn clocks(cluster: &Cluster) -> Result<Clocks, ClusterError> {
    let mut best = Clocks { ahead_s: vec![0.0; cluster.world()], within_s: f64::INFINITY };
    for _ in 0..5 {
        let start = Instant::now();
        cluster.barrier()?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |it| it.as_secs_f64());
        let took = start.elapsed().as_secs_f64();
        let all = cluster.gather(&[now, took])?;
        if all[0][1] < best.within_s {
            let ahead_s = all.iter().map(|it| it[0] - all[0][0]).collect();
            best = Clocks { ahead_s, within_s: all[0][1] };
        }
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_all_rounds_together_everyone_meets_everyone_once() {
        for members in 2..10 {
            let mut met = std::collections::BTreeSet::new();
            for round in 0..rounds(members) {
                for mine in 0..members {
                    let Some(other) = partner(mine, members, round) else { continue };
                    assert_eq!(partner(other, members, round), Some(mine), "of {members}");
                    assert!(other == mine || met.insert((mine, other)), "{mine}, {other} twice");
                    assert_ne!(other, mine);
                }
            }
            assert_eq!(met.len(), members * (members - 1), "of {members}");
        }
    }

    #[test]
    fn links_are_those_between_hosts_if_there_are_several() {
        let named = |names: &[&str]| names.iter().map(|&it| it.to_owned()).collect::<Vec<_>>();
        assert_eq!(members(&named(&["a", "a", "b", "b", "c"])), [0, 2, 4]);
        assert_eq!(members(&named(&["a", "a", "a"])), [0, 1, 2]);
    }
}
