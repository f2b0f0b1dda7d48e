//! `genesis replay`: a step that could not be trusted, computed again.

use std::path::{Path, PathBuf};

use genesis_train::checkpoint::{self, naming};
use genesis_train::keys::PLAN_FILE;
use genesis_train::trainer::capsule::CAPSULES_FOLDER;

use crate::device::DeviceArgs;
use crate::exit::{Code, Failure, OrExit};
use crate::families;
use crate::family::replay::Asked;
use crate::threads;

/// Compute a step again that was not finite or jumped, from what the run kept of it.
///
/// The run named the folder: `faults/step-…` in its own. It holds the parameters before that step; the samples are read
/// from the run's dataset. Prints what the step comes to here beside what it came to then, as a whole and slice by
/// slice, so that it can be told whether samples, parameters, or a machine made it so.
///
/// Examples:
///   genesis replay runs/a/faults/step-00000122
///   genesis replay runs/a/faults/step-00000122 --device cuda:0 --set data.dataset=/data/proteins
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Folder that the run kept
    capsule: PathBuf,
    /// Override one value of the run's config, such as where the data lie now; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    refuse_a_run(&args.capsule)?;
    let kept = checkpoint::open(&args.capsule).or_exit(Code::Data)?;
    let asked = Asked { overrides: args.overrides.clone(), json: args.json, device: args.device };
    threads::inside(|| families::of_model(&args.capsule)?.replay(&kept, &asked))?;
    Ok(Code::Done)
}

/// Of a run folder it says what there is to choose from.
fn refuse_a_run(path: &Path) -> anyhow::Result<()> {
    if !path.join(PLAN_FILE).is_file() {
        return Ok(());
    }
    let folder = path.join(CAPSULES_FOLDER);
    let kept = naming::committed_steps(&folder).into_iter();
    let kept: Vec<_> =
        kept.map(|step| naming::final_path(&folder, step).display().to_string()).collect();
    let found = if kept.is_empty() {
        "it kept no step: none failed, or `faults.capsules` is 0".to_owned()
    } else {
        format!("name one of the steps that it kept: {}", kept.join(", "))
    };
    Err(Failure::error(Code::Usage, format!("{}: a run; {found}", path.display())))
}
