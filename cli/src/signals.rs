//! Signals and the end of the time that was given ask for a stop: the work that is going on is made
//! safe, then the process ends.
//!
//! They are acknowledged at once. The same one again, or Ctrl-C and SIGTERM together, ends the process
//! at once; SIGHUP and SIGXCPU come several times by themselves and do not. A SIGHUP that is ignored,
//! as under `nohup`, stays ignored.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU};
use signal_hook::iterator::Signals;

use crate::console;

/// Why a stop was asked for first.
static REASON: OnceLock<String> = OnceLock::new();

/// Why a stop was asked for, if it was.
pub(crate) fn reason() -> Option<&'static str> {
    REASON.get().map(String::as_str)
}

/// Listens for signals and returns the flag that the first one sets.
pub(crate) fn stop_flag() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let ignored = is_ignored(SIGHUP);
    let wanted = [SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU, SIGHUP];
    let wanted = wanted.into_iter().filter(|&signal| signal != SIGHUP || !ignored);
    let mut signals = Signals::new(wanted).context("cannot listen for signals")?;
    let set = Arc::clone(&stop);
    let mut seen = Seen::default();
    in_background("signals", move || {
        for signal in signals.forever() {
            if seen.is_enough(signal) {
                signal_hook::low_level::exit(128 + signal);
            }
            ask(&set, name(signal));
        }
    })?;
    Ok(stop)
}

/// Asks for a stop after so many minutes.
pub(crate) fn stop_after(minutes: f64, stop: &Arc<AtomicBool>) -> anyhow::Result<()> {
    let stop = Arc::clone(stop);
    in_background("clock", move || {
        std::thread::sleep(Duration::from_secs_f64(60.0 * minutes));
        ask(&stop, &format!("the {minutes} minutes of --max-minutes are over"));
    })
}

fn ask(stop: &AtomicBool, reason: &str) {
    let first = REASON.set(reason.to_owned()).is_ok();
    stop.store(true, Ordering::Relaxed);
    let more = if first { "; the same again ends at once" } else { "" };
    console::note(format!("{reason}: stopping as soon as the work is safe{more}"));
}

fn in_background(name: &str, work: impl FnOnce() + Send + 'static) -> anyhow::Result<()> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.map(drop).with_context(|| {
        format!(
            "cannot start the thread `{name}`; the limit of processes (ulimit -u) may be reached"
        )
    })
}

/// Which signals came.
#[derive(Debug, Default)]
struct Seen(BTreeSet<i32>);

impl Seen {
    /// Whether `signal`, after those before it, means to end at once.
    fn is_enough(&mut self, signal: i32) -> bool {
        let again = !self.0.insert(signal);
        let by_hand = [SIGINT, SIGTERM].iter().filter(|it| self.0.contains(it)).count();
        let repeats_itself = [SIGHUP, SIGXCPU].contains(&signal);
        (again && !repeats_itself) || ([SIGINT, SIGTERM].contains(&signal) && by_hand == 2)
    }
}

fn name(signal: i32) -> &'static str {
    match signal {
        SIGINT => "SIGINT",
        SIGTERM => "SIGTERM",
        SIGHUP => "SIGHUP",
        SIGUSR1 => "SIGUSR1",
        SIGUSR2 => "SIGUSR2",
        SIGXCPU => "SIGXCPU",
        _ => "a signal",
    }
}

/// Whether whoever started this process had `signal` ignored.
pub(crate) fn is_ignored(signal: i32) -> bool {
    // SAFETY: an all-zero `sigaction` is a valid value of that struct of integers and pointers.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: with a null new action the call only writes the present one into `action`.
    let asked = unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut action) };
    asked == 0 && action.sa_sigaction == libc::SIG_IGN
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(signals: &[i32]) -> bool {
        let mut seen = Seen::default();
        signals.iter().any(|&signal| seen.is_enough(signal))
    }

    #[test]
    fn the_same_signal_again_ends_at_once_and_a_first_one_does_not() {
        for signal in [SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGHUP, SIGXCPU] {
            assert!(!ends(&[signal]));
        }
        for signals in [[SIGINT, SIGINT], [SIGTERM, SIGTERM], [SIGINT, SIGTERM], [SIGUSR2, SIGUSR2]]
        {
            assert!(ends(&signals), "{signals:?}");
        }
    }

    #[test]
    fn what_a_system_sends_several_times_never_ends_a_save() {
        assert!(!ends(&[SIGHUP, SIGHUP, SIGXCPU, SIGXCPU, SIGXCPU]));
        assert!(!ends(&[SIGUSR1, SIGTERM]), "a scheduler warns first, then means it");
        assert!(ends(&[SIGUSR1, SIGTERM, SIGTERM]));
    }
}
