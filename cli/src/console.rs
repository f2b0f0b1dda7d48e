//! What the user sees: results on stdout, progress and notes on stderr.
//!
//! On a terminal, work that takes over two seconds gets a bar with rate and time left; elsewhere
//! (a batch job's log) a plain line every few seconds, so that logs stay readable.

use std::borrow::Cow;
use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Work shorter than this shows nothing.
const QUIET: Duration = Duration::from_secs(2);
/// Time between plain lines when stderr is not a terminal.
const PLAIN_EVERY: Duration = Duration::from_secs(10);

/// The first result that could not be written.
static UNWRITTEN: Mutex<Option<std::io::Error>> = Mutex::new(None);

/// Prints one line of results. A reader that went away (`genesis … | head`) has what it wanted: the
/// process ends well. Any other failure is kept for [`unwritten`].
pub(crate) fn result(line: impl AsRef<str>) {
    let line = line.as_ref();
    let mut out = std::io::stdout();
    // What a model says goes to a file as it is; a terminal would obey it.
    let shown = if out.is_terminal() { Cow::Owned(harmless(line)) } else { Cow::Borrowed(line) };
    let Err(error) = writeln!(out, "{shown}") else { return };
    if error.kind() == std::io::ErrorKind::BrokenPipe {
        #[expect(clippy::disallowed_methods, reason = "there is nobody left to work for")]
        std::process::exit(0);
    }
    if let Ok(mut first) = UNWRITTEN.lock() {
        first.get_or_insert(error);
    }
}

/// Why a result could not be written, if one could not.
pub(crate) fn unwritten() -> Option<std::io::Error> {
    let flushed = std::io::stdout().flush().err();
    UNWRITTEN.lock().ok().and_then(|mut first| first.take()).or(flushed)
}

/// Text that a terminal shows and does not obey: control characters but line feeds and tabs are
/// written as `\u{1b}`.
pub(crate) fn harmless(text: &str) -> String {
    let is_plain = |c: &char| !c.is_control() || matches!(c, '\n' | '\t');
    text.chars()
        .map(|c| if is_plain(&c) { c.to_string() } else { c.escape_default().to_string() })
        .collect()
}

/// Whether another process tells people what happens.
static QUIETED: AtomicBool = AtomicBool::new(false);

/// Leaves notes to another process, which says the same.
pub(crate) fn be_quiet() {
    QUIETED.store(true, Ordering::Relaxed);
}

/// Prints one line for humans on stderr.
pub(crate) fn note(line: impl AsRef<str>) {
    if QUIETED.load(Ordering::Relaxed) {
        return;
    }
    let _ = writeln!(std::io::stderr(), "{}", harmless(line.as_ref()));
}

/// Prints the error that ends the process.
pub(crate) fn error(error: &anyhow::Error) {
    let _ = writeln!(std::io::stderr(), "error: {}", harmless(&format!("{error:#}")));
}

/// The whole part of a number that is shown to people; negative and NaN read as 0.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
pub(crate) fn whole(x: f64) -> u64 {
    x as u64
}

/// A count with thousands separators: `1_234_567` reads as `1,234,567`.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// Bytes in the unit that keeps three or four digits: `12.3 MiB`.
pub(crate) fn bytes(n: u64) -> String {
    indicatif::BinaryBytes(n).to_string()
}

