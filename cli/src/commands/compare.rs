//! `genesis compare`: runs side by side.

use std::path::{Path, PathBuf};

use genesis_train::families::declarations;
use genesis_train::report::comparison::{Comparison, Parting, Row, compare};

use crate::console;
use crate::exit::{Code, OrExit};

/// Show runs side by side: what they came to, in which keys they differ, where their losses part.
///
/// Works from the run folders alone. Whether runs got the same samples says `genesis audit`; how a run came to branch
/// off says `genesis checkpoints`.
///
/// Example: genesis compare runs/a runs/b runs/c
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Run folders, the first of which the others are compared with
    #[arg(required = true, num_args = 2..)]
    runs: Vec<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Letters of a value that are shown.
const WIDEST: usize = 36;

pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    let folders: Vec<&Path> = args.runs.iter().map(PathBuf::as_path).collect();
    let found = compare(&folders, &declarations()).or_exit(Code::Data)?;
    if args.json {
        console::result(serde_json::to_string(&found)?);
    } else {
        lines(&found).into_iter().for_each(console::result);
    }
    Ok(Code::Done)
}

fn lines(found: &Comparison) -> Vec<String> {
    let heading = (String::new(), found.runs.iter().cloned().map(Some).collect());
    let all = std::iter::once(&heading).chain(&found.facts);
    let mut lines = table(&all.collect::<Vec<_>>());
    lines.push(String::new());
    if found.keys.is_empty() {
        lines.push("no key of their plans differs but where they lie".to_owned());
    } else {
        lines.push("keys that differ:".to_owned());
        lines.extend(table(&found.keys.iter().collect::<Vec<_>>()));
    }
    lines.push(String::new());
    lines.extend(found.losses.iter().map(|it| parted(&found.runs[0], it)));
    lines
}

/// Rows with their values in columns.
fn table(rows: &[&Row]) -> Vec<String> {
    let cells = |(name, values): &Row| -> Vec<String> {
        let values = values.iter().map(|value| shown(value.as_deref().unwrap_or("-")));
        std::iter::once(name.clone()).chain(values).collect()
    };
    let cells: Vec<Vec<String>> = rows.iter().copied().map(cells).collect();
    let columns = cells.iter().map(Vec::len).max().unwrap_or(0);
    let width = |at: usize| {
        let letters = cells.iter().filter_map(|row| row.get(at)).map(|it| it.chars().count());
        letters.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    cells.iter().map(line).collect()
}

fn shown(value: &str) -> String {
    if value.chars().count() <= WIDEST {
        return value.to_owned();
    }
    let mut start: String = value.chars().take(WIDEST - 1).collect();
    start.push('…');
    start
}

fn parted(first: &str, of: &Parting) -> String {
    let Parting { run, common, first: parts, largest } = of;
    match parts {
        _ if *common == 0 => format!("{run}: no step in common with {first}"),
        None => format!("{run}: the losses of {first}, bit for bit, in all {common} common steps"),
        Some((step, a, b)) => format!(
            "{run}: its losses part from those of {first} at step {step} ({a} there, {b} here), by {largest:.3e} at \
             most in {common} common steps"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_value_and_long_ones_are_cut() {
        let row = |name: &str, values: [Option<&str>; 2]| {
            (name.to_owned(), values.map(|it| it.map(str::to_owned)).to_vec())
        };
        let long = "x".repeat(50);
        let rows = [row("", [Some("runs/a"), Some("b")]), row("seed", [None, Some(&long)])];
        let lines = table(&rows.iter().collect::<Vec<_>>());
        assert_eq!(lines[0], "      runs/a  b");
        assert!(lines[1].starts_with("seed  -       xxx") && lines[1].ends_with('…'), "{lines:?}");
    }
}
