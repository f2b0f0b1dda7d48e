//! The thread pool of the process.

use crate::console;

/// Bytes of a thread's stack: that of a main thread on Linux, whose work a pool thread does here.
const STACK_BYTES: usize = 8 << 20;

/// Makes a pool of so many threads, or says that there is one already.
pub(crate) fn start(threads: usize) {
    if !try_start(threads) {
        console::note("note: run.threads is ignored, --threads was given");
    }
}

/// Runs `work` on a thread of the pool, where handing out its parts costs a fraction of what it costs
/// from outside: no thread is put to sleep and woken for each.
///
/// With one thread it runs outside: waiting for data there would keep the pool from making them.
pub(crate) fn inside<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    // Zero means as many as there are cores; false that the pool is there.
    try_start(0);
    if rayon::current_num_threads() == 1 { work() } else { rayon::scope(|_| work()) }
}

fn try_start(threads: usize) -> bool {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .stack_size(STACK_BYTES)
        .build_global()
        .is_ok()
}
