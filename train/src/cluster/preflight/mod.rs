//! Preflight: are the ranks, their hosts and what lies between them fit for a run?
//!
//! Every rank measures itself at the same time as the others, as it will work; rank 0 judges, and all learn the
//! same [`Report`]. Reading order: [`Demand`] (what a run needs), [`run`], [`measure`], [`host`], [`judge`].
//! What makes ranks train another model, another program, run file or dataset, is refused elsewhere
//! ([`Cluster::same`]).

mod host;
mod judge;
mod measure;
mod words;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{Cluster, ClusterError, Phase};
pub use host::{Device, memory_available, program};
pub use judge::{Finding, Severity};
pub use measure::{AllReduce, Clocks, Pair, median};
pub use words::scaled;

/// How thoroughly it is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// A few seconds, before a run.
    Short,
    /// Longer, and every pair of hosts.
    Full,
}

impl Length {
    /// For the repetitions of something small.
    fn moment(self) -> Duration {
        Duration::from_millis(if self == Self::Short { 40 } else { 200 })
    }

    /// For the repetitions of something large.
    fn while_(self) -> Duration {
        Duration::from_millis(if self == Self::Short { 400 } else { 3000 })
    }

    /// Bytes of each array of the triad: all ranks of a host together are far beyond its caches.
    fn triad_bytes(self) -> usize {
        if self == Self::Short { 16 << 20 } else { 64 << 20 }
    }

    /// Rounds of pairs, in each of which every host meets another one.
    fn rounds(self) -> usize {
        if self == Self::Short { 7 } else { 1023 }
    }

    /// Side of the square matrices whose product is timed.
    pub fn side(self) -> usize {
        if self == Self::Short { 512 } else { 1024 }
    }
}

/// What a run needs of its hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demand {
    /// Folder of its checkpoints.
    pub folder: PathBuf,
    /// One checkpoint.
    pub checkpoint_bytes: u64,
    /// Checkpoints that will be written beside those that are there, before any is removed.
    pub checkpoints: u64,
    /// Memory of a rank, where it is that of the host.
    pub rank_bytes: Option<u64>,
}

/// What a rank says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OfRank {
    /// Its host.
    pub host: String,
    /// Its process.
    pub process: u32,
    /// Products of matrices on its device.
    pub flops_per_s: f64,
    /// STREAM's triad on its threads.
    pub memory_bytes_per_s: f64,
    /// What its host's memory has left for it and others.
    pub available_bytes: Option<u64>,
    /// What the file system of the checkpoints has left for it.
    pub room_bytes: Option<u64>,
    /// Network devices of its host that are up.
    pub devices: Vec<Device>,
}

/// What was measured, and what to think of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Ranks and hosts in words.
    pub ranks: String,
    /// What carries numbers between ranks.
    pub transport: String,
    /// The program, which is the same on every rank.
    pub program: String,
    /// By rank.
    pub of_ranks: Vec<OfRank>,
    /// Sums over all ranks; nothing of one rank.
    pub all_reduce: Option<AllReduce>,
    /// Pairs that were measured.
    pub pairs: Vec<Pair>,
    /// Pairs of hosts, or of ranks on the only one, that there are.
    pub num_pairs: usize,
    /// Clocks of all ranks.
    pub clocks: Clocks,
    /// What the run needs, if there is one.
    pub demand: Option<Demand>,
    /// What to mend, the refusals first.
    pub findings: Vec<Finding>,
    /// What all this took.
    pub seconds: f64,
}

/// Bytes a second that the threads of this process move in STREAM's triad.
pub fn memory_rate() -> f64 {
    measure::triad(Length::Short)
}

/// Measures all ranks and judges them. `flops_per_s` is this rank's rate of products, measured while the others
/// measured theirs.
///
/// # Errors
/// A rank that is gone. What is found wrong is no error but part of the report.
pub fn run(
    cluster: &Cluster,
    length: Length,
    demand: Option<&Demand>,
    flops_per_s: f64,
) -> Result<Report, ClusterError> {
    let start = Instant::now();
    cluster.begins(Phase::Start, "measuring in the preflight");
    cluster.barrier()?;
    let mine = OfRank {
        host: cluster.hosts[cluster.rank()].clone(),
        process: std::process::id(),
        flops_per_s,
        memory_bytes_per_s: measure::triad(length),
        available_bytes: host::memory_available(),
        room_bytes: demand.and_then(|demand| host::room(&demand.folder)),
        devices: host::devices(),
    };
    let of_ranks = gather(cluster, &mine)?;
    let clocks = measure::clocks(cluster)?;
    let (mut all_reduce, mut pairs) = (None, Vec::new());
    if !cluster.is_alone() {
        let sums = measure::all_reduce(cluster, length)?;
        all_reduce = Some(sums);
        pairs = measure::pairs(cluster, length, sums.bus_bytes_per_s)?;
    }
    let members = measure::members(&cluster.hosts).len();
    let mut report = Report {
        ranks: cluster.describe(),
        transport: cluster.engine(),
        program: program(),
        of_ranks,
        all_reduce,
        pairs,
        num_pairs: members * (members - 1) / 2,
        clocks,
        demand: demand.cloned(),
        findings: Vec::new(),
        seconds: start.elapsed().as_secs_f64(),
    };
    report.findings = of_first(cluster, &judge::findings(&report))?;
    Ok(report)
}

fn gather<T: Serialize + for<'a> Deserialize<'a>>(
    cluster: &Cluster,
    mine: &T,
) -> Result<Vec<T>, ClusterError> {
    let said = serde_json::to_vec(mine).map_err(|error| unreadable(&error))?;
    let all = cluster.gather_bytes(&said)?;
    all.iter().map(|it| serde_json::from_slice(it).map_err(|error| unreadable(&error))).collect()
}

fn of_first(cluster: &Cluster, mine: &[Finding]) -> Result<Vec<Finding>, ClusterError> {
    let said = serde_json::to_vec(mine).map_err(|error| unreadable(&error))?;
    serde_json::from_slice(&cluster.from_first(said)?).map_err(|error| unreadable(&error))
}

fn unreadable(error: &serde_json::Error) -> ClusterError {
    ClusterError::Engine { engine: "preflight".to_owned(), reason: error.to_string() }
}

impl Report {
    /// What the run may not begin with, in one sentence a finding.
    pub fn refusal(&self) -> Option<String> {
        let refused = self.findings.iter().filter(|it| it.severity == Severity::Refusal);
        let messages: Vec<&str> = refused.map(|it| it.message.as_str()).collect();
        (!messages.is_empty()).then(|| messages.join("\n"))
    }
}
