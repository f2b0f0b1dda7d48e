//! One file per command that is for every family: its arguments, then what it calls and prints. Those
//! of one family stand in its folder.
#![expect(clippy::doc_markdown, reason = "doc comments of arguments are the help on the terminal")]

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use genesis_train::family::Family;
use genesis_train::sequences::Sequences;
use genesis_train::structures::Structures;

use crate::exit::{Code, Failure};
use crate::ranks::{self, Engine};
use crate::{families, home, sequences, structures};

mod audit;
mod bench;
mod checkpoints;
mod compare;
mod doctor;
mod evaluate;
mod export;
mod import;
mod ingest;
mod plan;
mod preflight;
mod replay;
mod report;
mod settings;
mod spawn;
mod train;
mod verify;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Ingest(ingest::Args),
    Verify(verify::Args),
    Audit(audit::Args),
    Plan(plan::Args),
    Preflight(preflight::Args),
    Train(train::Args),
    Spawn(spawn::Args),
    Compare(compare::Args),
    Checkpoints(checkpoints::Args),
    Replay(replay::Args),
    Evaluate(evaluate::Args),
    #[command(flatten)]
    Structures(structures::Command),
    #[command(flatten)]
    Sequences(sequences::Command),
    Export(export::Args),
    Import(import::Args),
    Report(report::Args),
    Bench(bench::Args),
    Doctor(doctor::Args),
}

impl Command {
    /// Whether a run file says how many threads it has, so that none may start before it is read; or whether
    /// other processes do the work.
    pub(crate) fn names_threads(&self) -> bool {
        matches!(self, Self::Train(_) | Self::Plan(_) | Self::Preflight(_) | Self::Spawn(_))
    }

    pub(crate) fn run(self) -> anyhow::Result<Code> {
        match self {
            Self::Ingest(args) => ingest::run(args),
            Self::Verify(args) => verify::run(&args),
            Self::Audit(args) => audit::run(&args),
            Self::Plan(args) => plan::run(&args),
            Self::Preflight(args) => preflight::run(&args),
            Self::Train(args) => train::run(&args),
            Self::Spawn(args) => spawn::run(&args, engine_of),
            Self::Compare(args) => compare::run(&args),
            Self::Checkpoints(args) => checkpoints::run(&args),
            Self::Replay(args) => replay::run(&args),
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

/// The command of each rank that `spawn` starts, as the program itself reads it.
#[derive(Debug, Parser)]
#[command(name = "genesis")]
struct OfRank {
    #[arg(long, global = true, value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    #[command(subcommand)]
    command: Command,
}

/// What ranks of the command in `words` exchange numbers with.
fn engine_of(words: &[String]) -> anyhow::Result<Engine> {
    let all = std::iter::once("genesis".to_owned()).chain(words.iter().cloned());
    let parsed = home::known(OfRank::command()).try_get_matches_from(all);
    let read = parsed.and_then(|matches| OfRank::from_arg_matches(&matches));
    let OfRank { command, threads: _ } = read.unwrap_or_else(|error| error.exit());
    let Command::Train(asked) = &command else {
        let message = format!("`{}` is no work of several ranks; they can `train`", words[0]);
        return Err(Failure::error(Code::Usage, message));
    };
    let file = train::file(asked)?;
    let (device, parallel) = families::of_file(&file)?.ranks(file)?;
    ranks::engine_of(parallel.engine, device)
}
