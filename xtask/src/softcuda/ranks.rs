//! Several ranks of the program over the NCCL in software, and what they say when it fails.
//!
//! Ranks are started as any launcher does it, with the names of torchrun. Those that compute on the CPU use NCCL
//! for their sums alone, which is quick; two compute on GPUs of the driver in software.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::launcher::findings;
use super::programs::{Programs, losses};

/// Numbers of ranks that a run is tried with; all give the bits of one.
pub(super) const WORLDS: [usize; 2] = [2, 4];

/// A step in four parts, which one, two and four ranks share.
const RUN: [&str; 12] = [
    "model={kind=\"gpt2\",context=32,num_layers=2,num_heads=2,width=32,dropout=0.1}",
    "data.generate.count=200",
    "objective.context=32",
    "batch.sequences=4",
    "schedule.steps=4",
    "schedule.warmup_steps=1",
    "evaluation.every=2",
    "evaluation.max_sequences=4",
    "parallel.deterministic=true",
    "parallel.parts=4",
    "parallel.engine=\"nccl\"",
    "parallel.join_limit_s=20",
];

/// Sums are the engine's own, in its order; there are no parts then.
const SUMS_BY_ENGINE: &str = "parallel.deterministic=false";

/// What is planted, and what the output must say.
struct Broken {
    name: &'static str,
    variables: &'static [(&'static str, &'static str)],
    set: &'static [&'static str],
    has_nccl: bool,
    says: &'static [&'static str],
}

const BROKEN: [Broken; 5] = [
    Broken {
        name: "missing",
        variables: &[],
        set: &[],
        has_nccl: false,
        says: &["libnccl.so.2 is not found", "LD_LIBRARY_PATH", "parallel.engine = \"mpi\""],
    },
    Broken {
        name: "old",
        variables: &[("GENESIS_SOFTCUDA_NCCL_VERSION", "21304")],
        set: &[],
        has_nccl: true,
        says: &["version 2.13.4", "2.14.0 or later"],
    },
    Broken {
        name: "hangs",
        variables: &[("GENESIS_SOFTCUDA_NCCL_HANG", "1")],
        set: &["parallel.join_limit_s=2"],
        has_nccl: true,
        says: &["not ready after 2 s", "NCCL_SOCKET_IFNAME"],
    },
    Broken {
        name: "fails",
        variables: &[
            ("GENESIS_SOFTCUDA_NCCL_FAIL_AT", "12"),
            ("GENESIS_SOFTCUDA_NCCL_FAIL_RANK", "1"),
        ],
        set: &[],
        has_nccl: true,
        says: &[
            "rank 1 on",
            "unhandled system error",
            "(planted)",
            "remote process",
            "NCCL_DEBUG=INFO",
        ],
    },
    Broken {
        name: "one-gpu",
        variables: &[("GENESIS_SOFTCUDA_DEVICES", "1")],
        set: &[],
        has_nccl: true,
        says: &[
            "rank 0 on",
            "rank 1 on",
            "both take the GPU",
            "as many ranks on a host as it has GPUs",
        ],
    },
];

