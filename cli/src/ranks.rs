//! The ranks that a launcher started this process as one of.
//!
//! `mpirun -np 4 genesis train run.toml` needs no further option: the environment says that there are four. What
//! carries their numbers follows from the run file. A program that cannot join them refuses to start, rather than
//! to train the same run four times.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use genesis_train::cluster::launch::gpu_of_rank;
use genesis_train::cluster::{Cluster, ClusterError, Collective, Launch, Pace, Signs};
use genesis_train::device::DeviceChoice;
use genesis_train::device::nvidia::driver;
use genesis_train::keys::{EngineChoice, LimitsConfig, ParallelConfig, environment};
use genesis_train::report::host;

use crate::console;
use crate::exit::{Code, Failure, OrExit};

/// What a launcher says of this process, if it is one of several.
static LAUNCH: OnceLock<Option<Launch>> = OnceLock::new();
/// The ranks of this process, joined once.
static RANKS: OnceLock<Cluster> = OnceLock::new();
/// Ranks met and failed to join: every one of them knows why.
static FAILED_TO_JOIN: AtomicBool = AtomicBool::new(false);

/// What the environment says of this process; `None` without other ranks. All but the first say nothing from here
/// on.
pub(crate) fn launched() -> anyhow::Result<Option<&'static Launch>> {
    if let Some(launch) = LAUNCH.get() {
        return Ok(launch.as_ref());
    }
    let launch = Launch::of(&environment).or_exit(Code::Usage)?.filter(|launch| launch.world > 1);
    if launch.as_ref().is_some_and(|launch| launch.rank > 0) {
        console::be_quiet();
    }
    Ok(LAUNCH.get_or_init(|| launch).as_ref())
}

/// What carries numbers between ranks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Mpi,
    Nccl,
}

/// Joins the ranks that the environment tells of, alone without any; and the device of this one.
pub(crate) fn join(
    device: DeviceChoice,
    parallel: ParallelConfig,
) -> anyhow::Result<(&'static Cluster, DeviceChoice)> {
    let Some(launch) = launched()? else {
        return Ok((RANKS.get_or_init(Cluster::alone), device));
    };
    if let DeviceChoice::Cuda { ordinal } = device
        && ordinal > 0
    {
        let message = format!(
            "run.device is cuda:{ordinal}, but there are {} ranks, and each takes the GPU of its number on its \
             host; write cuda",
            launch.world
        );
        return Err(Failure::error(Code::Usage, message));
    }
    let cluster_of = |engine| Cluster::of(engine, &host()).or_exit(Code::Unexpected);
    let (cluster, gpu) = match engine_of(parallel.engine, device)? {
        Engine::Mpi => (within_time(launch, || over_mpi(launch).and_then(cluster_of))?, None),
        Engine::Nccl => {
            let (engine, gpu) = over_nccl(launch, parallel)?;
            (cluster_of(engine)?, gpu)
        }
    };
    console::note(cluster.describe());
    let cluster = RANKS.get_or_init(|| cluster);
    let device = match (device, gpu) {
        (DeviceChoice::Cuda { .. }, Some(ordinal)) => DeviceChoice::Cuda { ordinal },
        (DeviceChoice::Cuda { .. }, None) => own_gpu(launch, cluster)?,
        (other, _) => other,
    };
    Ok((cluster, device))
}

/// The engine that is meant.
pub(crate) fn engine_of(choice: EngineChoice, device: DeviceChoice) -> anyhow::Result<Engine> {
    let is_cuda = matches!(device, DeviceChoice::Cuda { .. });
    match (choice, device) {
        (EngineChoice::Auto, _) => Ok(if is_cuda { Engine::Nccl } else { Engine::Mpi }),
        (EngineChoice::Mpi, _) => Ok(Engine::Mpi),
        (EngineChoice::Nccl, DeviceChoice::Cuda { .. } | DeviceChoice::Cpu) => Ok(Engine::Nccl),
        (EngineChoice::Nccl, DeviceChoice::Wgpu { .. }) => {
            let message = format!(
                "parallel.engine is nccl, which is for NVIDIA GPUs, and run.device is {device}; write cuda there, \
                 or parallel.engine = \"mpi\""
            );
            Err(Failure::error(Code::Usage, message))
        }
    }
}

/// The GPU of a rank whose engine needs none; two on one are refused.
fn own_gpu(launch: &Launch, cluster: &Cluster) -> anyhow::Result<DeviceChoice> {
    let found = driver().map_err(|error| error.to_string());
    let mine = found.and_then(|found| gpu_of_rank(found.gpus.len(), launch.local_rank));
    let mine = mine.map_err(|problem| Failure::error(Code::Usage, problem));
    let ordinal = mine?;
    let visible = environment("CUDA_VISIBLE_DEVICES").unwrap_or_default();
    let gpu = format!("GPU {ordinal} of {} ({visible})", host());
    let all = cluster.gather_bytes(gpu.as_bytes()).or_exit(Code::Unexpected)?;
    let sharers: Vec<usize> = (0..all.len()).filter(|rank| all[*rank] == gpu.as_bytes()).collect();
    if sharers.len() > 1 {
        let message = format!("ranks {sharers:?} take {gpu}: each needs a GPU of its own");
        return Err(Failure::error(Code::Usage, message));
    }
    Ok(DeviceChoice::Cuda { ordinal })
}

