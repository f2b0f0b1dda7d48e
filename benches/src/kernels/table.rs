//! Measurements as text.

use super::measure::{Limit, Measured};
use crate::ceiling::{Arithmetic, Ceilings};

const GIGA: f64 = 1e-9;

/// The ceilings, and the names of the columns.
pub fn heading(ceilings: &Ceilings) -> String {
    let rate = |rate: Option<f64>| rate.map_or("none".to_owned(), |x| format!("{:.0}", x * GIGA));
    let bandwidths: Vec<String> = ceilings
        .bandwidths
        .iter()
        .map(|it| format!("{} {:.0}", size(it.bytes), it.bytes_per_s * GIGA))
        .collect();
    let Ceilings { device, threads, instructions, .. } = ceilings;
    let (what, of) = if device == "cpu" {
        (format!("{threads} threads, {instructions}"), "registers")
    } else {
        (format!("{device}, {instructions}"), "large products")
    };
    format!(
        "{}; GFLOP/s of {}: f32 {}, f64 {}, bf16 {}\n\
         GB/s of arrays: {}\n\n{:<19}  {:<20}  {:<30}  {:<4}  {:>9}  {:>6}  {:>8}  {:>6}  {:>9}  {:<7}  {:>5}",
        what,
        of,
        rate(Some(ceilings.f32_flops_per_s)),
        rate(ceilings.f64_flops_per_s),
        rate(ceilings.bf16_flops_per_s),
        bandwidths.join(", "),
        "family",
        "operation",
        "shape",
        "type",
        "time",
        "spread",
        "GFLOP/s",
        "GB/s",
        "bound",
        "limit",
        "share"
    )
}

/// A case.
pub fn line(of: &Measured) -> String {
    let [low, high] = of.percentiles_s;
    format!(
        "{:<19}  {:<20}  {:<30}  {:<4}  {:>9}  {:>4.0} %  {:>8.1}  {:>6.1}  {:>9}  {:<7}  {:>3.0} %",
        of.family,
        of.operation,
        of.shape,
        arithmetic(of.arithmetic),
        duration(of.median_s),
        100.0 * (high - low) / of.median_s,
        of.flops / of.median_s * GIGA,
        of.bytes / of.median_s * GIGA,
        duration(of.bound_s),
        match of.limit {
            Limit::Compute => "compute",
            Limit::Memory => "memory",
        },
        100.0 * of.fraction(),
    )
}

/// A sentence for each kernel below half of its bound or above it.
pub fn remarks(all: &[Measured]) -> String {
    let remark = |of: &Measured| {
        let share = 100.0 * of.fraction();
        let name = format!("{} {} {} {share:.0} %", of.family, of.operation, of.shape);
        if of.fraction() > 1.0 {
            return Some(format!("{name}: above its bound, so the count or a ceiling is wrong"));
        }
        let why = of.note.as_deref().unwrap_or("not explained yet");
        of.is_far().then(|| format!("{name}: {why}"))
    };
    all.iter().filter_map(remark).collect::<Vec<_>>().join("\n")
}

fn arithmetic(of: Arithmetic) -> &'static str {
    of.name()
}

fn duration(seconds: f64) -> String {
    match seconds {
        s if s >= 1.0 => format!("{s:.2} s"),
        s if s >= 1e-3 => format!("{:.2} ms", s * 1e3),
        s => format!("{:.1} us", s * 1e6),
    }
}

fn size(bytes: usize) -> String {
    match bytes {
        b if b >= 1 << 20 => format!("{} MiB", b >> 20),
        b => format!("{} KiB", b >> 10),
    }
}

#[cfg(test)]
mod tests {
    use super::super::measure::tests::measured;
    use super::*;
    use crate::ceiling::tests::example;

    #[test]
    fn lines_stand_under_their_heading() {
        let heading = heading(&example());
        for word in ["2 threads", "f32 200", "bf16 none", "976 KiB 25", "share"] {
            assert!(heading.contains(word), "{word} in {heading}");
        }
        let text = line(&measured());
        for word in ["linear", "8x4x2", "20.00 ms", "50.0", "5.00 ms", "compute", "25 %"] {
            assert!(text.contains(word), "{word} in {text}");
        }
        let last = heading.lines().last().unwrap();
        assert_eq!(last.len(), text.len(), "{last}\n{text}");
    }

    #[test]
    fn only_what_is_far_from_its_bound_or_beyond_it_is_remarked() {
        let near = Measured { median_s: 0.006, ..measured() };
        let beyond = Measured { median_s: 0.001, ..measured() };
        let known = Measured { note: Some("because".to_owned()), ..measured() };
        let text = remarks(&[near, measured(), beyond, known]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines[0].ends_with("25 %: not explained yet"));
        assert!(lines[1].contains("500 %: above its bound"));
        assert!(lines[2].ends_with(": because"));
    }
}
