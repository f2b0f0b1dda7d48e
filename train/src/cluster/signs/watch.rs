//! Silence counts only while there was someone to hear a sign.

use std::time::{Duration, SystemTime};

/// Since when this rank has watched without a break. While it was stopped, or the file system stood still, others
/// may have been as well, and have had no time yet to give a sign.
#[derive(Debug)]
pub(super) struct Watch {
    unbroken: Duration,
    /// When it last looked, by the clock of this host.
    last: Option<SystemTime>,
    /// The first sign, and the first one after a break, by the clock of the file system.
    begun: Option<SystemTime>,
    since: Option<SystemTime>,
}

/// A moment of the file system, with what a [`Watch`] knows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Watched {
    now: SystemTime,
    pub(super) begun: SystemTime,
    since: SystemTime,
}

impl Watched {
    /// For how long a rank was silent that gave a sign at `time`, as far as this one was there to hear it.
    pub(super) fn silence_since(&self, time: SystemTime) -> Duration {
        self.now.duration_since(time.max(self.since)).unwrap_or_default()
    }
}

impl Watch {
    pub(super) fn new(unbroken: Duration) -> Self {
        Self { unbroken, last: None, begun: None, since: None }
    }

    pub(super) fn is_broken(&self, clock: SystemTime) -> bool {
        let gap = self.last.and_then(|last| clock.duration_since(last).ok());
        gap.is_some_and(|gap| gap > self.unbroken)
    }

    /// Whether there was a break before this look.
    pub(super) fn was_broken(&mut self, clock: SystemTime) -> bool {
        let broken = self.is_broken(clock);
        if broken {
            self.since = None;
        }
        self.last = Some(clock);
        broken
    }

    /// What came before this was work of its own.
    pub(super) fn rests(&mut self, clock: SystemTime) {
        self.last = Some(clock);
    }

    pub(super) fn at(&mut self, now: SystemTime) -> Watched {
        let begun = *self.begun.get_or_insert(now);
        Watched { now, begun, since: *self.since.get_or_insert(now) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
    }

    #[test]
    fn who_was_stopped_itself_gives_the_others_time_to_be_heard() {
        let mut watch = Watch::new(Duration::from_secs(5));
        assert!(!watch.was_broken(at(0)));
        watch.at(at(0));
        assert!(!watch.was_broken(at(2)));
        assert_eq!(watch.at(at(2)).silence_since(at(0)), Duration::from_secs(2));
        // An hour later: the other's last sign is as old as this rank's own.
        assert!(watch.was_broken(at(3600)));
        let watched = watch.at(at(3600));
        assert_eq!(watched.silence_since(at(2)), Duration::ZERO);
        assert_eq!(watched.begun, at(0), "the start is the same");
        assert!(!watch.was_broken(at(3602)));
        assert_eq!(watch.at(at(3602)).silence_since(at(2)), Duration::from_secs(2));
    }

    #[test]
    fn a_write_that_took_long_is_a_break_and_a_clock_that_is_set_back_is_none() {
        let mut watch = Watch::new(Duration::from_secs(5));
        assert!(!watch.is_broken(at(0)), "nothing came before");
        watch.was_broken(at(10));
        assert!(watch.is_broken(at(16)));
        assert!(!watch.is_broken(at(3)));
        watch.rests(at(16));
        assert!(!watch.was_broken(at(18)), "it was busy until a moment ago");
    }
}
