//! Which stream runs next: any that may, chosen by the seed.
//!
//! Work waits in its queue until the host waits for something; then streams run that the host did not ask for,
//! or as few as can be, or every now and then while work is being given. A seed decides how often each happens,
//! so that several seeds see early, late and mixed orders. Not here: what is ordered before what.

use crate::machine::Machine;

/// Chance, the same for the same seed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dice {
    state: u64,
    /// Of 256: how often work runs as soon as it is given, and how often others go first.
    early: u64,
    others: u64,
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Self { state: seed, early: 0, others: 0 };
        let choices = [0, 16, 128, 240];
        dice.early = choices[dice.below(4)];
        dice.others = choices[dice.below(4)];
        dice
    }

    /// SplitMix64. Source: Steele, Lea and Flood, doi:10.1145/2714064.2660195.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = self.state;
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ (x >> 31)
    }

    fn below(&mut self, count: usize) -> usize {
        (self.next() % count.max(1) as u64) as usize
    }

    fn falls(&mut self, of_256: u64) -> bool {
        self.next() % 256 < of_256
    }
}

/// Work that may pile up before some of it runs unasked.
const MOST_QUEUED: usize = 20_000;

impl Machine {
    /// Perhaps runs something, unasked.
    pub(crate) fn run_some(&mut self) {
        let piled = self.streams.iter().map(|stream| stream.queue.len()).sum::<usize>();
        while self.dice.falls(self.dice.early) || piled > MOST_QUEUED {
            if !self.run_any() {
                return;
            }
        }
    }

    /// Runs something, because the host asked whether it is done.
    pub(crate) fn run_some_asked(&mut self) {
        if self.dice.falls(128) {
            self.run_any();
        }
    }

    /// Runs whatever must be, and perhaps more, until this turn of the stream is done.
    pub(crate) fn run_until(&mut self, stream: u32, turn: u32) {
        let mut goals = vec![(stream, turn)];
        while let Some(&(stream, turn)) = goals.last() {
            if self.dice.falls(self.dice.others) {
                self.run_any();
            }
            if self.streams[stream as usize].done >= turn {
                goals.pop();
                continue;
            }
            match self.blocker(stream) {
                Some(first) => goals.push(first),
                None => self.run_next(stream),
            }
        }
    }

    /// What the next work of a stream still waits for.
    fn blocker(&self, stream: u32) -> Option<(u32, u32)> {
        let next = self.streams[stream as usize].queue.front()?;
        let mut after = next.after.iter().copied();
        after.find(|&(other, turn)| self.streams[other as usize].done < turn)
    }

    /// Runs the next work of some stream that may run; is there one?
    fn run_any(&mut self) -> bool {
        let ready: Vec<u32> = (0..self.streams.len() as u32)
            .filter(|&stream| {
                !self.streams[stream as usize].queue.is_empty() && self.blocker(stream).is_none()
            })
            .collect();
        if ready.is_empty() {
            return false;
        }
        let stream = ready[self.dice.below(ready.len())];
        self.run_next(stream);
        true
    }

    fn run_next(&mut self, stream: u32) {
        let of = &mut self.streams[stream as usize];
        let Some(queued) = of.queue.pop_front() else {
            unreachable!("a turn of a stream that is not done is in its queue");
        };
        let turn = queued.turn;
        let rest = self.run(stream, queued);
        let of = &mut self.streams[stream as usize];
        match rest {
            Some(rest) => of.queue.push_front(rest),
            None => of.done = turn,
        }
    }
}
