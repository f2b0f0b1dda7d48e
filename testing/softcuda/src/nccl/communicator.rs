//! A communicator, seen from one rank: what it is doing, and which calls that allows.
//!
//! States of a communicator that does not block. Source: NCCL user guide, "Creating a communicator with options",
//! "Asynchronous errors and error handling", "Fault tolerance".
//!
//! ```text
//! joining -> ready -> finalizing -> finalized -> destroyed
//!      \________\_________\____________________-> aborted
//! ```

use std::collections::HashMap;
use std::ffi::{CString, c_int};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::operation::{Kind as OperationKind, Operation};
use super::wire::{Frame, Kind};
use super::{IN_PROGRESS, INVALID_USAGE, SUCCESS, SYSTEM_ERROR, misuse};
use crate::machine::Machine;
use crate::settings::settings;
use crate::work::{Progress, Task};

/// For what others send, before another stream gets its turn.
const PATIENCE: Duration = Duration::from_millis(1);
/// How often a call in progress is asked for before it is done: nobody may count on less.
const POLLS: u32 = 3;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    Joining,
    Ready,
    Finalizing,
    Finalized,
    Aborted,
    Destroyed,
}

/// What came over the socket, shared with the thread that hears it and the work that waits for it.
#[derive(Debug)]
pub(super) struct Link {
    heard: Mutex<Heard>,
    changed: Condvar,
    stream: Mutex<UnixStream>,
}

#[derive(Default, Debug)]
struct Heard {
    ready: bool,
    broken: Option<(c_int, String)>,
    results: HashMap<u64, Vec<u8>>,
    aborted: bool,
    /// Operations in streams.
    outstanding: usize,
}

impl Link {
    pub(super) fn new(stream: UnixStream) -> std::io::Result<Arc<Self>> {
        let mut reader = stream.try_clone()?;
        let link = Arc::new(Self {
            heard: Mutex::default(),
            changed: Condvar::new(),
            stream: Mutex::new(stream),
        });
        let hears = Arc::clone(&link);
        std::thread::spawn(move || {
            while let Ok(frame) = Frame::read(&mut reader) {
                hears.hear(frame);
            }
            let text = "Connection closed by remote peer".to_owned();
            hears.heard().broken.get_or_insert((SYSTEM_ERROR, text));
            hears.changed.notify_all();
        });
        Ok(link)
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, frame: Frame) {
        let mut heard = self.heard();
        match frame.kind {
            Kind::Ready => heard.ready = true,
            Kind::Result => {
                heard.results.insert(frame.number, frame.bytes);
            }
            Kind::Broken => {
                let status = c_int::try_from(frame.number).unwrap_or(SYSTEM_ERROR);
                heard.broken.get_or_insert((status, frame.text));
            }
            Kind::Hello | Kind::Operation | Kind::Leave | Kind::Failed => {}
        }
        self.changed.notify_all();
    }

    pub(super) fn say(&self, frame: &Frame) {
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        // A closed socket is heard of by the thread that reads.
        let _ = frame.write(&mut stream);
    }

    /// What an operation gives, `None` until it is there; nothing once the communicator was aborted.
    fn result(&self, number: u64) -> Option<Vec<u8>> {
        let waits = |heard: &mut Heard| !heard.aborted && !heard.results.contains_key(&number);
        let waited = self.changed.wait_timeout_while(self.heard(), PATIENCE, waits);
        let (mut heard, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let result = if heard.aborted { Some(Vec::new()) } else { heard.results.remove(&number) };
        heard.outstanding -= usize::from(result.is_some());
        result
    }
}

/// A call whose work is not in its stream yet.
struct Issue {
    stream: u32,
    /// What the stream had been given then.
    given: u32,
    task: Task,
}

/// A communicator.
pub(super) struct Communicator {
    pub(super) rank: c_int,
    pub(super) world: usize,
    pub(super) device: usize,
    pub(super) state: State,
    pub(super) link: Arc<Link>,
    blocking: bool,
    issue: Option<Issue>,
    polls: u32,
    operations: u64,
    reported: bool,
    pub(super) last_error: Option<CString>,
}

impl Communicator {
    pub(super) fn new(
        link: Arc<Link>,
        (rank, world): (c_int, usize),
        device: usize,
        blocking: bool,
    ) -> Self {
        Self {
            rank,
            world,
            device,
            state: State::Joining,
            link,
            blocking,
            issue: None,
            polls: POLLS,
            operations: 0,
            reported: false,
            last_error: None,
        }
    }

