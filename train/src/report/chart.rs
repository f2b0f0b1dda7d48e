//! Line charts as SVG: axes with round ticks, labels, legend. Pure: numbers in, text out.

use std::fmt::Write;

use super::number::loss;

/// Top and left edge of the plot area, in units of the drawing.
const TOP: f64 = 34.0;
const LEFT: f64 = 62.0;
/// Ticks of the vertical axis, about.
const Y_TICKS: u32 = 6;
/// Characters are about this wide in the legend.
const LEGEND_CHARACTER: f64 = 6.6;

/// Size of a drawing; letters have the same size in both when drawn at their natural width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// As wide as the page.
    Wide,
    /// A third of it.
    Small,
}

impl Size {
    fn width(self) -> f64 {
        if self == Self::Wide { 1060.0 } else { 380.0 }
    }

    fn height(self) -> f64 {
        if self == Self::Wide { 400.0 } else { 270.0 }
    }

    fn right(self) -> f64 {
        self.width() - 20.0
    }

    fn bottom(self) -> f64 {
        self.height() - 46.0
    }

    /// Ticks of the horizontal axis.
    fn x_ticks(self) -> u32 {
        if self == Self::Wide { 10 } else { 5 }
    }
}

/// How an axis maps numbers to places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Equal differences take equal space.
    Linear,
    /// Equal ratios take equal space; needs positive numbers.
    Log,
}

/// How a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// A pale line that keeps the extremes of every pixel column.
    Raw,
    /// A strong line.
    Line,
    /// A strong line with a dot, and the value on hovering, at each point.
    Dots,
}

/// Points with a name and a colour.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Name in the legend.
    pub label: String,
    /// CSS colour.
    pub colour: &'static str,
    /// How it is drawn.
    pub mark: Mark,
    /// `x, y`, ascending in `x`, finite.
    pub points: Vec<[f64; 2]>,
}

/// One chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// How large it is drawn.
    pub size: Size,
    /// For readers that cannot see it.
    pub title: String,
    /// Under the horizontal axis.
    pub x_label: String,
    /// Beside the vertical axis.
    pub y_label: String,
    /// Horizontal axis.
    pub x_scale: Scale,
    /// Whether the vertical axis starts at zero.
    pub from_zero: bool,
    /// What is drawn, first at the back.
    pub series: Vec<Series>,
}

impl Chart {
    /// The chart as one `<svg>` element.
    pub fn svg(&self) -> String {
        let (width, height) = (self.size.width(), self.size.height());
        let mut out = format!(
            "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\" \
             xmlns=\"http://www.w3.org/2000/svg\">\n",
            escape(&self.title)
        );
        match Frame::around(self) {
            Some(frame) => {
                self.draw_grid(&frame, &mut out);
                self.series.iter().for_each(|series| draw_series(series, &frame, &mut out));
                self.draw_legend(&mut out);
            }
            None => text(&mut out, "tick", width / 2.0, height / 2.0, "nothing yet"),
        }
        out.push_str("</svg>\n");
        out
    }

    fn draw_grid(&self, frame: &Frame, out: &mut String) {
        let (right, bottom) = (self.size.right(), self.size.bottom());
        for (value, label) in frame.y.ticks(Y_TICKS) {
            let y = frame.y.place(value);
            line(out, "grid", [LEFT, y], [right, y]);
            text(out, "tick end", LEFT - 8.0, y + 4.0, &label);
        }
        for (value, label) in frame.x.ticks(self.size.x_ticks()) {
            let x = frame.x.place(value);
            line(out, "axis", [x, bottom], [x, bottom + 5.0]);
            text(out, "tick", x, bottom + 19.0, &label);
        }
        line(out, "axis", [LEFT, bottom], [right, bottom]);
        text(out, "label", f64::midpoint(LEFT, right), self.size.height() - 8.0, &self.x_label);
        let middle = f64::midpoint(TOP, bottom);
        let _ = writeln!(
            out,
            "<text class=\"label\" transform=\"translate(14 {middle:.1}) rotate(-90)\">{}</text>",
            escape(&self.y_label)
        );
    }

