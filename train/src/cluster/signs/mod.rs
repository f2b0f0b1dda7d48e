//! Signs of life: who is waited for, and where.
//!
//! An engine that waits for a rank that was stopped, or whose host is cut off, waits for ever and says nothing.
//! So each rank writes a small file in the run folder every few seconds: how many exchanges it entered, and what
//! it does. A rank that waits reads those of the others. Who entered fewer exchanges is waited for; if its file
//! is old too, it is lost. Where all live and wait for each other, what lies between them is broken: `door` finds
//! out which host nobody reaches, and `verdict` says it. Ages are those of the file system, so clocks of hosts do
//! not matter.
//!
//! ```text
//! RUN/ranks/0, RUN/ranks/1, ...
//! ```

mod door;
mod verdict;
mod watch;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};

use self::watch::{Watch, Watched};
use super::phase::{Limits, Phase};

/// Folder of a run that holds the files.
pub const SIGNS_FOLDER: &str = "ranks";

/// Times of writing and of patience.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// For how long one that gives signs is waited for.
    pub limits: Limits,
    /// Between two signs of a rank.
    pub every: Duration,
    /// After which a silent rank is lost, or one that cannot be reached while all wait.
    pub lost_after: Duration,
    /// After which ranks that wait for each other and can all be reached give up.
    pub stalled_after: Duration,
}

impl Pace {
    /// The usual one, with these `limits`.
    pub fn with(limits: Limits) -> Self {
        // Twenty seconds of silence are no slow disk: the thread that writes does nothing else, and where the file
        // system itself stands still, or all ranks were stopped together, patience begins anew. An exchange is of
        // one bucket, so one of 40 s is no slow network.
        Self {
            limits,
            every: Duration::from_secs(2),
            lost_after: Duration::from_secs(20),
            stalled_after: Duration::from_secs(40),
        }
    }

    /// Between two signs of a rank that was neither stopped nor kept from writing.
    fn unbroken(&self) -> Duration {
        self.lost_after / 4
    }
}

/// What a rank says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Sign {
    /// Of which start; signs that another start left behind mean nothing.
    start: u64,
    host: String,
    process: u32,
    /// Exchanges that it began.
    entered: u64,
    /// Whether it waits in the last of them.
    waiting: bool,
    /// For how many seconds.
    waits_s: u64,
    /// Where it can be reached, once it waits for long.
    doors: Vec<SocketAddr>,
    /// Hosts that it could not reach.
    unreached: Vec<String>,
    /// What it does, or did last, and of which phase that is.
    phase: Phase,
    doing: String,
}

/// What this rank does, for the thread that writes it down.
#[derive(Debug, Default)]
pub(super) struct Doing {
    entered: AtomicU64,
    waiting: AtomicBool,
    what: Mutex<(Phase, &'static str)>,
}

impl Doing {
    /// Names what comes next.
    pub(super) fn name(&self, phase: Phase, what: &'static str) {
        *self.what.lock().unwrap_or_else(PoisonError::into_inner) = (phase, what);
    }

    /// Runs `exchange` with the others.
    pub(super) fn wait<R>(&self, exchange: impl FnOnce() -> R) -> R {
        self.entered.fetch_add(1, Ordering::Relaxed);
        self.waiting.store(true, Ordering::Relaxed);
        let done = exchange();
        self.waiting.store(false, Ordering::Relaxed);
        done
    }

