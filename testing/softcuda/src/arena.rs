//! The memory of all devices: one range of addresses, and what is known of every byte of it.
//!
//! ```text
//! bytes        was it ever written?                         a byte each
//! granules     who wrote it last, who read it last          16 bytes each
//! blocks       which allocation is it of?                   512 bytes each
//! ```
//!
//! An access is refused outside of allocations, before the allocation or after the freeing in the order of
//! streams, on a byte that nobody wrote (cubecl's kernels load first and decide afterwards, so they get NaN there), and where nothing orders it with the last access that conflicts: not
//! when the bytes happen to be wrong in this run. Addresses are never given out twice. Not here: which work is
//! ordered with which, except for the clock of the one that runs.

mod place;

use std::ops::Range;

use place::{Mapping, Place};

const BLOCK_BYTES: usize = 512;
const GRANULE_BYTES: usize = 16;
/// Reserved, not used: memory of the machine is taken as it is written.
const LARGEST_BYTES: usize = 1 << 36;
const SMALLEST_BYTES: usize = 1 << 30;
/// NaN in every type of float.
const POISON: u8 = 0xFF;
/// Streams whose last access to an allocation is remembered.
const TOUCHES: usize = 8;
/// Streams whose last reading of a granule is remembered.
const READERS: usize = 3;

/// Work given to a stream, by number; 0 is what was before everything.
pub(crate) type Work = u32;

/// Where work is in the order of its stream.
#[derive(Clone, Copy, Debug)]
struct Given {
    stream: u32,
    turn: u32,
    name: u32,
}

/// Who wrote and read 16 bytes last.
#[derive(Clone, Copy, Default, Debug)]
#[repr(C)]
struct Granule {
    writer: Work,
    readers: [Work; READERS],
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Given out, but its stream is not there yet.
    Promised,
    Live,
    Freed,
}

#[derive(Debug)]
struct Allocation {
    range: Range<usize>,
    device: usize,
    state: State,
    /// What allocated and what freed it.
    by: Work,
    touched: [Work; TOUCHES],
    /// The last work for which state and order were looked at.
    checked: Work,
}

/// What runs, and what is ordered before it.
#[derive(Default, Debug)]
pub(crate) struct Now {
    pub(crate) work: Work,
    pub(crate) stream: u32,
    pub(crate) device: usize,
    /// By stream, the last turn that is ordered before it.
    pub(crate) clock: Vec<u32>,
    pub(crate) name: String,
    /// Does it get numbers that are none where nobody wrote, instead of an error?
    pub(crate) may_read_unwritten: bool,
    /// Names and values of its pointers, to name them in findings.
    pub(crate) arguments: Vec<(String, usize)>,
}

/// The memory.
#[derive(Debug)]
pub(crate) struct Arena {
    memory: Mapping,
    written: Mapping,
    granules: Mapping,
    blocks: Mapping,
    next: usize,
    allocations: Vec<Allocation>,
    given: Vec<Given>,
    names: Vec<String>,
    pub(crate) now: Now,
    /// What the work that runs read and wrote, each 16 bytes once.
    pub(crate) read_bytes: u64,
    pub(crate) written_bytes: u64,
}

impl Arena {
    /// Takes addresses, fewer where the machine refuses.
    pub(crate) fn new() -> Self {
        let mut bytes = LARGEST_BYTES;
        let (memory, written, granules, blocks) = loop {
            let all = (
                Mapping::reserve(bytes),
                Mapping::reserve(bytes),
                Mapping::reserve(bytes / GRANULE_BYTES * size_of::<Granule>()),
                Mapping::reserve(bytes / BLOCK_BYTES * size_of::<u32>()),
            );
            if let (Some(a), Some(b), Some(c), Some(d)) = all {
                break (a, b, c, d);
            }
            bytes /= 2;
            assert!(bytes >= SMALLEST_BYTES, "softcuda: no addresses for the memory of devices");
        };
        let before = Given { stream: 0, turn: 0, name: 0 };
        Self {
            memory,
            written,
            granules,
            blocks,
            next: BLOCK_BYTES,
            allocations: Vec::new(),
            given: vec![before],
            names: vec!["the host".into()],
            now: Now::default(),
            read_bytes: 0,
            written_bytes: 0,
        }
    }

