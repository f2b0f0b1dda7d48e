//! Every kind of broken input ends in one clear paragraph, the right exit code and a clean folder.

mod support;

use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;

use support::Bench;

/// Nothing of an output folder called `out` is left, finished or half-written.
fn assert_nothing_left(bench: &Bench) {
    let left: Vec<String> =
        bench.names(".").into_iter().filter(|name| name.starts_with("out")).collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}

#[test]
fn an_empty_file_is_refused_with_its_name() {
    let bench = Bench::new();
    bench.write("empty.fasta", "");
    let args = ["ingest", "empty.fasta", "--tokenizer", "amino-acid", "--out", "out"];
    bench.fail(&args, 3, &["empty.fasta", "empty"]);
    assert_nothing_left(&bench);
}

#[test]
fn a_binary_file_given_as_fasta_is_refused_with_place_and_reason() {
    let bench = Bench::new();
    let noise: Vec<u8> =
        (0..60_000u32).map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()[2]).collect();
    bench.write("noise.bin", noise);
    let args =
        ["ingest", "noise.bin", "--format", "fasta", "--tokenizer", "amino-acid", "--out", "out"];
    bench.fail(&args, 3, &["noise.bin"]);
    assert_nothing_left(&bench);
}

#[test]
fn a_line_of_one_gigabyte_is_refused_without_being_held_in_memory() {
    let bench = Bench::new();
    let path = bench.path("long.txt");
    let mut file = BufWriter::new(std::fs::File::create(&path).expect("scratch file"));
    let piece = vec![b'a'; 1 << 20];
    for _ in 0..1024 {
        file.write_all(&piece).expect("space for one gigabyte");
    }
    file.flush().expect("space for one gigabyte");
    drop(file);
    // Less address space than the line has bytes; enough for code, stacks and read buffers.
    let binary = env!("CARGO_BIN_EXE_genesis");
    let script = format!(
        "ulimit -v 900000; exec {binary} --threads 2 ingest long.txt --document line \
         --tokenizer byte --out out"
    );
    let output = Command::new("sh")
        .args(["-c", &script])
        .current_dir(bench.dir.path())
        .output()
        .expect("a shell");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("long.txt:1:") && stderr.contains("1073741824 bytes"), "{stderr}");
    assert_nothing_left(&bench);
}

#[test]
fn invalid_utf8_is_refused_with_its_byte_offset() {
    let bench = Bench::new();
    bench.write("bad.txt", b"good line\nbad \xff\xfe line\n");
    let args = ["ingest", "bad.txt", "--document", "file", "--tokenizer", "byte", "--out", "out"];
    bench.fail(&args, 3, &["bad.txt", "UTF-8", "14"]);
    assert_nothing_left(&bench);
}

#[test]
fn a_missing_file_is_named() {
    let bench = Bench::new();
    let args = ["ingest", "nowhere.fasta", "--tokenizer", "amino-acid", "--out", "out"];
    bench.fail(&args, 3, &["nowhere.fasta"]);
    bench.fail(&["train", "nowhere.toml"], 2, &["nowhere.toml"]);
    bench.fail(&["export", "nowhere", "out"], 3, &["nowhere"]);
    bench.fail(&["report", "nowhere"], 3, &["nowhere"]);
    bench.fail(&["verify", "nowhere"], 3, &["nowhere"]);
    assert_nothing_left(&bench);
}

#[test]
fn a_config_with_several_mistakes_lists_them_all_with_the_nearest_names() {
    let bench = Bench::new();
    bench.write(
        "bad.toml",
        r#"
[run]
dir = "run"
[data]
generate = { kind = "molecules", count = 100, seed = 1 }
[model]
kind = "llama"
contxt = 32
num_layers = 1
num_heads = 3
width = 32
[objective]
kind = "causal"
context = 32
[batch]
sequences = 4
[schedule]
steps = 10
peak_rate = nan
warmup_steps = 2
decay = { kind = "none" }
"#,
    );
    bench.fail(
        &["train", "bad.toml"],
        2,
        &["bad.toml", "model.contxt", "context", "schedule.peak_rate"],
    );
    assert!(!bench.path("run").exists(), "a refused config leaves no run folder");
}