    fn draw_legend(&self, out: &mut String) {
        let mut x = LEFT;
        for series in self.series.iter().filter(|series| !series.points.is_empty()) {
            let Series { label, colour, mark, .. } = series;
            let class = if *mark == Mark::Raw { "raw key" } else { "strong" };
            let _ =
                writeln!(out, "<path class=\"{class}\" stroke=\"{colour}\" d=\"M{x:.1} 14h20\"/>");
            text(out, "legend", x + 26.0, 18.0, label);
            x += 26.0 + LEGEND_CHARACTER * label.chars().count() as f64 + 22.0;
        }
    }
}

/// Both axes of a chart.
struct Frame {
    x: Axis,
    y: Axis,
}

impl Frame {
    /// The smallest axes that hold every point, or `None` if there is none.
    fn around(chart: &Chart) -> Option<Self> {
        let points = || chart.series.iter().flat_map(|series| &series.points);
        let (mut x_low, x_high) = bounds(points().map(|p| p[0]))?;
        let (mut y_low, mut y_high) = bounds(points().map(|p| p[1]))?;
        if chart.x_scale == Scale::Linear && x_low <= 0.05 * x_high {
            x_low = 0.0;
        }
        let y_scale = scale_of(points().map(|p| p[1]), y_low, y_high);
        if y_scale == Scale::Log {
            (y_low, y_high) = (y_low / 1.2, y_high * 1.2);
            return Some(Self::of(chart, [x_low, x_high], [y_low, y_high], y_scale));
        }
        let room = if y_high > y_low { 0.06 * (y_high - y_low) } else { 0.5 * y_high.abs() };
        y_high += room.max(f64::MIN_POSITIVE);
        y_low = if chart.from_zero { 0.0 } else { y_low - room };
        Some(Self::of(chart, [x_low, x_high], [y_low, y_high], y_scale))
    }

    fn of(chart: &Chart, [x_low, x_high]: [f64; 2], [low, high]: [f64; 2], scale: Scale) -> Self {
        let (right, bottom) = (chart.size.right(), chart.size.bottom());
        let x_high = if x_high > x_low { x_high } else { x_low + 1.0 };
        Self {
            x: Axis { scale: chart.x_scale, low: x_low, high: x_high, start: LEFT, end: right },
            y: Axis { scale, low, high, start: bottom, end: TOP },
        }
    }
}

/// Positive values of which one in two would lie on the axis are drawn by their ratios.
fn scale_of(values: impl Iterator<Item = f64>, low: f64, high: f64) -> Scale {
    // Half of the curve within a percent of the height says nothing.
    const CROWDED: f64 = 100.0;
    let mut values: Vec<f64> = values.collect();
    let middle = values.len() / 2;
    let (_, median, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    if low > 0.0 && high > CROWDED * *median { Scale::Log } else { Scale::Linear }
}

fn bounds(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |known, v| match known {
        None => Some((v, v)),
        Some((low, high)) => Some((v.min(low), v.max(high))),
    })
}

/// Maps `low..high` to `start..end`.
pub(super) struct Axis {
    pub(super) scale: Scale,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) start: f64,
    pub(super) end: f64,
}

impl Axis {
    pub(super) fn place(&self, value: f64) -> f64 {
        let fraction = match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Log => (value / self.low).ln() / (self.high / self.low).ln(),
        };
        self.start + fraction * (self.end - self.start)
    }

    /// Round numbers along the axis, at most about `most`, with their labels.
    pub(super) fn ticks(&self, most: u32) -> Vec<(f64, String)> {
        match self.scale {
            Scale::Linear => linear_ticks(self.low, self.high, most),
            Scale::Log => log_ticks(self.low, self.high, most),
        }
    }
}

fn linear_ticks(low: f64, high: f64, most: u32) -> Vec<(f64, String)> {
    let step = round_step((high - low) / f64::from(most));
    let first = (low / step).ceil();
    (0..2 * most)
        .map(|at| (first + f64::from(at)) * step)
        .take_while(|value| *value <= high + 1e-9 * step)
        .map(|value| (value, tick_label(value, step)))
        .collect()
}

/// The smallest of 1, 2, 5 times a power of ten that is not below `raw`.
fn round_step(raw: f64) -> f64 {
    let power = 10f64.powf(raw.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|f| f * power >= raw).unwrap_or(10.0);
    factor * power
}

