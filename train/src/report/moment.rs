//! Moments as people and programs read them: `2026-03-01T09:05:07Z`, always UTC.

use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat};

/// Now.
pub(super) fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    written(since.map_or(0, |since| since.as_secs()))
}

/// The moment `seconds` after the beginning of 1970.
fn written(seconds: u64) -> String {
    let moment = i64::try_from(seconds).ok().and_then(|it| DateTime::from_timestamp(it, 0));
    moment.unwrap_or_default().to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_calendar() {
        // `date -u -d @N` of coreutils.
        assert_eq!(written(0), "1970-01-01T00:00:00Z");
        assert_eq!(written(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(written(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(written(1_709_251_199), "2024-02-29T23:59:59Z");
        assert_eq!(written(1_772_355_907), "2026-03-01T09:05:07Z");
    }
}
