//! `genesis spawn`: several ranks of one run on this machine, without another launcher.
//!
//! Where the run uses NCCL, ranks are started here and find each other over TCP; where it uses MPI, `mpirun` of
//! that MPI starts them. Not here: processes and their ends ([`group`]).

mod group;

use genesis_train::cluster::Launch;
use genesis_train::cluster::rendezvous::{SECRET, Secret};
use genesis_train::device::nvidia::driver;
use genesis_train::keys::environment;

use self::group::{Ended, Group, Member};
use crate::console;
use crate::exit::{Code, Failure, OrExit};
use crate::ranks::Engine;

/// Start several ranks of a training run on this machine.
///
/// A run on NVIDIA GPUs has a GPU for each rank; on the CPU ranks share the cores, and are started with the mpirun
/// of the MPI that this program was built with. What the first rank says is printed as it is, lines of the others
/// with their number in front. Signals go to all ranks. Where one dies, the others are ended.
///
/// Examples:
///   genesis spawn --processes 4 train run.toml --set run.device=cuda
///   genesis spawn --processes 8 --restarts 3 train run.toml --set run.dir=runs/a
///   genesis spawn --processes 2 --mpirun "mpirun --oversubscribe" train run.toml
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Ranks
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    processes: u16,
    /// Start all again with --resume after a failure, at most so many times
    #[arg(long, value_name = "K", default_value_t = 0)]
    restarts: u32,
    /// After a failure start one rank fewer
    #[arg(long, requires = "restarts")]
    fewer: bool,
    /// How ranks are started over MPI
    #[arg(long, value_name = "WORDS", default_value = "mpirun")]
    mpirun: String,
    /// What each rank runs: train and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    command: Vec<String>,
}

/// Starts ranks; `engine_of` says what a command uses.
pub(crate) fn run(
    args: &Args,
    engine_of: impl FnOnce(&[String]) -> anyhow::Result<Engine>,
) -> anyhow::Result<Code> {
    refuse_a_rank()?;
    let engine = engine_of(&args.command)?;
    let mut words = args.command.clone();
    let mut ranks = usize::from(args.processes);
    let mut group = Group::new()?;
    for starts in 0.. {
        let members = match engine {
            Engine::Nccl => over_nccl(ranks, &words)?,
            Engine::Mpi => over_mpi(ranks, &words, &args.mpirun)?,
        };
        let (code, failed) = match group.run(members)? {
            Ended::Well(code) => return Ok(code),
            Ended::Failed { code, who } => (code, who),
        };
        let again = starts < args.restarts && is_worth_it(code) && !group.was_stopped();
        if !again {
            return Err(Failure::error(code, failed));
        }
        ranks = if args.fewer { (ranks - 1).max(1) } else { ranks };
        words = resumed(&words);
        console::note(format!(
            "{failed}; restart {} of {} with {ranks} ranks from the newest checkpoint",
            starts + 1,
            args.restarts
        ));
    }
    unreachable!("the loop ends with a code")
}

/// A rank that starts ranks would start the run several times.
fn refuse_a_rank() -> anyhow::Result<()> {
    let Some(launch) = Launch::of(&environment).or_exit(Code::Usage)?.filter(|it| it.world > 1)
    else {
        return Ok(());
    };
    let message = format!(
        "{} started this as rank {} of {}: `spawn` is a launcher itself; start `train` with {0}, or `spawn` once",
        launch.launcher, launch.rank, launch.world
    );
    Err(Failure::error(Code::Usage, message))
}

/// Failures that another start does not mend: of the configuration, of the numbers.
fn is_worth_it(code: Code) -> bool {
    !matches!(code, Code::Usage | Code::NonFinite)
}

/// The command that goes on where this one ended.
fn resumed(words: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        match word.as_str() {
            // The run remembers where it began.
            "--from" => drop(rest.next()),
            "--weights-only" | "--resume" => {}
            other if other.starts_with("--from=") => {}
            _ => kept.push(word.clone()),
        }
    }
    kept.push("--resume".to_owned());
    kept
}

