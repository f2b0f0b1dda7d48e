//! Contexts, streams and events, and what the documented order of streams says of their work.
//!
//! Work of a stream runs in the order in which it was given. Work of two streams is ordered by events, by events
//! of a whole context, by the default stream, and by the host where it waited. Every piece of work carries a
//! vector clock: by stream, the last turn that is ordered before it. Nothing runs when it is given; what runs
//! when is the business of `schedule.rs`. What the host waited for counts for all threads of the host. Source:
//! CUDA Driver API, "Stream Management", "Event Management", "Stream synchronization behavior".

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::arena::{Arena, Work};
use crate::counters::Counters;
use crate::finding::found;
use crate::schedule::Dice;
use crate::settings::settings;
use crate::status::Status;
use crate::work::Task;

/// By stream, a turn.
pub(crate) type Clock = Vec<u32>;

/// Work in a queue.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) work: Work,
    pub(crate) turn: u32,
    /// Streams and turns that must be done first, beside those before it in its stream.
    pub(crate) after: Vec<(u32, u32)>,
    pub(crate) clock: Clock,
    pub(crate) task: Task,
}

/// A stream.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) device: usize,
    /// Is it ordered with the default stream?
    blocks: bool,
    is_default: bool,
    destroyed: bool,
    pub(crate) queue: VecDeque<Queued>,
    /// The last turn given, and the last done.
    given: u32,
    pub(crate) done: u32,
    /// What is ordered before the next work.
    clock: Clock,
    /// What the next work has to wait for.
    after: Vec<(u32, u32)>,
}

/// What an event stands for.
#[derive(Clone, Default, Debug)]
pub(crate) struct Event {
    pub(crate) device: usize,
    /// `None` before it is recorded.
    pub(crate) recorded: Option<Captured>,
}

/// Work up to a point.
#[derive(Clone, Default, Debug)]
pub(crate) struct Captured {
    pub(crate) after: Vec<(u32, u32)>,
    clock: Clock,
}

/// A device and its primary context.
#[derive(Default, Debug)]
pub(crate) struct Device {
    pub(crate) retained: bool,
    pub(crate) used_bytes: u64,
    default_stream: Option<u32>,
    /// What every stream of the context waits for, those not yet made included.
    waits: Captured,
    /// A failure of its work: every later call gives it back.
    pub(crate) failure: Option<Status>,
}

/// Everything.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) initialised: bool,
    pub(crate) devices: Vec<Device>,
    pub(crate) streams: Vec<Stream>,
    pub(crate) events: HashMap<u64, Event>,
    pub(crate) next_event: u64,
    /// Page-locked memory of the host: start and bytes.
    pub(crate) pinned: BTreeMap<usize, usize>,
    pub(crate) modules: Vec<crate::driver::module::Module>,
    pub(crate) functions: Vec<crate::driver::module::Function>,
    pub(crate) arena: Box<Arena>,
    pub(crate) dice: Dice,
    pub(crate) counters: Counters,
    /// What the host waited for.
    host: Clock,
}

// SAFETY: addresses in it are of memory that belongs to the machine; the lock below guards all of it.
unsafe impl Send for Machine {}