impl Programs<'_> {
    /// A run on one rank, then on `world`: the same losses; what was found.
    pub(super) fn ranks(&self, world: usize) -> Result<Vec<String>> {
        self.equal_to_one(world, &["run.device=\"cpu\""])
    }

    /// The same where each rank computes on a GPU of its own.
    pub(super) fn ranks_on_gpus(&self) -> Result<Vec<String>> {
        self.equal_to_one(2, &["run.device=\"cuda\"", "schedule.steps=2"])
    }

    /// The same with sums by the engine, which stay on the GPUs, whatever ranks divide among them: losses within
    /// rounding of those of one rank.
    pub(super) fn sums_on_gpus(&self) -> Result<Vec<String>> {
        let on_gpus =
            ["run.device=\"cuda\"", "schedule.steps=2", "model.dropout=0", SUMS_BY_ENGINE];
        let (alone, mut found) = self.losses_of(1, &on_gpus)?;
        for zero in ["parallel.zero=0", "parallel.zero=1", "parallel.zero=2"] {
            let set = [&on_gpus[..], &[zero]].concat();
            let (together, found_too) = self.losses_of(2, &set)?;
            found.extend(found_too);
            ensure!(
                alone.len() == together.len() && alone.iter().zip(&together).all(are_close),
                "2 ranks with {zero} give {together:?}, one gives {alone:?}"
            );
        }
        Ok(found)
    }

    fn equal_to_one(&self, world: usize, more: &[&str]) -> Result<Vec<String>> {
        let (alone, found) = self.losses_of(1, more)?;
        let (together, found_too) = self.losses_of(world, more)?;
        ensure!(!alone.is_empty(), "one rank has no losses");
        ensure!(alone == together, "{world} ranks give {together:?}, one gives {alone:?}");
        Ok([found, found_too].concat())
    }

    fn losses_of(&self, world: usize, more: &[&str]) -> Result<(Vec<String>, Vec<String>)> {
        let device = if more.iter().any(|it| it.contains("cuda")) { "cuda" } else { "cpu" };
        let name = format!("ranks-{world}-{device}");
        let ranks = Ranks { name: &name, world, set: more, variables: &[], has_nccl: true };
        let ended = self.start(&ranks)?;
        for (rank, output) in ended.iter().enumerate() {
            ensure!(
                output.status.success(),
                "rank {rank} of {world} ended with {}:\n{}",
                output.status,
                said(output)
            );
        }
        let is_told = world == 1 || said(&ended[0]).contains("over NCCL 2.27.3, within one host");
        ensure!(is_told, "the engine is not told:\n{}", said(&ended[0]));
        let events = self.launcher.folder_of_run(&name).join("events.jsonl");
        let events =
            fs::read_to_string(&events).with_context(|| format!("no {}", events.display()))?;
        Ok((losses(&events), findings(&self.launcher.report_of(&name))?))
    }

    /// Every rank ends and says why where NCCL is missing, old, hangs or fails, or two take one GPU.
    pub(super) fn broken_ranks(&self) -> Result<()> {
        for broken in &BROKEN {
            let Broken { name, variables, set, has_nccl, says } = *broken;
            let set = [set, &["run.device=\"cpu\""]].concat();
            let name = format!("broken-{name}");
            let ended =
                self.start(&Ranks { name: &name, world: 2, set: &set, variables, has_nccl })?;
            let all: String = ended.iter().map(said).collect();
            ensure!(
                ended.iter().all(|it| !it.status.success()),
                "{name}: a rank succeeded:\n{all}"
            );
            for part in says {
                ensure!(all.contains(part), "{name} does not say `{part}`:\n{all}");
            }
        }
        Ok(())
    }

    /// `genesis spawn` starts ranks again of which one was killed: the run ends with the loss of one rank alone.
    pub(super) fn spawned_ranks(&self) -> Result<Vec<String>> {
        let longer = ["run.device=\"cpu\"", "schedule.steps=60", "checkpoint.every=5"];
        let (alone, mut found) = self.losses_of(1, &longer)?;
        let (report, folder) =
            (self.launcher.report("spawned")?, self.launcher.run_folder("spawned")?);
        let mut command = self.genesis_with(&report);
        command.args(["spawn", "--processes", "2", "--restarts", "1"]);
        command.args(arguments(&longer, &folder)).env("GENESIS_SOFTCUDA_DEVICES", "2");
        command.env("LD_LIBRARY_PATH", self.launcher.with_nccl());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let spawn = command.spawn().context("cannot start genesis spawn")?;
        let events = || fs::read_to_string(folder.join("events.jsonl")).unwrap_or_default();
        let until = Instant::now() + Duration::from_mins(2);
        while losses(&events()).len() < 8 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        let killed = rank_below(spawn.id(), 1).context("rank 1 is a child of spawn")?;
        ensure!(Command::new("kill").args(["-KILL", &killed]).status()?.success(), "kill {killed}");
        let output = spawn.wait_with_output()?;
        let all = said(&output);
        ensure!(output.status.success(), "spawn ended with {}:\n{all}", output.status);
        for part in ["rank 1 (process", "SIGKILL", "restart 1 of 1 with 2 ranks"] {
            ensure!(all.contains(part), "spawn does not say `{part}`:\n{all}");
        }
        let (last, want) = (losses(&events()).pop(), alone.last().cloned());
        ensure!(last == want, "it ends with {last:?}, one rank with {want:?}");
        found.extend(findings(&report)?);
        Ok(found)
    }

    fn genesis_with(&self, report: &Path) -> Command {
        let mut command = Command::new(self.root.join("target/debug/genesis"));
        command.current_dir(self.root).envs(self.launcher.variables(0, report));
        command
    }

    /// Starts all ranks and waits for them.
    fn start(&self, ranks: &Ranks<'_>) -> Result<Vec<Output>> {
        let report = self.launcher.report(ranks.name)?;
        let folder = self.launcher.run_folder(ranks.name)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().to_string();
        let start = |rank: usize| -> Result<Child> {
            let mut command = self.genesis_with(&report);
            command.args(arguments(ranks.set, &folder));
            command.env("GENESIS_SOFTCUDA_SEED", rank.to_string());
            command.env("GENESIS_SOFTCUDA_DEVICES", ranks.world.to_string());
            if ranks.has_nccl {
                command.env("LD_LIBRARY_PATH", self.launcher.with_nccl());
            }
            if ranks.world > 1 {
                let world = ranks.world.to_string();
                command.env("RANK", rank.to_string()).env("LOCAL_RANK", rank.to_string());
                command.env("WORLD_SIZE", &world).env("LOCAL_WORLD_SIZE", &world);
                command.env("MASTER_ADDR", "127.0.0.1").env("MASTER_PORT", &port);
                command.env("GENESIS_RENDEZVOUS_SECRET", "of this test");
            }
            command.envs(ranks.variables.iter().copied());
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().context("cannot start genesis")
        };
        let started: Result<Vec<Child>> = (0..ranks.world).map(start).collect();
        let wait = |child: Child| child.wait_with_output().context("cannot wait for genesis");
        started?.into_iter().map(wait).collect()
    }
}

