//! `genesis bench run-case`: one measured piece of work, the child process of `compare`.

use anyhow::Context;
use genesis_benches::case::Case;

use crate::console;
use crate::exit::{Code, OrExit};
use crate::threads;

/// Measure one case and print one JSON object.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The case as JSON, as `compare` writes it
    case: String,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    let case: Case = serde_json::from_str(&args.case).context("the case is not one")?;
    let fields = threads::inside(|| case.measure()).or_exit(Code::Data)?;
    console::result(serde_json::to_string(&fields)?);
    Ok(Code::Done)
}
