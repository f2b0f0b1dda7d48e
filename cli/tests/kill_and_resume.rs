//! A run that is killed at any instant goes on with the same bits.

mod support;

use std::time::{Duration, Instant};

use support::{Bench, losses};

const CONFIG: &str = r#"
[run]
dir = "run"
seed = 7
[data]
generate = { kind = "molecules", count = 400, seed = 3 }
[model]
kind = "llama"
context = 32
num_layers = 2
num_heads = 2
width = 32
[objective]
kind = "causal"
context = 32
[batch]
sequences = 4
accumulation = 2
[schedule]
steps = 60
peak_rate = 1e-3
warmup_steps = 5
decay = { kind = "cosine", floor_ratio = 0.1 }
[evaluation]
every = 20
max_sequences = 8
[checkpoint]
every = 7
keep_last = 2
"#;

#[test]
fn losses_after_kills_are_bitwise_those_of_an_uninterrupted_run() {
    let bench = Bench::new();
    bench.write("config.toml", CONFIG);
    bench.succeed(&["train", "config.toml", "--set", "run.dir=straight"]);
    let straight = losses(&bench.path("straight"));
    assert_eq!(straight.len(), 60, "one event with a loss per step");

    for kill_at in [3, 17, 41] {
        kill_when_step_is_reached(&bench, kill_at);
    }
    bench.succeed(&["train", "config.toml", "--set", "run.dir=killed", "--resume"]);
    assert_eq!(losses(&bench.path("killed")), straight, "bitwise");
    bench.succeed(&["verify", "killed"]);
}

/// Starts or resumes the run and sends SIGKILL once `step` is in its events.
fn kill_when_step_is_reached(bench: &Bench, step: u64) {
    let run = bench.path("killed");
    let mut args = vec!["train", "config.toml", "--set", "run.dir=killed"];
    if run.exists() {
        args.push("--resume");
    }
    let mut child = bench.command(&args).spawn().expect("the binary starts");
    let deadline = Instant::now() + Duration::from_mins(2);
    while !run.join("events.jsonl").exists()
        || losses(&run).last().is_none_or(|(last, _)| *last < step)
    {
        assert!(Instant::now() < deadline, "step {step} was not reached in two minutes");
        std::thread::sleep(Duration::from_millis(3));
    }
    child.kill().expect("SIGKILL");
    child.wait().expect("the child is gone");
}