/// Ranks of one run.
struct Ranks<'a> {
    name: &'a str,
    world: usize,
    set: &'a [&'a str],
    variables: &'a [(&'a str, &'a str)],
    has_nccl: bool,
}

/// The command of a rank.
/// Whether two losses, as they are written, differ by rounding alone.
fn are_close((a, b): (&String, &String)) -> bool {
    let number = |text: &String| text.parse::<f64>().unwrap_or(f64::NAN);
    (number(a) - number(b)).abs() <= 1e-5 * number(a).abs()
}

fn arguments(set: &[&str], folder: &Path) -> Vec<String> {
    let run_dir = format!("run.dir={:?}", folder.to_string_lossy());
    let sums_by_engine = set.contains(&SUMS_BY_ENGINE);
    let run = RUN.iter().filter(|it| !(sums_by_engine && it.starts_with("parallel.parts")));
    let set = run.chain(set).copied().chain(["run.threads=1", &run_dir]);
    let set = set.flat_map(|setting| ["--set", setting]);
    ["train", "configs/transformer/quickstart.toml"]
        .into_iter()
        .chain(set)
        .map(str::to_owned)
        .collect()
}

/// The process of a rank that `spawn` started.
fn rank_below(spawn: u32, rank: usize) -> Option<String> {
    let below = Command::new("pgrep").args(["-P", &spawn.to_string()]).output().ok()?;
    let is_it = |id: &&str| {
        let set = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
        set.split(|&byte| byte == 0).any(|it| it == format!("LOCAL_RANK={rank}").as_bytes())
    };
    String::from_utf8_lossy(&below.stdout).lines().find(is_it).map(str::to_owned)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
