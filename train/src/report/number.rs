//! Numbers for people.

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A rate as a whole number with separators; 0 if it is negative or not a number.
pub(crate) fn whole(value: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates")]
    let count = value.round() as u64;
    grouped(count)
}

/// Seconds as `850 ms`, `12.3 s`, `4 min 05 s`, `3 h 20 min`.
pub(crate) fn duration(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped first")]
    let whole = seconds.round().clamp(0.0, 1e15) as u64;
    match whole {
        _ if seconds < 1.0 => format!("{:.0} ms", seconds * 1e3),
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole / 60 % 60),
    }
}

/// Bytes as `12 B`, `1.5 MB`; powers of 1000.
pub(crate) fn bytes(count: u64) -> String {
    scaled(count as f64, "B")
}

/// `value` with a decimal prefix: `12.3 k<unit>`.
pub(crate) fn scaled(value: f64, unit: &str) -> String {
    for (size, prefix) in [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")] {
        if value.abs() >= size {
            return format!("{:.3} {prefix}{unit}", value / size);
        }
    }
    format!("{value:.0} {unit}").trim_end().to_owned()
}

/// A loss: four decimals, or a power of ten where they would say nothing or run over.
pub(crate) fn loss(value: f64) -> String {
    let size = value.abs();
    if size > 0.0 && !(1e-3..1e5).contains(&size) {
        format!("{value:.3e}")
    } else {
        format!("{value:.4}")
    }
}

/// A number with four significant digits.
pub(crate) fn significant(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if value == 0.0 || !value.is_finite() => value.to_string(),
        _ if !(1e-3..1e6).contains(&size) => format!("{value:.3e}"),
        _ if size >= 1000.0 => format!("{value:.0}"),
        _ if size >= 10.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!([grouped(7), grouped(1234), grouped(1_234_567)], ["7", "1,234", "1,234,567"]);
        assert_eq!(
            ["1.8765", "2.107e18", "3.000e-5", "0.0000", "NaN"],
            [1.87654, 2.1072e18, 3e-5, 0.0, f64::NAN].map(loss).each_ref().map(String::as_str)
        );
        assert_eq!(duration(0.25), "250 ms");
        assert_eq!(duration(245.0), "4 min 05 s");
        assert_eq!(duration(12_000.0), "3 h 20 min");
        assert_eq!(bytes(1_500_000), "1.500 MB");
        assert_eq!([significant(1.87654), significant(3e-5)], ["1.8765", "3.000e-5"]);
    }
}
