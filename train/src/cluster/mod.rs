//! Ranks: processes that train one model together.
//!
//! Reading order: [`collective`] (what an engine does), [`launch`] (what a launcher says), [`Cluster`] (what a
//! run asks of its ranks), [`signs`] and [`phase`] (who is waited for, and how long), [`rendezvous`] (how ranks find each other without MPI),
//! [`preflight`] (are they fit), [`forecast`] (what many will take). Engines: [`alone`], `mpi` (feature `mpi`),
//! `nccl` (feature `cuda`), and [`in_process`], the oracle of tests.
//! The order of calls is the same on every rank, so whatever may fail on one of them is agreed upon before
//! anyone goes on: no rank waits for another that has left.
//!
//! Not here: which samples a rank takes (the loaders), how gradients are summed (`trainer`).

pub mod alone;
pub mod collective;
pub mod error;
pub mod forecast;
pub mod host_list;
pub mod in_process;
pub mod launch;
#[cfg(feature = "mpi")]
pub mod mpi;
#[cfg(feature = "cuda")]
pub mod nccl;
pub mod phase;
pub mod preflight;
pub mod rendezvous;
pub mod signs;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub use alone::Alone;
pub use collective::{Collective, Element};
pub(crate) use collective::{Exchange, OnGpu};
pub use error::ClusterError;
pub use in_process::InProcess;
pub use launch::Launch;
pub use phase::{Limits, Phase};
pub use signs::{Pace, Signs};

/// The ranks of a run, seen from one of them.
#[derive(Debug, Clone)]
pub struct Cluster {
    engine: Arc<dyn Collective>,
    /// Host names, by rank.
    hosts: Vec<String>,
    /// All ranks know that they cannot go on.
    failed_together: Arc<AtomicBool>,
    doing: Arc<signs::Doing>,
    /// Tells this start of the program from every other.
    start: u64,
}

impl Cluster {
    /// One rank.
    pub fn alone() -> Self {
        Self::new(Arc::new(Alone), vec!["this host".to_owned()])
    }

    /// The ranks of `engine`; this one runs on `host`.
    ///
    /// # Errors
    /// A rank that cannot be reached.
    pub fn of(engine: Arc<dyn Collective>, host: &str) -> Result<Self, ClusterError> {
        let mut cluster = Self::new(engine, Vec::new());
        let hosts = cluster.gather_bytes(host.as_bytes())?;
        cluster.hosts = hosts.iter().map(|it| String::from_utf8_lossy(it).into_owned()).collect();
        let start = cluster.from_first(moment().to_le_bytes().to_vec())?;
        cluster.start = word(&start);
        Ok(cluster)
    }

    fn new(engine: Arc<dyn Collective>, hosts: Vec<String>) -> Self {
        Self { engine, hosts, failed_together: Arc::default(), doing: Arc::default(), start: 0 }
    }

    /// This rank, from 0.
    pub fn rank(&self) -> usize {
        self.engine.rank()
    }

    /// How many ranks there are.
    pub fn world(&self) -> usize {
        self.engine.world()
    }

    /// Whether this is the rank that writes the run folder.
    pub fn is_first(&self) -> bool {
        self.rank() == 0
    }

    /// Whether there is no other rank.
    pub fn is_alone(&self) -> bool {
        self.world() == 1
    }

    /// What carries the numbers.
    pub fn engine(&self) -> String {
        self.engine.name()
    }

    /// A rank and where it runs, such as `rank 3 on n2`.
    pub fn who(&self, rank: usize) -> String {
        format!("rank {rank} on {}", self.hosts[rank])
    }

    /// Ranks on the host of this one.
    pub fn ranks_here(&self) -> usize {
        let here = &self.hosts[self.rank()];
        self.hosts.iter().filter(|host| *host == here).count()
    }

