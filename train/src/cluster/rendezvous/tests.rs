//! Ranks that are threads meet on the loopback.

use std::io::Write;
use std::net::{TcpListener, TcpStream};

use super::*;

const LIMIT: Duration = Duration::from_secs(30);

/// A place that nobody listens at.
fn place() -> Place {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    Place { host: "127.0.0.1".to_owned(), port, is_one_host: true, from: "a test".to_owned() }
}

fn seat(rank: usize, world: usize) -> Seat {
    let gpu = format!("GPU {rank}");
    Seat {
        rank,
        world,
        host: format!("n{}", rank / 2),
        process: 100 + u32::try_from(rank).unwrap(),
        gpu,
        problem: None,
    }
}

fn secret() -> Secret {
    Secret::given(Some("swordfish".to_owned()))
}

/// What each of `seats` gets, or its error.
fn meet(place: &Place, seats: Vec<Seat>, limit: Duration) -> Vec<Result<Vec<u8>, String>> {
    let one = |seat: Seat| {
        let place = place.clone();
        std::thread::spawn(move || {
            let offer = || Ok(b"the id".to_vec());
            let met = Meeting::meet(&place, seat, &secret(), limit, offer);
            let agreed = met.and_then(|(meeting, id)| meeting.agree("joining", Ok(id), limit));
            agreed.map_err(|error| error.to_string())
        })
    };
    let threads: Vec<_> = seats.into_iter().map(one).collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

#[test]
fn all_ranks_get_the_id_of_the_first_whatever_comes_in_between() {
    let place = place();
    let at = ("127.0.0.1", place.port);
    let strangers = std::thread::spawn(move || {
        let mut kept = Vec::new();
        let until = Instant::now() + LIMIT;
        while kept.len() < 3 && Instant::now() < until {
            let Ok(mut stream) = TcpStream::connect(at) else { continue };
            // One says nothing, one speaks another protocol, one claims a length beyond all words.
            let said: [&[u8]; 3] = [b"", b"GET / HTTP/1.1\r\n\r\n", &[0xFF; 64]];
            if stream.write_all(said[kept.len()]).is_ok() {
                kept.push(stream);
            }
        }
        kept.len()
    });
    let late = place.clone();
    let last = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        meet(&late, vec![seat(3, 4)], LIMIT)
    });
    let found = meet(&place, (0..3).map(|rank| seat(rank, 4)).collect(), LIMIT);
    assert_eq!(found, vec![Ok(b"the id".to_vec()); 3]);
    assert_eq!(last.join().unwrap(), vec![Ok(b"the id".to_vec())]);
    assert_eq!(strangers.join().unwrap(), 3);
}

#[test]
fn ranks_that_do_not_come_are_named_to_all_who_did() {
    let found = meet(&place(), vec![seat(0, 8), seat(2, 8)], Duration::from_secs(1));
    for error in found {
        let error = error.unwrap_err();
        let parts = ["ranks 1, 3 to 7 of 8", "within 1 s", "rank 0 on n0, rank 2 on n1"];
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    }
    let place = place();
    let alone = meet(&place, vec![seat(1, 2)], Duration::from_secs(1));
    let error = alone[0].as_ref().unwrap_err();
    let parts = ["rank 1 on n0", "refused", &place.to_string()];
    assert!(parts.iter().all(|part| error.contains(part)), "{error}");
}

#[test]
fn two_processes_of_one_rank_another_world_and_a_shared_gpu_are_named_with_both() {
    let other = |seat: Seat, process| Seat { process, ..seat };
    let first = vec![seat(0, 3), seat(1, 3), other(seat(1, 3), 7)];
    let parts = ["rank 1 on n0 (process 101)", "(process 7)", "one rank"];
    let taken = vec![seat(0, 2), other(seat(0, 2), 7)];
    let world = vec![seat(0, 3), seat(1, 2)];
    let shared = vec![seat(0, 2), Seat { gpu: "GPU 0".to_owned(), ..seat(1, 2) }];
    let lost = Seat { problem: Some("no library".to_owned()), ..seat(1, 2) };
    for (seats, parts) in [
        (first, parts),
        (world, ["rank 1 on n0", "one of 2 ranks", "of 3"]),
        (shared, ["process 100", "process 101", "both take GPU 0"]),
        (vec![seat(0, 2), lost], ["rank 1 on n0", "getting ready", "no library"]),
    ] {
        let found = meet(&place(), seats, Duration::from_secs(3));
        let error = found[0].as_ref().unwrap_err();
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        assert!(found[1].is_err());
    }
    let found = meet(&place(), taken, Duration::from_secs(1));
    let second = found.iter().filter(|it| it.as_ref().is_err_and(|it| it.contains("listen")));
    assert_eq!(second.count(), 1, "the second that is rank 0 cannot listen: {found:?}");
}

#[test]
fn another_secret_is_a_stranger_on_both_sides() {
    let place = place();
    let at = place.clone();
    let stranger = std::thread::spawn(move || {
        let secret = Secret::given(Some("guess".to_owned()));
        let limit = Duration::from_secs(1);
        Meeting::meet(&at, seat(1, 2), &secret, limit, || Ok(Vec::new())).unwrap_err().to_string()
    });
    let found = meet(&place, vec![seat(0, 2)], Duration::from_secs(2));
    assert!(found[0].as_ref().unwrap_err().contains("rank 1 of 2 did not come"), "{found:?}");
    let error = stranger.join().unwrap();
    assert!(error.contains("same secret (a secret)"), "{error}");
}

#[test]
fn a_failure_of_one_rank_after_the_meeting_is_told_to_all_and_kept_by_it() {
    for fails in [0, 2] {
        let place = place();
        let one = |rank: usize| {
            let place = place.clone();
            std::thread::spawn(move || {
                let (meeting, _) =
                    Meeting::meet(&place, seat(rank, 3), &secret(), LIMIT, || Ok(vec![1])).unwrap();
                let broken =
                    ClusterError::Engine { engine: "NCCL".into(), reason: "broken".into() };
                let mine = if rank == fails { Err(broken) } else { Ok(rank) };
                meeting.agree("joining", mine, LIMIT).unwrap_err().to_string()
            })
        };
        let threads: Vec<_> = (0..3).map(one).collect();
        let said: Vec<String> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        for (rank, said) in said.iter().enumerate() {
            let want = format!("rank {fails} on n{} failed joining: NCCL: broken", fails / 2);
            assert_eq!(*said, if rank == fails { "NCCL: broken".to_owned() } else { want });
        }
    }
}

#[test]
fn what_rank_0_cannot_offer_ends_it_for_all() {
    let place = place();
    let other = {
        let place = place.clone();
        std::thread::spawn(move || meet(&place, vec![seat(1, 2)], LIMIT))
    };
    let broken = || Err(ClusterError::Engine { engine: "NCCL".into(), reason: "no id".into() });
    let mine = Meeting::meet(&place, seat(0, 2), &secret(), LIMIT, broken).unwrap_err();
    let theirs = other.join().unwrap().remove(0).unwrap_err();
    assert!(mine.to_string().contains("no id") && theirs.contains("rank 0 on n0"), "{theirs}");
}

#[test]
fn numbers_in_words_are_ranges() {
    assert_eq!(numbers(&[1]), "1");
    assert_eq!(numbers(&[1, 2, 4, 5, 6, 9]), "1, 2, 4 to 6, 9");
}
