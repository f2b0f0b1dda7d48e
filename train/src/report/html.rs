//! `report.html`: one page, nothing loaded from elsewhere, no scripts.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use super::ReportError;
use super::chart::{Chart, Mark, Scale, Series, Size, escape, smoothed};
use super::events::Event;
use super::figure::{Better, Declaration};
use super::number::{bytes, grouped, loss, whole};
use super::sessions::Session;
use super::summary::RunSummary;

/// The page of a run folder.
pub const REPORT_FILE: &str = "report.html";

const STYLE: &str = include_str!("style.css");
const BLUE: &str = "#2563eb";
const ORANGE: &str = "#d9620a";
const GREEN: &str = "#0f8a5f";
const PURPLE: &str = "#7c3aed";

/// Writes `report.html` into `run_dir`, the folder of a run of one of `families`, from what it
/// holds, replacing an older one.
///
/// # Errors
/// No or broken events, or the page cannot be written.
pub fn write_html(
    run_dir: &Path,
    families: &[&'static Declaration],
) -> Result<PathBuf, ReportError> {
    write_html_to(run_dir, families, &run_dir.join(REPORT_FILE))
}

/// As [`write_html`], into the file `path`, which is there whole or not at all.
///
/// # Errors
/// As [`write_html`].
pub fn write_html_to(
    run_dir: &Path,
    families: &[&'static Declaration],
    path: &Path,
) -> Result<PathBuf, ReportError> {
    let page = page(&RunSummary::read(run_dir, families)?);
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = PathBuf::from(temporary);
    fs::write(&temporary, page).map_err(ReportError::io(&temporary, "write"))?;
    fs::rename(&temporary, path).map_err(ReportError::io(path, "replace"))?;
    Ok(path.to_owned())
}

/// The page as text.
pub fn page(run: &RunSummary) -> String {
    let name = escape(&run.name);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{name}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <header><p>Training run</p><h1>{name}</h1></header>\n"
    );
    status(run, &mut out);
    headline(run, &mut out);
    loss_section(run, &mut out);
    small_charts(run, &mut out);
    run.sections.iter().for_each(|section| section.write(&mut out));
    samples(run, &mut out);
    out.push_str("<div class=\"columns\">\n");
    table("Run", &run.facts(), &mut out);
    table("Dataset", &run.dataset, &mut out);
    out.push_str("</div>\n");
    checkpoints(run, &mut out);
    sessions(run, &mut out);
    plan(run, &mut out);
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

/// How the run stands, before any number.
fn status(run: &RunSummary, out: &mut String) {
    let Some(status) = &run.status else { return };
    let class = if status.is_bad { "status bad" } else { "status" };
    let _ = writeln!(out, "<p class=\"{class}\">{}</p>", escape(&harmless(&status.text)));
}

/// Text without control characters but line feeds and tabs: a browser has no sign for them.
fn harmless(text: &str) -> String {
    let is_plain = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    text.chars().fold(String::new(), |mut out, c| {
        if is_plain(c) {
            out.push(c);
        } else {
            out.extend(c.escape_default());
        }
        out
    })
}

/// The three or four numbers one looks for first.
fn headline(run: &RunSummary, out: &mut String) {
    let best = run.best_validation();
    let rate_unit = run.throughput().map_or("", |figure| figure.unit);
    let tiles = [
        ("best validation loss", best.map(|(_, best)| loss(best)), run.loss_unit()),
        ("training loss", run.final_loss().map(loss), run.loss_unit()),
        ("steps", Some(grouped(run.steps())), ""),
        ("throughput", run.median_rate().map(whole), rate_unit),
    ];
    out.push_str("<section class=\"tiles\">\n");
    for (label, value, unit) in tiles {
        let Some(value) = value else { continue };
        let _ = writeln!(
            out,
            "<div class=\"tile\"><span>{label}</span><b>{value}</b> <i>{unit}</i></div>"
        );
    }
    out.push_str("</section>\n");
}

fn points(run: &RunSummary, value: impl Fn(&Event) -> Option<f64>) -> Vec<[f64; 2]> {
    let finite = |event: &Event| value(event).filter(|value| value.is_finite());
    // Step 0 (an evaluation before training) has no place on a logarithmic axis.
    let events = run.events.iter().filter(|event| event.step > 0);
    events.filter_map(|event| Some([event.step as f64, finite(event)?])).collect()
}

fn loss_section(run: &RunSummary, out: &mut String) {
    let raw = points(run, |event| event.loss);
    let validation = points(run, |event| event.val_loss);
    let series = |label: &str, colour, mark, points| Series {
        label: label.to_owned(),
        colour,
        mark,
        points,
    };
    let strong = smoothed(&raw);
    let labels = |size| match size {
        Size::Wide => ["training, every step", "training, smoothed", "validation"],
        Size::Small => ["every step", "smoothed", "validation"],
    };
    let series = |size| {
        let [every, smooth, held_out] = labels(size);
        vec![
            series(every, BLUE, Mark::Raw, raw.clone()),
            series(smooth, BLUE, Mark::Line, strong.clone()),
            series(held_out, ORANGE, Mark::Dots, validation.clone()),
        ]
    };
    let drawn = |size, x_scale| {
        let chart = Chart {
            size,
            title: "Loss over steps".to_owned(),
            x_label: "step".to_owned(),
            y_label: run.loss_heading(),
            x_scale,
            from_zero: false,
            series: series(size),
        };
        chart.svg()
    };
    // A narrow screen would shrink the letters of a wide drawing.
    let chart = |x_scale| {
        let (wide, narrow) = (drawn(Size::Wide, x_scale), drawn(Size::Small, x_scale));
        format!("<div class=\"wide\">{wide}</div><div class=\"narrow\">{narrow}</div>")
    };
    let _ = write!(
        out,
        "<section class=\"card\"><h2>Loss</h2>\n\
         <input type=\"radio\" name=\"x\" id=\"linear\" checked><label for=\"linear\">linear</label>\
         <input type=\"radio\" name=\"x\" id=\"log\"><label for=\"log\">logarithmic steps</label>\n\
         <div class=\"linear\">{}</div>\n<div class=\"log\">{}</div></section>\n",
        chart(Scale::Linear),
        chart(Scale::Log)
    );
}

fn small_charts(run: &RunSummary, out: &mut String) {
    let rate = run.throughput();
    let counted = rate.map_or("items", |figure| figure.label);
    let rate = points(run, |event| event.figure(rate?.key));
    let per_second = format!("{counted} per second");
    let charts: [(&str, &str, &'static str, Vec<[f64; 2]>); 3] = [
        ("Learning rate", "rate", GREEN, points(run, |event| event.lr)),
        ("Gradient norm", "norm before clipping", PURPLE, points(run, |event| event.grad_norm)),
        ("Throughput", &per_second, BLUE, rate),
    ];
    out.push_str("<div class=\"charts\">\n");
    for (title, y_label, colour, values) in charts {
        let noisy = title != "Learning rate";
        let line = if noisy { smoothed(&values) } else { values.clone() };
        let mut series = vec![Series {
            label: if noisy { "smoothed" } else { "rate" }.to_owned(),
            colour,
            mark: Mark::Line,
            points: line,
        }];
        if noisy {
            let label = "every step".to_owned();
            series.insert(0, Series { label, colour, mark: Mark::Raw, points: values });
        }
        let chart = Chart {
            size: Size::Small,
            title: format!("{title} over steps"),
            x_label: "step".to_owned(),
            y_label: y_label.to_owned(),
            x_scale: Scale::Linear,
            from_zero: true,
            series,
        };
        let svg = chart.svg();
        let _ = write!(out, "<section class=\"card\"><h2>{title}</h2>\n{svg}</section>\n");
    }
    out.push_str("</div>\n");
}

fn samples(run: &RunSummary, out: &mut String) {
    if run.samples.is_empty() {
        return;
    }
    out.push_str("<section class=\"card\"><h2>Samples</h2>\n");
    for sample in &run.samples {
        let _ = writeln!(
            out,
            "<figure><figcaption>step {}</figcaption><pre><mark>{}</mark>{}</pre></figure>",
            grouped(sample.step),
            escape(&harmless(&sample.prompt)),
            escape(&harmless(&sample.text))
        );
    }
    out.push_str("</section>\n");
}

fn table(title: &str, rows: &[(String, String)], out: &mut String) {
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(out, "<section class=\"card\"><h2>{title}</h2><table>");
    for (name, value) in rows {
        let _ = writeln!(out, "<tr><th>{}</th><td>{}</td></tr>", escape(name), escape(value));
    }
    out.push_str("</table></section>\n");
}

fn checkpoints(run: &RunSummary, out: &mut String) {
    if run.checkpoints.is_empty() {
        return;
    }
    let losses = run.checkpoints.iter().filter_map(|row| row.val_loss);
    let best = Better::Lower.best(losses, |loss| *loss);
    out.push_str(
        "<section class=\"card\"><h2>Checkpoints</h2><table class=\"grid\">\n\
         <tr><th>folder</th><th>size</th><th>validation loss</th><th>state</th></tr>\n",
    );
    for row in &run.checkpoints {
        let is_best = row.val_loss.is_some() && row.val_loss == best;
        let state = match (row.committed, is_best) {
            (false, _) => "interrupted, not usable",
            (true, true) => "committed, best",
            (true, false) => "committed",
        };
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{state}</td></tr>",
            escape(&row.name),
            bytes(row.bytes),
            row.val_loss.map_or_else(|| "not measured".to_owned(), loss)
        );
    }
    out.push_str("</table></section>\n");
}

fn sessions(run: &RunSummary, out: &mut String) {
    if run.sessions.is_empty() {
        return;
    }
    out.push_str(
        "<section class=\"card\"><h2>Sessions</h2><table class=\"grid\">\n\
         <tr><th>began</th><th>where</th><th>threads</th><th>after step</th><th>end</th></tr>\n",
    );
    for session in &run.sessions {
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(&session.time),
            escape(&session.host),
            session.threads,
            grouped(session.after_step),
            escape(&harmless(&end_of(session))),
        );
    }
    out.push_str("</table></section>\n");
}

fn end_of(session: &Session) -> String {
    let mut said = session.branch.join("; ");
    if !said.is_empty() {
        said = format!("branch: {said}. ");
    }
    let Some(end) = &session.end else { return said + "not recorded" };
    let how = end.how.told();
    format!("{said}{}, {how}: {}", end.time, end.message)
}

fn plan(run: &RunSummary, out: &mut String) {
    if let Some(plan) = &run.plan {
        let _ = writeln!(
            out,
            "<section class=\"card\"><h2>Plan</h2><details><summary>plan.toml, every value of \
             this run</summary><pre>{}</pre></details></section>",
            escape(plan)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with(events: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("events.jsonl"), events).unwrap();
        folder
    }

    #[test]
    fn a_report_needs_nothing_but_events() {
        let folder = folder_with("{\"step\":1,\"loss\":2.0}\n{\"step\":2,\"loss\":1.0}\n");
        let text = fs::read_to_string(write_html(folder.path(), &[]).unwrap()).unwrap();
        assert!(text.contains("<svg") && text.contains("Training loss"));
        assert!(!text.contains("Checkpoints") && !text.contains("Samples"));
    }

    #[test]
    fn a_report_refers_to_nothing_outside_itself() {
        let folder = folder_with("{\"step\":1,\"loss\":2.0,\"val_loss\":2.5}\n");
        let text = fs::read_to_string(write_html(folder.path(), &[]).unwrap()).unwrap();
        let without_namespace = text.replace("http://www.w3.org/2000/svg", "");
        for reference in ["http:", "https:", "src=", "<link", "@import", "url(", "<script"] {
            assert!(!without_namespace.contains(reference), "{reference}");
        }
    }

    #[test]
    fn generated_text_cannot_become_markup() {
        let folder = folder_with("{\"step\":1,\"loss\":2.0}\n");
        let sample = "{\"step\":1,\"prompt\":\"<b>\",\"text\":\"</pre><script>\"}\n";
        fs::write(folder.path().join("samples.jsonl"), sample).unwrap();
        let text = fs::read_to_string(write_html(folder.path(), &[]).unwrap()).unwrap();
        assert!(text.contains("<mark>&lt;b&gt;</mark>&lt;/pre&gt;&lt;script&gt;"));
    }

    #[test]
    fn a_run_that_did_not_end_well_says_so_before_any_number() {
        let folder = folder_with("{\"step\":1,\"loss\":3.0}\n{\"step\":2,\"loss\":2.1e18}\n");
        super::super::sessions::begin(folder.path(), 1, 1, 0, &[]).unwrap();
        let end =
            super::super::End::now(super::super::How::NotFinite, "step 3: loss <inf> \u{1b}[31m");
        super::super::sessions::end(folder.path(), &end).unwrap();
        let text = fs::read_to_string(write_html(folder.path(), &[]).unwrap()).unwrap();
        let status = text.find("not finite: step 3: loss &lt;inf&gt; \\u{1b}").expect("a status");
        assert!(status < text.find("class=\"tile\"").unwrap());
        assert!(text.contains("<b>2.100e18</b>") && !text.contains("000000000"), "numbers fit");
        assert!(text.contains("prefers-color-scheme") && text.contains("class=\"narrow\""));
    }

    #[test]
    fn a_page_goes_where_it_is_asked_for() {
        let folder = folder_with("{\"step\":1,\"loss\":2.0}\n");
        let out = folder.path().join("elsewhere.html");
        assert_eq!(write_html_to(folder.path(), &[], &out).unwrap(), out);
        assert!(out.is_file() && !folder.path().join(REPORT_FILE).exists());
        let nowhere = folder.path().join("no/page.html");
        let error = write_html_to(folder.path(), &[], &nowhere).unwrap_err().to_string();
        assert!(error.contains("no/page.html"), "{error}");
    }

    #[test]
    fn an_empty_run_and_a_missing_one_are_told_apart() {
        let folder = folder_with("");
        write_html(folder.path(), &[]).unwrap();
        fs::remove_file(folder.path().join("events.jsonl")).unwrap();
        let error = write_html(folder.path(), &[]).unwrap_err().to_string();
        assert!(error.contains("events.jsonl: cannot read"), "{error}");
    }
}