    /// Ranks and hosts in words, such as `4 ranks on 2 hosts (n1, n2) over Open MPI v4.1.4`.
    pub fn describe(&self) -> String {
        let mut hosts: Vec<&str> = self.hosts.iter().map(String::as_str).collect();
        hosts.dedup();
        let names = match hosts.as_slice() {
            [one] => (*one).to_owned(),
            [first, .., last] if hosts.len() > 4 => {
                format!("{} hosts, {first} to {last}", hosts.len())
            }
            some => some.join(", "),
        };
        let plural = if self.is_alone() { "" } else { "s" };
        format!("{} rank{plural} on {names}, over {}", self.world(), self.engine())
    }

    /// Replaces `values` by their sums over all ranks.
    ///
    /// # Errors
    /// A rank that is gone.
    pub fn sum<E: Element>(&self, values: &mut [E]) -> Result<(), ClusterError> {
        if self.is_alone() {
            return Ok(());
        }
        self.doing.wait(|| self.engine.all_reduce(E::summed(values)))
    }

    /// The engine, where it works in the memory of the GPU of this number.
    pub(crate) fn on_gpu(&self, ordinal: usize) -> Option<Arc<dyn Collective>> {
        let reaches = !self.is_alone() && self.engine.gpu() == Some(ordinal);
        reaches.then(|| Arc::clone(&self.engine))
    }

    /// Does `exchange`, in which other ranks are waited for.
    ///
    /// # Errors
    /// Its own.
    pub(crate) fn wait<T, E>(&self, exchange: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        self.doing.wait(exchange)
    }

    /// The sums of `values` over all ranks, of which each gets its part: the first rank the first.
    ///
    /// # Panics
    /// `values` are not a whole number for each rank: a bug of the caller.
    ///
    /// # Errors
    /// A rank that is gone.
    pub fn scatter_sums<E: Element>(&self, values: &[E]) -> Result<Vec<E>, ClusterError> {
        assert!(values.len().is_multiple_of(self.world()), "each rank gets as many");
        let mut mine = vec![E::default(); values.len() / self.world()];
        if !mine.is_empty() {
            let exchange = || self.engine.reduce_scatter(E::sent(values), E::summed(&mut mine));
            self.doing.wait(exchange)?;
        }
        Ok(mine)
    }

    /// The `values` of every rank, which are equally many, one list a rank.
    ///
    /// # Errors
    /// A rank that is gone.
    pub fn gather<E: Element>(&self, values: &[E]) -> Result<Vec<Vec<E>>, ClusterError> {
        if self.is_alone() {
            return Ok(vec![values.to_vec()]);
        }
        let mut all = vec![E::default(); values.len() * self.world()];
        if !values.is_empty() {
            self.doing.wait(|| self.engine.all_gather(E::sent(values), E::received(&mut all)))?;
        }
        let of_rank = |rank: usize| all[rank * values.len()..(rank + 1) * values.len()].to_vec();
        Ok((0..self.world()).map(of_rank).collect())
    }

    /// The bytes of every rank, of any length.
    ///
    /// # Errors
    /// A rank that is gone.
    pub fn gather_bytes(&self, mine: &[u8]) -> Result<Vec<Vec<u8>>, ClusterError> {
        if self.is_alone() {
            return Ok(vec![mine.to_vec()]);
        }
        let length = (mine.len() as u64).to_le_bytes();
        let lengths: Vec<usize> =
            self.gather_exactly(&length)?.chunks_exact(8).map(length_of).collect();
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let mut padded = mine.to_vec();
        padded.resize(longest, 0);
        let all = self.gather_exactly(&padded)?;
        let of_rank = |(rank, length): (usize, &usize)| all[rank * longest..][..*length].to_vec();
        Ok(lengths.iter().enumerate().map(of_rank).collect())
    }

    /// Every batch that is this rank's: one in as many as there are ranks.
    pub fn turns<T>(&self, batches: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
        batches.skip(self.rank()).step_by(self.world())
    }

