//! The comparison as a table for people.

use std::fmt::Write;

use super::row::{Figures, Outcome, Row};

/// A header and one line per row; reasons of rows without figures follow below.
pub fn table(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0).max(4);
    let mut out = format!(
        "{:<width$}  {:>11}  {:>11}  {:<8}  {:>6}  {:>7}  {:>7}  {:>8}  {}\n",
        "name", "ours", "peer", "unit", "ratio", "spread", "ours MB", "peer MB", "peer"
    );
    for row in rows {
        out.push_str(&line(row, width));
    }
    for row in rows {
        if let Outcome::Failed(reason) | Outcome::Skipped(reason) = &row.outcome {
            let _ = write!(out, "\n{} {}: {reason}\n", row.name, status(&row.outcome));
        }
    }
    out
}

fn line(row: &Row, width: usize) -> String {
    let Outcome::Measured(figures) = &row.outcome else {
        return format!("{:<width$}  {}\n", row.name, status(&row.outcome));
    };
    let optional = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |x| format!("{x:.0}"));
    format!(
        "{:<width$}  {:>11}  {:>11}  {:<8}  {:>6.2}  {:>7}  {:>7}  {:>8}  {}\n",
        row.name,
        figure(figures.ours),
        figure(figures.peer),
        row.unit,
        row.ratio().unwrap_or(f64::NAN),
        spread(figures),
        optional(figures.ours_peak_mb),
        optional(figures.peer_peak_mb),
        figures.peer_variant,
    )
}

fn status(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Measured(_) => "measured",
        Outcome::Failed(_) => "failed",
        Outcome::Skipped(_) => "skipped",
    }
}

/// The larger of the two spreads, in percent.
fn spread(figures: &Figures) -> String {
    let larger = [figures.ours_spread, figures.peer_spread].into_iter().flatten().reduce(f64::max);
    larger.map_or_else(|| "-".to_owned(), |spread| format!("{:.0} %", 100.0 * spread))
}

/// Four digits, or all of those before the point.
fn figure(value: f64) -> String {
    match value {
        x if x >= 1000.0 => format!("{x:.0}"),
        x if x >= 10.0 => format!("{x:.1}"),
        x => format!("{x:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::duel::Better;
    use super::super::row::tests::measured;
    use super::*;

    #[test]
    fn a_table_has_a_line_per_row_and_the_reasons_below() {
        let skipped = Row {
            outcome: Outcome::Skipped("no folder of data".into()),
            ..measured("mace_eval_f64_32x0e", Better::Lower, 1.0, 1.0)
        };
        let text = table(&[measured("transformer", Better::Higher, 3000.0, 2000.0), skipped]);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("name"), "{text}");
        for word in ["transformer", "3000", "2000", "tokens/s", "1.50", "2 %", "300", "700"] {
            assert!(lines[1].contains(word), "{word} in {text}");
        }
        assert!(lines[2].starts_with("mace_eval_f64_32x0e  skipped"), "{text}");
        assert_eq!(lines[4], "mace_eval_f64_32x0e skipped: no folder of data");
    }
}
