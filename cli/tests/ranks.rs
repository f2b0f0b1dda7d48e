//! One run on several processes that a launcher starts.

#![cfg_attr(not(feature = "mpi"), expect(dead_code, reason = "helpers of the tests over MPI"))]

mod support;

#[cfg(not(feature = "mpi"))]
use support::Bench;

/// Twelve steps of milliseconds, in two parts that are summed in a fixed order.
const RUN: &str = r#"
run = { dir = "run", seed = 7, threads = 1 }
data.generate = { kind = "molecules", count = 300, seed = 3 }
model = { kind = "llama", context = 16, num_layers = 1, num_heads = 2, width = 8, dropout = 0.1 }
objective = { kind = "causal", context = 16 }
batch = { sequences = 4 }
parallel = { deterministic = true, parts = 2 }
schedule = { steps = 12, peak_rate = 1e-3, decay = { kind = "none" } }
evaluation = { every = 6 }
checkpoint = { every = 4 }
"#;

/// The same for structures.
const ATOMS: &str = r#"
run = { dir = "run", seed = 7, threads = 1 }
data.generate = { kind = "silicon", frames = 24, seed = 1 }
model = { kind = "mace", channels = 2, max_hidden_degree = 1, r_max_angstrom = 3.0, max_ell = 1, correlation = 2, num_bessel = 4, radial_widths = [4] }
objective = { energy_weight = 1.0, forces_weight = 10.0 }
batch = { frames = 4 }
parallel = { deterministic = true, parts = 2 }
precision = { dtype = "f64" }
schedule = { steps = 12, peak_rate = 0.01, decay = { kind = "none" } }
average = { decay = 0.9 }
evaluation = { every = 6 }
checkpoint = { every = 4 }
"#;

#[cfg(not(feature = "mpi"))]
#[test]
fn a_program_without_mpi_refuses_to_be_one_of_several_ranks() {
    let bench = Bench::new();
    bench.write("run.toml", RUN);
    for (rank, world) in
        [("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"), ("PMI_RANK", "PMI_SIZE")]
    {
        let mut command = bench.command(&["train", "run.toml"]);
        let said = support::Said::from(
            command.env(rank, "1").env(world, "2").output().expect("the binary starts"),
        );
        assert_eq!(said.code, Some(2), "{}", said.stderr);
        assert!(said.stderr.contains("rank 1 of 2") && said.stderr.contains("--features mpi"));
        assert!(!bench.path("run").exists(), "nothing was begun");
    }
    let mut command = bench.command(&["train", "run.toml"]);
    let alone = command.env("OMPI_COMM_WORLD_RANK", "0").env("OMPI_COMM_WORLD_SIZE", "1").output();
    assert!(alone.expect("the binary starts").status.success(), "one rank needs no MPI");
}

#[cfg(feature = "mpi")]
mod over_mpi {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use super::support::{Bench, Said, losses};
    use super::{ATOMS, RUN};