    /// Numbers of the batches of all ranks, each of which had its [`Cluster::turns`], in the order of batches:
    /// what is added in this order has the same bits on any number of ranks. `None` where any rank has none.
    ///
    /// # Errors
    /// A rank that is gone.
    pub fn in_turn<const N: usize>(
        &self,
        mine: Option<&[[f64; N]]>,
    ) -> Result<Option<Vec<[f64; N]>>, ClusterError> {
        if self.any([mine.is_none()])? == [true] {
            return Ok(None);
        }
        let numbers = mine.unwrap_or_default().as_flattened().iter();
        let bytes: Vec<u8> = numbers.flat_map(|number| number.to_le_bytes()).collect();
        let read = |bytes: &Vec<u8>| {
            let (words, _) = bytes.as_chunks();
            words.iter().map(|word| f64::from_le_bytes(*word)).collect()
        };
        let all: Vec<Vec<f64>> = self.gather_bytes(&bytes)?.iter().map(read).collect();
        let batches = |rank: &Vec<f64>| rank.as_chunks::<N>().0.len();
        let longest = all.iter().map(batches).max().unwrap_or(0);
        let of_turn = |at: usize| all.iter().filter_map(move |rank| rank.as_chunks().0.get(at));
        Ok(Some((0..longest).flat_map(of_turn).copied().collect()))
    }

    fn gather_exactly(&self, mine: &[u8]) -> Result<Vec<u8>, ClusterError> {
        use collective::{Received, Sent};
        let mut all = vec![0; mine.len() * self.world()];
        if !mine.is_empty() {
            let exchange = || self.engine.all_gather(Sent::Bytes(mine), Received::Bytes(&mut all));
            self.doing.wait(exchange)?;
        }
        Ok(all)
    }

    /// What rank 0 says, on every rank.
    ///
    /// # Errors
    /// A rank that is gone.
    pub fn from_first(&self, said: Vec<u8>) -> Result<Vec<u8>, ClusterError> {
        if self.is_alone() {
            return Ok(said);
        }
        let mut length = (said.len() as u64).to_le_bytes();
        self.doing.wait(|| self.engine.broadcast(0, &mut length))?;
        let mut said = said;
        said.resize(length_of(&length), 0);
        self.doing.wait(|| self.engine.broadcast(0, &mut said))?;
        Ok(said)
    }

    /// Which of the `flags` are set on any rank.
    ///
    /// # Errors
    /// A rank that is gone.
    pub fn any<const N: usize>(&self, flags: [bool; N]) -> Result<[bool; N], ClusterError> {
        if self.is_alone() {
            return Ok(flags);
        }
        let all = self.gather_exactly(&flags.map(u8::from))?;
        Ok(std::array::from_fn(|at| all.iter().skip(at).step_by(N).any(|&flag| flag != 0)))
    }

    /// Says what this rank does from here on, for those who wait for it.
    pub fn begins(&self, phase: Phase, doing: &'static str) {
        self.doing.name(phase, doing);
    }

