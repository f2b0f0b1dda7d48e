//! `genesis report`: report.html of a run, from its events.

use std::path::PathBuf;

use genesis_train::families::declarations;
use genesis_train::report::{write_html, write_html_to};

use crate::console;
use crate::exit::{Code, OrExit};

/// Write report.html of a run: loss, learning rate, gradient norm, throughput, samples.
///
/// The page is one file without scripts or network access. It is also written at the end of
/// training; this command makes it again, also while the run is going on.
///
/// Examples:
///   genesis report runs/quickstart
///   genesis report runs/quickstart --out quickstart.html
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Run folder
    run: PathBuf,
    /// Write the page there [default: report.html in the run folder]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    let page = match &args.out {
        Some(out) => write_html_to(&args.run, &declarations(), out),
        None => write_html(&args.run, &declarations()),
    };
    let page = page.or_exit(Code::Data)?;
    console::result(page.display().to_string());
    Ok(Code::Done)
}
