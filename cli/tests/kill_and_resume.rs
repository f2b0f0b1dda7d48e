//! A run that is killed or stopped at any instant goes on with the same bits, and its records say what
//! happened.

mod support;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use support::{Bench, Said, losses};

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

/// A run that takes milliseconds a step, and as many as it is given.
const TINY: &str = r#"
run = { dir = "run", seed = 7, threads = 1 }
data.generate = { kind = "molecules", count = 300, seed = 3 }
model = { kind = "gpt2", context = 16, num_layers = 1, num_heads = 2, width = 8 }
objective = { kind = "causal", context = 16 }
batch = { sequences = 2 }
schedule = { steps = 12, peak_rate = 1e-3, decay = { kind = "none" } }
evaluation = { every = 6, max_sequences = 8 }
checkpoint = { every = 4 }
"#;

/// Settings of a run that goes on until it is stopped.
const ENDLESS: [&str; 6] = [
    "--set",
    "schedule.steps=1000000",
    "--set",
    "evaluation.every=1000000",
    "--set",
    "checkpoint.every=1000000",
];

fn tiny() -> Bench {
    let bench = Bench::new();
    bench.write("tiny.toml", TINY);
    bench
}

/// Starts `genesis train tiny.toml` with `more` and waits until `file` of the run has `lines` lines.
fn train_until(bench: &Bench, more: &[&str], file: &str, lines: usize) -> Child {
    let args = [&["train", "tiny.toml"], more].concat();
    let child = bench.command(&args).stderr(Stdio::piped()).spawn().expect("the binary starts");
    let deadline = Instant::now() + Duration::from_mins(2);
    let text = || std::fs::read_to_string(bench.path("run").join(file)).unwrap_or_default();
    while text().lines().count() < lines {
        assert!(Instant::now() < deadline, "{lines} lines of {file} in two minutes");
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()), "kill {name}");
}

/// The last line of the notes, events and sessions of the run.
fn last_words(bench: &Bench) -> [String; 3] {
    ["run.log", "events.jsonl", "sessions.jsonl"].map(|file| {
        let text = std::fs::read_to_string(bench.path("run").join(file)).expect(file);
        text.lines().last().unwrap_or_default().to_owned()
    })
}

#[test]
fn every_signal_saves_is_acknowledged_and_is_in_the_records() {
    for name in ["HUP", "USR2", "XCPU", "TERM"] {
        let bench = tiny();
        let child = train_until(&bench, &ENDLESS, "events.jsonl", 3);
        signal(&child, &format!("-{name}"));
        let said = Said::from(child.wait_with_output().expect("it ends"));
        assert_eq!(said.code, Some(5), "SIG{name}: {}", said.stderr);
        assert!(said.stderr.contains(&format!("SIG{name}: stopping")), "{}", said.stderr);
        assert_eq!(bench.names("run/checkpoints").len(), 1, "SIG{name} saved");
        for words in last_words(&bench) {
            assert!(words.contains(&format!("SIG{name}")), "{words}");
        }
        let page = std::fs::read_to_string(bench.path("run/report.html")).expect("a page");
        assert!(page.contains("Stopped before its end"), "the page says so");
    }
}

#[test]
fn the_same_signal_again_ends_at_once_and_the_time_that_is_given_ends_well() {
    let bench = tiny();
    let child = train_until(&bench, &ENDLESS, "events.jsonl", 3);
    for _ in 0..50 {
        signal(&child, "-TERM");
    }
    let said = Said::from(child.wait_with_output().expect("it ends"));
    // One of the two was first: the save, or the second signal.
    assert!([Some(143), Some(5)].contains(&said.code), "{:?}", said.code);

    let bench = tiny();
    let args = [&["train", "tiny.toml", "--max-minutes", "0.01"], &ENDLESS[..]].concat();
    let said = bench.run(&args);
    assert_eq!(said.code, Some(5), "{}", said.stderr);
    assert!(said.stderr.contains("--max-minutes"), "{}", said.stderr);
    bench.fail(&["train", "tiny.toml", "--max-minutes", "0"], 2, &["--max-minutes"]);
}

