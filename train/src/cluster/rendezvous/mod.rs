//! How ranks find each other without MPI: over TCP, an id from rank 0 to all, and an agreement that all got on.
//!
//! Rank 0 listens ([`place`]), the others connect and say who they are ([`wire`]). Nobody goes on before all are
//! there. Two processes with one rank or one GPU, another world, a rank that failed before it came, and ranks
//! that do not come at all end it for everyone, with a sentence that names them. Whoever does not know the secret
//! of the launcher is dropped and disturbs nobody.
//!
//! Nothing else goes this way: numbers are the business of an engine.

pub mod place;
pub mod wire;

mod first;
mod other;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::error::ClusterError;
pub use place::Place;
pub use wire::Secret;
use wire::Wire;

/// The variable of the environment that holds the secret of a launcher.
pub const SECRET: &str = "GENESIS_RENDEZVOUS_SECRET";

/// Who a rank is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
    /// Which.
    pub rank: usize,
    /// Of how many.
    pub world: usize,
    /// Its host.
    pub host: String,
    /// Its process.
    pub process: u32,
    /// The GPU that it takes, in words that tell it from every other; empty for none.
    pub gpu: String,
    /// What it failed at before it came: nobody goes on then.
    pub problem: Option<String>,
}

impl std::fmt::Display for Seat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "rank {} on {} (process {})", self.rank, self.host, self.process)
    }
}

/// A failure that all ranks are told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Failure {
    /// Whose it is; of the meeting itself without one.
    whose: Option<(usize, String)>,
    message: String,
}

impl Failure {
    fn of(seat: &Seat, message: String) -> Self {
        Self { whose: Some((seat.rank, seat.host.clone())), message }
    }

    fn of_all(message: String) -> Self {
        Self { whose: None, message }
    }

    fn error(self, at: &Place, doing: &'static str) -> ClusterError {
        match self.whose {
            Some((rank, host)) => {
                ClusterError::Elsewhere { rank, host, doing, message: self.message }
            }
            None => ClusterError::Rendezvous { at: at.to_string(), problem: self.message },
        }
    }
}

/// What ranks say to each other.
#[derive(Debug, Serialize, Deserialize)]
enum Word {
    /// All are there; what rank 0 has for them.
    Id(Vec<u8>),
    /// This rank got on, or all did.
    Done,
    /// This rank failed, or one did.
    Failed(Failure),
}

/// Time for those who wait to be told by rank 0 whom it misses.
const GRACE: Duration = Duration::from_secs(10);

fn say(wire: &mut Wire, word: &Word, until: Instant) -> std::io::Result<()> {
    wire.say(&serde_json::to_vec(word)?, until)
}

fn hear(wire: &mut Wire, until: Instant) -> std::io::Result<Word> {
    Ok(serde_json::from_slice(&wire.hear(until)?)?)
}

/// Ranks that have found each other.
#[derive(Debug)]
pub struct Meeting {
    place: Place,
    me: Seat,
    role: Role,
}

#[derive(Debug)]
enum Role {
    /// The others, in the order of ranks.
    First(Vec<(Seat, Wire)>),
    Other(Wire),
}

impl Meeting {
    /// Waits until all ranks are at `place`; what `offer` gives on rank 0, on every rank.
    ///
    /// # Errors
    /// On every rank that came: whom or what it fails at.
    pub fn meet(
        place: &Place,
        me: Seat,
        secret: &Secret,
        limit: Duration,
        offer: impl FnOnce() -> Result<Vec<u8>, ClusterError>,
    ) -> Result<(Self, Vec<u8>), ClusterError> {
        let until = Instant::now() + limit;
        let met = if me.rank == 0 {
            let others = first::gather(place, &me, secret, (limit, until), offer);
            others.map(|(others, id)| (Role::First(others), id))
        } else {
            other::join(place, &me, secret, (limit, until))
                .map(|(wire, id)| (Role::Other(wire), id))
        };
        let (role, id) = met.map_err(|failure| failure.error(place, "getting ready"))?;
        Ok((Self { place: place.clone(), me, role }, id))
    }

    /// `mine` if all ranks succeeded at what they were `doing`; where one failed, it keeps its own error.
    ///
    /// # Errors
    /// As said; and a rank that says nothing within the time.
    pub fn agree<T>(
        self,
        doing: &'static str,
        mine: Result<T, ClusterError>,
        limit: Duration,
    ) -> Result<T, ClusterError> {
        let Self { place, me, role } = self;
        let until = Instant::now() + limit;
        let failure = mine.as_ref().err().map(|error| Failure::of(&me, error.to_string()));
        let heard = match role {
            Role::First(others) => first::agree(others, failure, doing, until),
            Role::Other(wire) => other::agree(wire, failure, until),
        };
        let mine = mine?;
        heard.map(|()| mine).map_err(|failure| failure.error(&place, doing))
    }
}

/// The first two that take one GPU, in a sentence.
pub fn shared_gpu(seats: &[Seat]) -> Option<String> {
    let same = |a: &Seat, b: &Seat| !a.gpu.is_empty() && a.gpu == b.gpu;
    let of_one = |(at, a): (usize, &Seat)| {
        seats[..at].iter().find(|b| same(a, b)).map(|b| (b.clone(), a.clone()))
    };
    let (a, b) = seats.iter().enumerate().find_map(of_one)?;
    Some(format!(
        "{a} and {b} both take {}: each rank needs a GPU of its own; start as many ranks on a host as it has GPUs",
        a.gpu
    ))
}

/// Numbers in words, such as `1, 3 to 5`.
fn numbers(of: &[usize]) -> String {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for &number in of {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let said = |(first, last): &(usize, usize)| match last - first {
        0 => first.to_string(),
        1 => format!("{first}, {last}"),
        _ => format!("{first} to {last}"),
    };
    ranges.iter().map(said).collect::<Vec<_>>().join(", ")
}