    /// From here on this work runs.
    pub(crate) fn start(&mut self, now: Now) {
        self.now = now;
        (self.read_bytes, self.written_bytes) = (0, 0);
    }

    /// The addresses.
    pub(crate) fn range(&self) -> Range<usize> {
        self.memory.range()
    }

    /// A number for work at this turn of its stream.
    pub(crate) fn give(&mut self, stream: u32, turn: u32, name: &str) -> Work {
        let known = self.names.iter().rposition(|known| known == name);
        let name = known.unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        });
        self.given.push(Given { stream, turn, name: u32::try_from(name).unwrap_or(0) });
        Work::try_from(self.given.len() - 1).unwrap_or(Work::MAX)
    }

    /// Addresses for so many bytes; they may be used after `begin`.
    pub(crate) fn promise(&mut self, bytes: usize, device: usize) -> Option<usize> {
        let room = bytes.next_multiple_of(BLOCK_BYTES) + BLOCK_BYTES;
        if self.next.checked_add(room)? > self.memory.bytes() {
            return None;
        }
        let start = self.memory.range().start + self.next;
        let number = u32::try_from(self.allocations.len() + 1).ok()?;
        for block in self.next / BLOCK_BYTES..(self.next + bytes).div_ceil(BLOCK_BYTES) {
            *self.blocks.at::<u32>(block) = number;
        }
        self.next += room;
        self.allocations.push(Allocation {
            range: start..start + bytes,
            device,
            state: State::Promised,
            by: 0,
            touched: [0; TOUCHES],
            checked: 0,
        });
        Some(start)
    }

    /// The memory of this address may be used from the work that runs on.
    pub(crate) fn begin(&mut self, start: usize) {
        let work = self.now.work;
        if let Some(number) = self.number_of(start) {
            let allocation = &mut self.allocations[number];
            (allocation.state, allocation.by) = (State::Live, work);
        }
    }

    /// Ends the memory of this address with the work that runs.
    pub(crate) fn end(&mut self, start: usize) -> Result<(), String> {
        let number = self.number_of(start).ok_or("no memory begins here")?;
        let of = &self.allocations[number];
        let unordered = of.touched.iter().find(|work| !self.is_before(**work)).copied();
        let (range, state, by) = (of.range.clone(), of.state, of.by);
        let bytes = range.len();
        if let Some(work) = unordered {
            return Err(format!(
                "frees a memory of {bytes} bytes that {} may still be using: nothing orders them",
                self.said(work)
            ));
        }
        if !self.is_before(by) {
            let by = self.said(by);
            return Err(format!("frees a memory of {bytes} bytes unordered with {by}"));
        }
        match state {
            State::Live => {
                let now = self.now.work;
                let allocation = &mut self.allocations[number];
                (allocation.state, allocation.by) = (State::Freed, now);
                self.forget(range);
                Ok(())
            }
            State::Promised => Err(format!("frees a memory of {bytes} bytes before it is there")),
            State::Freed => Err(format!("frees a memory of {bytes} bytes a second time")),
        }
    }

    /// Gives the pages of a freed memory back.
    fn forget(&mut self, range: Range<usize>) {
        let first = range.start - self.memory.range().start;
        let bytes = range.len().next_multiple_of(BLOCK_BYTES);
        self.memory.forget(first, bytes);
        self.written.forget(first, bytes);
        let per_granule = size_of::<Granule>();
        self.granules
            .forget(first / GRANULE_BYTES * per_granule, bytes / GRANULE_BYTES * per_granule);
    }

    /// The bytes of the memory that begins here and is not freed.
    pub(crate) fn live(&self, start: usize) -> Option<(usize, usize)> {
        let allocation = &self.allocations[self.number_of(start)?];
        let is_it = allocation.range.start == start && allocation.state != State::Freed;
        is_it.then(|| (allocation.range.len(), allocation.device))
    }

    /// The device whose memory holds all of these bytes.
    pub(crate) fn holds(&self, at: usize, bytes: usize) -> Result<usize, String> {
        let number = self.number_of(at).ok_or("no memory is there")?;
        let of = &self.allocations[number];
        if of.state == State::Freed {
            return Err("the memory there was freed".to_owned());
        }
        if at + bytes > of.range.end {
            return Err(format!("the memory there ends {} bytes after it", of.range.end - at));
        }
        Ok(of.device)
    }

    /// Is the address one of a device?
    pub(crate) fn has(&self, at: usize) -> bool {
        self.range().contains(&at)
    }

    fn number_of(&self, at: usize) -> Option<usize> {
        if !self.has(at) {
            return None;
        }
        let block = (at - self.range().start) / BLOCK_BYTES;
        (*self.blocks.read::<u32>(block) as usize).checked_sub(1)
    }

    /// Is this work ordered before what runs, or what runs itself?
    fn is_before(&self, work: Work) -> bool {
        let given = self.given[work as usize];
        work == self.now.work
            || given.turn == 0
            || self.now.clock.get(given.stream as usize).is_some_and(|turn| given.turn <= *turn)
    }

    fn said(&self, work: Work) -> String {
        let Given { stream, turn, name } = self.given[work as usize];
        format!("{} (stream {stream}, turn {turn})", self.names[name as usize])
    }

    /// What nobody wrote is no number from now on.
    pub(crate) fn poison(&mut self, at: usize, bytes: usize) {
        let start = self.range().start;
        for place in at - start..(at + bytes - start).min(self.memory.bytes()) {
            if !self.written.is_filled(place, 1, 1) {
                self.memory.fill(place, 1, POISON);
            }
        }
    }

    /// The work that runs reads or writes: refused with the reason when it may not.
    pub(crate) fn touch(&mut self, at: usize, bytes: usize, writes: bool) -> Result<(), String> {
        if bytes == 0 {
            return Ok(());
        }
        let place = Place { at, bytes, writes };
        let number = self.number_of(at).ok_or_else(|| self.refused(place, "no memory is there"))?;
        let of = &self.allocations[number];
        if at + bytes > of.range.end {
            return Err(self.outside(place, number));
        }
        if of.checked != self.now.work {
            self.enter(number, place)?;
        }
        let first = at - self.range().start;
        self.ordered(first, place)?;
        if writes {
            self.written.fill(first, bytes, 1);
        } else if !self.written.is_filled(first, bytes, 1) {
            if !self.now.may_read_unwritten {
                return Err(self.refused(place, "nobody wrote it before"));
            }
            self.poison(at, bytes);
        }
        Ok(())
    }

    fn outside(&self, place: Place, number: usize) -> String {
        let range = &self.allocations[number].range;
        let offset = place.at - range.start;
        let why = format!("the memory there has {} bytes, and this is byte {offset}", range.len());
        self.refused(place, &why)
    }

    /// The first access of the work that runs to an allocation.
    fn enter(&mut self, number: usize, place: Place) -> Result<(), String> {
        let of = &self.allocations[number];
        if of.device != self.now.device {
            let why = format!("it is memory of device {}", of.device);
            return Err(self.refused(place, &why));
        }
        let by = self.said(of.by);
        match of.state {
            State::Promised => return Err(self.refused(place, "its allocation is not there yet")),
            State::Freed => return Err(self.refused(place, &format!("it was freed by {by}"))),
            State::Live if !self.is_before(of.by) => {
                let why = format!("nothing orders it after its allocation by {by}");
                return Err(self.refused(place, &why));
            }
            State::Live => {}
        }
        let (work, stream) = (self.now.work, self.now.stream as usize);
        let allocation = &mut self.allocations[number];
        allocation.checked = work;
        allocation.touched[stream % TOUCHES] = work;
        Ok(())
    }

    /// Looks at who touched the granules before, and signs.
    fn ordered(&mut self, first: usize, place: Place) -> Result<(), String> {
        let (work, slot) = (self.now.work, self.now.stream as usize % READERS);
        let last = first + place.bytes - 1;
        for at in first / GRANULE_BYTES..=last / GRANULE_BYTES {
            let granule = *self.granules.at::<Granule>(at);
            if granule.writer != work && !self.is_before(granule.writer) {
                let by = self.said(granule.writer);
                return Err(
                    self.refused(place, &format!("{by} writes it, and nothing orders them"))
                );
            }
            if place.writes {
                let reader = granule.readers.into_iter().find(|reader| !self.is_before(*reader));
                if let Some(reader) = reader {
                    let by = self.said(reader);
                    let why = format!("{by} reads it, and nothing orders them");
                    return Err(self.refused(place, &why));
                }
                self.written_bytes += if granule.writer == work { 0 } else { GRANULE_BYTES as u64 };
                self.granules.at::<Granule>(at).writer = work;
            } else if granule.readers[slot] != work {
                self.read_bytes += GRANULE_BYTES as u64;
                self.granules.at::<Granule>(at).readers[slot] = work;
            }
        }
        Ok(())
    }

    /// What is wrong with an access, naming the argument it goes by.
    fn refused(&self, place: Place, why: &str) -> String {
        let Place { at, bytes, writes } = place;
        let verb = if writes { "writes" } else { "reads" };
        let below = self.now.arguments.iter().filter(|(_, value)| *value <= at);
        let by = below.max_by_key(|(_, value)| *value);
        match by {
            Some((name, value)) => {
                format!("{verb} {bytes} bytes at byte {} of `{name}`: {why}", at - value)
            }
            None => format!("{verb} {bytes} bytes at address {at:#x}: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(arena: &mut Arena, stream: u32, turn: u32, clock: &[u32]) -> Work {
        let work = arena.give(stream, turn, "work");
        arena.now = Now { work, stream, clock: clock.to_vec(), ..Now::default() };
        work
    }

    fn begun(arena: &mut Arena, bytes: usize) -> usize {
        let at = arena.promise(bytes, 0).expect("there is room");
        arena.begin(at);
        at
    }

    #[test]
    fn a_byte_that_nobody_wrote_cannot_be_read() {
        let mut arena = Arena::new();
        let at = begun(&mut arena, 100);
        running(&mut arena, 1, 1, &[0, 1]);
        assert!(arena.touch(at, 4, false).unwrap_err().contains("nobody wrote"));
        assert_eq!(arena.touch(at + 4, 8, true), Ok(()));
        assert_eq!(arena.touch(at + 4, 8, false), Ok(()));
        assert!(arena.touch(at + 8, 8, false).unwrap_err().contains("nobody wrote"));
    }

    #[test]
    fn the_end_of_an_allocation_is_exact_and_its_neighbours_are_not_reached() {
        let mut arena = Arena::new();
        let at = begun(&mut arena, 100);
        let other = begun(&mut arena, 512);
        running(&mut arena, 1, 1, &[0, 1]);
        assert!(arena.touch(at + 96, 8, true).unwrap_err().contains("has 100 bytes"));
        assert!(arena.touch(other + 512, 4, true).unwrap_err().contains("no memory is there"));
        assert!(arena.touch(other - 4, 4, true).unwrap_err().contains("no memory is there"));
    }

    #[test]
    fn conflicting_accesses_of_two_streams_need_an_order_whichever_runs_first() {
        let mut arena = Arena::new();
        let at = begun(&mut arena, 64);
        running(&mut arena, 1, 1, &[0, 1, 0]);
        assert_eq!(arena.touch(at, 16, true), Ok(()));
        running(&mut arena, 2, 1, &[0, 0, 1]);
        assert!(arena.touch(at, 4, false).unwrap_err().contains("nothing orders them"));
        running(&mut arena, 2, 2, &[0, 1, 2]);
        assert_eq!(arena.touch(at, 4, false), Ok(()));
        running(&mut arena, 1, 2, &[0, 2, 0]);
        assert!(arena.touch(at, 4, true).unwrap_err().contains("reads it"));
    }

    #[test]
    fn freed_memory_is_not_touched_and_not_freed_while_somebody_may_use_it() {
        let mut arena = Arena::new();
        let at = begun(&mut arena, 64);
        running(&mut arena, 1, 1, &[0, 1, 0]);
        assert_eq!(arena.touch(at, 16, true), Ok(()));
        running(&mut arena, 2, 1, &[0, 0, 1]);
        assert!(arena.end(at).unwrap_err().contains("may still be using"));
        running(&mut arena, 1, 2, &[0, 2, 0]);
        assert_eq!(arena.end(at), Ok(()));
        assert!(arena.end(at).unwrap_err().contains("a second time"));
        running(&mut arena, 1, 3, &[0, 3, 0]);
        assert!(arena.touch(at, 4, true).unwrap_err().contains("was freed"));
    }
}
