//! Which hosts can be reached: asked only while everyone waits, and nobody is silent.
//!
//! A rank that waits for long opens a port, says which in its sign, and knocks at those of the others. What answers
//! says which start and rank it is, because an address may be that of another machine on another network.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use super::Who;

/// Patience with one address.
const KNOCK: Duration = Duration::from_secs(2);
/// Addresses that were in vain, after which a rank asks no further: it is cut off itself.
const MOST_IN_VAIN: usize = 6;

/// What an open door answers.
fn name(start: u64, rank: usize) -> [u8; 16] {
    let mut name = [0; 16];
    name[..8].copy_from_slice(&start.to_le_bytes());
    name[8..].copy_from_slice(&(rank as u64).to_le_bytes());
    name
}

/// Opens a port on all addresses of this host, and answers until the process ends. Where it can be reached, or
/// nothing if that cannot be told.
pub(super) fn open(who: &Who) -> Vec<SocketAddr> {
    let Ok(door) = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)) else { return Vec::new() };
    let Ok(port) = door.local_addr().map(|it| it.port()) else { return Vec::new() };
    let name = name(who.start, who.rank);
    let answer = move || {
        for visitor in door.incoming().flatten() {
            let mut visitor = visitor;
            let _ = visitor.set_write_timeout(Some(KNOCK)).and_then(|()| visitor.write_all(&name));
        }
    };
    if std::thread::Builder::new().name("door".to_owned()).spawn(answer).is_err() {
        return Vec::new();
    }
    addresses().into_iter().map(|address| SocketAddr::new(IpAddr::V4(address), port)).collect()
}

/// The addresses of this host, as Linux lists them; none elsewhere.
fn addresses() -> Vec<Ipv4Addr> {
    let table = std::fs::read_to_string("/proc/net/fib_trie").unwrap_or_default();
    addresses_in(&table)
}

/// An address stands in the line before the one that says that it is local.
fn addresses_in(table: &str) -> Vec<Ipv4Addr> {
    let mut found: Vec<Ipv4Addr> = table
        .lines()
        .zip(table.lines().skip(1))
        .filter(|(_, kind)| kind.contains("/32 host LOCAL"))
        .filter_map(|(line, _)| line.trim().strip_prefix("|-- ")?.trim().parse().ok())
        .filter(|address: &Ipv4Addr| !address.is_loopback())
        .collect();
    found.sort();
    found.dedup();
    found
}

/// Of hosts with the doors of one rank of each, those that do not answer.
pub(super) fn unreached<'a>(
    start: u64,
    doors: impl Iterator<Item = (&'a str, usize, &'a [SocketAddr])>,
) -> Vec<String> {
    let mut in_vain = Vec::new();
    for (host, rank, addresses) in doors {
        if in_vain.len() >= MOST_IN_VAIN {
            break;
        }
        if !addresses.iter().any(|address| answers(*address, &name(start, rank))) {
            in_vain.push(host.to_owned());
        }
    }
    in_vain
}

fn answers(address: SocketAddr, name: &[u8; 16]) -> bool {
    let mut said = [0; 16];
    let heard = TcpStream::connect_timeout(&address, KNOCK).and_then(|mut door| {
        door.set_read_timeout(Some(KNOCK))?;
        door.read_exact(&mut said)
    });
    heard.is_ok() && said == *name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_that_linux_calls_local_but_loopback() {
        let table = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     \
                     +-- 10.7.0.0/24 2 0 2\n           |-- 10.7.0.2\n              /32 host LOCAL\n           \
                     |-- 10.7.0.255\n              /32 link BROADCAST\n     |-- 127.0.0.1\n        /32 host LOCAL\n\
                     Local:\n           |-- 10.7.0.2\n              /32 host LOCAL\n";
        assert_eq!(addresses_in(table), [Ipv4Addr::new(10, 7, 0, 2)]);
    }

    #[test]
    fn a_door_is_known_by_the_start_and_rank_behind_it() {
        let who = Who { rank: 3, world: 4, host: "n4".to_owned(), start: 7 };
        let there: Vec<SocketAddr> = open(&who)
            .iter()
            .map(|it| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), it.port()))
            .take(1)
            .collect();
        if there.is_empty() {
            // A machine without any network has no address to be reached at.
            assert_eq!(addresses(), Vec::<Ipv4Addr>::new());
            return;
        }
        let ask = |start, rank| unreached(start, std::iter::once(("n4", rank, &there[..])));
        assert!(ask(7, 3).is_empty());
        assert_eq!((ask(8, 3).len(), ask(7, 2).len()), (1, 1), "another start, another rank");
        assert_eq!(unreached(7, std::iter::once(("n4", 3, &[][..]))), ["n4"], "no address");
    }
}
