//! What to think of what was measured: a sentence for each thing to mend, with both values and the way out.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::measure::median;
use super::words::{scaled, short};
use super::{OfRank, Pair, Report};

/// A rank or link below this part of the median is slow. Ranks of a sound machine differ by a few percent, and
/// the slowest makes all wait; neighbours on a busy machine differ by more.
const SLOW: f64 = 0.7;
/// A latency above so many times the median is long.
const LONG: f64 = 5.0;
/// A clock is wrong beyond this.
const CLOCK_S: f64 = 1.0;
/// A network device that could carry so many times more than was measured is not used.
const UNUSED: f64 = 4.0;

/// What follows from a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The run would fail.
    Refusal,
    /// The run would be slower than it could be, or hard to follow.
    Warning,
}

/// Something to mend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What follows.
    pub severity: Severity,
    /// Where, both values, and the way out.
    pub message: String,
}

fn warning(message: String) -> Finding {
    Finding { severity: Severity::Warning, message }
}

fn refusal(message: String) -> Finding {
    Finding { severity: Severity::Refusal, message }
}

/// Everything to mend, the refusals first.
pub(super) fn findings(report: &Report) -> Vec<Finding> {
    let mut found = room(report);
    found.extend(memory(report));
    found.extend(slow_ranks(report));
    found.extend(slow_links(report));
    found.extend(unused_network(report));
    found.extend(clocks(report));
    found
}

/// `rank 3 on n2`.
fn place(report: &Report, rank: usize) -> String {
    format!("rank {rank} on {}", report.of_ranks[rank].host)
}

/// A rate of ranks: its name and unit, and why it may be low.
struct Rate {
    what: &'static str,
    unit: &'static str,
    of: fn(&OfRank) -> f64,
    fix: &'static str,
}

const RATES: [Rate; 2] = [
    Rate {
        what: "products",
        unit: "FLOP/s",
        of: |it| it.flops_per_s,
        fix: "another program uses its cores, ranks share them, or its clock is lowered: look at `top` and the \
              temperature there",
    },
    Rate {
        what: "memory",
        unit: "B/s",
        of: |it| it.memory_bytes_per_s,
        fix: "another program uses its memory, or the rank runs far from it: look at `top` and `numactl` there",
    },
];

fn slow_ranks(report: &Report) -> Vec<Finding> {
    let mut found = Vec::new();
    for Rate { what, unit, of, fix } in &RATES {
        let usual = median(report.of_ranks.iter().map(of).collect());
        for (rank, of_rank) in report.of_ranks.iter().enumerate() {
            if of(of_rank) < SLOW * usual {
                found.push(warning(format!(
                    "{}: {what} at {}, the median of the ranks is {} (slow is below {:.0} %); all wait for it: {fix}, \
                     or leave the host out",
                    place(report, rank),
                    scaled(of(of_rank), unit),
                    scaled(usual, unit),
                    100.0 * SLOW
                )));
            }
        }
    }
    found
}

/// Links below the median; a host all of whose links are is named itself.
fn slow_links(report: &Report) -> Vec<Finding> {
    let pairs = &report.pairs;
    let usual = median(pairs.iter().map(|it| it.bytes_per_s).collect());
    // The lower of two in the middle: one of two long ones is long.
    let soon = -median(pairs.iter().map(|it| -it.latency_s).collect());
    let is_slow = |it: &&Pair| it.bytes_per_s < SLOW * usual || it.latency_s > LONG * soon;
    let (slow, sound): (Vec<&Pair>, Vec<&Pair>) = pairs.iter().partition(is_slow);
    let ranks_of =
        |pairs: &[&Pair]| -> BTreeSet<usize> { pairs.iter().flat_map(|it| it.ranks).collect() };
    let several = |rank: &usize| slow.iter().filter(|it| it.ranks.contains(rank)).count() > 1;
    let whole: BTreeSet<usize> =
        ranks_of(&slow).difference(&ranks_of(&sound)).copied().filter(several).collect();
    let said = format!(
        "the median of {} is {} in {} (slow is below {:.0} %, or {LONG} times later)",
        pairs.len(),
        scaled(usual, "B/s"),
        short(soon),
        100.0 * SLOW
    );
    let fix =
        "look at the cable, the speed that was negotiated (`ethtool`, `ibstat`) and other traffic";
    let mut found: Vec<Finding> = Vec::new();
    for rank in &whole {
        let links: Vec<&&Pair> = slow.iter().filter(|it| it.ranks.contains(rank)).collect();
        let best = links.iter().fold(0.0_f64, |best, it| best.max(it.bytes_per_s));
        let late = links.iter().fold(f64::INFINITY, |late, it| late.min(it.latency_s));
        let place = place(report, *rank);
        found.push(warning(format!(
            "all {} links of {place} are slow: {} in {} at best, {said}: {fix}, or leave the host out",
            links.len(),
            scaled(best, "B/s"),
            short(late),
        )));
    }
    for pair in slow.iter().filter(|it| !it.ranks.iter().any(|rank| whole.contains(rank))) {
        let [a, b] = pair.ranks.map(|rank| place(report, rank));
        found.push(warning(format!(
            "the link between {a} and {b} is slow: {} in {}, {said}: {fix}, or leave one of the hosts out",
            scaled(pair.bytes_per_s, "B/s"),
            short(pair.latency_s),
        )));
    }
    found
}

