//! What a stream is given, and how it is done: copies, fills, allocations, kernels, products.
//!
//! Everything that touches memory of a device asks the arena first. Not here: when work runs.

mod kernel;

use crate::arena::{Arena, Now};
use crate::machine::{Machine, Queued};
use crate::status::Status;

pub(crate) use kernel::{Entry, Launch};

/// One side of a copy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Side {
    pub(crate) at: usize,
    /// Bytes from row to row.
    pub(crate) pitch: usize,
    pub(crate) is_device: bool,
}

/// Rows from one place to another.
#[derive(Debug)]
pub(crate) struct Copy {
    pub(crate) from: Side,
    pub(crate) to: Side,
    pub(crate) width: usize,
    pub(crate) rows: usize,
    /// Memory of the host that the driver keeps until then: `from` points to it.
    pub(crate) staged: Option<Vec<u8>>,
}

/// A product, as the library of products prepared it.
pub(crate) type Product = Box<dyn FnOnce(&mut Arena) -> Result<(), String> + Send>;

/// How far work got that waits for other processes.
pub(crate) enum Progress {
    Done,
    NotYet,
}

/// An exchange with other processes, as the library of collectives prepared it; asked again until it is done.
pub(crate) type Exchange = Box<dyn FnMut(&mut Arena) -> Result<Progress, String> + Send>;

/// What a stream is given.
pub(crate) enum Task {
    Kernel(Box<Launch>),
    Copy(Copy),
    Fill {
        at: usize,
        byte: u8,
        bytes: usize,
    },
    /// An allocation begins, or ends.
    Begin(usize),
    End(usize),
    Product(Product),
    Exchange(Exchange),
}

impl std::fmt::Debug for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self {
            Self::Kernel(_) => "Kernel",
            Self::Copy(_) => "Copy",
            Self::Fill { .. } => "Fill",
            Self::Begin(_) => "Begin",
            Self::End(_) => "End",
            Self::Product(_) => "Product",
            Self::Exchange(_) => "Exchange",
        };
        f.write_str(name)
    }
}

impl Machine {
    /// Does work whose turn has come; gives it back where it is not done yet.
    pub(crate) fn run(&mut self, stream: u32, queued: Queued) -> Option<Queued> {
        let device = self.streams[stream as usize].device;
        if self.devices[device].failure.is_some() {
            return None;
        }
        let Queued { work, turn, after, clock, task } = queued;
        self.arena.start(Now { work, stream, device, clock: clock.clone(), ..Now::default() });
        let done = match task {
            Task::Kernel(launch) => self.run_kernel(*launch),
            Task::Copy(copy) => self.run_copy(&copy),
            Task::Fill { at, byte, bytes } => self.run_fill(at, byte, bytes),
            Task::Begin(start) => {
                self.arena.begin(start);
                Ok(())
            }
            Task::End(start) => self.arena.end(start),
            Task::Product(product) => {
                self.counters.products += 1;
                product(&mut self.arena).map_err(|text| format!("a product {text}"))
            }
            Task::Exchange(mut exchange) => match exchange(&mut self.arena) {
                Ok(Progress::Done) => Ok(()),
                Ok(Progress::NotYet) => {
                    let task = Task::Exchange(exchange);
                    return Some(Queued { work, turn, after, clock, task });
                }
                Err(text) => Err(format!("a collective {text}")),
            },
        };
        if let Err(text) = done {
            self.fail(device, Status::ILLEGAL_ADDRESS, &text);
        }
        None
    }

    fn run_copy(&mut self, copy: &Copy) -> Result<(), String> {
        let Copy { from, to, width, rows, .. } = *copy;
        self.counters.copies += 1;
        self.counters.copied_bytes += (width * rows) as u64;
        for row in 0..rows {
            let (from_at, to_at) = (from.at + row * from.pitch, to.at + row * to.pitch);
            let named = |text| format!("a copy {text} (row {row} of {rows})");
            if from.is_device {
                self.arena.touch(from_at, width, false).map_err(named)?;
            }
            if to.is_device {
                self.arena.touch(to_at, width, true).map_err(named)?;
            }
            // SAFETY: memory of devices was just touched; that of the host is page-locked and not freed while
            // a copy is queued (`cuMemFreeHost`), staged, or the caller waits for this copy.
            unsafe { std::ptr::copy(from_at as *const u8, to_at as *mut u8, width) };
        }
        Ok(())
    }

    fn run_fill(&mut self, at: usize, byte: u8, bytes: usize) -> Result<(), String> {
        self.counters.fills += 1;
        self.arena.touch(at, bytes, true).map_err(|text| format!("a fill {text}"))?;
        // SAFETY: just touched.
        unsafe { (at as *mut u8).write_bytes(byte, bytes) };
        Ok(())
    }
}
