//! The thread pool of the process.

use std::sync::OnceLock;

use crate::exit::{Code, Failure};

/// Bytes of a thread's stack: that of a main thread on Linux, whose work a pool thread does here.
const STACK_BYTES: usize = 8 << 20;

/// Threads that the pool was started with; 0 for as many as there are cores.
static STARTED: OnceLock<usize> = OnceLock::new();
/// What `--threads` said.
static GIVEN: OnceLock<usize> = OnceLock::new();

/// Remembers `--threads`, which a run file cannot change, and starts so many.
pub(crate) fn give(threads: usize) -> anyhow::Result<()> {
    let _ = GIVEN.set(threads);
    start(threads)
}

/// What `--threads` said, if it did.
pub(crate) fn given() -> Option<usize> {
    GIVEN.get().copied()
}

/// Makes a pool of so many threads, 0 for as many as there are cores, unless there is one already.
pub(crate) fn start(threads: usize) -> anyhow::Result<()> {
    if STARTED.get().is_some() {
        return Ok(());
    }
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .stack_size(STACK_BYTES)
        .build_global()
        .map_err(|error| refused(threads, &error))?;
    let _ = STARTED.set(threads);
    Ok(())
}

fn refused(threads: usize, error: &dyn std::error::Error) -> anyhow::Error {
    let wanted = match threads {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        threads => threads,
    };
    let message = format!(
        "cannot start {wanted} threads: {error}{}; ask for fewer with run.threads or --threads, or \
         raise the limits of processes (ulimit -u) and memory (ulimit -v)",
        limit()
            .map_or_else(String::new, |limit| format!(" (at most {limit} processes and threads)"))
    );
    Failure::error(Code::Usage, message)
}

/// How many processes and threads this user may have, where the system says it.
fn limit() -> Option<u64> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max processes"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Runs `work` on a thread of the pool, where handing out its parts costs a fraction of what it costs
/// from outside: no thread is put to sleep and woken for each.
///
/// With one thread it runs outside: waiting for data there would keep the pool from making them.
///
/// # Errors
/// Those of `work`, or no pool could be made.
pub(crate) fn inside<R: Send>(
    work: impl FnOnce() -> anyhow::Result<R> + Send,
) -> anyhow::Result<R> {
    start(0)?;
    if rayon::current_num_threads() == 1 { work() } else { rayon::scope(|_| work()) }
}
