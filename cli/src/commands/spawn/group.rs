//! Processes that live and die together.
//!
//! Each has a process group of its own, so that Ctrl-C reaches them through this process and once. If this process
//! is killed, the kernel sends them SIGTERM. A member that fails ends the others: they have a while to say why
//! themselves, then get SIGTERM, then SIGKILL.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU};
use signal_hook::iterator::Signals;

use crate::console;
use crate::exit::Code;
use crate::signals::is_ignored;

/// For members to end by themselves after one failed, and after SIGTERM.
const TO_SAY_WHY: Duration = Duration::from_secs(5);
const TO_STOP: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A process to be started.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    /// What it is called.
    pub(crate) name: String,
    /// The program and its arguments.
    pub(crate) words: Vec<String>,
    /// Variables of the environment that it does not inherit, and those that it gets.
    pub(crate) unset: Vec<String>,
    pub(crate) set: Vec<(String, String)>,
    /// Its output is ours; that of others is printed line by line with their name.
    pub(crate) speaks_for_itself: bool,
    /// It is a launcher that ends its ranks at SIGINT and SIGTERM, and passes SIGUSR1 on.
    pub(crate) passes_on: bool,
}

/// How a group ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// All did what was asked, or stopped where they were asked to.
    Well(Code),
    /// One failed first.
    Failed {
        /// Its exit code, as far as it has one of ours.
        code: Code,
        /// Who it was, and how it ended.
        who: String,
    },
}

/// Whom signals are passed on to.
#[derive(Debug, Default)]
struct Targets {
    /// Processes, and whether they are launchers.
    alive: Mutex<Vec<(i32, bool)>>,
    stopped: AtomicBool,
}

/// Starts members, passes signals on.
pub(crate) struct Group {
    targets: Arc<Targets>,
}

struct Running {
    name: String,
    child: Child,
    readers: Vec<JoinHandle<()>>,
    status: Option<ExitStatus>,
}

