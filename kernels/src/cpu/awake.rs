//! Threads that stay awake through a step.
//!
//! A step of a small network hands out a hundred parts that take 5 to 50 µs each. A thread of
//! rayon's pool that finds nothing to do for some 20 µs goes to sleep, and waking it takes as long
//! as such a part or longer: an eighth of a MACE prediction with 32 channels. So while [`Awake`] lives,
//! threads without work keep asking for some. They yield to other programs each time, and give up
//! after [`PATIENCE`] without work.
//!
//! Results do not depend on it. Not here: the number of threads, which is the program's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::{Autodiff, Flex};
use burn::tensor::backend::Backend;

/// How long a thread asks without finding work; a step that computes nothing for so long waits for
/// a file or another process.
const PATIENCE: Duration = Duration::from_millis(2);

/// One at a time: a thread that stays awake for one step would else run another step inside, and
/// come back to the first only when that one ends.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Keeps the threads of the current pool awake until it is dropped.
#[derive(Debug)]
#[must_use = "threads may sleep again when this is dropped"]
pub struct Awake {
    /// Whether they shall go on asking; none where nothing is kept awake.
    wanted: Option<Arc<AtomicBool>>,
}

/// A backend whose threads may be kept awake for a step.
pub trait Host: Backend {
    /// Keeps the threads that run the operations awake; see [`Awake`].
    fn keep_awake() -> Awake {
        Awake::none()
    }
}

impl Host for Flex {
    fn keep_awake() -> Awake {
        Awake::pool()
    }
}

impl<B: Backend, C: CheckpointStrategy> Host for Autodiff<B, C> {}

impl Awake {
    /// For backends that do not compute on the pool.
    fn none() -> Self {
        Self { wanted: None }
    }

    /// Of the pool that this thread belongs to, unless it belongs to none or some step has one.
    fn pool() -> Self {
        let Some(here) = rayon::current_thread_index() else { return Self::none() };
        if rayon::current_num_threads() == 1 || TAKEN.swap(true, Ordering::Acquire) {
            return Self::none();
        }
        let wanted = Arc::new(AtomicBool::new(true));
        let seen = wanted.clone();
        rayon::spawn_broadcast(move |context| {
            // This thread may come here too while it waits for a part; it must not stay.
            if context.index() != here {
                ask_for_work(&seen);
            }
        });
        Self { wanted: Some(wanted) }
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        if let Some(wanted) = self.wanted.take() {
            wanted.store(false, Ordering::Relaxed);
            TAKEN.store(false, Ordering::Release);
        }
    }
}

fn ask_for_work(wanted: &AtomicBool) {
    let mut last_work = Instant::now();
    while wanted.load(Ordering::Relaxed) && last_work.elapsed() < PATIENCE {
        if rayon::yield_now() == Some(rayon::Yield::Executed) {
            last_work = Instant::now();
        } else {
            thread::yield_now();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use rayon::prelude::*;

    use super::*;

    fn pool(threads: usize) -> rayon::ThreadPool {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .expect("threads can be started")
    }

    /// All cases in one test, since there is one guard in a process.
    #[test]
    fn one_guard_keeps_a_pool_awake_and_work_is_done_as_ever() {
        assert!(Awake::pool().wanted.is_none(), "this thread is in no pool");
        pool(1).install(|| assert!(Awake::pool().wanted.is_none(), "there is no other thread"));
        pool(3).install(|| {
            for round in 0..50 {
                let awake = Awake::pool();
                assert!(awake.wanted.is_some(), "round {round}");
                assert!(Awake::pool().wanted.is_none(), "a second one in round {round}");
                let count = AtomicUsize::new(0);
                (0..100).into_par_iter().for_each(|_| {
                    count.fetch_add(1, Ordering::Relaxed);
                });
                assert_eq!(count.into_inner(), 100);
            }
        });
    }

    /// Also when the step that has the guard does not end.
    #[test]
    fn a_thread_without_work_gives_up() {
        let (wanted, started) = (AtomicBool::new(true), Instant::now());
        pool(2).install(|| ask_for_work(&wanted));
        assert!(wanted.into_inner() && started.elapsed() >= PATIENCE);
    }
}
