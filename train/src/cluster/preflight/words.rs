//! The report as people read it.

use super::{OfRank, Report, Severity};

/// `value` with a decimal prefix and a unit, such as `12.3 GB`.
pub fn scaled(value: f64, unit: &str) -> String {
    let sizes = [(1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    let found = sizes.into_iter().find(|(size, _)| value.abs() >= *size);
    let (size, prefix) = found.unwrap_or((1.0, ""));
    let value = value / size;
    let is_whole = (size - 1.0).abs() < 0.5 && value.fract() == 0.0;
    let digits = usize::from(value.abs() < 100.0 && !is_whole);
    format!("{value:.digits$} {prefix}{unit}")
}

/// Seconds of an exchange.
pub(super) fn short(seconds: f64) -> String {
    match seconds {
        _ if seconds < 1e-3 => format!("{:.1} us", seconds * 1e6),
        _ if seconds < 1.0 => format!("{:.2} ms", seconds * 1e3),
        _ => format!("{seconds:.2} s"),
    }
}

impl Report {
    /// One line a fact, then one a finding.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("preflight: {}", self.ranks), self.rates(), self.clocks()];
        lines.splice(2..2, self.all_reduce.iter().flat_map(|_| [self.sums(), self.links()]));
        lines.extend(self.demand.iter().map(|_| self.room()));
        let found = self.findings.iter().map(|finding| {
            let kind = if finding.severity == Severity::Refusal { "refused" } else { "warning" };
            format!("preflight: {kind}: {}", finding.message)
        });
        lines.extend(found);
        lines.push(format!(
            "preflight: {} in {:.1} s",
            if self.findings.is_empty() { "nothing to mend" } else { "measured" },
            self.seconds
        ));
        lines
    }

    fn rates(&self) -> String {
        let of = |rate: fn(&OfRank) -> f64, unit| {
            let all = self.of_ranks.iter().map(rate);
            let (least, most) = all.fold((f64::INFINITY, 0.0), |(a, b), it| (it.min(a), it.max(b)));
            format!("{} to {}", scaled(least, unit), scaled(most, unit))
        };
        format!(
            "preflight: products {}, memory {} a rank",
            of(|it| it.flops_per_s, "FLOP/s"),
            of(|it| it.memory_bytes_per_s, "B/s")
        )
    }

    fn sums(&self) -> String {
        let Some(sums) = self.all_reduce else { return String::new() };
        format!(
            "preflight: all-reduce over {}: 8 B in {}, {} at {} (bus {})",
            self.transport,
            short(sums.latency_s),
            scaled(sums.bytes as f64, "B"),
            scaled(sums.algorithm_bytes_per_s, "B/s"),
            scaled(sums.bus_bytes_per_s, "B/s")
        )
    }

    fn links(&self) -> String {
        if self.pairs.is_empty() {
            return format!("preflight: {} measures no pairs of ranks", self.transport);
        }
        let range = |of: fn(&super::Pair) -> f64| {
            let all = self.pairs.iter().map(of);
            all.fold((f64::INFINITY, 0.0_f64), |(a, b), it| (it.min(a), it.max(b)))
        };
        let ((soon, late), (slow, fast)) = (range(|it| it.latency_s), range(|it| it.bytes_per_s));
        format!(
            "preflight: {} of {} links: {} to {}, {} to {} each way",
            self.pairs.len(),
            self.num_pairs,
            short(soon),
            short(late),
            scaled(slow, "B/s"),
            scaled(fast, "B/s")
        )
    }

    fn clocks(&self) -> String {
        let most = self.clocks.ahead_s.iter().fold(0.0_f64, |most, it| most.max(it.abs()));
        let within = short(self.clocks.within_s);
        format!("preflight: clocks differ by {} at most, measured to within {within}", short(most))
    }

    fn room(&self) -> String {
        let Some(demand) = &self.demand else { return String::new() };
        let least = |of: fn(&OfRank) -> Option<u64>| {
            let least = self.of_ranks.iter().filter_map(of).min();
            least.map_or("unknown".to_owned(), |it| scaled(it as f64, "B"))
        };
        let memory = match demand.rank_bytes {
            Some(bytes) => format!("{} a rank needed", scaled(bytes as f64, "B")),
            None => "that of the device is not looked at".to_owned(),
        };
        format!(
            "preflight: {} free for {} checkpoints of {}; memory {} free, {memory}",
            least(|it| it.room_bytes),
            demand.checkpoints,
            scaled(demand.checkpoint_bytes as f64, "B"),
            least(|it| it.available_bytes),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_as_people_write_them() {
        assert_eq!(scaled(12.0, "B"), "12 B");
        assert_eq!(scaled(1_250_000.0, "B/s"), "1.2 MB/s");
        assert_eq!(scaled(4.67e11, "FLOP/s"), "467 GFLOP/s");
        assert_eq!([short(2.5e-6), short(0.0123)], ["2.5 us", "12.30 ms"]);
    }
}
