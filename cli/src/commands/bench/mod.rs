//! `genesis bench`: how fast this machine runs our programs, against peers and against itself.
#![expect(clippy::doc_markdown, reason = "doc comments of arguments are the help on the terminal")]

use clap::Subcommand;

use crate::exit::Code;

mod compare;
mod kernels;
mod run_case;

/// Measure speed on this machine.
///
/// `kernels` times each kernel against what the machine can do. `compare` runs our programs and those
/// of peers alternately, with equal settings. `step` times training steps of GPT-2 or MACE alone. Figures are of this machine at this moment: ratios of
/// one run mean something, figures of two runs do not.
///
/// Examples:
///   genesis bench kernels --family attention
///   genesis bench compare --python venv/bin/python --only transformer_f32
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Kernels(kernels::Args),
    Compare(compare::Args),
    Step(run_case::StepArgs),
    #[command(hide = true)]
    RunCase(run_case::Args),
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    match &args.what {
        What::Kernels(args) => kernels::run(args),
        What::Compare(args) => compare::run(args),
        What::Step(args) => run_case::step(args),
        What::RunCase(args) => run_case::run(args),
    }
}
