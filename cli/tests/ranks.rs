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

#[test]
fn a_preflight_of_one_rank_measures_it_and_refuses_a_run_without_room() {
    let bench = support::Bench::new();
    bench.write("run.toml", RUN);
    let said = bench.succeed(&["preflight", "run.toml", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&said.stdout).expect("one JSON object");
    let rank = &report["of_ranks"][0];
    for rate in ["flops_per_s", "memory_bytes_per_s"] {
        assert!(rank[rate].as_f64().is_some_and(|rate| rate > 1e6), "{report}");
    }
    let states = 3 * 4 * report["demand"]["checkpoint_bytes"].as_u64().expect("bytes") / 12;
    assert!(states > 0 && report["demand"]["rank_bytes"].as_u64() > Some(states), "{report}");
    assert!(!bench.path("run").exists(), "nothing is written");
    let endless = ["preflight", "run.toml", "--set", "checkpoint.keep_last=1000000000000"];
    let said = bench.run(&endless);
    assert_eq!(said.code, Some(3), "{}", said.stderr);
    for part in ["free where run/checkpoints lies", "checkpoints of", "lower checkpoint.keep_last"]
    {
        assert!(said.stderr.contains(part), "{part} in {}", said.stderr);
    }
}

#[test]
fn a_plan_of_many_hosts_says_time_efficiency_and_memory_and_refuses_what_cannot_be_shared() {
    let bench = support::Bench::new();
    bench.write("run.toml", RUN);
    let hosts =
        ["plan", "run.toml", "--nodes", "4", "--link", "20us:1GB/s", "--step-seconds", "0.5"];
    let said = bench.succeed(&[&hosts[..], &["--json"]].concat());
    let plan: serde_json::Value = serde_json::from_str(&said.stdout).expect("one JSON object");
    let steps = plan["forecast"]["steps"].as_array().expect("steps").clone();
    let ranks: Vec<u64> = steps.iter().filter_map(|it| it["ranks"].as_u64()).collect();
    assert_eq!(ranks, [1, 2, 4]);
    let efficiency: Vec<f64> = steps.iter().filter_map(|it| it["efficiency"].as_f64()).collect();
    assert!(efficiency.windows(2).all(|it| it[0] > it[1]) && efficiency[2] > 0.9, "{plan}");
    let shared = &plan["forecast"]["state_bytes"][2];
    let [whole, part] =
        ["zero_0", "zero_2"].map(|stage| shared[stage]["moments"].as_u64().expect("bytes"));
    assert_eq!(whole, 4 * part, "2,216 parameters on 4 ranks");

    let said = bench.succeed(&hosts);
    for part in ["efficiency", "ZeRO", "on one rank 0.5000 s", "of activations (estimate)"] {
        assert!(said.stdout.contains(part), "{part} in {}", said.stdout);
    }
    let eight = [&hosts[..2], &["--nodes", "8"], &hosts[4..]].concat();
    let said = bench.run(&eight);
    assert_eq!(said.code, Some(2));
    assert!(said.stderr.contains("4 sequences cannot be shared by 8 ranks"), "{}", said.stderr);
    bench.succeed(&[&eight[..], &["--grow"]].concat());
    let said =
        bench.run(&["plan", "run.toml", "--nodes", "2", "--link", "fast", "--step-seconds", "1"]);
    assert!(said.code == Some(2) && said.stderr.contains("25us:1.2GB/s"), "{}", said.stderr);

    bench.succeed(&["train", "run.toml"]);
    let timed = [&hosts[..6], &["--step-seconds", "run"]].concat();
    assert!(bench.succeed(&timed).stdout.contains("a step on one rank 0."));
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

    #[test]
    fn ranks_look_at_each_other_before_the_first_step_and_refuse_a_run_without_room() {
        let bench = Bench::new();
        bench.write("run.toml", RUN);
        let words = ["-np", "2", "genesis", "preflight", "run.toml"];
        let said = Said::from(mpirun(&bench, &words).output().expect("mpirun"));
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        for part in
            ["2 ranks on", "all-reduce over", "1 of 1 links", "clocks differ", "4 checkpoints"]
        {
            assert!(said.stdout.contains(part), "{part} in {}", said.stdout);
        }
        let said = on_ranks(&bench, "2", &["run.toml", "--set", "run.dir=fit"]);
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        let kept = std::fs::read_to_string(bench.path("fit/preflight.json")).expect("it is kept");
        assert!(kept.contains("\"all_reduce\"") && said.stderr.contains("preflight: 2 ranks on"));
        let endless = ["run.toml", "--set", "checkpoint.keep_last=1000000000000"];
        let said = on_ranks(&bench, "2", &endless);
        assert_eq!(said.code, Some(3), "{}", said.stderr);
        assert_eq!(said.stderr.matches("error: rank 0 on").count(), 1, "{}", said.stderr);
        assert!(said.stderr.contains("free where run/checkpoints lies"), "{}", said.stderr);
        assert!(!bench.path("run/checkpoints").exists(), "nothing was trained");
    }

    /// `scripts/cluster/failures/kills.py` does it a hundred times.
    #[test]
    fn a_rank_killed_at_any_instant_costs_the_steps_since_the_last_checkpoint_and_no_bit() {
        let bench = Bench::new();
        bench.write("run.toml", RUN);
        let long = ["run.toml", "--set", "schedule.steps=1000", "--set", "evaluation.every=1000"];
        let more = ["--set", "checkpoint.every=10", "--set", "data.generate.count=3000"];
        let run = [&long[..], &more[..]].concat();
        let committed = || {
            if !bench.path("run/checkpoints").exists() {
                return 0;
            }
            let names = bench.names("run/checkpoints");
            names.iter().filter_map(|it| it.strip_prefix("step-")?.parse().ok()).max().unwrap_or(0)
        };
        for (steps, wait_ms) in [(3, 1), (40, 17), (75, 5)] {
            let before = committed();
            let words = [&["-np", "2", "genesis", "train"], &run[..], &["--resume"]].concat();
            let child = mpirun(&bench, &words).spawn().expect("mpirun");
            let deadline = Instant::now() + Duration::from_mins(2);
            let done = || {
                let has_begun = bench.path("run/events.jsonl").exists();
                if has_begun { losses(&bench.path("run")).last().map_or(0, |it| it.0) } else { 0 }
            };
            while done() < before + steps {
                assert!(Instant::now() < deadline, "{steps} steps in two minutes");
                std::thread::sleep(Duration::from_millis(2));
            }
            std::thread::sleep(Duration::from_millis(wait_ms));
            let target = second_rank(child.id()).to_string();
            let sent = Command::new("kill").args(["-KILL", &target]).status();
            assert!(sent.is_ok_and(|sent| sent.success()));
            let said = Said::from(child.wait_with_output().expect("it ends"));
            assert_ne!(said.code, Some(0), "{}", said.stderr);
            assert!(committed() + 20 >= done(), "{} after {}", committed(), done());
        }
        let words = [&run[..], &["--resume"]].concat();
        let said = on_ranks(&bench, "2", &words);
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        let alone = [&["train"], &run[..], &["--set", "run.dir=alone"]].concat();
        bench.succeed(&alone);
        assert_eq!(losses(&bench.path("run")), losses(&bench.path("alone")), "bitwise");
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
