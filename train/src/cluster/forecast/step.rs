//! The time of a step on many ranks.
//!
//! A rank computes its share, then the gradients of all are summed in buckets:
//!
//! ```text
//! T(n) = U + (S - U) / n * w + C + 6 ceil(log2 n) a
//!
//! S  a step on one rank          U  the update of it, which every rank makes in full without ZeRO
//! w  1 where ranks share the samples of a step, n where each has as many as one had
//! C  sum over buckets of the cheapest way to add one up
//! ```
//!
//! A link has latency `a` and bandwidth `b`. A bucket of `s` bytes takes the least of
//!
//! ```text
//! recursive doubling   ceil(log2 n) (a + s / b')
//! Rabenseifner         2 ceil(log2 n) a + 2 (n - 1) / n s / b'
//! ring                 2 (n - 1) a + 2 (n - 1) / n s / b
//! two levels           2 ceil(log2 m) w + 2 (m - 1) / m s / v + 2 ceil(log2 h) a + 2 (h - 1) / h s / b
//! ```
//!
//! where `b'` is the part of a host's link that each of its ranks has, since all use it at once; in a ring of ranks
//! in the order of hosts one does. On two levels the `m` ranks of a host, whose links have latency `w` and bandwidth
//! `v`, first share out what they add up, then each adds its part up over the `h` hosts: NCCL's trees, and what Open
//! MPI calls HAN. Source: Thakur, Rabenseifner, Gropp, IJHPCA 19 (2005) 49-66, without the time
//! of the additions. What is not in it: congestion, ranks of unlike speed, and that smaller shares may run at
//! another rate.

use serde::Serialize;

use super::link::Link;

/// Small exchanges of a step beside the gradients: samples there, labels counted, gradients there, losses,
/// records written, who asks for a stop.
const SMALL_EXCHANGES: f64 = 6.0;

/// A run, as the forecast sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Work {
    /// A step on one rank.
    pub step_s: f64,
    /// The part of it that more ranks do not shorten.
    pub update_s: f64,
    /// Bytes of gradients that are summed.
    pub gradient_bytes: u64,
    /// Bytes of a bucket.
    pub bucket_bytes: u64,
    /// Whether each rank has as many samples as one rank had, so that steps grow.
    pub grows: bool,
}

/// Ranks and what lies between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ranks {
    /// Hosts.
    pub nodes: u64,
    /// Ranks on each.
    pub per_node: u64,
}

impl Ranks {
    /// All of them.
    pub fn count(self) -> u64 {
        self.nodes * self.per_node
    }
}

/// The links of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Links {
    /// Between hosts.
    pub between: Link,
    /// Between ranks of a host.
    pub within: Link,
}

/// What a step will take.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Step {
    /// Hosts.
    pub nodes: u64,
    /// Ranks.
    pub ranks: u64,
    /// Computing, on each rank.
    pub compute_s: f64,
    /// Exchanging.
    pub exchange_s: f64,
    /// The part of it during which nothing is computed: all of it, since it follows the backward pass.
    pub exposed_s: f64,
    /// What would be exposed if all buckets but the last were exchanged during the backward pass.
    pub exposed_overlapped_s: f64,
    /// All of the step.
    pub step_s: f64,
    /// Useful work over time, against one rank.
    pub efficiency: f64,
    /// Bytes that a rank sends in a step; it receives as many.
    pub sent_bytes: f64,
}

/// The step of `work` on `ranks`.
pub fn step(work: &Work, ranks: Ranks, links: &Links) -> Step {
    let count = ranks.count() as f64;
    let share = if work.grows { 1.0 } else { 1.0 / count };
    let update_s = work.update_s.min(work.step_s);
    let compute_s = update_s + (work.step_s - update_s) * share;
    let buckets: Vec<u64> = buckets(work).collect();
    let each: Vec<f64> = buckets.iter().map(|bytes| sum_s(*bytes as f64, ranks, links)).collect();
    let small_s = if ranks.count() == 1 { 0.0 } else { SMALL_EXCHANGES * small_s(ranks, links) };
    let exchange_s = each.iter().sum::<f64>() + small_s;
    // The backward pass is about two thirds of a step; the last bucket waits for its end.
    let hidden = (exchange_s - small_s - each.last().copied().unwrap_or(0.0))
        .min((compute_s - update_s) * 2.0 / 3.0)
        .max(0.0);
    let step_s = compute_s + exchange_s;
    let done = if work.grows { work.step_s } else { work.step_s / count };
    Step {
        nodes: ranks.nodes,
        ranks: ranks.count(),
        compute_s,
        exchange_s,
        exposed_s: exchange_s,
        exposed_overlapped_s: exchange_s - hidden,
        step_s,
        efficiency: done / step_s,
        sent_bytes: 2.0 * (count - 1.0) / count * work.gradient_bytes as f64,
    }
}

/// Sizes of the buckets, the last one what is left.
fn buckets(work: &Work) -> impl Iterator<Item = u64> {
    let size = work.bucket_bytes.clamp(1, work.gradient_bytes.max(1));
    let (whole, rest) = (work.gradient_bytes / size, work.gradient_bytes % size);
    (0..whole).map(move |_| size).chain((rest > 0).then_some(rest))
}