    fn sign(&self, start: u64, host: &str) -> Sign {
        let (phase, doing) = *self.what.lock().unwrap_or_else(PoisonError::into_inner);
        Sign {
            start,
            host: host.to_owned(),
            process: std::process::id(),
            entered: self.entered.load(Ordering::Relaxed),
            waiting: self.waiting.load(Ordering::Relaxed),
            waits_s: 0,
            doors: Vec::new(),
            unreached: Vec::new(),
            phase,
            doing: doing.to_owned(),
        }
    }
}

/// Writes the signs of this rank and reads those of the others until it is dropped.
#[derive(Debug)]
pub struct Signs {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    mine: PathBuf,
}

/// A rank, and which start of the program it belongs to.
#[derive(Debug, Clone)]
pub(super) struct Who {
    pub(super) rank: usize,
    pub(super) world: usize,
    pub(super) host: String,
    pub(super) start: u64,
}

/// A rank that writes and reads signs.
struct Writer {
    folder: PathBuf,
    who: Who,
    pace: Pace,
    doing: Arc<Doing>,
    over: Arc<AtomicBool>,
}

impl Signs {
    /// Begins; `lost` is told once of a rank that everyone waits for and that is silent.
    ///
    /// # Errors
    /// The folder cannot be made, or no thread be started.
    pub(super) fn begin(
        run_dir: &Path,
        who: Who,
        doing: &Arc<Doing>,
        pace: Pace,
        lost: impl Fn(String) + Send + 'static,
    ) -> std::io::Result<Self> {
        let folder = run_dir.join(SIGNS_FOLDER);
        fs::create_dir_all(&folder)?;
        let over = Arc::new(AtomicBool::new(false));
        let mine = folder.join(who.rank.to_string());
        let writer =
            Writer { folder, who, pace, doing: Arc::clone(doing), over: Arc::clone(&over) };
        let thread = std::thread::Builder::new()
            .name("signs".to_owned())
            .spawn(move || writer.run(&lost))?;
        Ok(Self { over, thread: Some(thread), mine })
    }
}

impl Drop for Signs {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
        // The last one takes the folder along.
        let _ = fs::remove_file(&self.mine);
        let _ = self.mine.parent().map(fs::remove_dir);
    }
}

/// The exchange that a rank waits in, and what it found out meanwhile.
#[derive(Debug, Default)]
struct Waiting {
    /// Which, and since when.
    exchange: Option<(u64, Instant)>,
    doors: Vec<SocketAddr>,
    unreached: Vec<String>,
}

impl Waiting {
    /// Adds to `sign` how long it waits.
    fn tell(&mut self, sign: &mut Sign) {
        match self.exchange {
            Some((entered, since)) if sign.waiting && entered == sign.entered => {
                sign.waits_s = since.elapsed().as_secs();
            }
            _ => {
                self.exchange = sign.waiting.then(|| (sign.entered, Instant::now()));
                self.unreached.clear();
            }
        }
        sign.doors.clone_from(&self.doors);
        sign.unreached.clone_from(&self.unreached);
    }
}

impl Writer {
    fn run(&self, lost: &dyn Fn(String)) {
        let mut waiting = Waiting::default();
        let mut watch = Watch::new(self.pace.unbroken());
        while !self.over.load(Ordering::Relaxed) {
            if watch.was_broken(SystemTime::now()) {
                waiting = Waiting { doors: waiting.doors, ..Waiting::default() };
            }
            let mut sign = self.doing.sign(self.who.start, &self.who.host);
            waiting.tell(&mut sign);
            let written = self.write(&sign);
            // What kept this rank from writing kept others as well: the next round begins anew.
            if let Some(now) = written.filter(|_| !watch.is_broken(SystemTime::now())) {
                let watched = watch.at(now);
                if let Some(message) = self.verdict(&sign, watched, &mut waiting) {
                    lost(message);
                    return;
                }
                // Knocking in vain takes a while, and is no break.
                watch.rests(SystemTime::now());
            }
            std::thread::park_timeout(self.pace.every);
        }
    }

    /// Writes a sign; the time of the file system then. A sign that cannot be written is left out.
    fn write(&self, sign: &Sign) -> Option<SystemTime> {
        let path = self.folder.join(self.who.rank.to_string());
        let temporary = self.folder.join(format!("{}.tmp", self.who.rank));
        let bytes = serde_json::to_vec(sign).ok()?;
        // One that ended took an empty folder along.
        fs::write(&temporary, &bytes)
            .or_else(|_| fs::create_dir(&self.folder).and_then(|()| fs::write(&temporary, &bytes)))
            .and_then(|()| fs::rename(&temporary, &path))
            .ok()?;
        fs::metadata(&path).and_then(|it| it.modified()).ok()
    }

