//! `genesis bench compare`: our programs against peers.

use std::path::PathBuf;

use anyhow::Context;
use genesis_benches::compare::peers::Scripts;
use genesis_benches::compare::rounds::fight;
use genesis_benches::compare::table::table;
use genesis_benches::compare::{Duel, Outcome, Program, Row, Settings, duels, select, to_json};
use genesis_train::device::{DeviceChoice, require};

use super::kernels::Whose;
use crate::console;
use crate::device::DeviceArgs;
use crate::exit::{Code, Failure, OrExit};

/// Compare with PyTorch, mace-torch and matscipy.
///
/// Runs ours and theirs alternately, each in a process of its own with the same number of threads
/// (--threads), and prints medians over the rounds. A ratio above 1 means ours is faster. Of
/// PyTorch the faster of eager and compiled counts; compiling needs a C++ compiler. Rows whose
/// data are absent are listed as skipped. When a program fails, its row says how, the others still
/// run, and the exit code is 1.
///
/// PY is a Python with what benches/peers/requirements.txt lists. The programs of the peers are
/// part of this binary; --peers replaces them.
///
/// Examples:
///   genesis bench compare --python venv/bin/python
///   genesis bench compare --python venv/bin/python --only w128 --only mace_train --rounds 5
///   genesis bench compare --python torch/bin/python --mace-python mace/bin/python --json
///   genesis bench compare --python torch/bin/python --device cuda:0 --only gpt2
///   genesis bench compare --list
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Python with PyTorch
    #[arg(long, value_name = "PY", required_unless_present = "list")]
    python: Option<PathBuf>,
    /// Python with mace-torch and matscipy [default: that of --python]
    #[arg(long, value_name = "PY")]
    mace_python: Option<PathBuf>,
    /// Folder with other programs of the same names as in benches/peers
    #[arg(long, value_name = "DIR")]
    peers: Option<PathBuf>,
    /// Folder of data: atomistic/acac, protein [default: $GENESIS_SHARED/data]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Print one JSON line
    #[arg(long)]
    json: bool,
    /// Only rows whose names contain this; may be repeated
    #[arg(long, value_name = "PATTERN")]
    only: Vec<String>,
    /// Times that every program is started
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Steps that count in each run [default: 4 to 20, fewer for large networks]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    steps: Option<u16>,
    #[command(flatten)]
    device: DeviceArgs,
    /// Whose kernels ours are: those of the device, or the references (cuda)
    #[arg(long, value_enum, default_value_t = Whose::Own)]
    kernels: Whose,
    /// Leave out PyTorch's compiled variant; the rows then say that only eager ran
    #[arg(long)]
    eager_only: bool,
    /// Print the names of all rows and measure nothing
    #[arg(long)]
    list: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    if matches!(args.device.device, DeviceChoice::Wgpu { .. }) {
        let message = "--device wgpu: PyTorch has no such device to compare with; use cpu or cuda, or \
                       `genesis bench step --device wgpu` for ours alone";
        return Err(Failure::error(Code::Usage, message));
    }
    if !args.list {
        require(args.device.device).or_exit(Code::Usage)?;
    }
    let scratch = tempfile::tempdir().context("cannot make a scratch folder for the peers")?;
    let scripts = scripts(args, scratch.path())?;
    let all = duels(&settings(args, scripts.clone())?);
    let every_name = names(&all).join("\n");
    if args.list {
        console::result(every_name);
        return Ok(Code::Done);
    }
    for name in scripts.stand_ins() {
        console::note(format!("note: {name} is not in the folder of --peers, ours stands in"));
    }
    let chosen = select(all, &args.only);
    if chosen.is_empty() {
        let wanted = args.only.join(", ");
        let message = format!("no row contains {wanted}; there are:\n{every_name}");
        return Err(Failure::error(Code::Usage, message));
    }
    let rows = measure(&chosen, usize::from(args.rounds));
    console::result(if args.json { to_json(&rows) } else { table(&rows).trim_end().to_owned() });
    finish(&rows)
}

fn scripts(args: &Args, own: &std::path::Path) -> anyhow::Result<Scripts> {
    if let Some(folder) = args.peers.as_ref().filter(|folder| !folder.is_dir()) {
        let message = format!("--peers {}: no such folder", folder.display());
        return Err(Failure::error(Code::Usage, message));
    }
    Scripts::new(args.peers.clone(), own).context("cannot write the programs of the peers")
}

fn settings(args: &Args, scripts: Scripts) -> anyhow::Result<Settings> {
    let shared =
        std::env::var_os("GENESIS_SHARED").map(|shared| PathBuf::from(shared).join("data"));
    let python = args.python.clone().unwrap_or_else(|| "python3".into());
    Ok(Settings {
        genesis: std::env::current_exe().context("cannot find this program's own file")?,
        mace_python: args.mace_python.clone().unwrap_or_else(|| python.clone()),
        python,
        scripts,
        data: args.data.clone().or(shared),
        threads: rayon::current_num_threads(),
        steps: args.steps.map(usize::from),
        device: args.device.device,
        kernels: args.kernels.into(),
        compiled: !args.eager_only,
    })
}

fn names(duels: &[Duel]) -> Vec<&str> {
    duels.iter().flat_map(|duel| &duel.measures).map(|it| it.name.as_str()).collect()
}

/// Runs everything, and says on stderr what is done.
fn measure(duels: &[Duel], rounds: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    for (at, duel) in duels.iter().enumerate() {
        let what = names(std::slice::from_ref(duel)).join(", ");
        console::note(format!("[{}/{}] {what}", at + 1, duels.len()));
        let found = fight(duel, rounds, &mut Program::run);
        for row in &found {
            match (&row.outcome, row.ratio()) {
                (Outcome::Measured(it), Some(ratio)) => console::note(format!(
                    "  {}: {:.4} against {:.4} {} of {}, ratio {ratio:.2}",
                    row.name, it.ours, it.peer, row.unit, it.peer_variant
                )),
                (Outcome::Failed(reason) | Outcome::Skipped(reason), _) => {
                    console::note(format!("  {}: {reason}", row.name));
                }
                (Outcome::Measured(_), None) => {}
            }
        }
        rows.extend(found);
    }
    rows
}

fn finish(rows: &[Row]) -> anyhow::Result<Code> {
    let failed: Vec<&str> = rows
        .iter()
        .filter(|row| matches!(row.outcome, Outcome::Failed(_)))
        .map(|row| row.name.as_str())
        .collect();
    if failed.is_empty() {
        return Ok(Code::Done);
    }
    let message = format!("{} of {} rows failed: {}", failed.len(), rows.len(), failed.join(", "));
    Err(Failure::error(Code::Unexpected, message))
}
