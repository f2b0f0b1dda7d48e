//! Makes steps ahead of time on background threads.
//!
//! Worker `w` of `K` makes steps `first + w`, `first + w + K`, ... into a bounded channel of its
//! own; the consumer takes from the channels in turn. So steps come in order without sorting,
//! memory is bounded, and what is delivered does not depend on the depth or the timing. Nothing
//! that was made ahead counts as consumed: the position of a run is the step the trainer is at.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use crate::error::{DataError, Result};

/// Making a batch costs far less than training on it; two threads hide the latency of a disk.
const MAX_WORKERS: usize = 2;

type Made<T> = Result<Vec<T>>;

/// Endless iterator of `(step, batches)`; ends after the first error. Dropping it stops and joins
/// its threads.
#[derive(Debug)]
pub struct Prefetch<T> {
    lanes: Vec<Receiver<Made<T>>>,
    threads: Vec<JoinHandle<()>>,
    first_step: u64,
    taken: u64,
    failed: bool,
}

impl<T: Send + 'static> Prefetch<T> {
    /// `depth` steps are kept ready, at least one; `make` gives the batches of a step.
    pub(crate) fn new<F>(first_step: u64, depth: usize, make: F) -> Self
    where
        F: Fn(u64) -> Made<T> + Send + Sync + 'static,
    {
        let workers = depth.clamp(1, MAX_WORKERS);
        let make = Arc::new(make);
        let mut prefetch =
            Self { lanes: Vec::new(), threads: Vec::new(), first_step, taken: 0, failed: false };
        for worker in 0..workers {
            // The worker itself holds one finished step while it waits.
            let (sender, receiver) = sync_channel((depth / workers).saturating_sub(1));
            let (make, first) = (Arc::clone(&make), first_step.saturating_add(worker as u64));
            let run = move || work(&*make, first, workers as u64, &sender);
            let spawned = std::thread::Builder::new().name("loader".to_owned()).spawn(run);
            match spawned {
                Ok(thread) => {
                    prefetch.lanes.push(receiver);
                    prefetch.threads.push(thread);
                }
                Err(error) => prefetch.lanes.push(no_thread(first, &error)),
            }
        }
        prefetch
    }
}

/// A lane that says why there is nobody to fill it.
fn no_thread<T>(step: u64, error: &std::io::Error) -> Receiver<Made<T>> {
    let (sender, receiver) = sync_channel(1);
    let problem = format!(
        "its thread could not be started: {error}; raise the limit of processes (ulimit -u), or ask \
         for fewer threads"
    );
    // The receiver is right here, and there is room for one.
    let _ = sender.send(Err(DataError::Worker { step, problem }));
    receiver
}

fn work<T>(make: &dyn Fn(u64) -> Made<T>, first: u64, stride: u64, out: &SyncSender<Made<T>>) {
    let mut step = first;
    loop {
        let made = catch_unwind(AssertUnwindSafe(|| make(step)))
            .unwrap_or_else(|panic| Err(DataError::Worker { step, problem: panic_text(&*panic) }));
        let failed = made.is_err();
        // A closed channel means that the consumer is gone.
        if out.send(made).is_err() || failed {
            return;
        }
        step = step.saturating_add(stride);
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked").to_owned()
}

impl<T> Iterator for Prefetch<T> {
    type Item = Result<(u64, Vec<T>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let step = self.first_step.saturating_add(self.taken);
        let lane = usize::try_from(self.taken % self.lanes.len() as u64).expect("a few lanes");
        let made = self.lanes[lane].recv().unwrap_or_else(|_| {
            Err(DataError::Worker { step, problem: "its thread is gone".to_owned() })
        });
        self.taken += 1;
        self.failed = made.is_err();
        Some(made.map(|batches| (step, batches)))
    }
}

impl<T> Drop for Prefetch<T> {
    fn drop(&mut self) {
        // Closed channels wake workers that wait to deliver.
        self.lanes.clear();
        for thread in self.threads.drain(..) {
            // A worker catches its own panics, so joining cannot fail in a way that matters.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn a_panic_in_a_worker_is_delivered_as_an_error_after_the_steps_before_it() {
        let make = |step| {
            if step == 5 { panic!("broken page") } else { Ok(Vec::<u8>::new()) }
        };
        let mut prefetch = Prefetch::new(2, 4, make);
        for want in 2..5 {
            assert_eq!(prefetch.next().unwrap().unwrap().0, want);
        }
        let message = prefetch.next().unwrap().unwrap_err().to_string();
        assert!(message.contains("step 5") && message.contains("broken page"), "{message}");
        assert!(prefetch.next().is_none());
    }

    #[test]
    fn workers_stay_within_the_depth_and_stop_when_dropped() {
        for depth in 1..6u64 {
            let made = Arc::new(AtomicU64::new(0));
            let counter = Arc::clone(&made);
            let make = move |_| {
                counter.fetch_add(1, Ordering::SeqCst);
                Ok(Vec::<u8>::new())
            };
            let prefetch = Prefetch::new(0, usize::try_from(depth).unwrap(), make);
            std::thread::sleep(std::time::Duration::from_millis(30));
            assert!(made.load(Ordering::SeqCst) <= depth, "more than {depth} steps were made");
            drop(prefetch);
            assert_eq!(Arc::strong_count(&made), 1, "a worker outlived its prefetch");
        }
    }
}