    /// Why this rank cannot go on waiting, if so.
    fn verdict(&self, mine: &Sign, watched: Watched, waiting: &mut Waiting) -> Option<String> {
        if !mine.waiting {
            return None;
        }
        let others = (0..self.who.world).filter(|rank| *rank != self.who.rank);
        let signs: Vec<(usize, Sign, SystemTime)> = others
            .filter_map(|rank| self.read(rank).map(|(sign, time)| (rank, sign, time)))
            .collect();
        if let Some((rank, sign, _)) = signs
            .iter()
            .find(|(_, sign, time)| sign.start != self.who.start && *time > watched.begun)
        {
            return Some(format!(
                "rank {rank} on {} belongs to a later start of this run: this one, rank {} on {}, was left \
                 behind and ends",
                sign.host, self.who.rank, self.who.host
            ));
        }
        let signs: BTreeMap<usize, (Sign, Duration)> = signs
            .into_iter()
            .filter(|(_, sign, _)| sign.start == self.who.start)
            .map(|(rank, sign, time)| (rank, (sign, watched.silence_since(time))))
            .collect();
        self.silent(mine, &signs)
            .or_else(|| self.stuck(mine, &signs))
            .or_else(|| self.stalled(mine, signs, waiting))
    }

    /// A sentence about the first rank that is silent and is waited for in the exchange of `mine`, or was lost
    /// within it. Of the ranks that wait, the first says it.
    fn silent(&self, mine: &Sign, signs: &BTreeMap<usize, (Sign, Duration)>) -> Option<String> {
        let mut lost = None;
        let long = Duration::from_secs(mine.waits_s) >= self.pace.lost_after;
        for (&rank, (sign, age)) in signs {
            let silent = *age >= self.pace.lost_after;
            if !silent && sign.entered >= mine.entered && rank < self.who.rank {
                return None;
            }
            if silent && (long || sign.entered < mine.entered) && lost.is_none() {
                lost = Some(verdict::silent(rank, sign, *age, &mine.doing));
            }
        }
        lost
    }

    /// A sentence about the first rank that lives and has not come to the exchange of `mine` within the limit of
    /// what it is at.
    fn stuck(&self, mine: &Sign, signs: &BTreeMap<usize, (Sign, Duration)>) -> Option<String> {
        let at_work = |sign: &Sign| sign.entered < mine.entered && !sign.waiting;
        let late = signs.iter().filter(|(_, (sign, _))| at_work(sign));
        let (rank, (sign, _)) = late.min_by_key(|(_, (sign, _))| sign.entered)?;
        let over = Duration::from_secs(mine.waits_s) >= self.pace.limits.of(sign.phase);
        over.then(|| verdict::stuck(*rank, sign, mine))
    }

    /// A sentence where all ranks live and wait for each other; the first says it, or whoever notices later.
    fn stalled(
        &self,
        mine: &Sign,
        signs: BTreeMap<usize, (Sign, Duration)>,
        waiting: &mut Waiting,
    ) -> Option<String> {
        if signs.len() + 1 < self.who.world
            || Duration::from_secs(2 * mine.waits_s) < self.pace.lost_after
        {
            return None;
        }
        if waiting.doors.is_empty() {
            waiting.doors = door::open(&self.who);
            return None;
        }
        let hosts: BTreeMap<&str, (usize, &Sign)> = signs
            .iter()
            .rev()
            .filter(|(_, (sign, _))| sign.host != self.who.host && !sign.doors.is_empty())
            .map(|(rank, (sign, _))| (sign.host.as_str(), (*rank, sign)))
            .collect();
        let doors = hosts.into_iter().map(|(host, (rank, sign))| (host, rank, &sign.doors[..]));
        waiting.unreached = door::unreached(self.who.start, doors);
        let mut all: BTreeMap<usize, Sign> =
            signs.into_iter().map(|(rank, (sign, _))| (rank, sign)).collect();
        all.insert(self.who.rank, mine.clone());
        let all: Vec<Sign> = all.into_values().collect();
        let patience = Pace {
            lost_after: self.pace.lost_after + self.pace.every * u32::from(self.who.rank > 0) * 2,
            ..self.pace
        };
        verdict::stalled(&all, patience)
    }