fn rounds(ranks: Ranks) -> f64 {
    log2(ranks.count())
}

/// Rounded up.
fn log2(count: u64) -> f64 {
    f64::from(count.next_power_of_two().trailing_zeros())
}

/// The link that ranks wait for, and its bandwidth where all ranks of a host use it at once.
fn slowest(ranks: Ranks, links: &Links) -> (Link, f64) {
    let Links { between, within } = *links;
    if ranks.nodes == 1 {
        return (within, within.bytes_per_s);
    }
    if ranks.per_node == 1 {
        return (between, between.bytes_per_s);
    }
    let latency_s = between.latency_s.max(within.latency_s);
    let bytes_per_s = between.bytes_per_s.min(within.bytes_per_s);
    let shared = (between.bytes_per_s / ranks.per_node as f64).min(within.bytes_per_s);
    (Link { latency_s, bytes_per_s }, shared)
}

/// Seconds to sum `bytes` over all ranks.
fn sum_s(bytes: f64, ranks: Ranks, links: &Links) -> f64 {
    let count = ranks.count() as f64;
    if ranks.count() == 1 {
        return 0.0;
    }
    let (link, shared) = slowest(ranks, links);
    let (rounds, moved) = (rounds(ranks), 2.0 * (count - 1.0) / count * bytes);
    let doubling = rounds * (link.latency_s + bytes / shared);
    let rabenseifner = 2.0 * rounds * link.latency_s + moved / shared;
    let ring = 2.0 * (count - 1.0) * link.latency_s + moved / link.bytes_per_s;
    doubling.min(rabenseifner).min(ring).min(two_levels_s(bytes, ranks, links))
}

/// Seconds to sum `bytes` within each host, over hosts, and within again.
fn two_levels_s(bytes: f64, ranks: Ranks, links: &Links) -> f64 {
    let level = |count: u64, link: Link| {
        let moved = 2.0 * (count as f64 - 1.0) / count as f64 * bytes;
        2.0 * log2(count) * link.latency_s + moved / link.bytes_per_s
    };
    level(ranks.per_node, links.within) + level(ranks.nodes, links.between)
}

fn small_s(ranks: Ranks, links: &Links) -> f64 {
    rounds(ranks) * slowest(ranks, links).0.latency_s
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: Link = Link { latency_s: 1e-5, bytes_per_s: 1e9 };
    const LINKS: Links =
        Links { between: LINK, within: Link { latency_s: 1e-6, bytes_per_s: 1e10 } };
    const WORK: Work = Work {
        step_s: 1.0,
        update_s: 0.1,
        gradient_bytes: 100_000_000,
        bucket_bytes: 40_000_000,
        grows: false,
    };

    fn near(found: f64, want: f64) {
        assert!((found - want).abs() < 1e-9 * want.abs().max(1e-9), "{found} is not {want}");
    }

    #[test]
    fn one_rank_takes_what_was_measured() {
        let alone = step(&WORK, Ranks { nodes: 1, per_node: 1 }, &LINKS);
        near(alone.step_s, 1.0);
        near(alone.efficiency, 1.0);
        near(alone.sent_bytes, 0.0);
    }

    #[test]
    fn four_hosts_take_what_the_formulas_say_by_hand() {
        let four = step(&WORK, Ranks { nodes: 4, per_node: 1 }, &LINKS);
        near(four.compute_s, 0.1 + 0.9 / 4.0);
        // Two buckets of 40 MB and one of 20; halving and doubling needs 4 latencies, a ring 6.
        near(four.exchange_s, 3.0 * 4.0 * 1e-5 + 1.5 * 0.1 + 6.0 * 2.0 * 1e-5);
        near(four.exposed_s, four.exchange_s);
        near(four.exposed_overlapped_s, 0.03 + 4e-5 + 12e-5);
        near(four.efficiency, 0.25 / four.step_s);
        near(four.sent_bytes, 1.5e8);
    }

    #[test]
    fn ranks_of_a_host_share_its_link_except_in_a_ring_and_on_two_levels() {
        // 2 hosts of 2: halving over half the link takes 0.3 s, a ring 0.15 s, two levels 0.01 and 0.1 s.
        let found = sum_s(1e8, Ranks { nodes: 2, per_node: 2 }, &LINKS);
        near(found, 2e-6 + 0.01 + 2e-5 + 0.1);
        near(sum_s(1e8, Ranks { nodes: 1, per_node: 4 }, &LINKS), 4e-6 + 0.015);
        near(sum_s(8.0, Ranks { nodes: 8, per_node: 1 }, &LINKS), 3.0 * (1e-5 + 8e-9));
    }

    #[test]
    fn steps_that_grow_keep_their_computing() {
        let grown = step(&Work { grows: true, ..WORK }, Ranks { nodes: 4, per_node: 1 }, &LINKS);
        near(grown.compute_s, 1.0);
        near(grown.efficiency, 1.0 / grown.step_s);
    }
}
