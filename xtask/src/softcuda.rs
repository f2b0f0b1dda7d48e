//! Everything that CUDA is made of, run on a CPU: `cargo xtask softcuda [--seeds N] [--quick] [--ranks]`.
//!
//! Builds the driver in software (`testing/softcuda`), lays it out under the names of NVIDIA's libraries, and runs
//! the tests of the driver, the kernels' device tests and small training runs on it, each with several orders of
//! streams, and runs on several ranks over its NCCL (`--ranks` for these alone). A run of one program must have the same bits for every seed,
//! and for every number of ranks. The last line counts programs, seeds and findings. Not here: what the driver checks.

mod launcher;
mod programs;
mod ranks;

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use crate::stage::Stages;
use launcher::Launcher;
use programs::{Programs, Training};

/// Orders of streams without `--seeds`.
const SEEDS: u64 = 4;

/// What the command line asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Asked {
    seeds: u64,
    quick: bool,
    only_ranks: bool,
}

/// `cargo xtask softcuda`.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<()> {
    let asked = read(arguments)?;
    let mut stages = Stages::default();
    let launcher = stages.run("the driver in software", || Launcher::build(root))?;
    let programs = Programs { root, launcher: &launcher, quick: asked.quick };
    let mut num_programs = 0;
    let mut findings = Vec::new();

    stages.run("the program", || programs.build_genesis())?;
    if !asked.only_ranks {
        let (programs_run, found) = alone(&programs, asked, &mut stages)?;
        num_programs += programs_run;
        findings.extend(found);
    }
    for world in ranks::WORLDS {
        let name = format!("{world} ranks over NCCL");
        findings.extend(stages.run(&name, || programs.ranks(world))?);
    }
    findings.extend(stages.run("2 ranks on 2 GPUs over NCCL", || programs.ranks_on_gpus())?);
    findings.extend(stages.run("sums on 2 GPUs by NCCL", || programs.sums_on_gpus())?);
    findings.extend(stages.run("ranks that are started again", || programs.spawned_ranks())?);
    stages.run("NCCL that fails", || programs.broken_ranks())?;
    num_programs += 1;

    stages.print_times();
    for finding in &findings {
        println!("{finding}");
    }
    let count = findings.len();
    println!("softcuda: {num_programs} programs, {} seeds, {count} findings", asked.seeds);
    if count > 0 {
        bail!("the driver in software found {count} faults");
    }
    Ok(())
}

/// The driver's own tests, and programs of one process: how many, and what was found.
fn alone(
    programs: &Programs<'_>,
    asked: Asked,
    stages: &mut Stages,
) -> Result<(usize, Vec<String>)> {
    let mut num_programs = 0;
    let mut findings = Vec::new();
    stages.run("faults planted on purpose", || programs.planted_faults())?;
    num_programs += 1;
    for seed in 0..asked.seeds {
        let name = format!("kernels on the device, seed {seed}");
        findings.extend(stages.run(&name, || programs.kernels(seed))?);
    }
    num_programs += 1;
    findings.extend(stages.run("doctor", || programs.doctor())?);
    num_programs += 1;
    for training in Training::ALL {
        let mut first: Option<Vec<String>> = None;
        for seed in 0..asked.seeds {
            let name = format!("train {}, seed {seed}", training.name);
            let (losses, found) = stages.run(&name, || programs.train(&training, seed))?;
            findings.extend(found);
            match &first {
                None => first = Some(losses),
                Some(first) => ensure!(
                    *first == losses,
                    "{}: seed {seed} gives {losses:?}, seed 0 gave {first:?}",
                    training.name
                ),
            }
        }
        num_programs += 1;
    }
    Ok((num_programs, findings))
}

fn read(arguments: &[String]) -> Result<Asked> {
    let mut asked = Asked { seeds: SEEDS, quick: false, only_ranks: false };
    let mut named = false;
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--quick" => asked.quick = true,
            "--ranks" => asked.only_ranks = true,
            "--seeds" => {
                let number = rest.next().context("--seeds wants a number")?;
                asked.seeds = number.parse().with_context(|| format!("--seeds {number}"))?;
                named = true;
            }
            other => bail!("`{other}`: softcuda takes --seeds N, --quick and --ranks"),
        }
    }
    if asked.quick && !named {
        asked.seeds = 2;
    }
    ensure!(asked.seeds > 0, "--seeds wants one or more");
    Ok(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_four_two_when_quick_or_as_many_as_named() {
        let of = |arguments: &[&str]| {
            let arguments: Vec<String> = arguments.iter().map(|&text| text.to_owned()).collect();
            read(&arguments).map(|asked| (asked.seeds, asked.quick))
        };
        assert_eq!(of(&[]).unwrap(), (4, false));
        assert_eq!(of(&["--quick"]).unwrap(), (2, true));
        assert_eq!(of(&["--seeds", "32", "--quick"]).unwrap(), (32, true));
        assert!(of(&["--seeds", "0"]).is_err() && of(&["--fast"]).is_err());
    }
}