    /// What another rank says of itself, and when.
    fn read(&self, rank: usize) -> Option<(Sign, SystemTime)> {
        // Opening asks the server of a network file system; what it said before may be half a minute old.
        let mut file = File::open(self.folder.join(rank.to_string())).ok()?;
        let written = file.metadata().and_then(|it| it.modified()).ok()?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).ok()?;
        Some((serde_json::from_slice(&bytes).ok()?, written))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);
    const LIMITS: Limits =
        Limits { start: HOUR, dataset: HOUR, data: HOUR, step: HOUR, save: HOUR };
    const FAST: Pace = Pace {
        limits: LIMITS,
        every: Duration::from_millis(10),
        lost_after: Duration::from_millis(200),
        // Ranks of these tests wait by themselves.
        stalled_after: HOUR,
    };

    /// The signs of a rank of two, and what is said of the lost.
    fn rank(folder: &Path, rank: usize) -> (Arc<Doing>, Signs, Receiver<String>) {
        rank_of(folder, rank, FAST)
    }

    fn rank_of(folder: &Path, rank: usize, pace: Pace) -> (Arc<Doing>, Signs, Receiver<String>) {
        let (doing, (told, said)) = (Arc::new(Doing::default()), channel());
        doing.name(Phase::Step, if rank == 0 { "summing" } else { "computing" });
        let who = Who { rank, world: 2, host: format!("n{rank}"), start: 7 };
        let signs =
            Signs::begin(folder, who, &doing, pace, move |it| told.send(it).unwrap()).unwrap();
        (doing, signs, said)
    }

    fn until(condition: impl Fn() -> bool) {
        let begun = std::time::Instant::now();
        while !condition() {
            assert!(begun.elapsed() < Duration::from_secs(20), "it takes too long");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[test]
    fn a_silent_rank_that_is_waited_for_is_named_with_its_host_and_work() {
        let folder = tempfile::tempdir().unwrap();
        let (doing, signs, said) = rank(folder.path(), 0);
        let (_, other, _) = rank(folder.path(), 1);
        let file = folder.path().join("ranks/1");
        until(|| file.exists() && folder.path().join("ranks/0").exists());
        let last = fs::read(&file).unwrap();
        drop(other);
        // As a process that was stopped leaves it: the file is there and gets older.
        fs::write(&file, last).unwrap();
        let sentence = doing.wait(|| said.recv_timeout(Duration::from_secs(20)).unwrap());
        for part in ["rank 1 on n1", "it was computing", "wait summing", "--resume"] {
            assert!(sentence.contains(part), "{part} in {sentence}");
        }
        drop(signs);
    }

    #[test]
    fn a_rank_that_lives_and_does_not_come_is_named_with_the_limit_that_it_passed() {
        let folder = tempfile::tempdir().unwrap();
        let short = Pace { limits: Limits { step: Duration::ZERO, ..LIMITS }, ..FAST };
        let (doing, _signs, said) = rank_of(folder.path(), 0, short);
        let (_, _other, _) = rank(folder.path(), 1);
        let sentence = doing.wait(|| said.recv_timeout(Duration::from_secs(20)).unwrap());
        for part in ["rank 1 on n1", "is alive and has been computing", "parallel.limits.step"] {
            assert!(sentence.contains(part), "{part} in {sentence}");
        }
    }

    #[test]
    fn signs_that_an_earlier_start_left_behind_mean_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (doing, _signs, said) = rank(folder.path(), 0);
        let old = doing.sign(6, "n1");
        let file = folder.path().join("ranks/1");
        fs::write(&file, serde_json::to_vec(&Sign { entered: 0, ..old }).unwrap()).unwrap();
        let told = doing.wait(|| said.recv_timeout(4 * FAST.lost_after));
        assert_eq!(told, Err(RecvTimeoutError::Timeout));
    }

    #[test]
    fn a_rank_whose_run_another_start_took_over_ends() {
        let folder = tempfile::tempdir().unwrap();
        let (doing, _signs, said) = rank(folder.path(), 1);
        until(|| folder.path().join("ranks/1").exists());
        std::thread::sleep(Duration::from_millis(50));
        let later = Sign { host: "n5".to_owned(), ..doing.sign(8, "n5") };
        fs::write(folder.path().join("ranks/0"), serde_json::to_vec(&later).unwrap()).unwrap();
        let sentence = doing.wait(|| said.recv_timeout(Duration::from_secs(20)).unwrap());
        assert!(sentence.contains("rank 0 on n5 belongs to a later start"), "{sentence}");
    }

    #[test]
    fn a_rank_that_is_busy_or_waits_too_is_not_lost() {
        let folder = tempfile::tempdir().unwrap();
        let (doing, signs, said) = rank(folder.path(), 0);
        let (_, other, _) = rank(folder.path(), 1);
        let busy = doing.wait(|| said.recv_timeout(4 * FAST.lost_after));
        assert_eq!(busy, Err(RecvTimeoutError::Timeout), "it is at work and says so");
        drop((signs, other));
        assert!(!folder.path().join(SIGNS_FOLDER).exists(), "nothing is left behind");
    }
}