fn log_ticks(low: f64, high: f64, most: u32) -> Vec<(f64, String)> {
    // Within two decades powers of ten alone are too few.
    let factors: &[f64] = if high / low < 200.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    #[expect(clippy::cast_possible_truncation, reason = "exponents of f64 are below 400")]
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    // Over many decades not every one gets a tick.
    let stride = usize::try_from(last - first).unwrap_or(0).div_ceil(2 * most as usize).max(1);
    (first..=last)
        .step_by(stride)
        .flat_map(|exponent| factors.iter().map(move |factor| factor * 10f64.powi(exponent)))
        .filter(|value| (low..=high).contains(value))
        .map(|value| (value, tick_label(value, value.min(1e3))))
        .collect()
}

/// As few characters as tell neighbouring ticks apart.
fn tick_label(value: f64, step: f64) -> String {
    let size = value.abs();
    if size < 1e-9 * step {
        return "0".to_owned();
    }
    if step >= 1e8 || size >= 1e9 || size < 1e-3 * step.min(1.0) {
        return power_of_ten(value);
    }
    if step >= 2e3 || (size >= 1e4 && step >= 1e3) {
        let (unit, name) = if step >= 1e6 || size >= 1e7 { (1e6, "M") } else { (1e3, "k") };
        return format!("{}{name}", trimmed(value / unit, 3));
    }
    if step < 1e-3 {
        return power_of_ten(value);
    }
    trimmed(value, 4)
}

/// `2.5e18`
fn power_of_ten(value: f64) -> String {
    let exponent = value.abs().log10().floor();
    format!("{}e{exponent}", trimmed(value / 10f64.powf(exponent), 3))
}

/// `value` with at most `decimals` decimals and no trailing zeros.
fn trimmed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

fn draw_series(series: &Series, frame: &Frame, out: &mut String) {
    let Series { colour, mark, .. } = series;
    let placed: Vec<[f64; 2]> =
        series.points.iter().map(|&[x, y]| [frame.x.place(x), frame.y.place(y)]).collect();
    let drawn = if *mark == Mark::Dots { placed.clone() } else { thinned(&placed, *mark) };
    let mut path = String::new();
    for (at, [x, y]) in drawn.iter().enumerate() {
        let _ = write!(path, "{}{x:.1} {y:.1}", if at == 0 { 'M' } else { 'L' });
    }
    let class = if *mark == Mark::Raw { "raw" } else { "strong" };
    let _ = writeln!(out, "<path class=\"{class}\" stroke=\"{colour}\" d=\"{path}\"/>");
    if *mark == Mark::Dots || placed.len() == 1 {
        for ([x, y], [step, value]) in placed.iter().zip(&series.points) {
            let _ = writeln!(
                out,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\">\
                 <title>{step}: {}</title></circle>",
                loss(*value)
            );
        }
    }
}

/// At most two points for each pixel column: the extremes of a raw series, the mean of a line.
fn thinned(placed: &[[f64; 2]], mark: Mark) -> Vec<[f64; 2]> {
    placed
        .chunk_by(|a, b| (a[0].floor() - b[0].floor()).abs() < 0.5)
        .flat_map(|column| {
            let x = column[0][0];
            let ys = column.iter().map(|p| p[1]);
            let (low, high) = bounds(ys.clone()).unwrap_or_default();
            match (mark, column.len()) {
                (_, 1) => vec![column[0]],
                (Mark::Raw, _) => vec![[x, low], [x, high]],
                (_, count) => vec![[x, ys.sum::<f64>() / count as f64]],
            }
        })
        .collect()
}

pub(super) fn line(out: &mut String, class: &str, [x1, y1]: [f64; 2], [x2, y2]: [f64; 2]) {
    let _ = writeln!(out, "<path class=\"{class}\" d=\"M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}\"/>");
}