impl Group {
    /// Begins to listen for signals.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let targets = Arc::new(Targets::default());
        let wanted = [SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU, SIGHUP];
        let wanted = wanted.into_iter().filter(|signal| !is_ignored(*signal));
        let mut signals = Signals::new(wanted).context("cannot listen for signals")?;
        let to = Arc::clone(&targets);
        let listens = move || {
            for signal in signals.forever() {
                to.pass_on(signal);
            }
        };
        let thread = std::thread::Builder::new().name("signals".to_owned()).spawn(listens);
        thread.map(drop).context("cannot start the thread `signals`")?;
        Ok(Self { targets })
    }

    /// Whether a signal asked for a stop.
    pub(crate) fn was_stopped(&self) -> bool {
        self.targets.stopped.load(Ordering::Relaxed)
    }

    /// Starts `members` and waits until all have ended.
    pub(crate) fn run(&mut self, members: Vec<Member>) -> anyhow::Result<Ended> {
        let mut running = Vec::new();
        for member in members {
            match self.start(member) {
                Ok(started) => running.push(started),
                Err(error) => {
                    self.end(&mut running);
                    return Err(error);
                }
            }
        }
        let failed = self.wait(&mut running);
        self.end(&mut running);
        for reader in running.iter_mut().flat_map(|it| it.readers.drain(..)) {
            let _ = reader.join();
        }
        self.targets.lock().clear();
        Ok(match failed {
            Some(at) => failure(&running[at]),
            None if running.iter().any(|it| code_of(it.status) == Some(Code::Stopped)) => {
                Ended::Well(Code::Stopped)
            }
            None => Ended::Well(Code::Done),
        })
    }

    fn start(&self, member: Member) -> anyhow::Result<Running> {
        let Member { name, words, unset, set, speaks_for_itself, passes_on } = member;
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).stdin(Stdio::null()).process_group(0);
        for name in &unset {
            command.env_remove(name);
        }
        command.envs(set);
        if !speaks_for_itself {
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
        }
        // SAFETY: the child calls a function that is safe after a fork, and touches no memory of ours.
        unsafe {
            command.pre_exec(|| {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
                Ok(())
            });
        }
        let mut child = command.spawn().with_context(|| format!("cannot start `{}`", words[0]))?;
        let id = i32::try_from(child.id()).unwrap_or(i32::MAX);
        self.targets.lock().push((id, passes_on));
        let mut readers = Vec::new();
        if let Some(out) = child.stdout.take() {
            readers.push(relayed(&name, out));
        }
        if let Some(out) = child.stderr.take() {
            readers.push(relayed(&name, out));
        }
        Ok(Running { name, child, readers, status: None })
    }

    /// Until all have ended, or one failed: which.
    fn wait(&self, running: &mut [Running]) -> Option<usize> {
        loop {
            let all = self.all_ended(running);
            if let Some(at) = first_failure(running) {
                return Some(at);
            }
            if all {
                return None;
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Ends whoever still runs.
    fn end(&self, running: &mut [Running]) {
        for (limit, signal) in [(TO_SAY_WHY, libc::SIGTERM), (TO_STOP, libc::SIGKILL)] {
            let until = Instant::now() + limit;
            while !self.all_ended(running) && Instant::now() < until {
                std::thread::sleep(LOOK_EVERY);
            }
            for &(process, _) in self.targets.lock().iter() {
                send(process, signal);
            }
        }
        while !self.all_ended(running) {
            std::thread::sleep(LOOK_EVERY);
        }
    }

    fn all_ended(&self, running: &mut [Running]) -> bool {
        for member in running.iter_mut().filter(|it| it.status.is_none()) {
            member.status = member.child.try_wait().ok().flatten();
            if member.status.is_some() {
                self.targets.forget(member.child.id());
            }
        }
        running.iter().all(|member| member.status.is_some())
    }
}

impl Targets {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(i32, bool)>> {
        self.alive.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget(&self, process: u32) {
        self.lock().retain(|(alive, _)| u32::try_from(*alive) != Ok(process));
    }

    /// A launcher would end its ranks at the first SIGINT or SIGTERM; they are asked to save instead.
    fn pass_on(&self, signal: i32) {
        let again = self.stopped.swap(true, Ordering::Relaxed);
        for &(process, is_launcher) in self.lock().iter() {
            let ends = [SIGINT, SIGTERM, SIGHUP].contains(&signal);
            send(process, if is_launcher && ends && !again { SIGUSR1 } else { signal });
        }
    }
}

/// A process that has just ended is told nothing.
fn send(process: i32, signal: i32) {
    // SAFETY: a call without memory; the process is a child that was not waited for yet, so its number is its own.
    unsafe { libc::kill(process, signal) };
}

/// Prints what a member says, line by line.
fn relayed(name: &str, out: impl Read + Send + 'static) -> JoinHandle<()> {
    let name = name.to_owned();
    std::thread::spawn(move || {
        let mut lines = BufReader::new(out);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
            let text = String::from_utf8_lossy(&line);
            console::note(format!("[{name}] {}", text.trim_end_matches(['\n', '\r'])));
            line.clear();
        }
    })
}

/// Whoever failed. Of several that have ended by now, one that a signal ended is why the others failed.
fn first_failure(running: &[Running]) -> Option<usize> {
    let is_failed = |member: &Running| {
        let code = member.status.map(|status| code_of(Some(status)));
        code.is_some_and(|code| !matches!(code, Some(Code::Done | Code::Stopped)))
    };
    let is_killed = |member: &Running| member.status.is_some_and(|it| it.signal().is_some());
    running.iter().position(is_killed).or_else(|| running.iter().position(is_failed))
}

/// The exit code of ours that a process ended with.
fn code_of(status: Option<ExitStatus>) -> Option<Code> {
    Code::of(status?.code()?)
}

fn failure(member: &Running) -> Ended {
    let (status, process) = (member.status, member.child.id());
    let how = match status.map(|status| (status.code(), status.signal())) {
        Some((Some(code), _)) => format!("ended with exit code {code}"),
        Some((_, Some(signal))) => format!("was ended by signal {signal}{}", named(signal)),
        _ => "ended".to_owned(),
    };
    let code = code_of(status).unwrap_or(Code::Unexpected);
    Ended::Failed { code, who: format!("{} (process {process}) {how}", member.name) }
}

fn named(signal: i32) -> String {
    signal_hook::low_level::signal_name(signal).map_or(String::new(), |name| format!(" ({name})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(name: &str, text: &str) -> Member {
        let words = ["sh", "-c", text].map(str::to_owned).to_vec();
        let (unset, set) = (vec!["HOME".to_owned()], vec![("OWN".to_owned(), "7".to_owned())]);
        let (speaks_for_itself, passes_on) = (false, false);
        Member { name: name.to_owned(), words, unset, set, speaks_for_itself, passes_on }
    }

    #[test]
    fn a_member_that_dies_ends_the_others_and_is_told_with_its_code_or_signal() {
        let mut group = Group::new().unwrap();
        for (text, want, told) in [
            ("exit 3", Code::Data, "rank 1 (process"),
            ("kill -KILL $$", Code::Unexpected, "signal 9 (SIGKILL)"),
            ("exit 77", Code::Unexpected, "exit code 77"),
        ] {
            let begun = Instant::now();
            let members = vec![shell("rank 0", "exec sleep 600"), shell("rank 1", text)];
            let Ended::Failed { code, who } = group.run(members).unwrap() else {
                panic!("it failed")
            };
            assert!(code == want && who.contains(told), "{who}");
            assert!(begun.elapsed() < Duration::from_mins(2), "the other does not sleep on");
        }
    }

    #[test]
    fn members_that_do_what_was_asked_end_well_and_have_their_own_environment() {
        let mut group = Group::new().unwrap();
        let asks = r#"test "$OWN" = 7 && test -z "$HOME""#;
        let ended = group.run(vec![shell("rank 0", asks), shell("rank 1", asks)]).unwrap();
        assert!(matches!(ended, Ended::Well(Code::Done)), "{ended:?}");
        let stops = vec![shell("rank 0", "exit 5"), shell("rank 1", "exit 5")];
        assert!(matches!(group.run(stops).unwrap(), Ended::Well(Code::Stopped)));
        let missing = Member { words: vec!["/not/there".to_owned()], ..shell("rank 0", "") };
        assert!(group.run(vec![missing]).unwrap_err().to_string().contains("/not/there"));
    }
}
