//! Where the time of a run goes: steps, waiting for data, the rest. Never reaches what is trained.

use std::time::{Duration, Instant};

/// Stop-watch of a run.
#[derive(Debug)]
pub(super) struct Clock {
    run_start: Instant,
    step_start: Instant,
    waiting: Duration,
}

impl Clock {
    /// Starts now.
    pub(super) fn start() -> Self {
        let now = Instant::now();
        Self { run_start: now, step_start: now, waiting: Duration::ZERO }
    }

    /// Begins a step; `wait` fetches its data and is timed apart.
    pub(super) fn begin_step<T>(&mut self, wait: impl FnOnce() -> T) -> T {
        self.step_start = Instant::now();
        let value = wait();
        self.waiting = self.step_start.elapsed();
        value
    }

    /// Seconds since the step began, waiting included; evaluations and checkpoints come after.
    pub(super) fn step_seconds(&self) -> f64 {
        self.step_start.elapsed().as_secs_f64()
    }

    /// Seconds of the step spent waiting for the loader.
    pub(super) fn waiting_seconds(&self) -> f64 {
        self.waiting.as_secs_f64()
    }

    /// Seconds since the clock was started.
    pub(super) fn run_seconds(&self) -> f64 {
        self.run_start.elapsed().as_secs_f64()
    }
}
