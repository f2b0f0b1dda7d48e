//! Predicted against reference values, and histograms of errors, as SVG in the style of the charts.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::chart::{Axis, Scale, escape, line, text};

/// Drawing: width, height, and the plot area inside, in its units.
const WIDTH: f64 = 380.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 62.0;
const TOP: f64 = 16.0;
const RIGHT: f64 = WIDTH - 20.0;
const BOTTOM: f64 = HEIGHT - 46.0;
/// Ticks of both axes at most.
const TICKS: u32 = 5;

/// A drawing of one quantity of one set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ParityPlot {
    /// What was predicted, e.g. the name of a file.
    pub set: String,
    /// What of it.
    pub quantity: String,
    /// Unit of both axes.
    pub unit: String,
    /// Values that there are; the points are some of them.
    pub count: u64,
    /// Reference and prediction.
    pub points: Vec<[f64; 2]>,
    /// Errors of all values.
    pub errors: Histogram,
}

/// Counts of errors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Lower edge of the first bin.
    pub low: f64,
    /// Width of a bin.
    pub width: f64,
    /// Errors in each bin; the outer ones hold what lies beyond.
    pub counts: Vec<u64>,
}

/// Predicted over reference values on equal axes, with the diagonal.
pub(super) fn parity_svg(plot: &ParityPlot) -> String {
    let values = || plot.points.iter().flatten().copied().filter(|value| value.is_finite());
    let low = values().fold(f64::INFINITY, f64::min);
    let high = values().fold(f64::NEG_INFINITY, f64::max);
    let mut out = open(&format!("{} of {}: predicted against reference", plot.quantity, plot.set));
    if low > high {
        text(&mut out, "tick", WIDTH / 2.0, HEIGHT / 2.0, "nothing finite to draw");
        out.push_str("</svg>\n");
        return out;
    }
    let room = if high > low { 0.03 * (high - low) } else { 0.5 * low.abs().max(1e-9) };
    let (x, y) = axes([low - room, high + room], [low - room, high + room]);
    frame(
        &mut out,
        &x,
        &y,
        [&format!("reference, {}", plot.unit), &format!("predicted, {}", plot.unit)],
    );
    line(&mut out, "axis", [x.place(x.low), y.place(x.low)], [x.place(x.high), y.place(x.high)]);
    let finite = plot.points.iter().filter(|point| point.iter().all(|value| value.is_finite()));
    for [reference, predicted] in finite {
        let (cx, cy) = (x.place(*reference), y.place(*predicted));
        let _ = write!(out, "<circle class=\"point\" cx=\"{cx:.1}\" cy=\"{cy:.1}\" r=\"1.4\"/>");
    }
    out.push_str("\n</svg>\n");
    out
}

/// Counts of errors as bars.
pub(super) fn histogram_svg(errors: &Histogram, plot: &ParityPlot) -> String {
    let mut out = open(&format!("errors of {} of {}", plot.quantity, plot.set));
    let high = errors.low + errors.width * errors.counts.len() as f64;
    let most = errors.counts.iter().copied().max().unwrap_or(0).max(1) as f64;
    let (x, y) = axes([errors.low, high], [0.0, 1.05 * most]);
    let label = format!("predicted − reference, {}", plot.unit);
    frame(&mut out, &x, &y, [&label, "number"]);
    for (bin, &count) in errors.counts.iter().enumerate() {
        let start = errors.low + errors.width * bin as f64;
        let (left, right) = (x.place(start), x.place(start + errors.width));
        let top = y.place(count as f64);
        let _ = write!(
            out,
            "<rect class=\"bar\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" \
             height=\"{:.1}\"><title>{count}</title></rect>",
            (right - left - 0.5).max(0.5),
            BOTTOM - top
        );
    }
    out.push_str("\n</svg>\n");
    out
}

fn open(title: &str) -> String {
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\" \
         xmlns=\"http://www.w3.org/2000/svg\">\n",
        escape(title)
    )
}

fn axes([x_low, x_high]: [f64; 2], [y_low, y_high]: [f64; 2]) -> (Axis, Axis) {
    let axis = |low, high, start, end| Axis { scale: Scale::Linear, low, high, start, end };
    (axis(x_low, x_high, LEFT, RIGHT), axis(y_low, y_high, BOTTOM, TOP))
}

fn frame(out: &mut String, x: &Axis, y: &Axis, [x_label, y_label]: [&str; 2]) {
    for (value, label) in y.ticks(TICKS) {
        let place = y.place(value);
        line(out, "grid", [LEFT, place], [RIGHT, place]);
        text(out, "tick end", LEFT - 8.0, place + 4.0, &label);
    }
    for (value, label) in x.ticks(TICKS) {
        let place = x.place(value);
        line(out, "axis", [place, BOTTOM], [place, BOTTOM + 5.0]);
        text(out, "tick", place, BOTTOM + 19.0, &label);
    }
    line(out, "axis", [LEFT, BOTTOM], [RIGHT, BOTTOM]);
    text(out, "label", f64::midpoint(LEFT, RIGHT), HEIGHT - 8.0, x_label);
    let middle = f64::midpoint(TOP, BOTTOM);
    let _ = writeln!(
        out,
        "<text class=\"label\" transform=\"translate(14 {middle:.1}) rotate(-90)\">{}</text>",
        escape(y_label)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(points: Vec<[f64; 2]>) -> ParityPlot {
        let errors = Histogram { low: -1.0, width: 0.5, counts: vec![1, 0, 4, 2] };
        ParityPlot {
            set: "a<b".to_owned(),
            quantity: "forces".to_owned(),
            unit: "eV/Å".to_owned(),
            count: points.len() as u64,
            points,
            errors,
        }
    }

    #[test]
    fn a_perfect_prediction_lies_on_the_diagonal() {
        let svg = parity_svg(&plot(vec![[-1.0, -1.0], [3.0, 3.0]]));
        // Both axes span -1.12 to 3.12: the lowest point sits 3/106 of the way inside.
        let inside = 0.12 / 4.24;
        let x = LEFT + inside * (RIGHT - LEFT);
        let y = BOTTOM - inside * (BOTTOM - TOP);
        assert!(svg.contains(&format!("cx=\"{x:.1}\" cy=\"{y:.1}\"")), "{svg}");
    }

    #[test]
    fn nothing_one_point_and_numbers_that_are_not_finite_are_drawn_without_nan() {
        for points in [vec![], vec![[0.0, 0.0]], vec![[f64::NAN, 1.0], [2.0, f64::INFINITY]]] {
            let plot = plot(points);
            for svg in [parity_svg(&plot), histogram_svg(&plot.errors, &plot)] {
                assert!(!svg.contains("NaN") && !svg.contains("inf\""), "{svg}");
                assert!(!svg.contains("a<b"), "text is escaped");
            }
        }
    }

    #[test]
    fn bars_are_as_high_as_their_counts() {
        let plot = plot(Vec::new());
        let svg = histogram_svg(&plot.errors, &plot);
        let full = (BOTTOM - TOP) / 1.05;
        assert!(svg.contains(&format!("height=\"{full:.1}\"><title>4</title>")), "{svg}");
        let half = full / 2.0;
        assert!(svg.contains(&format!("height=\"{half:.1}\"><title>2</title>")), "{svg}");
    }
}