#[test]
fn an_override_with_a_typo_names_the_nearest_key() {
    let bench = Bench::new();
    let args = ["train", "--set", "schedule.step=5", "--set", "run.dir=run"];
    bench.fail(&args, 2, &["`schedule.step`", "did you mean `steps`"]);
}

/// A dataset of 60 short proteins.
fn dataset(bench: &Bench) {
    let letters = b"ACDEFGHIKLMNPQRSTVWY";
    let protein = |n: usize| -> String {
        let residues = (0..40 + n).map(|i| char::from(letters[(i * i + 7 * n) % 20]));
        format!(">protein {n}\n{}\n", residues.collect::<String>())
    };
    let text: Vec<String> = (0..60).map(protein).collect();
    bench.write("proteins.fasta", text.concat());
    bench.succeed(&["ingest", "proteins.fasta", "--tokenizer", "amino-acid", "--out", "dataset"]);
}

/// First shard of the dataset.
fn shard(bench: &Bench) -> std::path::PathBuf {
    fn find(dir: &Path) -> Option<std::path::PathBuf> {
        let mut entries: Vec<_> =
            std::fs::read_dir(dir).expect("folder").map(|e| e.expect("entry").path()).collect();
        entries.sort();
        entries.into_iter().find_map(|path| {
            if path.is_dir() {
                return find(&path);
            }
            path.extension().is_some_and(|e| e == "arrow").then_some(path)
        })
    }
    find(&bench.path("dataset")).expect("a shard")
}

#[test]
fn a_truncated_shard_is_refused_with_its_name_and_both_sizes() {
    let bench = Bench::new();
    dataset(&bench);
    let path = shard(&bench);
    let size = std::fs::metadata(&path).expect("shard").len();
    let file = std::fs::OpenOptions::new().write(true).open(&path).expect("shard");
    file.set_len(size - 100).expect("shorter");
    let name = path.file_name().expect("name").to_string_lossy().into_owned();
    bench.fail(&["verify", "dataset"], 6, &[&name, &size.to_string(), &(size - 100).to_string()]);
}

#[test]
fn a_flipped_byte_in_a_shard_is_found_by_verify_and_by_training() {
    let bench = Bench::new();
    dataset(&bench);
    bench.succeed(&["verify", "dataset"]);
    let path = shard(&bench);
    let mut bytes = std::fs::read(&path).expect("shard");
    // Inside the token buffer of the only record batch: the middle of the file.
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    std::fs::write(&path, bytes).expect("shard");
    let name = path.file_name().expect("name").to_string_lossy().into_owned();
    bench.fail(&["verify", "dataset"], 6, &[&name]);
    bench.write(
        "mlm.toml",
        r#"
[run]
dir = "run"
[data]
dataset = "dataset"
[model]
kind = "esm2"
num_layers = 1
num_heads = 2
width = 16
context = 64
[objective]
kind = "masked"
context = 64
[batch]
sequences = 4
[schedule]
steps = 30
peak_rate = 1e-3
warmup_steps = 2
decay = { kind = "none" }
"#,
    );
    bench.fail(&["train", "mlm.toml"], 3, &[&name]);
}

#[test]
fn a_full_disk_is_reported_with_the_path_and_leaves_nothing() {
    let bench = Bench::new();
    let disk = bench.path("disk");
    std::fs::create_dir(&disk).expect("folder");
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"])
        .arg(&disk)
        .status()
        .is_ok_and(|status| status.success());
    if !mounted {
        println!("SKIPPED: a size-limited tmpfs cannot be mounted here");
        return;
    }
    let lines: Vec<String> = (0..40_000).map(|i| format!("line number {i} of a text\n")).collect();
    bench.write("text.txt", lines.concat());
    let args = ["ingest", "text.txt", "--tokenizer", "byte", "--out", "disk/out"];
    let said = bench.run(&args);
    let left = bench.names("disk");
    let unmounted = Command::new("umount").arg(&disk).status().is_ok_and(|s| s.success());
    assert_eq!(said.code, Some(3), "{}", said.stderr);
    assert!(said.stderr.contains("disk/out") && said.stderr.contains("space"), "{}", said.stderr);
    assert!(left.is_empty(), "left behind: {left:?}");
    assert!(unmounted, "the tmpfs was in use after the program ended");
}