fn program() -> anyhow::Result<String> {
    let path = std::env::current_exe().or_exit(Code::Unexpected)?;
    Ok(path.to_string_lossy().into_owned())
}

/// A process a GPU.
fn over_nccl(ranks: usize, words: &[String]) -> anyhow::Result<Vec<Member>> {
    let found = driver().map_err(|error| Failure::error(Code::Usage, error.to_string()))?;
    if ranks > found.gpus.len() {
        let message = format!(
            "--processes {ranks}, but this machine has {} GPUs and each rank needs one",
            found.gpus.len()
        );
        return Err(Failure::error(Code::Usage, message));
    }
    let program = program()?;
    let (secret, port) = (Secret::made().or_exit(Code::Unexpected)?, free_port()?);
    let of_rank = |rank: usize| Member {
        name: format!("rank {rank}"),
        words: [std::slice::from_ref(&program), words].concat(),
        unset: Launch::variables().map(str::to_owned).collect(),
        set: [
            ("RANK", rank.to_string()),
            ("LOCAL_RANK", rank.to_string()),
            ("WORLD_SIZE", ranks.to_string()),
            ("LOCAL_WORLD_SIZE", ranks.to_string()),
            ("MASTER_ADDR", "127.0.0.1".to_owned()),
            ("MASTER_PORT", port.to_string()),
            (SECRET, secret.clone()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec(),
        speaks_for_itself: rank == 0,
        passes_on: false,
    };
    Ok((0..ranks).map(of_rank).collect())
}

/// A port that nobody listens at now.
fn free_port() -> anyhow::Result<u16> {
    let bound = std::net::TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr());
    Ok(bound.or_exit(Code::Unexpected)?.port())
}

/// `mpirun`, which starts the ranks.
fn over_mpi(ranks: usize, words: &[String], mpirun: &str) -> anyhow::Result<Vec<Member>> {
    if ranks > 1 && !cfg!(feature = "mpi") {
        let message = format!(
            "this run is not computed on NVIDIA GPUs, so its {ranks} ranks need MPI, and this program was built \
             without: build it with `cargo build --release --features mpi`, or train on one process, which uses all \
             cores too"
        );
        return Err(Failure::error(Code::Usage, message));
    }
    let ranks = ["-np".to_owned(), ranks.to_string(), program()?];
    let launcher: Vec<String> = mpirun.split_whitespace().map(str::to_owned).collect();
    let Some(name) = launcher.first().cloned() else {
        return Err(Failure::error(Code::Usage, "--mpirun is empty; name the launcher of MPI"));
    };
    let words = [&launcher[..], &ranks, words].concat();
    console::note(format!("ranks are started with `{}`", words.join(" ")));
    let (unset, set) = (Vec::new(), Vec::new());
    Ok(vec![Member { name, words, unset, set, speaks_for_itself: true, passes_on: true }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_goes_on_wherever_the_command_began() {
        let of =
            |text: &str| resumed(&text.split(' ').map(str::to_owned).collect::<Vec<_>>()).join(" ");
        for (text, want) in [
            ("train run.toml --set a=1", "train run.toml --set a=1 --resume"),
            ("train run.toml --resume", "train run.toml --resume"),
            ("train --from runs/a --weights-only run.toml", "train run.toml --resume"),
            ("train --from=300 run.toml", "train run.toml --resume"),
        ] {
            assert_eq!(of(text), want);
        }
    }

    #[test]
    fn mistakes_and_numbers_that_are_not_finite_are_not_tried_again() {
        assert!(!is_worth_it(Code::Usage) && !is_worth_it(Code::NonFinite));
        assert!(is_worth_it(Code::Data) && is_worth_it(Code::Unexpected));
    }
}
