//! Whom all wait for, as the signs of the ranks tell.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Pace, Sign};

/// What is to be done, for every sentence.
const GO_ON: &str =
    "The last checkpoint is whole: go on with --resume, without that host if it is broken";

/// A rank that is silent.
pub(super) fn silent(rank: usize, sign: &Sign, age: Duration, waiting_at: &str) -> String {
    let Sign { host, process, doing, .. } = sign;
    format!(
        "rank {rank} on {host} (process {process}) gives no sign of life for {} s: it was {doing}, the others \
         wait {waiting_at}; its process was stopped or killed, or its host is cut off. {GO_ON}",
        age.as_secs()
    )
}

/// A rank that lives and does not come to where `mine` waits.
pub(super) fn stuck(rank: usize, sign: &Sign, mine: &Sign) -> String {
    let Sign { host, process, doing, phase, .. } = sign;
    let limit = phase.key();
    format!(
        "rank {rank} on {host} (process {process}) is alive and has been {doing} for {} s while the others wait {}:          look at what it hangs in there (gdb -p {process}), such as storage that does not answer; if it only needs longer, raise          {limit}. {GO_ON}",
        mine.waits_s, mine.doing
    )
}

/// A sentence where every rank of `signs` lives and waits, and none goes on: which host the others cannot reach,
/// or that the engine's network does not work. `None` while some rank works, or waits for a shorter time.
pub(super) fn stalled(signs: &[Sign], pace: Pace) -> Option<String> {
    let waited = signs.iter().map(|sign| sign.waits_s).min()?;
    if signs.iter().any(|sign| !sign.waiting) || waited < pace.lost_after.as_secs() {
        return None;
    }
    let doing = &signs[0].doing;
    if let Some((host, by)) = unreachable(signs) {
        let rank = signs.iter().position(|sign| sign.host == host)?;
        return Some(format!(
            "rank {rank} on {host} cannot be reached from {by}: all ranks have waited {waited} s {doing}, and its \
             port does not answer; its cable, switch or interface is down, or its process was stopped. {GO_ON}"
        ));
    }
    (waited >= pace.stalled_after.as_secs()).then(|| {
        let hosts: Vec<&str> = signs.iter().map(|sign| sign.host.as_str()).collect();
        format!(
            "all {} ranks, from rank 0 on {} to rank {} on {}, have waited {waited} s {doing} and none goes on, though their \
             hosts answer over TCP: what carries the numbers does not work, such as InfiniBand that is down or an \
             interface that does not connect all hosts (Open MPI: --mca btl_tcp_if_include NAME, --mca pml ob1). {GO_ON}",
            signs.len(),
            hosts[0],
            signs.len() - 1,
            hosts[hosts.len() - 1],
        )
    })
}

/// The host that most others cannot reach, and which these are. Of two that cannot reach each other, the one
/// without rank 0.
fn unreachable(signs: &[Sign]) -> Option<(&str, String)> {
    let mut by: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for sign in signs {
        for host in &sign.unreached {
            let askers = by.entry(host).or_default();
            if !askers.contains(&sign.host.as_str()) {
                askers.push(&sign.host);
            }
        }
    }
    let first = signs[0].host.as_str();
    let (host, askers) = by.into_iter().max_by_key(|(host, by)| (by.len(), *host != first))?;
    Some((host, askers.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Limits, Phase};

    fn pace() -> Pace {
        let day = Duration::from_hours(24);
        Pace::with(Limits { start: day, dataset: day, data: day, step: day, save: day })
    }

    /// Four ranks on as many hosts that wait for as long.
    fn waiting(waits_s: u64) -> Vec<Sign> {
        let sign = |rank: usize| Sign {
            start: 7,
            host: format!("n{}", rank + 1),
            process: 1,
            entered: 20 + rank as u64 % 2,
            waiting: true,
            waits_s,
            doors: Vec::new(),
            unreached: Vec::new(),
            phase: Phase::Step,
            doing: "summing gradients".to_owned(),
        };
        (0..4).map(sign).collect()
    }

    #[test]
    fn the_host_that_most_cannot_reach_is_named() {
        let mut signs = waiting(22);
        for (rank, hosts) in [(0, vec!["n3"]), (1, vec!["n3"]), (2, vec!["n1", "n2", "n4"])] {
            signs[rank].unreached = hosts.into_iter().map(str::to_owned).collect();
        }
        let said = stalled(&signs, pace()).unwrap();
        for part in ["rank 2 on n3 cannot be reached from n1, n2", "22 s summing", "--resume"] {
            assert!(said.contains(part), "{part} in {said}");
        }
        signs[3].waiting = false;
        assert_eq!(stalled(&signs, pace()), None, "one is at work");
        signs[3].waiting = true;
        signs[3].waits_s = 3;
        assert_eq!(stalled(&signs, pace()), None, "one went on a moment ago");
    }

    #[test]
    fn of_two_that_cannot_reach_each_other_it_is_the_one_without_the_first_rank() {
        let mut signs = waiting(30);
        signs.truncate(2);
        signs[0].unreached = vec!["n2".to_owned()];
        signs[1].unreached = vec!["n1".to_owned()];
        assert!(stalled(&signs, pace()).unwrap().contains("rank 1 on n2"));
    }

    #[test]
    fn ranks_that_reach_each_other_and_stand_still_blame_what_carries_the_numbers() {
        assert_eq!(stalled(&waiting(36), pace()), None, "not yet");
        let said = stalled(&waiting(41), pace()).unwrap();
        for part in ["all 4 ranks", "n1", "n4", "41 s", "btl_tcp_if_include"] {
            assert!(said.contains(part), "{part} in {said}");
        }
    }
}
