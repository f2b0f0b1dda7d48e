//! The part of every rank but the first: it comes, and is told.

use std::io::Error;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use super::wire::Wire;
use super::{Failure, GRACE, Place, Seat, Secret, Word, hear, say};

/// For one address to answer.
const TO_CONNECT: Duration = Duration::from_secs(5);
/// Between two attempts: rank 0 may not listen yet.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Comes to rank 0 and waits for all; what it gives.
pub(super) fn join(
    place: &Place,
    me: &Seat,
    secret: &Secret,
    (limit, until): (Duration, Instant),
) -> Result<(Wire, Vec<u8>), Failure> {
    let who = serde_json::to_vec(me).map_err(|error| Failure::of(me, error.to_string()))?;
    let mut why;
    loop {
        match attempt(place, secret, &who, until) {
            Ok((wire, Word::Id(id))) => return Ok((wire, id)),
            Ok((_, Word::Failed(failure))) => return Err(failure),
            Ok((_, Word::Done)) => why = "it says what no rank 0 says".to_owned(),
            Err(error) => why = error.to_string(),
        }
        if Instant::now() + AGAIN_AFTER >= until {
            let problem = format!(
                "{me} did not get to rank 0 within {} s: {why}; rank 0 must listen there, with the same secret \
                 ({secret:?}), and nothing between the hosts may close the port",
                limit.as_secs()
            );
            return Err(Failure::of_all(problem));
        }
        std::thread::sleep(AGAIN_AFTER);
    }
}

fn attempt(
    place: &Place,
    secret: &Secret,
    who: &[u8],
    until: Instant,
) -> std::io::Result<(Wire, Word)> {
    let mut wire = Wire::introduce(connect(place)?, secret, who, until)?;
    let word = hear(&mut wire, until + GRACE)?;
    Ok((wire, word))
}

/// By every address of the host; names may get known while jobs start.
fn connect(place: &Place) -> std::io::Result<TcpStream> {
    let mut refused = Error::other(format!("{} has no address", place.host));
    for address in (place.host.as_str(), place.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, TO_CONNECT) {
            Ok(stream) => return Ok(stream),
            Err(error) => refused = Error::new(error.kind(), format!("{address}: {error}")),
        }
    }
    Err(refused)
}

/// Says whether this rank got on, and hears whether all did.
pub(super) fn agree(mut wire: Wire, mine: Option<Failure>, until: Instant) -> Result<(), Failure> {
    let word = mine.map_or(Word::Done, Word::Failed);
    let heard = say(&mut wire, &word, until).and_then(|()| hear(&mut wire, until + GRACE));
    match heard {
        Ok(Word::Done) => Ok(()),
        Ok(Word::Failed(failure)) => Err(failure),
        Ok(Word::Id(_)) => Err(Failure::of_all("rank 0 says what it said before".to_owned())),
        Err(error) => Err(Failure::of_all(format!("rank 0 is gone: {error}"))),
    }
}
