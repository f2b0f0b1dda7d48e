//! The most memory this process ever held.

/// MiB; `None` where the system does not say.
pub(super) fn peak_rss_mb() -> Option<u64> {
    peak_of(&std::fs::read_to_string("/proc/self/status").ok()?)
}

/// The high-water mark in the text of `/proc/self/status`, KiB there.
fn peak_of(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_read_from_the_high_water_mark() {
        let status = "Name:\tgenesis\nVmHWM:\t  204800 kB\nVmRSS:\t  1024 kB\n";
        assert_eq!(peak_of(status), Some(200));
        assert_eq!(peak_of("Name:\tgenesis\n"), None);
    }
}