    /// `mine` if all ranks succeeded at what they were `doing`. Where one failed, it gets its own error and
    /// the others are told.
    ///
    /// # Errors
    /// As said.
    pub fn agree<T, E>(&self, phase: Phase, doing: &'static str, mine: Result<T, E>) -> Result<T, E>
    where
        E: std::fmt::Display + From<ClusterError>,
    {
        self.doing.name(phase, doing);
        if self.is_alone() || self.any([mine.is_err()])? == [false] {
            return mine;
        }
        // An empty text is a success: no error has one.
        let said = mine.as_ref().err().map(ToString::to_string).unwrap_or_default();
        let all = self.gather_bytes(said.as_bytes())?;
        self.failed_together.store(true, Ordering::Relaxed);
        mine?;
        let (rank, message) =
            all.iter().enumerate().find(|(_, said)| !said.is_empty()).unwrap_or((0, &all[0]));
        let message = String::from_utf8_lossy(message).into_owned();
        Err(ClusterError::Elsewhere { rank, host: self.hosts[rank].clone(), doing, message }.into())
    }

    /// Refuses ranks whose `value` of `what` is not that of rank 0.
    ///
    /// # Errors
    /// [`ClusterError::Unlike`] on every rank, naming the first that differs.
    pub fn same(&self, what: &'static str, value: &str) -> Result<(), ClusterError> {
        let all = self.gather_bytes(value.as_bytes())?;
        let Some(rank) = (1..all.len()).find(|&rank| all[rank] != all[0]) else { return Ok(()) };
        self.failed_together.store(true, Ordering::Relaxed);
        let (theirs, first) =
            (String::from_utf8_lossy(&all[rank]), String::from_utf8_lossy(&all[0]));
        let (theirs, first) = difference(&theirs, &first);
        let (host, first_host) = (self.hosts[rank].clone(), self.hosts[0].clone());
        Err(ClusterError::Unlike { rank, host, first_host, what, theirs, first })
    }

    /// Refuses ranks whose parameters, by their `digest`, are not those of rank 0 after `step` updates.
    ///
    /// # Errors
    /// [`ClusterError::Apart`] on every rank, naming the first that differs.
    pub fn in_step(&self, step: u64, digest: &str) -> Result<(), ClusterError> {
        let all = self.gather_bytes(digest.as_bytes())?;
        let Some(rank) = (1..all.len()).find(|&rank| all[rank] != all[0]) else { return Ok(()) };
        self.failed_together.store(true, Ordering::Relaxed);
        let (host, first_host) = (self.hosts[rank].clone(), self.hosts[0].clone());
        Err(ClusterError::Apart { rank, host, first_host, step })
    }

    /// Whether the ranks agreed that they cannot go on: each ends by itself then.
    pub fn has_failed_together(&self) -> bool {
        self.failed_together.load(Ordering::Relaxed)
    }

    /// Writes signs of life into `run_dir` until they are dropped, and tells `lost` once of a rank that all wait
    /// for and that gives none.
    ///
    /// # Errors
    /// The folder of signs cannot be made.
    pub fn give_signs(
        &self,
        run_dir: &Path,
        pace: Pace,
        lost: impl Fn(String) + Send + 'static,
    ) -> std::io::Result<Signs> {
        let (rank, world, start) = (self.rank(), self.world(), self.start);
        let who = signs::Who { rank, world, host: self.hosts[rank].clone(), start };
        Signs::begin(run_dir, who, &self.doing, pace, lost)
    }

    /// Waits for everyone.
    ///
    /// # Errors
    /// A rank that is gone.
    pub fn barrier(&self) -> Result<(), ClusterError> {
        self.doing.wait(|| self.engine.barrier())
    }

    /// Leaves the others; see [`Collective::leave`].
    pub fn leave(&self) {
        self.engine.leave();
    }

    /// Ends all ranks at once; see [`Collective::abort`].
    pub fn abort(&self, code: i32) {
        self.engine.abort(code);
    }
}

/// The first lines that differ.
fn difference(a: &str, b: &str) -> (String, String) {
    let line = |text: &str, at| text.lines().nth(at).unwrap_or("nothing").trim().to_owned();
    let at = (0..a.lines().count()).find(|&at| line(a, at) != line(b, at));
    let at = at.unwrap_or_else(|| a.lines().count());
    (line(a, at), line(b, at))
}

fn length_of(bytes: &[u8]) -> usize {
    usize::try_from(word(bytes)).expect("a length of this machine")
}

fn word(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().expect("eight bytes"))
}

/// Nanoseconds of the clock, mixed with the number of the process.
fn moment() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let nanoseconds =
        now.map_or(0, |now| now.as_secs() * 1_000_000_000 + u64::from(now.subsec_nanos()));
    nanoseconds ^ (u64::from(std::process::id()) << 40)
}
