//! The programs that run on the driver in software, and what each must say.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::launcher::{Launcher, findings};
use crate::stage::{cargo, has_subcommand, must_succeed, shown, with_all};

/// The device tests of the kernels. Those on large arrays show what a real device does under load, and take
/// hours on a CPU.
const KERNELS: &str = "test(on_the_device) or test(a_device_) or test(two_threads_of_burns_work)";
const QUICK: &str = "test(on_the_device) & !test(norms)";

/// Starts programs.
pub(super) struct Programs<'a> {
    pub(super) root: &'a Path,
    pub(super) launcher: &'a Launcher,
    pub(super) quick: bool,
}

/// A small training run: a run file, and what is different.
pub(super) struct Training {
    pub(super) name: &'static str,
    config: &'static str,
    set: &'static [&'static str],
}

const SEQUENCES: [&str; 6] = [
    "data.generate.count=200",
    "objective.context=32",
    "batch.sequences=2",
    "schedule.steps=3",
    "schedule.warmup_steps=1",
    "evaluation.max_sequences=4",
];
const ATOMS: [&str; 5] = [
    "data.generate.frames=20",
    "batch.frames=1",
    "schedule.steps=3",
    "schedule.warmup_steps=1",
    "report.tensorboard=false",
];

impl Training {
    pub(super) const ALL: [Self; 4] = [
        Self {
            name: "gpt2",
            config: "configs/transformer/quickstart.toml",
            set: &[
                "model={kind=\"gpt2\",context=32,num_layers=2,num_heads=2,width=32,dropout=0.1}",
            ],
        },
        Self {
            name: "llama",
            config: "configs/transformer/quickstart.toml",
            set: &[
                "model.context=32",
                "model.num_layers=2",
                "model.width=32",
                "model.feed_forward_width=64",
                "precision.compute=\"bf16\"",
            ],
        },
        Self {
            name: "esm2",
            config: "configs/transformer/quickstart.toml",
            set: &[
                "model={kind=\"esm2\",context=32,num_layers=2,num_heads=2,width=32}",
                "objective.kind=\"masked\"",
            ],
        },
        Self {
            name: "mace",
            config: "configs/equivariant/quickstart.toml",
            set: &["model.channels=4", "model.radial_widths=[8]"],
        },
    ];

    fn settings(&self) -> impl Iterator<Item = &'static str> {
        let of = if self.name == "mace" { &ATOMS[..] } else { &SEQUENCES[..] };
        of.iter().chain(self.set).copied()
    }
}

impl Programs<'_> {
    /// The driver finds what is planted.
    pub(super) fn planted_faults(&self) -> Result<()> {
        must_succeed(self.launcher.cargo(&["test"]))
    }

    /// The device tests of the kernels; what was found.
    pub(super) fn kernels(&self, seed: u64) -> Result<Vec<String>> {
        let report = self.launcher.report(&format!("kernels-{seed}"))?;
        let runner = self.launcher.runner(seed, &report)?;
        ensure!(has_subcommand(self.root, "nextest"), "the device tests need cargo-nextest");
        let filter = if self.quick { QUICK } else { KERNELS };
        let mut command = cargo(
            self.root,
            &[&["nextest", "run", "--workspace", "--lib"][..], &with_all()].concat(),
        );
        let filter = format!("package(genesis-kernels) and ({filter})");
        command.args(["--no-fail-fast", "-E", &filter]).env(runner_variable(), runner);
        must_succeed(command)?;
        findings(&report)
    }

    /// The program, with CUDA.
    pub(super) fn build_genesis(&self) -> Result<()> {
        let arguments = [&["build", "--workspace", "--bin", "genesis"][..], &with_all()].concat();
        must_succeed(cargo(self.root, &arguments))
    }

    /// `genesis doctor` finds the device.
    pub(super) fn doctor(&self) -> Result<Vec<String>> {
        let report = self.launcher.report("doctor")?;
        let said = self.genesis(0, &report, &["doctor"])?;
        ensure!(said.contains("softcuda"), "doctor does not name the device:\n{said}");
        findings(&report)
    }

    /// A training run: its losses as written, and what was found.
    pub(super) fn train(
        &self,
        training: &Training,
        seed: u64,
    ) -> Result<(Vec<String>, Vec<String>)> {
        let name = format!("{}-{seed}", training.name);
        let (report, folder) =
            (self.launcher.report(&format!("train-{name}"))?, self.launcher.run_folder(&name)?);
        let run_dir = format!("run.dir={:?}", folder.to_string_lossy());
        let mut arguments = vec!["train", training.config];
        let of_all = ["run.device=\"cuda:0\"", "run.threads=1", run_dir.as_str()];
        arguments.extend(training.settings().flat_map(|setting| ["--set", setting]));
        arguments.extend(of_all.into_iter().flat_map(|setting| ["--set", setting]));
        self.genesis(seed, &report, &arguments)?;
        let events = fs::read_to_string(folder.join("events.jsonl"))
            .with_context(|| format!("{name} wrote no events"))?;
        let losses = losses(&events);
        ensure!(!losses.is_empty(), "{name} has no losses");
        Ok((losses, findings(&report)?))
    }

    fn genesis(&self, seed: u64, report: &Path, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(self.root.join("target/debug/genesis"));
        command.args(arguments).current_dir(self.root);
        command.envs(self.launcher.variables(seed, report));
        let shown = shown(&command);
        let output = command.output().with_context(|| format!("cannot run `{shown}`"))?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            bail!("`{shown}` ended with {}:\n{said}", output.status);
        }
        Ok(said)
    }
}

/// The variable that names what cargo puts before a program of this machine.
fn runner_variable() -> String {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    format!("CARGO_TARGET_{}_RUNNER", target.to_uppercase().replace('-', "_"))
}

/// Every number called `loss` or ending in `_loss`, as it is written.
pub(super) fn losses(events: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, key) in events.match_indices("loss\":") {
        let value = &events[at + key.len()..];
        let end = value.find([',', '}']).unwrap_or(value.len());
        found.push(value[..end].to_owned());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_taken_as_they_are_written() {
        let events =
            "{\"step\":1,\"loss\":2.50,\"x\":1}\n{\"step\":2,\"loss\":1.0,\"val_loss\":3.25}\n";
        assert_eq!(losses(events), ["2.50", "1.0", "3.25"]);
    }
}
