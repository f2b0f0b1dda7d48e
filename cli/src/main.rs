//! `genesis`: from raw scientific data to a trained, exported model, in one program.
//!
//! This crate parses, calls the libraries and prints; everything else lives in them.

#![expect(clippy::doc_markdown, reason = "the doc comment of Cli is the help on the terminal")]

mod bus_error;
mod commands;
mod console;
#[cfg(feature = "cuda")]
mod cuda_settings;
mod device;
mod exit;
mod families;
mod family;
mod home;
mod memory;
mod products;
mod ranks;
mod sequences;
mod signals;
mod structures;
mod threads;
mod watch;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser};

use commands::Command;

/// Train scientific foundation models: raw data in, checkpoints out.
///
/// A run in four commands:
///
///   genesis ingest proteins.fasta.gz --tokenizer amino-acid --out data/proteins
///   genesis plan configs/transformer/protein_mlm.toml
///   genesis train configs/transformer/protein_mlm.toml --set run.dir=runs/first
///   genesis export runs/first exported --format huggingface
///
/// `genesis train` without a config trains a small model on molecules that the program makes
/// itself, in under three minutes.
///
/// Exit codes: 0 done, 1 unexpected failure, 2 wrong usage or configuration, 3 bad input or damaged
/// file, 4 a step of training was not finite or jumped, 5 stopped by a signal or --max-minutes after
/// saving, 6 `verify` found damage, 7 a simulation exploded and was stopped, 8 `audit` found a
/// difference.
#[derive(Debug, Parser)]
#[command(name = "genesis", version, max_term_width = 100, verbatim_doc_comment)]
struct Cli {
    /// Threads for ingest and training [default: all cores]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    memory::keep();
    bus_error::explain();
    let matches = home::known(Cli::command()).get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let ended = run(cli).and_then(written);
    let code = match ended {
        Ok(code) => code,
        Err(error) => {
            let code = exit::code_of(&error);
            if ranks::is_told_here(&error, code) {
                console::error(&error);
            }
            code
        }
    };
    ranks::leave();
    ExitCode::from(code as u8)
}

/// Results that nobody can read are no success.
fn written(code: exit::Code) -> anyhow::Result<exit::Code> {
    match console::unwritten() {
        None => Ok(code),
        Some(error) => {
            let message = format!(
                "the results could not be written to standard output: {error}; free space, or send \
                 them elsewhere, and run the command again"
            );
            Err(exit::Failure::error(exit::Code::Data, message))
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<exit::Code> {
    if let Some(threads) = cli.threads {
        threads::give(usize::from(threads))?;
    }
    if !cli.command.names_threads() {
        threads::start(0)?;
    }
    #[cfg(feature = "cuda")]
    cuda_settings::settle()?;
    cli.command.run()
}
