//! `genesis spawn` on a machine without a GPU: ranks over MPI, and what is refused.

mod support;

use support::Bench;

/// Four steps of milliseconds, in two parts that are summed in a fixed order.
const RUN: &str = r#"
run = { dir = "run", seed = 7, threads = 1 }
data.generate = { kind = "molecules", count = 300, seed = 3 }
model = { kind = "llama", context = 16, num_layers = 1, num_heads = 2, width = 8 }
objective = { kind = "causal", context = 16 }
batch = { sequences = 4 }
parallel = { deterministic = true, parts = 2 }
schedule = { steps = 4, peak_rate = 1e-3, decay = { kind = "none" } }
"#;

#[test]
fn what_spawn_cannot_start_is_refused_with_the_way_out() {
    let bench = Bench::new();
    bench.write("run.toml", RUN);
    for (words, parts) in [
        (vec!["--processes", "2", "verify", "run"], vec!["`verify` is no work of several ranks"]),
        (vec!["--processes", "2", "train", "not-there.toml"], vec!["not-there.toml"]),
        (
            vec!["--processes", "2", "train", "run.toml", "--set", "schedule.stepz=1"],
            vec!["did you mean `steps`"],
        ),
    ] {
        let said = bench.run(&[&["spawn"], &words[..]].concat());
        assert_eq!(said.code, Some(2), "{}", said.stderr);
        assert!(parts.iter().all(|part| said.stderr.contains(part)), "{}", said.stderr);
    }
    let mut command = bench.command(&["spawn", "--processes", "2", "train", "run.toml"]);
    let nested = command.env("RANK", "0").env("WORLD_SIZE", "2").output().expect("it starts");
    let said = support::Said::from(nested);
    assert!(said.stderr.contains("`spawn` is a launcher itself"), "{}", said.stderr);
    assert!(!bench.path("run").exists(), "nothing was begun");
}

#[cfg(not(feature = "mpi"))]
#[test]
fn ranks_on_the_cpu_need_mpi() {
    let bench = Bench::new();
    bench.write("run.toml", RUN);
    let said = bench.run(&["spawn", "--processes", "2", "train", "run.toml"]);
    assert_eq!(said.code, Some(2), "{}", said.stderr);
    assert!(said.stderr.contains("--features mpi"), "{}", said.stderr);
}

#[cfg(feature = "mpi")]
#[test]
fn ranks_on_the_cpu_are_started_by_mpirun_and_give_the_bits_of_one() {
    let bench = Bench::new();
    bench.write("run.toml", RUN);
    bench.succeed(&["train", "run.toml", "--set", "run.dir=alone"]);
    let mpirun = "mpirun --allow-run-as-root --oversubscribe --bind-to none";
    let spawn = ["spawn", "--processes", "2", "--mpirun", mpirun, "train", "run.toml"];
    let said = bench.succeed(&[&spawn[..], &["--set", "run.dir=two"]].concat());
    assert!(said.stderr.contains("2 ranks on"), "{}", said.stderr);
    let (alone, two) = (bench.path("alone"), bench.path("two"));
    assert_eq!(support::losses(&two), support::losses(&alone), "bitwise");

    // One that fails at every start is tried again as often as was asked, and its code is that of `spawn`.
    bench.write("dies", "#!/bin/sh\nexit 3\n");
    let dies = format!("sh {}", bench.path("dies").display());
    let spawn = ["spawn", "--processes", "2", "--restarts", "2", "--mpirun", &dies, "train"];
    let said = bench.run(&[&spawn[..], &["run.toml"]].concat());
    assert_eq!(said.code, Some(3), "{}", said.stderr);
    let told = said.stderr.matches("ended with exit code 3; restart").count();
    assert_eq!(told, 2, "{}", said.stderr);
    assert!(said.stderr.contains("train run.toml --resume"), "{}", said.stderr);
}