/// The machine, for one caller at a time.
pub(crate) fn machine() -> MutexGuard<'static, Machine> {
    static MACHINE: OnceLock<Mutex<Machine>> = OnceLock::new();
    let machine = MACHINE.get_or_init(|| {
        crate::counters::write_at_exit();
        Mutex::new(Machine::new())
    });
    machine.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Machine {
    fn new() -> Self {
        let settings = settings();
        Self {
            initialised: false,
            devices: (0..settings.devices).map(|_| Device::default()).collect(),
            streams: Vec::new(),
            events: HashMap::new(),
            next_event: 0,
            pinned: BTreeMap::new(),
            modules: Vec::new(),
            functions: Vec::new(),
            arena: Box::new(Arena::new()),
            dice: Dice::new(settings.seed),
            counters: Counters::default(),
            host: Clock::new(),
        }
    }

    /// A new stream.
    pub(crate) fn add_stream(&mut self, device: usize, blocks: bool, is_default: bool) -> u32 {
        let waits = self.devices[device].waits.clone();
        self.streams.push(Stream {
            device,
            blocks,
            is_default,
            destroyed: false,
            queue: VecDeque::new(),
            given: 0,
            done: 0,
            clock: waits.clock,
            after: waits.after,
        });
        u32::try_from(self.streams.len() - 1).unwrap_or(u32::MAX)
    }

    /// The stream of work without one.
    pub(crate) fn default_stream(&mut self, device: usize) -> u32 {
        if let Some(stream) = self.devices[device].default_stream {
            return stream;
        }
        let stream = self.add_stream(device, true, true);
        self.devices[device].default_stream = Some(stream);
        stream
    }

    /// How much work a stream was given.
    pub(crate) fn given_to(&self, stream: u32) -> u32 {
        self.streams[stream as usize].given
    }

    /// Is there a stream of this number?
    pub(crate) fn has_stream(&self, stream: u32) -> bool {
        self.streams.get(stream as usize).is_some_and(|stream| !stream.destroyed)
    }

    /// Ends a stream; its work goes on.
    pub(crate) fn destroy_stream(&mut self, stream: u32) {
        self.streams[stream as usize].destroyed = true;
    }

    /// Gives work to a stream, behind all that is ordered before it.
    pub(crate) fn give(&mut self, stream: u32, name: &str, task: Task) -> Work {
        self.order_with_default(stream);
        let host = self.host.clone();
        let of = &mut self.streams[stream as usize];
        of.given += 1;
        let turn = of.given;
        join(&mut of.clock, &host);
        set(&mut of.clock, stream, turn);
        let work = self.arena.give(stream, turn, name);
        let (after, clock) = (std::mem::take(&mut of.after), of.clock.clone());
        of.queue.push_back(Queued { work, turn, after, clock, task });
        self.run_some();
        work
    }

    /// Work of the default stream is ordered with that of all streams that block.
    fn order_with_default(&mut self, stream: u32) {
        let of = &self.streams[stream as usize];
        let (device, is_default) = (of.device, of.is_default);
        if !of.blocks {
            return;
        }
        let others: Vec<u32> = (0..self.streams.len() as u32)
            .filter(|&other| {
                let of = &self.streams[other as usize];
                other != stream && of.device == device && of.blocks && (is_default || of.is_default)
            })
            .collect();
        for other in others {
            let captured = self.capture(other);
            self.wait_for(stream, &captured);
        }
    }

    /// What a stream was given so far.
    pub(crate) fn capture(&self, stream: u32) -> Captured {
        let of = &self.streams[stream as usize];
        let mut after = of.after.clone();
        after.push((stream, of.given));
        Captured { after, clock: of.clock.clone() }
    }

    /// What all streams of a device were given so far.
    pub(crate) fn capture_all(&self, device: usize) -> Captured {
        let mut all = Captured::default();
        for stream in 0..self.streams.len() as u32 {
            if self.streams[stream as usize].device == device {
                let captured = self.capture(stream);
                all.after.extend(captured.after);
                join(&mut all.clock, &captured.clock);
            }
        }
        all
    }

    /// What a stream is given from now on waits.
    pub(crate) fn wait_for(&mut self, stream: u32, captured: &Captured) {
        let after: Vec<_> = captured
            .after
            .iter()
            .copied()
            .filter(|&(other, turn)| other != stream && self.streams[other as usize].done < turn)
            .collect();
        let of = &mut self.streams[stream as usize];
        of.after.extend(after);
        join(&mut of.clock, &captured.clock);
    }

    /// What any stream of a device is given from now on waits.
    pub(crate) fn all_wait_for(&mut self, device: usize, captured: &Captured) {
        for stream in 0..self.streams.len() as u32 {
            if self.streams[stream as usize].device == device {
                self.wait_for(stream, captured);
            }
        }
        let waits = &mut self.devices[device].waits;
        waits.after.extend(&captured.after);
        join(&mut waits.clock, &captured.clock);
        let streams = &self.streams;
        waits.after.retain(|&(stream, turn)| streams[stream as usize].done < turn);
    }

    /// Is it done?
    pub(crate) fn is_done(&self, captured: &Captured) -> bool {
        let mut all = captured.after.iter();
        all.all(|&(stream, turn)| self.streams[stream as usize].done >= turn)
    }

    /// The host waits.
    pub(crate) fn synchronise(&mut self, captured: &Captured) {
        for &(stream, turn) in &captured.after {
            self.run_until(stream, turn);
        }
        self.host_knows(captured);
    }

    /// The host knows that this is done.
    pub(crate) fn host_knows(&mut self, captured: &Captured) {
        join(&mut self.host, &captured.clock);
    }

    /// What the host waited for.
    pub(crate) fn host_clock(&self) -> Clock {
        self.host.clone()
    }

    /// A failure of work: a finding, and from now on what every call on the device gives back.
    pub(crate) fn fail(&mut self, device: usize, status: Status, text: &str) {
        found(text);
        if !settings().continues {
            self.devices[device].failure.get_or_insert(status);
        }
    }
}

fn join(clock: &mut Clock, other: &Clock) {
    if clock.len() < other.len() {
        clock.resize(other.len(), 0);
    }
    for (mine, theirs) in clock.iter_mut().zip(other) {
        *mine = (*mine).max(*theirs);
    }
}

fn set(clock: &mut Clock, stream: u32, turn: u32) {
    let at = stream as usize;
    if clock.len() <= at {
        clock.resize(at + 1, 0);
    }
    clock[at] = turn;
}
