//! The ranks that a launcher started this process as one of.
//!
//! `mpirun -np 4 genesis train run.toml` needs no further option: the environment says that there are four. A
//! program that cannot join them refuses to start, rather than to train the same run four times.

use std::path::Path;
use std::sync::OnceLock;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use genesis_train::cluster::{Cluster, ClusterError, Launch, Pace, Signs};
use genesis_train::keys::environment;
use genesis_train::report::host;

use crate::console;
use crate::exit::{Code, Failure, OrExit};

/// The ranks of this process, joined once.
static RANKS: OnceLock<Cluster> = OnceLock::new();

/// Joins the ranks that the environment tells of; alone without any.
pub(crate) fn join() -> anyhow::Result<&'static Cluster> {
    if let Some(cluster) = RANKS.get() {
        return Ok(cluster);
    }
    let launch = Launch::of(&environment).or_exit(Code::Usage)?;
    let cluster = match launch.filter(|launch| launch.world > 1) {
        None => Cluster::alone(),
        Some(launch) => within_time(&launch, || over_mpi(&launch))?,
    };
    if !cluster.is_first() {
        console::be_quiet();
    }
    console::note(format!("{}: this is rank {}", cluster.describe(), cluster.rank()));
    Ok(RANKS.get_or_init(|| cluster))
}

/// Ends the process where ranks do not find each other: an engine would wait for ever.
fn within_time<T>(launch: &Launch, join: impl FnOnce() -> T) -> T {
    // Seconds that ranks of thousands of nodes need; the first says it, the others only if it cannot.
    let limit = 45 + launch.world as u64 / 100;
    let later = if launch.rank == 0 { 0 } else { 5 };
    let Launch { launcher, rank, world, .. } = *launch;
    let (joined, waits) = std::sync::mpsc::channel::<()>();
    std::thread::spawn(move || {
        let time = Duration::from_secs(limit + later);
        if waits.recv_timeout(time) != Err(RecvTimeoutError::Timeout) {
            return;
        }
        console::error(&anyhow::anyhow!(
            "rank {rank} of {world} on {} waits for the other ranks of {launcher} since {limit} s: some host cannot \
             be reached through the network interface that is used there; name the one that connects all hosts \
             (Open MPI: --mca btl_tcp_if_include NAME --mca oob_tcp_if_include NAME; MPICH: -iface NAME; NCCL: \
             NCCL_SOCKET_IFNAME=NAME), and see that no firewall stands between them",
            host()
        ));
        signal_hook::low_level::exit(Code::Unexpected as i32);
    });
    let made = join();
    drop(joined);
    made
}

#[cfg(feature = "mpi")]
fn over_mpi(launch: &Launch) -> anyhow::Result<Cluster> {
    use std::sync::Arc;

    use genesis_train::cluster::Collective;
    use genesis_train::cluster::mpi::Mpi;

    let mpi = Mpi::join().or_exit(Code::Unexpected)?;
    let Launch { launcher, rank, world, .. } = *launch;
    if (mpi.rank(), mpi.world()) != (rank, world) {
        let message = format!(
            "{launcher} says that this is rank {rank} of {world}, but {} says rank {} of {}: the launcher is of \
             another MPI than this program was built with; use `mpirun` of the same",
            mpi.name(),
            mpi.rank(),
            mpi.world()
        );
        return Err(Failure::error(Code::Usage, message));
    }
    Cluster::of(Arc::new(mpi), &host()).or_exit(Code::Unexpected)
}

#[cfg(not(feature = "mpi"))]
fn over_mpi(launch: &Launch) -> anyhow::Result<Cluster> {
    let Launch { launcher, rank, world, .. } = *launch;
    let message = format!(
        "{launcher} started this as rank {rank} of {world}, but this program was built without MPI; build it \
         with `cargo build --release --features mpi`, or start it once"
    );
    Err(Failure::error(Code::Usage, message))
}

/// Whether this process tells people of the error that ends it. One that all ranks know of is told by the first
/// of them; one that the others cannot know of is told where it happened and ends them too.
pub(crate) fn is_told_here(error: &anyhow::Error, code: Code) -> bool {
    let Some(cluster) = RANKS.get().filter(|cluster| !cluster.is_alone()) else { return true };
    if !cluster.has_failed_together() {
        console::error(&anyhow::anyhow!("rank {} on {}: {error:#}", cluster.rank(), host()));
        cluster.abort(code as i32);
        return false;
    }
    // What another rank failed at names it already.
    if cluster.is_first() && !error.to_string().starts_with("rank ") {
        console::error(&anyhow::anyhow!("rank 0 on {}: {error:#}", host()));
        return false;
    }
    cluster.is_first()
}

/// Signs of life in the run folder, where there are several ranks: a rank that is lost ends the others.
pub(crate) fn give_signs(
    cluster: &'static Cluster,
    run_dir: &Path,
) -> std::io::Result<Option<Signs>> {
    if cluster.is_alone() {
        return Ok(None);
    }
    let lost = |message: String| {
        console::error(&anyhow::anyhow!(message));
        // The engine is in use by the thread that waits; a launcher ends the others of a rank that fails.
        signal_hook::low_level::exit(Code::Data as i32);
    };
    cluster.give_signs(run_dir, Pace::default(), lost).map(Some)
}

/// Leaves the other ranks, if there are any: the last that a process does.
pub(crate) fn leave() {
    if let Some(cluster) = RANKS.get() {
        cluster.leave();
    }
}

/// Threads of this rank where no one said how many: its own cores, or its part of those that it shares with
/// other ranks.
pub(crate) fn threads(cluster: &Cluster) -> Result<usize, ClusterError> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    if cluster.is_alone() {
        return Ok(0);
    }
    let allowed = allowed_cores();
    let sharing = cluster.gather_bytes(format!("{} {allowed}", host()).as_bytes())?;
    let mine = &sharing[cluster.rank()];
    let sharers = sharing.iter().filter(|theirs| *theirs == mine).count();
    Ok((cores / sharers).max(1))
}

/// The cores that this process may run on, as the system writes them.
fn allowed_cores() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    line.unwrap_or_default().trim().to_owned()
}
