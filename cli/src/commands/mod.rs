//! One file per command that is for every family: its arguments, then what it calls and prints. Those
//! of one family stand in its folder.
#![expect(clippy::doc_markdown, reason = "doc comments of arguments are the help on the terminal")]

use clap::Subcommand;
use genesis_train::family::Family;
use genesis_train::sequences::Sequences;
use genesis_train::structures::Structures;

use crate::exit::Code;
use crate::{families, sequences, structures as of_structures};

mod bench;
mod doctor;
mod evaluate;
mod export;
mod import;
mod ingest;
mod ingest_keys;
mod plan;
mod preflight;
mod report;
mod settings;
mod structures;
mod train;
mod verify;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Ingest(ingest::Args),
    Verify(verify::Args),
    Plan(plan::Args),
    Preflight(preflight::Args),
    Train(train::Args),
    Evaluate(evaluate::Args),
    #[command(flatten)]
    Structures(of_structures::Command),
    #[command(flatten)]
    Sequences(sequences::Command),
    Export(export::Args),
    Import(import::Args),
    Report(report::Args),
    Bench(bench::Args),
    Doctor(doctor::Args),
}

impl Command {
    /// Whether a run file says how many threads it has, so that none may start before it is read.
    pub(crate) fn names_threads(&self) -> bool {
        matches!(self, Self::Train(_) | Self::Plan(_) | Self::Preflight(_))
    }

    pub(crate) fn run(self) -> anyhow::Result<Code> {
        match self {
            Self::Ingest(args) => ingest::run(args),
            Self::Verify(args) => verify::run(&args),
            Self::Plan(args) => plan::run(&args),
            Self::Preflight(args) => preflight::run(&args),
            Self::Train(args) => train::run(&args),
            Self::Evaluate(args) => evaluate::run(&args),
            Self::Structures(command) => {
                families::require(command.model(), Structures::NAME)?;
                command.run()
            }
            Self::Sequences(command) => {
                families::require(command.model(), Sequences::NAME)?;
                command.run()
            }
            Self::Export(args) => export::run(&args),
            Self::Import(args) => import::run(&args),
            Self::Report(args) => report::run(&args),
            Self::Bench(args) => bench::run(&args),
            Self::Doctor(args) => doctor::run(&args),
        }
    }
}