    /// `mpirun` with these words, in the folder of `bench`.
    fn mpirun(bench: &Bench, words: &[&str]) -> Command {
        let genesis = env!("CARGO_BIN_EXE_genesis");
        let mut command = Command::new("mpirun");
        command.current_dir(bench.dir.path()).args(["--allow-run-as-root", "--oversubscribe"]);
        command.args(["--bind-to", "none"]);
        command.args(words.iter().map(|word| if *word == "genesis" { genesis } else { word }));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn on_ranks(bench: &Bench, ranks: &str, more: &[&str]) -> Said {
        let words = [&["-np", ranks, "genesis", "train"], more].concat();
        Said::from(
            mpirun(bench, &words).output().expect("mpirun is installed with the feature mpi"),
        )
    }

    #[test]
    fn two_ranks_give_the_bits_of_one_and_one_goes_on_with_what_two_began() {
        for text in [RUN, ATOMS] {
            let bench = Bench::new();
            bench.write("run.toml", text);
            bench.succeed(&["train", "run.toml", "--set", "run.dir=alone"]);
            let want = losses(&bench.path("alone"));
            let said = on_ranks(&bench, "2", &["run.toml", "--set", "run.dir=two"]);
            assert_eq!(said.code, Some(0), "{}", said.stderr);
            assert!(said.stderr.contains("2 ranks on"), "{}", said.stderr);
            assert_eq!(losses(&bench.path("two")), want, "bitwise");

            let half = ["run.toml", "--set", "run.dir=half", "--set", "schedule.steps=8"];
            assert_eq!(on_ranks(&bench, "2", &half).code, Some(0));
            let said = bench.succeed(&["train", "run.toml", "--set", "run.dir=half", "--resume"]);
            assert!(said.stderr.contains("ranks: 1 now, 2 before"), "{}", said.stderr);
            assert_eq!(losses(&bench.path("half")), want, "bitwise");
            bench.succeed(&["verify", "half"]);
            let sessions =
                std::fs::read_to_string(bench.path("half/sessions.jsonl")).unwrap_or_default();
            assert!(sessions.contains("\"ranks\":2"), "{sessions}");
        }
    }

    #[test]
    fn ranks_with_other_run_files_are_refused_by_name_and_value() {
        let bench = Bench::new();
        bench.write("run.toml", RUN);
        let other = ["--set", "schedule.peak_rate=0.5"];
        let one = ["-np", "1", "genesis", "train", "run.toml"];
        let words = [&one[..], &[":"], &one[..], &other[..]].concat();
        let said = Said::from(mpirun(&bench, &words).output().expect("mpirun"));
        assert_ne!(said.code, Some(0));
        let parts = ["rank 1 on", "another run file", "peak_rate = 0.5", "peak_rate = 0.001"];
        assert!(parts.iter().all(|part| said.stderr.contains(part)), "{}", said.stderr);
        assert!(!bench.path("run").join("events.jsonl").exists());
    }

    #[test]
    fn a_signal_to_the_launcher_saves_once_and_a_killed_rank_ends_all() {
        let endless =
            ["run.toml", "--set", "schedule.steps=1000000", "--set", "evaluation.every=1000000"];
        let bench = Bench::new();
        bench.write("run.toml", RUN);
        for (pattern, signal, saved) in [("mpirun", "-USR1", true), ("rank 1", "-KILL", false)] {
            let resume: &[&str] = if saved { &[] } else { &["--resume"] };
            let words = [&["-np", "2", "genesis", "train"], &endless[..], resume].concat();
            let steps = || {
                if bench.path("run/events.jsonl").exists() {
                    losses(&bench.path("run")).len()
                } else {
                    0
                }
            };
            let before = steps();
            let child = mpirun(&bench, &words).spawn().expect("mpirun");
            let deadline = Instant::now() + Duration::from_mins(2);
            while steps() < before + 10 {
                assert!(Instant::now() < deadline, "ten steps in two minutes");
                std::thread::sleep(Duration::from_millis(10));
            }
            let target = if saved { child.id() } else { second_rank(child.id()) };
            let sent = Command::new("kill").args([signal, &target.to_string()]).status();
            assert!(sent.is_ok_and(|sent| sent.success()), "{pattern}");
            let said = Said::from(child.wait_with_output().expect("it ends"));
            if saved {
                assert_eq!(said.code, Some(5), "{}", said.stderr);
                assert!(said.stderr.contains("stopped and saved"), "{}", said.stderr);
            } else {
                assert_ne!(said.code, Some(0), "{}", said.stderr);
            }
        }
        let newest = bench.names("run/checkpoints").len();
        assert!(newest >= 1, "checkpoints are there");
        let done = losses(&bench.path("run")).last().map_or(0, |(step, _)| *step) + 4;
        let steps = format!("schedule.steps={}", done.next_multiple_of(4));
        let go_on =
            ["train", "run.toml", "--resume", "--set", &steps, "--set", "evaluation.every=1000000"];
        bench.succeed(&go_on);
        bench.succeed(&["verify", "run"]);
    }

    /// The process of rank 1 below a launcher.
    fn second_rank(launcher: u32) -> u32 {
        let below =
            Command::new("pgrep").args(["-P", &launcher.to_string()]).output().expect("pgrep");
        let ids: Vec<u32> = String::from_utf8_lossy(&below.stdout)
            .lines()
            .filter_map(|line| line.parse().ok())
            .collect();
        let is_second = |id: &&u32| {
            let set = std::fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
            set.split(|&byte| byte == 0).any(|it| it == b"OMPI_COMM_WORLD_RANK=1")
        };
        *ids.iter().find(is_second).expect("rank 1 is a child of mpirun")
    }
}