/// A network that is much faster than what ranks use.
fn unused_network(report: &Report) -> Option<Finding> {
    let hosts: BTreeSet<&str> = report.of_ranks.iter().map(|it| it.host.as_str()).collect();
    let measured = match (report.pairs.is_empty(), report.all_reduce) {
        (false, _) => median(report.pairs.iter().map(|it| it.bytes_per_s).collect()),
        (true, sums) => sums?.bus_bytes_per_s,
    };
    // The host whose best device is the slowest bounds what all can do.
    let best = |of_rank: &OfRank| {
        let faster = |a: &super::Device, b: &super::Device| a.bytes_per_s.total_cmp(&b.bytes_per_s);
        of_rank.devices.iter().cloned().max_by(faster)
    };
    let devices: Option<Vec<_>> = report.of_ranks.iter().map(best).collect();
    let device = devices?.into_iter().min_by(|a, b| a.bytes_per_s.total_cmp(&b.bytes_per_s))?;
    let unused = hosts.len() > 1 && device.bytes_per_s > UNUSED * measured;
    unused.then(|| {
        warning(format!(
            "ranks exchange {} between hosts over {}, but {} of these hosts could carry {}: the engine may use a slower \
             device (Open MPI: --mca pml ucx, or --mca btl_tcp_if_include {}; MPICH: UCX_NET_DEVICES, \
             FI_PROVIDER), or the network is limited or in use",
            scaled(measured, "B/s"),
            report.transport,
            device.name,
            scaled(device.bytes_per_s, "B/s"),
            device.name,
        ))
    })
}

fn clocks(report: &Report) -> Vec<Finding> {
    let clocks = &report.clocks;
    let mut told = BTreeSet::new();
    let mut found = Vec::new();
    for (rank, ahead) in clocks.ahead_s.iter().enumerate() {
        let host = &report.of_ranks[rank].host;
        if ahead.abs() > CLOCK_S + clocks.within_s && told.insert(host) {
            let side = if *ahead > 0.0 { "ahead of" } else { "behind" };
            found.push(warning(format!(
                "the clock of {host} is {} {side} that of {} (measured to within {}; more than {CLOCK_S} s is too \
                 much): times of files and of records contradict each other; synchronise the clocks (chrony, ntpd)",
                short(ahead.abs()),
                report.of_ranks[0].host,
                short(clocks.within_s),
            )));
        }
    }
    found
}

/// Hosts whose file system has no room for its checkpoints.
fn room(report: &Report) -> Vec<Finding> {
    let Some(demand) = &report.demand else { return Vec::new() };
    let needed = demand.checkpoint_bytes.saturating_mul(demand.checkpoints);
    let mut told = BTreeSet::new();
    let short_of = |(_, it): &(usize, &OfRank)| it.room_bytes.is_some_and(|room| room < needed);
    let of_host = |(rank, it): (usize, &OfRank)| {
        let room = it.room_bytes.unwrap_or(0);
        told.insert((it.host.clone(), room)).then(|| {
            refusal(format!(
                "{}: {} free where {} lies, {} checkpoints of {} need {}: free space, lower checkpoint.keep_last, \
                 or choose another run.dir",
                place(report, rank),
                scaled(room as f64, "B"),
                demand.folder.display(),
                demand.checkpoints,
                scaled(demand.checkpoint_bytes as f64, "B"),
                scaled(needed as f64, "B"),
            ))
        })
    };
    report.of_ranks.iter().enumerate().filter(short_of).filter_map(of_host).collect()
}

