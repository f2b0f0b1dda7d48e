//! The roofline: rates over arithmetic intensity, both axes logarithmic, with the measured roofs.

use std::fmt::Write;

use super::measure::{Measured, Report};
use crate::ceiling::Ceilings;

const WIDTH: f64 = 980.0;
const HEIGHT: f64 = 600.0;
/// Room left, right, above and below the axes.
const MARGINS: [f64; 4] = [70.0, 230.0, 40.0, 55.0];
const COLORS: [&str; 10] = [
    "#4e79a7", "#f28e2b", "#e15759", "#76b7b2", "#59a14f", "#edc948", "#b07aa1", "#ff9da7",
    "#9c755f", "#7a7a7a",
];

/// Logarithmic axes.
struct Axes {
    /// Decades of intensity, flops a byte.
    across: [f64; 2],
    /// Decades of flops a second.
    up: [f64; 2],
}

impl Axes {
    fn of(report: &Report) -> Self {
        let points = report.kernels.iter().filter(|it| it.flops > 0.0);
        let rates = points.clone().map(|it| it.flops / it.median_s);
        let intensities = points.map(|it| it.flops / it.bytes);
        let top =
            report.ceilings.f32_flops_per_s.max(report.ceilings.bf16_flops_per_s.unwrap_or(0.0));
        let range = |values: &mut dyn Iterator<Item = f64>, always: [f64; 2]| {
            let (low, high) = values.fold((always[0], always[1]), |(l, h), x| (l.min(x), h.max(x)));
            [low.log10().floor(), high.log10().ceil()]
        };
        Self {
            across: range(&mut intensities.into_iter(), [0.1, 100.0]),
            up: range(&mut rates.into_iter(), [top / 100.0, top]),
        }
    }

    fn x(&self, intensity: f64) -> f64 {
        let place = (intensity.log10() - self.across[0]) / (self.across[1] - self.across[0]);
        MARGINS[0] + place * (WIDTH - MARGINS[0] - MARGINS[1])
    }

    fn y(&self, rate: f64) -> f64 {
        let place = (rate.log10() - self.up[0]) / (self.up[1] - self.up[0]);
        HEIGHT - MARGINS[3] - place * (HEIGHT - MARGINS[2] - MARGINS[3])
    }
}

/// A drawing of every case that computes.
pub fn svg(report: &Report) -> String {
    let axes = Axes::of(report);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
    );
    grid(&mut out, &axes);
    roofs(&mut out, &axes, &report.ceilings);
    points(&mut out, &axes, &report.kernels);
    out.push_str("</svg>\n");
    out
}

fn grid(out: &mut String, axes: &Axes) {
    let [left, right] = axes.across.map(|decade| axes.x(10f64.powf(decade)));
    let [bottom, top] = axes.up.map(|decade| axes.y(10f64.powf(decade)));
    for decade in decades(axes.across) {
        let x = axes.x(10f64.powi(decade));
        let _ = writeln!(
            out,
            "<path d=\"M{x:.1} {top:.1}V{bottom:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            bottom + 18.0,
            10f64.powi(decade)
        );
    }
    for decade in decades(axes.up) {
        let y = axes.y(10f64.powi(decade));
        let _ = writeln!(
            out,
            "<path d=\"M{left:.1} {y:.1}H{right:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            left - 6.0,
            y + 4.0,
            10f64.powi(decade - 9)
        );
    }
    let _ = writeln!(
        out,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">operations a byte</text>\
         <text transform=\"translate(18 {:.1}) rotate(-90)\" text-anchor=\"middle\">GFLOP/s</text>\
         <text x=\"{left:.1}\" y=\"24\" font-size=\"15\">Kernels under the measured roofs</text>",
        f64::midpoint(left, right),
        bottom + 42.0,
        f64::midpoint(bottom, top)
    );
}

#[expect(clippy::cast_possible_truncation, reason = "a handful of decades")]
fn decades([from, to]: [f64; 2]) -> std::ops::RangeInclusive<i32> {
    from as i32..=to as i32
}