/// A duration as a person says it: `45 s`, `3 min 20 s`, `2 h 05 min`.
pub(crate) fn duration(seconds: f64) -> String {
    let whole = whole(seconds.round());
    match whole {
        0..=1 => format!("{seconds:.1} s"),
        2..=119 => format!("{whole} s"),
        120..=7199 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

/// What a progress counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Bytes,
    Items(&'static str),
}

/// Progress of one phase of work; a bar or plain lines.
pub(crate) struct Meter {
    name: String,
    unit: Unit,
    total: u64,
    started: Instant,
    state: Mutex<State>,
}

struct State {
    done: u64,
    bar: Option<ProgressBar>,
    last_plain: Instant,
    printed: bool,
}

impl Meter {
    /// Starts a phase. `total` 0 means unknown.
    pub(crate) fn start(name: &str, total: u64, unit: Unit) -> Self {
        let now = Instant::now();
        let state = State { done: 0, bar: None, last_plain: now, printed: false };
        Self { name: name.to_owned(), unit, total, started: now, state: Mutex::new(state) }
    }

    /// Adds to the amount done.
    pub(crate) fn advance(&self, amount: u64) {
        let Ok(mut state) = self.state.lock() else { return };
        state.done += amount;
        if self.started.elapsed() < QUIET {
            return;
        }
        if std::io::stderr().is_terminal() {
            let done = state.done;
            state.bar.get_or_insert_with(|| self.new_bar()).set_position(done);
        } else if !state.printed || state.last_plain.elapsed() >= PLAIN_EVERY {
            state.last_plain = Instant::now();
            state.printed = true;
            note(self.plain_line(state.done));
        }
    }

    /// Ends the phase; the bar disappears.
    pub(crate) fn finish(&self) {
        if let Ok(mut state) = self.state.lock()
            && let Some(bar) = state.bar.take()
        {
            bar.finish_and_clear();
        }
    }

    fn new_bar(&self) -> ProgressBar {
        let length = (self.total > 0).then_some(self.total);
        let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr_with_hz(5))
            .with_message(self.name.clone())
            .with_elapsed(self.started.elapsed());
        let template = match (self.unit, self.total) {
            (_, 0) => "{msg} {spinner} {human_pos} done, {elapsed}",
            (Unit::Bytes, _) => {
                "{msg} {bar:30} {percent}% {bytes}/{total_bytes} {bytes_per_sec}, {eta} left"
            }
            (Unit::Items(_), _) => {
                "{msg} {bar:30} {percent}% {human_pos}/{human_len} {per_sec}, {eta} left"
            }
        };
        // The templates are constants of ours; the fallback is indicatif's own bar.
        bar.set_style(
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        bar
    }

    fn plain_line(&self, done: u64) -> String {
        let seconds = self.started.elapsed().as_secs_f64();
        let rate = done as f64 / seconds.max(1e-9);
        let amount = |n: u64| match self.unit {
            Unit::Bytes => bytes(n),
            Unit::Items(what) => format!("{} {what}", count(n)),
        };
        let per_second = amount(whole(rate));
        if self.total == 0 {
            return format!("{}: {}, {per_second}/s", self.name, amount(done));
        }
        let left = self.total.saturating_sub(done) as f64 / rate.max(1e-9);
        let percent = 100.0 * done as f64 / self.total as f64;
        format!(
            "{}: {percent:.0}% {}, {per_second}/s, {} left",
            self.name,
            amount(done),
            duration(left)
        )
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Shows the phases of an ingest, one meter after the other, and ends it when a flag says so.
pub(crate) struct IngestMeter<'a> {
    meter: Mutex<Option<Meter>>,
    stop: &'a AtomicBool,
}

impl<'a> IngestMeter<'a> {
    /// An ingest that `stop` ends.
    pub(crate) fn until(stop: &'a AtomicBool) -> Self {
        Self { meter: Mutex::new(None), stop }
    }
}

impl genesis_data::ingest::Progress for IngestMeter<'_> {
    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn phase(&self, name: &str, total_bytes: u64) {
        if let Ok(mut meter) = self.meter.lock() {
            *meter = Some(Meter::start(name, total_bytes, Unit::Bytes));
        }
    }

    fn advance(&self, bytes: u64, _records: u64) {
        if let Ok(meter) = self.meter.lock()
            && let Some(meter) = meter.as_ref()
        {
            meter.advance(bytes);
        }
    }
}

/// Progress of work whose total becomes known with its first report.
pub(crate) struct Counter {
    name: &'static str,
    what: &'static str,
    done: u64,
    meter: Option<Meter>,
}

impl Counter {
    /// A counter of `what`, e.g. "sequences".
    pub(crate) fn new(name: &'static str, what: &'static str) -> Self {
        Self { name, what, done: 0, meter: None }
    }

    /// Reports `done` of `total`.
    pub(crate) fn set(&mut self, done: u64, total: u64) {
        let meter = self
            .meter
            .get_or_insert_with(|| Meter::start(self.name, total, Unit::Items(self.what)));
        meter.advance(done.saturating_sub(self.done));
        self.done = done;
    }

    /// Takes the bar away.
    pub(crate) fn finish(&mut self) {
        self.meter = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_get_thousands_separators() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
    }

    #[test]
    fn a_terminal_is_not_told_what_to_do() {
        assert_eq!(harmless("a\u{1b}[31mb\r\nc\t\u{7}é"), "a\\u{1b}[31mb\\r\nc\t\\u{7}é");
    }

    #[test]
    fn durations_read_like_a_person_says_them() {
        assert_eq!(duration(0.42), "0.4 s");
        assert_eq!(duration(45.2), "45 s");
        assert_eq!(duration(200.0), "3 min 20 s");
        assert_eq!(duration(7_500.0), "2 h 05 min");
    }

    #[test]
    fn a_plain_line_names_rate_and_time_left() {
        let meter = Meter::start("ingest", 1000, Unit::Items("documents"));
        let line = meter.plain_line(500);
        assert!(line.starts_with("ingest: 50% 500 documents"), "{line}");
        assert!(line.ends_with("left"), "{line}");
    }
}
