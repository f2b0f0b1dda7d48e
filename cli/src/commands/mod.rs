//! One file per command: its arguments, then what it calls and prints.
#![expect(clippy::doc_markdown, reason = "doc comments of arguments are the help on the terminal")]

use clap::Subcommand;

use crate::exit::Code;

mod atoms;
mod bench;
mod dataset;
mod doctor;
mod embed;
mod evaluate;
mod export;
mod generate;
mod import;
mod ingest;
mod md;
mod model;
mod plan;
mod predict;
mod report;
mod score;
mod settings;
mod structures;
mod train;
mod verify;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Ingest(ingest::Args),
    Verify(verify::Args),
    Plan(plan::Args),
    Train(train::Args),
    Evaluate(evaluate::Args),
    Predict(predict::Args),
    Md(md::Args),
    Generate(generate::Args),
    Embed(embed::Args),
    Score(score::Args),
    Export(export::Args),
    Import(import::Args),
    Report(report::Args),
    Bench(bench::Args),
    Doctor(doctor::Args),
}

impl Command {
    pub(crate) fn run(self) -> anyhow::Result<Code> {
        match self {
            Self::Ingest(args) => ingest::run(args),
            Self::Verify(args) => verify::run(&args),
            Self::Plan(args) => plan::run(&args),
            Self::Train(args) => train::run(&args),
            Self::Evaluate(args) => evaluate::run(&args),
            Self::Predict(args) => predict::run(&args),
            Self::Md(args) => md::run(&args),
            Self::Generate(args) => generate::run(&args),
            Self::Embed(args) => embed::run(&args),
            Self::Score(args) => score::run(&args),
            Self::Export(args) => export::run(&args),
            Self::Import(args) => import::run(&args),
            Self::Report(args) => report::run(&args),
            Self::Bench(args) => bench::run(&args),
            Self::Doctor(args) => doctor::run(&args),
        }
    }
}