#[test]
fn a_run_folder_has_one_process_and_a_file_in_it_asks_for_a_checkpoint() {
    let bench = tiny();
    let mut child = train_until(&bench, &ENDLESS, "events.jsonl", 3);
    let holder = format!("process {}", child.id());
    bench.fail(&["train", "tiny.toml", "--resume"], 2, &[&holder, "run.dir"]);
    bench.write("run/save-now", "");
    let deadline = Instant::now() + Duration::from_mins(1);
    while !bench.path("run/checkpoints").exists() || bench.path("run/save-now").exists() {
        assert!(Instant::now() < deadline, "no checkpoint in a minute");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(child.try_wait().expect("a child").is_none(), "it goes on");
    child.kill().expect("SIGKILL");
    child.wait().expect("the child is gone");
    let said = bench.run(&["train", "tiny.toml", "--resume", "--max-minutes", "0.01"]);
    assert!(said.stderr.contains("killed") && said.stderr.contains(&holder), "{}", said.stderr);
}

#[test]
fn a_run_without_a_checkpoint_keeps_its_record_and_a_moved_one_is_recognised() {
    let bench = tiny();
    let mut child = train_until(&bench, &ENDLESS, "events.jsonl", 5);
    child.kill().expect("SIGKILL");
    child.wait().expect("the child is gone");
    bench.succeed(&["train", "tiny.toml", "--resume"]);
    let abandoned = bench.path("run/events.abandoned.jsonl");
    assert!(std::fs::read_to_string(abandoned).expect("the first record").lines().count() >= 5);
    assert_eq!(losses(&bench.path("run")).len(), 12);

    std::fs::rename(bench.path("run"), bench.path("moved")).expect("a rename");
    let more = ["train", "moved/plan.toml", "--set", "schedule.steps=14", "--resume"];
    let said = bench.succeed(&more);
    assert!(said.stderr.contains("moved or copied"), "{}", said.stderr);
    assert_eq!(losses(&bench.path("moved")).len(), 14);
    assert!(!bench.path("run").exists(), "nothing where it was");
}

#[test]
fn a_run_that_diverged_goes_on_with_what_the_message_advises() {
    let bench = tiny();
    let wild = ["--set", "schedule.peak_rate=1e9", "--set", "checkpoint.every=1"];
    let said = bench.fail(&[&["train", "tiny.toml"], &wild[..]].concat(), 4, &["--from STEP"]);
    for words in last_words(&bench) {
        assert!(words.contains("finite"), "{words} after {}", said.stderr);
    }
    let page = std::fs::read_to_string(bench.path("run/report.html")).expect("a page");
    assert!(page.contains("not finite"), "the page says so");
    let tame = ["train", "tiny.toml", "--set", "schedule.peak_rate=1e-3"];
    let refused = ["--set", "model.width=16", "--resume"];
    bench.fail(&[&tame[..], &refused].concat(), 2, &["model.width", "--weights-only"]);
    let said = bench.run(&[&tame[..], &["--resume"]].concat());
    assert!(said.stderr.contains("a branch from step"), "{}", said.stderr);
    assert_ne!(said.code, Some(2), "{}", said.stderr);
}

#[test]
fn a_finished_run_repeats_nothing_and_its_plan_says_how_many_threads_it_had() {
    let bench = tiny();
    let samples = ["--set", r#"report.sample.prompts=["C"]"#, "--set", "report.sample.count=2"];
    let train = [&["--threads", "2", "train", "tiny.toml"], &samples[..]].concat();
    bench.succeed(&train);
    bench.succeed(&[&train[..], &["--resume"]].concat());
    let lines = |file: &str| std::fs::read_to_string(bench.path(file)).expect(file).lines().count();
    assert_eq!([lines("run/samples.jsonl"), lines("run/events.jsonl")], [2, 12]);
    assert_eq!(bench.names("run/tensorboard").len(), 1);
    let plan = std::fs::read_to_string(bench.path("run/plan.toml")).expect("a plan");
    assert!(plan.contains("# Threads: 2") && plan.contains("threads = 2"), "{plan}");
    assert!(plan.contains("# Checkpoints: every 4 steps"), "{plan}");
    bench.succeed(&["report", "run", "--out", "page.html"]);
    assert!(bench.path("page.html").is_file());
}

#[test]
fn results_that_cannot_be_written_are_no_success() {
    let bench = tiny();
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full");
    if full().is_err() {
        println!("SKIPPED: no /dev/full on this system");
        return;
    }
    for args in [&["plan", "tiny.toml"][..], &["plan", "--keys", "schema"], &["doctor", "--json"]] {
        let output = bench.command(args).stdout(full().expect("opened above")).output();
        let said = Said::from(output.expect("the binary starts"));
        assert_eq!(said.code, Some(3), "{args:?}: {}", said.stderr);
        assert!(said.stderr.contains("standard output"), "{}", said.stderr);
    }
}

#[test]
fn threads_that_the_system_refuses_are_an_error_with_their_number() {
    let bench = tiny();
    let binary = env!("CARGO_BIN_EXE_genesis");
    for more in ["train tiny.toml --set run.threads=600", "--threads 500 train tiny.toml"] {
        let script = format!("ulimit -v 3000000; exec {binary} {more}");
        let output =
            Command::new("sh").args(["-c", &script]).current_dir(bench.dir.path()).output();
        let said = Said::from(output.expect("a shell"));
        assert_eq!(said.code, Some(2), "{}", said.stderr);
        assert!(said.stderr.contains("00 threads") && said.stderr.contains("run.threads"));
        assert!(!said.stderr.contains("panicked"), "{}", said.stderr);
    }
}