/// Roofs of the smallest arrays and of memory, and of each arithmetic.
fn roofs(out: &mut String, axes: &Axes, ceilings: &Ceilings) {
    let rates = [
        ("f32", Some(ceilings.f32_flops_per_s)),
        ("f64", ceilings.f64_flops_per_s),
        ("bf16", ceilings.bf16_flops_per_s),
    ];
    let end = 10f64.powf(axes.across[1]);
    let fastest = rates.iter().filter_map(|(_, rate)| *rate).fold(0.0, f64::max);
    let cache = ceilings.bytes_per_s(0.0);
    for (name, rate) in rates.into_iter().filter_map(|(name, rate)| Some((name, rate?))) {
        let (from, y) = (axes.x((rate / cache).max(10f64.powf(axes.across[0]))), axes.y(rate));
        let _ = writeln!(
            out,
            "<path d=\"M{from:.1} {y:.1}H{:.1}\" stroke=\"#333\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{name} {:.0}</text>",
            axes.x(end),
            axes.x(end) - 4.0,
            y - 4.0,
            rate * 1e-9
        );
    }
    for (name, rate) in [("cache", cache), ("memory", ceilings.memory_bytes_per_s())] {
        let start = 10f64.powf(axes.across[0]).max(10f64.powf(axes.up[0]) / rate);
        let (x, y) = (axes.x(start), axes.y(start * rate));
        let _ = writeln!(
            out,
            "<path d=\"M{x:.1} {y:.1}L{:.1} {:.1}\" stroke=\"#333\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{name} {:.0} GB/s</text>",
            axes.x(fastest / rate),
            axes.y(fastest),
            x + 14.0,
            y + 12.0,
            rate * 1e-9
        );
    }
}

fn points(out: &mut String, axes: &Axes, kernels: &[Measured]) {
    let mut families: Vec<&str> = Vec::new();
    for of in kernels {
        if !families.contains(&of.family.as_str()) {
            families.push(&of.family);
        }
    }
    for (at, family) in families.iter().enumerate() {
        let color = COLORS[at % COLORS.len()];
        let hollow = at >= COLORS.len();
        let fill = if hollow { "white" } else { color };
        let y = MARGINS[2] + 12.0 + 20.0 * at as f64;
        let x = WIDTH - MARGINS[1] + 30.0;
        let _ = writeln!(
            out,
            "<circle cx=\"{x}\" cy=\"{y}\" r=\"5\" fill=\"{fill}\" stroke=\"{color}\" \
             stroke-width=\"2\"/><text x=\"{}\" y=\"{}\">{family}</text>",
            x + 12.0,
            y + 4.0
        );
        for of in kernels.iter().filter(|of| of.family == *family && of.flops > 0.0) {
            let _ = writeln!(
                out,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"5\" fill=\"{fill}\" stroke=\"{color}\" \
                 stroke-width=\"2\"><title>{} {} {} {}, {:.0} % of the bound</title></circle>",
                axes.x(of.flops / of.bytes),
                axes.y(of.flops / of.median_s),
                of.family,
                of.operation,
                of.shape,
                of.arithmetic.name(),
                100.0 * of.fraction()
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::measure::tests::measured;
    use super::*;
    use crate::ceiling::tests::example;

    #[test]
    fn the_drawing_has_a_point_per_case_inside_the_axes_and_every_element_is_closed() {
        let none = Measured { flops: 0.0, ..measured() };
        let kernels = vec![measured(), Measured { family: "norm".to_owned(), ..measured() }, none];
        let report = Report { version: "1".to_owned(), ceilings: example(), kernels };
        let text = svg(&report);
        assert_eq!(text.matches("<title>").count(), 2);
        assert!(text.starts_with("<svg ") && text.ends_with("</svg>\n"));
        for tag in ["text", "circle", "title"] {
            let opened = text.matches(&format!("<{tag} ")).count()
                + text.matches(&format!("<{tag}>")).count();
            let closed = text.matches(&format!("</{tag}>")).count();
            let alone = if tag == "circle" { 2 } else { 0 };
            assert_eq!(opened, closed + alone, "{tag}");
        }
        let axes = Axes::of(&report);
        let x = axes.x(1e9 / 1e6);
        assert!(x > MARGINS[0] && x <= WIDTH - MARGINS[1] + 1e-9, "{x}");
    }
}
