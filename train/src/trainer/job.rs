//! Writing on a thread of its own, beside the steps.

use std::path::Path;
use std::thread::{Builder, JoinHandle};

use crate::checkpoint::CheckpointError;

type Outcome<T> = Result<T, CheckpointError>;

/// What gives a `T` when it is over. One that is dropped is waited for: nothing is left half written.
#[derive(Debug)]
pub(super) struct Job<T> {
    thread: Option<JoinHandle<Outcome<T>>>,
    /// Why there is none.
    failed: Option<CheckpointError>,
}

impl<T: Send + 'static> Job<T> {
    /// Begins `work` on something in `folder`.
    pub(super) fn begin(folder: &Path, work: impl FnOnce() -> Outcome<T> + Send + 'static) -> Self {
        match Builder::new().name("checkpoint".to_owned()).spawn(work) {
            Ok(thread) => Self { thread: Some(thread), failed: None },
            Err(source) => {
                let (action, path) = ("start a thread that writes", folder.to_path_buf());
                let failed = Some(CheckpointError::Io { action, path, source });
                Self { thread: None, failed }
            }
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits for its end.
    pub(super) fn end(mut self) -> Outcome<T> {
        match self.thread.take() {
            Some(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            None => Err(self.failed.take().expect("it has a thread or a reason")),
        }
    }
}

impl<T> Drop for Job<T> {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            // Whoever drops it has an error of its own to tell.
            let _ = thread.join();
        }
    }
}
