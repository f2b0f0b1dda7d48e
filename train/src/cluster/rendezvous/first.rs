//! The part of rank 0: it listens until all are there.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::super::error::ClusterError;
use super::wire::Wire;
use super::{Failure, Place, Seat, Secret, Word, hear, numbers, say, shared_gpu};

/// For whoever connects to say who it is: a stranger that says nothing costs a thread so long.
const TO_INTRODUCE: Duration = Duration::from_secs(10);
/// Between two looks at the door.
const LOOK_EVERY: Duration = Duration::from_millis(5);

type Came = (Seat, Wire);
type Others = BTreeMap<usize, Came>;

/// Waits for all others and gives them what `offer` gives; they are told of a failure.
pub(super) fn gather(
    place: &Place,
    me: &Seat,
    secret: &Secret,
    (limit, until): (Duration, Instant),
    offer: impl FnOnce() -> Result<Vec<u8>, ClusterError>,
) -> Result<(Vec<Came>, Vec<u8>), Failure> {
    let listener = listen(place).map_err(Failure::of_all)?;
    let mut others = Others::new();
    let all = wait(&listener, me, secret, (limit, until), &mut others);
    let offered = all
        .and_then(|()| refuse(me, &others))
        .and_then(|()| offer().map_err(|error| Failure::of(me, error.to_string())));
    let word = match &offered {
        Ok(id) => Word::Id(id.clone()),
        Err(failure) => Word::Failed(failure.clone()),
    };
    let mut others: Vec<Came> = others.into_values().collect();
    let told = tell(&mut others, &word);
    let id = offered?;
    told.map(|()| (others, id))
}

/// On every way to this host, or on its loopback where nobody comes from elsewhere.
fn listen(place: &Place) -> Result<TcpListener, String> {
    let here: &[IpAddr] = match (place.is_loopback(), place.host.contains(':')) {
        (true, true) => &[IpAddr::V6(Ipv6Addr::LOCALHOST)],
        (true, false) => &[IpAddr::V4(Ipv4Addr::LOCALHOST)],
        (false, _) => &[IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::UNSPECIFIED)],
    };
    let bind = || -> std::io::Result<TcpListener> {
        let mut bound = Err(ErrorKind::AddrNotAvailable.into());
        for address in here {
            bound = TcpListener::bind((*address, place.port));
            if bound.is_ok() {
                break;
            }
        }
        let listener = bound?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    bind().map_err(|error| {
        format!(
            "rank 0 cannot listen at port {}: {error}; set MASTER_PORT to a free port for all ranks",
            place.port
        )
    })
}

/// Until all others are in `others`.
fn wait(
    listener: &TcpListener,
    me: &Seat,
    secret: &Secret,
    (limit, until): (Duration, Instant),
    others: &mut Others,
) -> Result<(), Failure> {
    let (came, comes) = channel::<Came>();
    while others.len() + 1 < me.world {
        if Instant::now() >= until {
            return Err(Failure::of_all(missing(me, others, limit)));
        }
        match listener.accept() {
            Ok((stream, _)) => receive(stream, secret, until, &came),
            // Those that went away before they were looked at.
            Err(error) if error.kind() != ErrorKind::WouldBlock => {}
            Err(_) => match comes.recv_timeout(LOOK_EVERY) {
                Ok((seat, wire)) => seated(me, others, seat, wire)?,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            },
        }
    }
    Ok(())
}

/// Finds out who came, beside the door.
fn receive(stream: TcpStream, secret: &Secret, until: Instant, came: &Sender<Came>) {
    let (secret, came) = (secret.clone(), came.clone());
    let until = until.min(Instant::now() + TO_INTRODUCE);
    // A thread that cannot be started is a connection that is dropped: who it was tries again.
    let _ = std::thread::Builder::new().name("rendezvous".to_owned()).spawn(move || {
        stream.set_nonblocking(false).ok()?;
        let (wire, who) = Wire::greet(stream, &secret, until).ok()?;
        came.send((serde_json::from_slice(&who).ok()?, wire)).ok()
    });
}