/// Hosts with too little memory for their ranks.
fn memory(report: &Report) -> Vec<Finding> {
    let Some(bytes) = report.demand.as_ref().and_then(|it| it.rank_bytes) else {
        return Vec::new();
    };
    let hosts: BTreeSet<&str> = report.of_ranks.iter().map(|it| it.host.as_str()).collect();
    let of_host = |host: &str| {
        let ranks: Vec<&OfRank> = report.of_ranks.iter().filter(|it| it.host == host).collect();
        let first = report.of_ranks.iter().position(|it| it.host == host)?;
        let available = ranks.iter().filter_map(|it| it.available_bytes).min()?;
        let needed = bytes.saturating_mul(ranks.len() as u64);
        (available < needed).then(|| {
            refusal(format!(
                "{}: {} of memory free, the {} ranks of its host need {} ({} each, as `genesis plan` says): fewer \
                 ranks a host, more batch.accumulation, or a smaller model",
                place(report, first),
                scaled(available as f64, "B"),
                ranks.len(),
                scaled(needed as f64, "B"),
                scaled(bytes as f64, "B"),
            ))
        })
    };
    hosts.into_iter().filter_map(of_host).collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::{AllReduce, Clocks, Demand, Device};
    use super::*;

    /// Four sound hosts with a rank each.
    fn sound() -> Report {
        let of_rank = |rank: usize| OfRank {
            host: format!("n{}", rank + 1),
            process: 7,
            flops_per_s: 40e9 + rank as f64 * 1e9,
            memory_bytes_per_s: 10e9,
            available_bytes: Some(8 << 30),
            room_bytes: Some(1 << 30),
            devices: vec![Device { name: "eth0".to_owned(), bytes_per_s: 1.25e8 }],
        };
        let pair = |a, b| Pair { ranks: [a, b], latency_s: 5e-5, bytes_per_s: 1.1e8 };
        Report {
            ranks: "4 ranks".to_owned(),
            transport: "MPI".to_owned(),
            program: String::new(),
            of_ranks: (0..4).map(of_rank).collect(),
            all_reduce: Some(AllReduce {
                latency_s: 1e-4,
                bytes: 1 << 20,
                algorithm_bytes_per_s: 7e7,
                bus_bytes_per_s: 1e8,
            }),
            pairs: vec![pair(0, 1), pair(0, 2), pair(0, 3), pair(1, 2), pair(1, 3), pair(2, 3)],
            num_pairs: 6,
            clocks: Clocks { ahead_s: vec![0.0, 0.9, -0.9, 0.0], within_s: 0.001 },
            demand: Some(Demand {
                folder: PathBuf::from("/data/run/checkpoints"),
                checkpoint_bytes: 100 << 20,
                checkpoints: 4,
                rank_bytes: Some(7 << 30),
            }),
            findings: Vec::new(),
            seconds: 1.0,
        }
    }

    /// The only finding of `report`, which has these parts.
    fn one(report: &Report, severity: Severity, parts: &[&str]) {
        let found = findings(report);
        let [finding] = found.as_slice() else { unreachable!("one finding, not {found:?}") };
        assert_eq!(finding.severity, severity);
        for part in parts {
            assert!(finding.message.contains(part), "{part} in {}", finding.message);
        }
    }

    #[test]
    fn sound_hosts_have_nothing_to_mend() {
        assert_eq!(findings(&sound()), []);
    }

    #[test]
    fn a_slow_rank_is_named_with_its_rate_and_the_median() {
        let mut report = sound();
        report.of_ranks[2].flops_per_s = 20e9;
        one(&report, Severity::Warning, &["rank 2 on n3", "20.0 GFLOP/s", "41.0 GFLOP/s", "70 %"]);
        let mut report = sound();
        report.of_ranks[0].memory_bytes_per_s = 4e9;
        one(&report, Severity::Warning, &["rank 0 on n1", "4.0 GB/s", "10.0 GB/s"]);
    }

    #[test]
    fn a_slow_link_is_named_by_both_hosts_and_a_host_with_slow_links_only_by_itself() {
        let mut report = sound();
        report.pairs[3].bytes_per_s = 1.2e7;
        one(
            &report,
            Severity::Warning,
            &["rank 1 on n2 and rank 2 on n3", "12.0 MB/s", "110 MB/s"],
        );
        let mut report = sound();
        report.pairs[3].latency_s = 1e-3;
        one(&report, Severity::Warning, &["rank 1 on n2 and rank 2 on n3", "1.00 ms", "50.0 us"]);
        let mut report = sound();
        for pair in report.pairs.iter_mut().filter(|it| it.ranks.contains(&3)) {
            pair.bytes_per_s = 1e7;
        }
        one(&report, Severity::Warning, &["all 3 links of rank 3 on n4", "10.0 MB/s", "110 MB/s"]);
    }

    #[test]
    fn a_faster_device_that_is_not_used_is_named_with_the_setting() {
        let mut report = sound();
        for of_rank in &mut report.of_ranks {
            of_rank.devices.push(Device { name: "ib0".to_owned(), bytes_per_s: 2.5e10 });
        }
        one(&report, Severity::Warning, &["110 MB/s", "ib0", "25.0 GB/s", "btl_tcp_if_include"]);
        report.of_ranks[1].devices.pop();
        assert_eq!(findings(&report), [], "one host has no such device");
    }

    #[test]
    fn a_clock_that_is_wrong_by_more_than_a_second_is_named() {
        let mut report = sound();
        report.clocks.ahead_s[1] = -3.25;
        one(&report, Severity::Warning, &["clock of n2", "3.25 s behind that of n1", "chrony"]);
    }

    #[test]
    fn a_disk_or_memory_that_is_too_small_is_a_refusal() {
        let mut report = sound();
        report.of_ranks[3].room_bytes = Some(2 << 20);
        let parts = [
            "n4: 2.1 MB free where /data/run/checkpoints lies",
            "4 checkpoints",
            "419 MB",
            "keep_last",
        ];
        one(&report, Severity::Refusal, &parts);
        let mut report = sound();
        report.of_ranks[1].host = "n1".to_owned();
        let parts = [
            "rank 0 on n1: 8.6 GB of memory free",
            "2 ranks of its host need 15.0 GB",
            "accumulation",
        ];
        one(&report, Severity::Refusal, &parts);
    }
}