    /// `ncclCommGetAsyncError`: how far the last call got.
    pub(super) fn progress(&mut self, machine: &mut Machine) -> c_int {
        let broken = self.link.heard().broken.clone();
        if let Some((status, text)) = broken {
            self.reported = true;
            self.last_error = CString::new(text).ok();
            return status;
        }
        if self.polls > 0 {
            self.polls -= 1;
            return IN_PROGRESS;
        }
        match self.state {
            State::Joining if self.link.heard().ready => self.state = State::Ready,
            State::Joining => return IN_PROGRESS,
            State::Finalizing => {
                if self.link.heard().outstanding > 0 {
                    machine.run_some_asked();
                    return IN_PROGRESS;
                }
                self.link.say(&Frame::new(Kind::Leave, 0, ""));
                self.state = State::Finalized;
            }
            _ => {}
        }
        if let Some(issue) = self.issue.take() {
            if machine.given_to(issue.stream) != issue.given {
                crate::finding::found(
                    "a stream was given work while a collective was in progress: nothing orders the two",
                );
            }
            machine.give(issue.stream, "a collective", issue.task);
        }
        SUCCESS
    }

    /// Whether an operation may be called now.
    pub(super) fn may_operate(&self, of: &str) -> Result<(), c_int> {
        if self.reported {
            let text = format!("{of} after an error of the communicator; it can only be aborted");
            return Err(misuse(INVALID_USAGE, &text));
        }
        if self.polls > 0 || self.issue.is_some() || self.state == State::Joining {
            let text = format!("{of} while the communicator is in progress");
            return Err(misuse(INVALID_USAGE, &text));
        }
        if self.state != State::Ready {
            let text = format!("{of} on a communicator that is {:?}", self.state);
            return Err(misuse(INVALID_USAGE, &text));
        }
        Ok(())
    }

    /// Gives an operation to `stream`, now or in a while.
    pub(super) fn issue(
        &mut self,
        machine: &mut Machine,
        operation: Operation,
        (from, to): (usize, usize),
        stream: u32,
    ) -> c_int {
        self.operations += 1;
        let number = self.operations;
        let rank = u64::from(self.rank.unsigned_abs());
        if settings().nccl.fails_at == Some((number, rank)) {
            let text = "socketProgress: Connection refused (planted)";
            // Here first: what the others are told comes back as a remote error.
            self.link.heard().broken.get_or_insert((SYSTEM_ERROR, text.to_owned()));
            self.link.say(&Frame::new(Kind::Failed, 0, text));
        }
        self.link.heard().outstanding += 1;
        let task = exchange(
            Arc::clone(&self.link),
            operation,
            number,
            (from, to),
            (self.world, self.rank),
        );
        // The first call connects ranks; of the others some take their time.
        if self.blocking || number % 3 != 1 {
            machine.give(stream, "a collective", task);
            return SUCCESS;
        }
        self.issue = Some(Issue { stream, given: machine.given_to(stream), task });
        self.polls = POLLS;
        IN_PROGRESS
    }

    /// `ncclCommFinalize`.
    pub(super) fn finalize(&mut self) -> Result<c_int, c_int> {
        self.may_operate("ncclCommFinalize")?;
        (self.state, self.polls) = (State::Finalizing, POLLS);
        Ok(IN_PROGRESS)
    }

    /// `ncclCommDestroy`.
    pub(super) fn destroy(&mut self) -> Result<c_int, c_int> {
        if self.state != State::Finalized {
            let text = format!("ncclCommDestroy of a communicator that is {:?}", self.state);
            return Err(misuse(INVALID_USAGE, &text));
        }
        self.state = State::Destroyed;
        Ok(SUCCESS)
    }

    /// `ncclCommAbort`: whatever waits in a stream ends.
    pub(super) fn abort(&mut self) -> c_int {
        self.state = State::Aborted;
        self.issue = None;
        self.link.heard().aborted = true;
        self.link.changed.notify_all();
        SUCCESS
    }
}

/// Sends when its turn has come, and is done when the others have sent too.
fn exchange(
    link: Arc<Link>,
    operation: Operation,
    number: u64,
    (from, to): (usize, usize),
    (world, rank): (usize, c_int),
) -> Task {
    let mut is_sent = false;
    let sends = operation.kind != OperationKind::Broadcast || operation.root == rank;
    Task::Exchange(Box::new(move |arena| {
        if !is_sent {
            let bytes = if sends { operation.sent_bytes(world) } else { 0 };
            arena.touch(from, bytes, false)?;
            let mut frame = Frame::new(Kind::Operation, number, "");
            // SAFETY: just touched; no bytes where nothing is sent.
            frame.bytes = unsafe { std::slice::from_raw_parts(from as *const u8, bytes) }.to_vec();
            frame.more = operation.written();
            link.say(&frame);
            is_sent = true;
        }
        let Some(result) = link.result(number) else { return Ok(Progress::NotYet) };
        if result.len() == operation.received_bytes(world) {
            arena.touch(to, result.len(), true)?;
            // SAFETY: just touched.
            unsafe { std::ptr::copy(result.as_ptr(), to as *mut u8, result.len()) };
        }
        Ok(Progress::Done)
    }))
}