pub(super) fn text(out: &mut String, class: &str, x: f64, y: f64, content: &str) {
    let content = escape(content);
    let _ = writeln!(out, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{content}</text>");
}

/// Text that is safe inside HTML and SVG, attributes included.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The mean over a window around each point; the window shrinks towards the ends, evenly on both
/// sides, so that a slope is not bent.
pub fn smoothed(points: &[[f64; 2]]) -> Vec<[f64; 2]> {
    // One percent of the run on each side.
    let half = points.len() / 100;
    let mut sums = vec![0.0];
    for point in points {
        sums.push(sums[sums.len() - 1] + point[1]);
    }
    let mean = |(at, point): (usize, &[f64; 2])| {
        let reach = half.min(at).min(points.len() - 1 - at);
        let (from, to) = (at - reach, at + reach + 1);
        [point[0], (sums[to] - sums[from]) / (to - from) as f64]
    };
    points.iter().enumerate().map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: &[(f64, String)]) -> Vec<&str> {
        ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_and_inside_the_axis() {
        assert_eq!(labels(&linear_ticks(0.0, 2000.0, 8)), ["0", "500", "1000", "1500", "2000"]);
        assert_eq!(labels(&linear_ticks(1.43, 4.2, 6)), ["1.5", "2", "2.5", "3", "3.5", "4"]);
        assert_eq!(
            labels(&linear_ticks(0.0, 1.06e-3, 6)),
            ["0", "2e-4", "4e-4", "6e-4", "8e-4", "1e-3"]
        );
        assert_eq!(labels(&linear_ticks(0.0, 41_000.0, 6)), ["0", "10k", "20k", "30k", "40k"]);
        assert_eq!(labels(&linear_ticks(0.0, 21_000.0, 6)), ["0", "5k", "10k", "15k", "20k"]);
        assert_eq!(labels(&log_ticks(1.0, 2000.0, 6)), ["1", "10", "100", "1000"]);
        assert_eq!(labels(&log_ticks(3.0, 120.0, 6)), ["5", "10", "20", "50", "100"]);
        assert_eq!(labels(&linear_ticks(0.0, 1.1e18, 3)), ["0", "5e17", "1e18"]);
    }

    #[test]
    fn a_curve_that_runs_away_is_drawn_by_its_ratios_with_short_labels() {
        let points = |last: f64| -> Vec<[f64; 2]> {
            (1..=100).map(|at| [f64::from(at), if at > 95 { last } else { 3.0 }]).collect()
        };
        let drawn = |points: Vec<[f64; 2]>| {
            let series = Series { label: "a".into(), colour: "red", mark: Mark::Raw, points };
            let chart = Chart {
                size: Size::Wide,
                title: "t".into(),
                x_label: "x".into(),
                y_label: "y".into(),
                x_scale: Scale::Linear,
                from_zero: false,
                series: vec![series],
            };
            let scale = Frame::around(&chart).unwrap().y.scale;
            (scale, chart.svg())
        };
        assert_eq!(drawn(points(30.0)).0, Scale::Linear);
        let (scale, svg) = drawn(points(2.1e18));
        assert_eq!(scale, Scale::Log);
        assert!(svg.contains(">1e10<") && !svg.contains("000000"), "{svg}");
        assert!(drawn(vec![[1.0, 2.0]]).1.contains("<circle"), "one step is a dot");
    }

    #[test]
    fn smoothing_keeps_a_straight_line_straight() {
        let straight: Vec<[f64; 2]> = (0..500).map(|i| [f64::from(i), f64::from(i)]).collect();
        for ([_, want], [_, got]) in straight.iter().zip(smoothed(&straight)) {
            assert!((want - got).abs() < 1e-9);
        }
    }

    #[test]
    fn thinning_keeps_the_spike_of_a_raw_series() {
        let points: Vec<[f64; 2]> =
            (0..1000).map(|i| [f64::from(i) * 1e-3, f64::from(u8::from(i == 500))]).collect();
        let kept = thinned(&points, Mark::Raw);
        assert!(kept.len() <= 4 && kept.iter().any(|p| p[1] > 0.5), "{kept:?}");
    }

    #[test]
    fn empty_single_and_constant_series_are_drawn_without_nan() {
        for points in [vec![], vec![[1.0, 0.0]], vec![[1.0, 2.0], [2.0, 2.0]]] {
            let series = Series { label: "a<b".into(), colour: "red", mark: Mark::Dots, points };
            for x_scale in [Scale::Linear, Scale::Log] {
                let chart = Chart {
                    size: Size::Small,
                    title: "t".into(),
                    x_label: "x".into(),
                    y_label: "y".into(),
                    x_scale,
                    from_zero: false,
                    series: vec![series.clone()],
                };
                let svg = chart.svg();
                assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
                assert!(!svg.contains("a<b"), "text is escaped");
            }
        }
    }
}