/// Gives `seat` its place, if it is free.
fn seated(me: &Seat, others: &mut Others, seat: Seat, wire: Wire) -> Result<(), Failure> {
    let fix = "start every rank once, with the same number of ranks";
    let problem = if seat.world != me.world {
        Some(format!("{seat} is one of {} ranks, {me} of {}: {fix}", seat.world, me.world))
    } else if seat.rank == 0 || seat.rank >= me.world {
        Some(format!("{seat} came to {me}: two processes have one rank; {fix}"))
    } else {
        let before = others.get(&seat.rank).map(|(before, _)| before);
        let is_again =
            |before: &&Seat| (&before.host, before.process) == (&seat.host, seat.process);
        before
            .filter(|before| !is_again(before))
            .map(|before| format!("{before} and {seat}: two processes have one rank; {fix}"))
    };
    match problem {
        None => {
            others.insert(seat.rank, (seat, wire));
            Ok(())
        }
        Some(problem) => {
            let failure = Failure::of_all(problem);
            let _ = tell(&mut [(seat, wire)], &Word::Failed(failure.clone()));
            Err(failure)
        }
    }
}

/// A rank that cannot go on, or a GPU that two take.
fn refuse(me: &Seat, others: &Others) -> Result<(), Failure> {
    let seats: Vec<Seat> =
        std::iter::once(me.clone()).chain(others.values().map(|(seat, _)| seat.clone())).collect();
    if let Some((seat, problem)) = seats.iter().find_map(|seat| Some((seat, seat.problem.clone()?)))
    {
        return Err(Failure::of(seat, problem));
    }
    shared_gpu(&seats).map_or(Ok(()), |problem| Err(Failure::of_all(problem)))
}

/// Who did not come.
fn missing(me: &Seat, others: &Others, limit: Duration) -> String {
    let absent: Vec<usize> = (1..me.world).filter(|rank| !others.contains_key(rank)).collect();
    let here: Vec<String> = std::iter::once(me)
        .chain(others.values().map(|(seat, _)| seat))
        .map(|seat| format!("rank {} on {}", seat.rank, seat.host))
        .collect();
    let here = match here.len() {
        ..=8 => here.join(", "),
        many => format!("{many} ranks, {} to {}", here[0], here[many - 1]),
    };
    let whose = if absent.len() == 1 { "rank" } else { "ranks" };
    format!(
        "{whose} {} of {} did not come within {} s; there are {here}. Look for their last words in the output; \
         every rank needs the same MASTER_ADDR, MASTER_PORT and secret, a way to this port, and the same run \
         file; parallel.join_limit_s is the time",
        numbers(&absent),
        me.world,
        limit.as_secs()
    )
}

/// Tells all of `others` a `word`.
fn tell(others: &mut [Came], word: &Word) -> Result<(), Failure> {
    let until = Instant::now() + TO_INTRODUCE;
    let mut gone = Ok(());
    for (seat, wire) in others {
        if let Err(error) = say(wire, word, until) {
            gone = Err(Failure::of(seat, format!("it is gone: {error}")));
        }
    }
    gone
}

/// Hears of all whether they got on, and tells them of the first that did not.
pub(super) fn agree(
    mut others: Vec<Came>,
    mine: Option<Failure>,
    doing: &'static str,
    until: Instant,
) -> Result<(), Failure> {
    let mut first = mine;
    for (seat, wire) in &mut others {
        let heard = match hear(wire, until) {
            Ok(Word::Done) => None,
            Ok(Word::Failed(failure)) => Some(failure),
            Ok(Word::Id(_)) => Some(Failure::of(seat, "it said what no rank says".to_owned())),
            Err(error) => Some(Failure::of(seat, format!("no word of it while {doing}: {error}"))),
        };
        first = first.or(heard);
    }
    match first {
        None => tell(&mut others, &Word::Done),
        Some(failure) => {
            // Who is gone cannot be told.
            let _ = tell(&mut others, &Word::Failed(failure.clone()));
            Err(failure)
        }
    }
}
