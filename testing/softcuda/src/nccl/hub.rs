//! The process that made an id is where all ranks of its communicator come together.
//!
//! A thread hears all of them. What ranks ask for must be the same, in the same order; where it is not, each
//! gets an error and the difference is a finding. Not here: what a rank may call when ([`super::communicator`]).

use std::collections::BTreeMap;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc::{Receiver, Sender, channel};

use super::operation::Operation;
use super::wire::{Frame, Kind};
use super::{INVALID_USAGE, REMOTE_ERROR, SYSTEM_ERROR};
use crate::finding::found;
use crate::settings::settings;

/// A word of whoever connected, by number; `None` when it is gone.
type Heard = (usize, Option<Frame>);

/// A rank, seen from here.
struct Rank {
    stream: UnixStream,
    /// Which it is, and its GPU.
    rank: Option<u64>,
    gpu: String,
    left: bool,
}

#[derive(Default)]
struct Hub {
    ranks: BTreeMap<usize, Rank>,
    world: Option<u64>,
    /// By the number of an operation and rank.
    asked: BTreeMap<u64, BTreeMap<u64, (Operation, Vec<u8>)>>,
    is_broken: bool,
}

/// Serves the communicator of one id until all have left.
pub(super) fn serve(listener: UnixListener) {
    let (said, hears) = channel::<Heard>();
    let (joined, joins) = channel::<UnixStream>();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().flatten().enumerate() {
            let Ok(other) = stream.try_clone() else { continue };
            if joined.send(stream).is_err() {
                return;
            }
            let said = said.clone();
            std::thread::spawn(move || hear(number, other, &said));
        }
    });
    std::thread::spawn(move || Hub::default().run(&hears, &joins));
}

fn hear(number: usize, mut stream: UnixStream, said: &Sender<Heard>) {
    loop {
        let frame = Frame::read(&mut stream).ok();
        let is_gone = frame.is_none();
        if said.send((number, frame)).is_err() || is_gone {
            return;
        }
    }
}

impl Hub {
    fn run(mut self, hears: &Receiver<Heard>, joins: &Receiver<UnixStream>) {
        let mut joined = 0;
        while let Ok((number, frame)) = hears.recv() {
            // A stream is handed over before anything is heard of it.
            while joined <= number {
                let Ok(stream) = joins.recv() else { return };
                let rank = Rank { stream, rank: None, gpu: String::new(), left: false };
                self.ranks.insert(joined, rank);
                joined += 1;
            }
            match frame {
                Some(frame) => self.heard(number, frame),
                None => self.gone(number),
            }
        }
    }

    fn heard(&mut self, number: usize, frame: Frame) {
        let Some(from) = self.ranks.get_mut(&number) else { return };
        match frame.kind {
            Kind::Hello => {
                (from.rank, from.gpu) = (Some(frame.number), frame.text);
                self.welcome(number, frame.number, frame.more[0]);
            }
            Kind::Operation => {
                let Some(rank) = from.rank else { return };
                if let Some(operation) = Operation::read(frame.more) {
                    let asked = self.asked.entry(frame.number).or_default();
                    asked.insert(rank, (operation, frame.bytes));
                    self.answer(frame.number);
                }
            }
            Kind::Leave => from.left = true,
            Kind::Failed => {
                let text = format!("rank {} failed: {}", from.rank.unwrap_or(0), frame.text);
                self.fail(REMOTE_ERROR, &text);
            }
            Kind::Ready | Kind::Result | Kind::Broken => {}
        }
    }

    fn welcome(&mut self, number: usize, rank: u64, world: u64) {
        let said = *self.world.get_or_insert(world);
        let others = || self.ranks.iter().filter(|(other, _)| **other != number);
        if said != world {
            let text = format!("ranks of one id are {said} and {world} in number");
            found(&text);
            return self.fail(INVALID_USAGE, &text);
        }
        if others().any(|(_, other)| other.rank == Some(rank)) {
            let text = format!("rank {rank} joins an id twice");
            found(&text);
            return self.fail(INVALID_USAGE, &text);
        }
        let gpu = self.ranks[&number].gpu.clone();
        if let Some(other) = others().find_map(|(_, it)| it.rank.filter(|_| it.gpu == gpu)) {
            // As NCCL says it.
            let text = format!(
                "Duplicate GPU detected : rank {rank} and rank {other} both on CUDA device {gpu}"
            );
            found(&text);
            return self.fail(INVALID_USAGE, &text);
        }
        let there = self.ranks.values().filter(|rank| rank.rank.is_some()).count() as u64;
        if there == world && !settings().nccl.hangs {
            self.tell_all(&Frame::new(Kind::Ready, 0, ""));
        }
    }

    /// Answers an operation that all ranks asked for.
    fn answer(&mut self, number: u64) {
        let all = self.asked.get(&number).map_or(0, BTreeMap::len) as u64;
        if Some(all) != self.world {
            return;
        }
        let Some(asked) = self.asked.remove(&number) else { return };
        let (operations, sent): (Vec<Operation>, Vec<Vec<u8>>) = asked.into_values().unzip();
        if let Some(rank) = operations.iter().position(|it| *it != operations[0]) {
            let (first, other) = (operations[0], operations[rank]);
            let text = format!("operation {number}: rank 0 does {first}, rank {rank} does {other}");
            found(&text);
            return self.fail(INVALID_USAGE, &text);
        }
        let results = operations[0].results(&sent);
        for rank in self.ranks.values_mut() {
            let mine = rank.rank.and_then(|it| results.get(usize::try_from(it).ok()?));
            if let Some(bytes) = mine {
                let frame = Frame { bytes: bytes.clone(), ..Frame::new(Kind::Result, number, "") };
                // One that is gone is heard of as such.
                let _ = frame.write(&mut rank.stream);
            }
        }
    }

    fn gone(&mut self, number: usize) {
        let Some(rank) = self.ranks.get(&number) else { return };
        if !rank.left {
            let who = rank.rank.map_or("nobody".to_owned(), |rank| format!("rank {rank}"));
            self.fail(SYSTEM_ERROR, &format!("Connection closed by remote peer {who}"));
        }
    }

    fn fail(&mut self, status: i32, text: &str) {
        if !std::mem::replace(&mut self.is_broken, true) {
            self.tell_all(&Frame::new(Kind::Broken, u64::from(status.unsigned_abs()), text));
        }
    }

    fn tell_all(&mut self, frame: &Frame) {
        for rank in self.ranks.values_mut() {
            let _ = frame.write(&mut rank.stream);
        }
    }
}