/// What a launcher and the program disagree about.
#[cfg(any(not(feature = "mpi"), not(feature = "cuda")))]
fn built_without(launch: &Launch, what: &str, feature: &str) -> anyhow::Error {
    let Launch { launcher, rank, world, .. } = launch;
    let message = format!(
        "{launcher} started this as rank {rank} of {world}, but this program was built without {what}; build it \
         with `cargo build --release --features {feature}`, or start it once"
    );
    Failure::error(Code::Usage, message)
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
fn over_mpi(launch: &Launch) -> anyhow::Result<Arc<dyn Collective>> {
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
    Ok(Arc::new(mpi))
}

#[cfg(not(feature = "mpi"))]
fn over_mpi(launch: &Launch) -> anyhow::Result<Arc<dyn Collective>> {
    Err(built_without(launch, "MPI", "mpi"))
}

/// The engine, and the GPU that it took.
type WithGpu = (Arc<dyn Collective>, Option<usize>);

/// Ranks meet over TCP where the environment says where rank 0 is, and over MPI elsewhere.
#[cfg(feature = "cuda")]
fn over_nccl(launch: &Launch, parallel: ParallelConfig) -> anyhow::Result<WithGpu> {
    use genesis_train::cluster::nccl::{Carrier, Found, Machine, NAMES, Nccl};
    use genesis_train::cluster::rendezvous::{Place, SECRET, Secret};
    use genesis_train::device::find_library;
    use genesis_train::device::nvidia::DRIVER;

    let carrier = match Place::of(launch, &environment) {
        Ok(place) => {
            let secret = Secret::given(environment(SECRET));
            console::note(format!("rank 0 is met at {place} ({}), with {secret:?}", place.from));
            Carrier::Tcp { place, secret }
        }
        Err(_) if cfg!(feature = "mpi") && environment("MASTER_ADDR").is_none() => {
            Carrier::Engine(within_time(launch, || over_mpi(launch))?)
        }
        Err(error) => return Err(error).or_exit(Code::Usage),
    };
    let limit = Duration::from_secs(parallel.join_limit_s);
    let found = |names: &[&str]| {
        let library = find_library(names)?;
        let file = library.path.as_ref().map_or(String::new(), |it| format!(" ({})", it.display()));
        Some(Found { shown: format!("{}{file}", library.name), library: library.handle() })
    };
    let gpus = driver().map(|driver| driver.gpus.into_iter().map(|gpu| gpu.name).collect());
    let machine = Machine {
        nccl: found(&NAMES),
        driver: found(&DRIVER),
        gpus: gpus.map_err(|error| error.to_string()),
    };
    let joined = Nccl::join(launch, (&host(), &machine), carrier, limit, &environment);
    let nccl = joined.inspect_err(|_| FAILED_TO_JOIN.store(true, Ordering::Relaxed));
    let nccl = nccl.or_exit(Code::Unexpected)?;
    if let Some(warning) = nccl.warning() {
        console::note(warning);
    }
    let ordinal = nccl.ordinal();
    Ok((Arc::new(nccl), Some(ordinal)))
}

#[cfg(not(feature = "cuda"))]
fn over_nccl(launch: &Launch, _parallel: ParallelConfig) -> anyhow::Result<WithGpu> {
    Err(built_without(launch, "CUDA", "cuda"))
}

/// Whether this process tells people of the error that ends it. One that all ranks know of is told by the first
/// of them; one that the others cannot know of is told where it happened and ends them too. Of ranks that met and
/// could not join, one of each host tells.
pub(crate) fn is_told_here(error: &anyhow::Error, code: Code) -> bool {
    let Some(cluster) = RANKS.get() else {
        let launch = LAUNCH.get().and_then(Option::as_ref);
        let is_one_of_several = launch.and_then(|launch| launch.local_rank).unwrap_or(0) > 0;
        return !(is_one_of_several && FAILED_TO_JOIN.load(Ordering::Relaxed));
    };
    if cluster.is_alone() {
        return true;
    }
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
    limits: LimitsConfig,
) -> std::io::Result<Option<Signs>> {
    if cluster.is_alone() {
        return Ok(None);
    }
    let lost = |message: String| {
        console::error(&anyhow::anyhow!(message));
        // The engine is in use by the thread that waits; a launcher ends the others of a rank that fails.
        signal_hook::low_level::exit(Code::Data as i32);
    };
    cluster.give_signs(run_dir, Pace::with(limits.into()), lost).map(Some)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpus_are_joined_over_nccl_and_all_else_over_mpi_unless_a_key_says_so() {
        let (cuda, wgpu) =
            (DeviceChoice::Cuda { ordinal: 0 }, DeviceChoice::Wgpu { ordinal: None });
        for (choice, device, want) in [
            (EngineChoice::Auto, cuda, Engine::Nccl),
            (EngineChoice::Auto, DeviceChoice::Cpu, Engine::Mpi),
            (EngineChoice::Auto, wgpu, Engine::Mpi),
            (EngineChoice::Mpi, cuda, Engine::Mpi),
            (EngineChoice::Nccl, DeviceChoice::Cpu, Engine::Nccl),
        ] {
            assert_eq!(engine_of(choice, device).unwrap(), want);
        }
        let refused = engine_of(EngineChoice::Nccl, wgpu).unwrap_err().to_string();
        assert!(refused.contains("run.device is wgpu"), "{refused}");
    }
}
