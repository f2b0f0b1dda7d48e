//! `genesis preflight`: are the ranks, their hosts and the network fit for a run?

use std::path::PathBuf;

use genesis_train::keys::RunFile;

use crate::exit::{Code, OrExit};
use crate::families;
use crate::family::preflight::of_ranks;

/// Measure ranks, hosts and the network between them before a run.
///
/// Started by a launcher like `train`: products and memory of each rank, sums over all ranks, links
/// between hosts, clocks; what is slow is named. With CONFIG also whether program, run file and
/// dataset are the same everywhere, and whether its checkpoints and its memory have room. Nothing
/// is trained, and nothing is written. Exit code 3 where the run could not work.
///
/// Example: mpirun -np 8 genesis preflight configs/transformer/shakespeare.toml
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Config file (TOML) of the run; ranks and network alone without one
    config: Option<PathBuf>,
    /// Override one value of the config, e.g. run.dir=/scratch/a; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "config")]
    overrides: Vec<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    let Some(config) = &args.config else { return of_ranks(args.json) };
    let file = RunFile::read(config, &args.overrides).or_exit(Code::Usage)?;
    families::of_file(&file)?.preflight(file, args.json)
}
