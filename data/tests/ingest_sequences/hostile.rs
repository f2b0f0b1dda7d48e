//! Hostile inputs: each ends in a message that names place and fix, and leaves nothing behind.

use std::fs;
use std::io::Write as _;

use crate::support::{Folder, lines};
use genesis_data::ingest::{IngestError, Silent};
use genesis_data::sequences::ingest::{DocumentRule, LongRecords};
use genesis_data::sequences::{SequencesIngest, TokenizerChoice, ingest_sequences};

fn plan(folder: &Folder, input: &str, tokenizer: TokenizerChoice) -> SequencesIngest {
    let plan = SequencesIngest::new(vec![folder.path(input)], tokenizer, folder.path("out"));
    SequencesIngest { validation_fraction: 0.0, ..plan }
}

/// The message of the failure; the folder then holds its inputs only.
fn failure(folder: &Folder, plan: &SequencesIngest) -> String {
    let before: Vec<String> =
        folder.names().into_iter().filter(|name| !name.starts_with("out")).collect();
    let error = ingest_sequences(plan, &Silent).unwrap_err();
    assert_eq!(folder.names(), before, "nothing half-written remains");
    let message = error.to_string();
    assert!(message.contains("fix:"), "{message}");
    message
}

fn assert_names(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

#[test]
fn an_empty_file_is_named() {
    let folder = Folder::new();
    for name in ["a.txt", "a.fasta", "a.jsonl", "a.csv"] {
        folder.write(name, "");
        let message = failure(&folder, &plan(&folder, name, TokenizerChoice::Byte));
        assert_names(&message, &[name, "empty", "every record"]);
    }
    folder.write("a.parquet", "");
    let message = failure(&folder, &plan(&folder, "a.parquet", TokenizerChoice::Byte));
    assert_names(&message, &["a.parquet", "Parquet"]);
}

#[test]
fn a_binary_file_given_as_fasta_is_refused() {
    let folder = Folder::new();
    let bytes: Vec<u8> =
        (0..200_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    folder.write_bytes("a.fasta", &bytes);
    let message = failure(&folder, &plan(&folder, "a.fasta", TokenizerChoice::AminoAcid));
    assert_names(&message, &["a.fasta", "rejected", "because of its name"]);
}

#[test]
fn a_binary_file_given_as_text_is_refused() {
    let folder = Folder::new();
    folder.write_bytes("a.txt", &[0x7F, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0].repeat(10_000));
    let message = failure(&folder, &plan(&folder, "a.txt", TokenizerChoice::Byte));
    assert_names(&message, &["a.txt:1", "NUL byte at offset 7", "binary"]);
}

#[test]
fn random_bytes_in_any_format_never_panic() {
    let folder = Folder::new();
    for seed in 0..20u32 {
        let mix =
            |i: u32| (i.wrapping_add(seed * 7919).wrapping_mul(2_654_435_761)).to_be_bytes()[1];
        let bytes: Vec<u8> = (0..3000).map(mix).collect();
        for name in ["a.txt", "a.fasta", "a.jsonl", "a.csv", "a.tsv", "a.parquet", "a.fa.gz"] {
            folder.write_bytes(name, &bytes);
            let _ = ingest_sequences(&plan(&folder, name, TokenizerChoice::Nucleotide), &Silent);
        }
    }
}

#[test]
fn a_damaged_parquet_file_is_an_error_not_a_panic() {
    let folder = Folder::new();
    crate::support::write_parquet(&folder.path("whole.parquet"), 500);
    let whole = fs::read(folder.path("whole.parquet")).unwrap();
    for at in (0..whole.len()).step_by(whole.len() / 60) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x41;
        folder.write_bytes("a.parquet", &bytes);
        let plan = SequencesIngest {
            overwrite: true,
            ..plan(&folder, "a.parquet", TokenizerChoice::Smiles)
        };
        let _ = ingest_sequences(&plan, &Silent);
    }
    folder.write_bytes("a.parquet", &whole[..whole.len() / 2]);
    fs::remove_dir_all(folder.path("out")).unwrap_or_default();
    let message = failure(&folder, &plan(&folder, "a.parquet", TokenizerChoice::Smiles));
    assert_names(&message, &["a.parquet", "not readable as Parquet"]);
}

#[test]
fn a_line_of_a_gigabyte_is_rejected_without_being_read_into_memory() {
    let folder = Folder::new();
    // Zero bytes of a sparse file: one line without an end.
    let file = fs::File::create(folder.path("a.txt")).unwrap();
    file.set_len(1 << 30).unwrap();
    let mut peak = 0;
    for (name, rule) in [("line", DocumentRule::Line), ("file", DocumentRule::File)] {
        let base = plan(&folder, "a.txt", TokenizerChoice::Byte);
        let message = failure(&folder, &SequencesIngest { documents: rule, ..base });
        assert_names(&message, &["a.txt:1", "1073741824 bytes", "max_record_bytes is 67108864"]);
        peak = resident_peak().max(peak);
        assert!(peak < 700 << 20, "{name}: {peak} bytes resident");
    }
}

/// Most memory this process ever held, in bytes; 0 where the system does not say.
fn resident_peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)).and_then(|n| n.parse().ok());
    kib.unwrap_or(0u64) << 10
}

#[test]
fn records_beyond_the_limit_are_rejected_and_the_others_kept() {
    let folder = Folder::new();
    let long = "x".repeat(5000);
    folder.write("a.csv", &format!("id,text\n1,short\n2,{long}\n3,\"{long}\"\n4,also short\n"));
    folder.write("a.jsonl", &format!("{{\"text\":\"{long}\"}}\n{{\"text\":\"short\"}}\n"));
    folder.write("a.fasta", &format!(">a\n{long}\n>b\nACGT\n>c\n{}", "ACGT\n".repeat(2000)));
    let limited = |name: &str, tokenizer| SequencesIngest {
        max_record_bytes: 4096,
        max_reject_fraction: 1.0,
        long_records: (name == "a.fasta").then_some(LongRecords::Reject),
        overwrite: true,
        ..plan(&folder, name, tokenizer)
    };
    for (name, tokenizer, kept, lines) in [
        ("a.csv", TokenizerChoice::Byte, 2, vec![3, 4]),
        ("a.jsonl", TokenizerChoice::Byte, 1, vec![1]),
        ("a.fasta", TokenizerChoice::Nucleotide, 1, vec![1, 5]),
    ] {
        let summary = ingest_sequences(&limited(name, tokenizer), &Silent).unwrap();
        assert_eq!(summary.card.part.splits.train.documents, kept, "{name}");
        assert_eq!(summary.card.rejects.reasons["too_long"], lines.len() as u64, "{name}");
        let places: Vec<u64> = summary.rejected.iter().map(|r| r.line).collect();
        assert_eq!(places, lines, "{name}");
    }
}

#[test]
fn invalid_utf8_is_rejected_with_its_byte_offset() {
    let folder = Folder::new();
    let mut bytes = b"good line\n".repeat(30);
    bytes.extend_from_slice(b"bad \xFF line\n");
    folder.write_bytes("a.txt", &bytes);
    let mut plan = plan(&folder, "a.txt", TokenizerChoice::Byte);
    plan.documents = DocumentRule::Line;
    let reject = &ingest_sequences(&plan, &Silent).unwrap().rejected[0];
    assert_eq!((reject.line, reject.reason.as_str()), (31, "not_utf8"));
    assert_names(&reject.detail, &["byte 4"]);
}

#[test]
fn more_rejects_than_allowed_end_the_ingest_and_the_first_three_are_named() {
    let folder = Folder::new();
    folder.write("a.fasta", &">p\nMKV\n>q\nMK1\n".repeat(10));
    let mut plan = plan(&folder, "a.fasta", TokenizerChoice::AminoAcid);
    let message = failure(&folder, &plan);
    assert_names(
        &message,
        &[
            "10 of 20 records",
            "(50.0 %), with 30 of the 60 letters",
            "a.fasta:3: '1' at offset 2",
            "a.fasta:7",
            "a.fasta:11",
        ],
    );
    assert!(!message.contains("a.fasta:15"));
    plan.max_reject_fraction = 0.5;
    ingest_sequences(&plan, &Silent).unwrap();
}

#[test]
fn a_missing_file_and_an_unknown_extension_are_named() {
    let folder = Folder::new();
    let message = failure(&folder, &plan(&folder, "absent.txt", TokenizerChoice::Byte));
    assert_names(&message, &["absent.txt", "no such file"]);
    folder.write("a.weird", "x");
    let message = failure(&folder, &plan(&folder, "a.weird", TokenizerChoice::Byte));
    assert_names(&message, &["a.weird", "`weird`", "state the format"]);
}

#[test]
fn a_gzip_file_that_was_cut_short_is_an_error() {
    let folder = Folder::new();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    (0..20_000u32)
        .for_each(|i| writeln!(packed, ">p{i}\nACGT{}", "ACGT".repeat(i as usize % 17)).unwrap());
    let packed = packed.finish().unwrap();
    folder.write_bytes("a.fa.gz", &packed[..packed.len() / 2]);
    let message = failure(&folder, &plan(&folder, "a.fa.gz", TokenizerChoice::Nucleotide));
    assert_names(&message, &["a.fa.gz", "gzip", "cut short"]);
}

#[test]
fn one_document_that_falls_into_validation_leaves_nothing_to_train_on() {
    let folder = Folder::new();
    let held_out = (0..200).find(|i| {
        folder.write("a.txt", &format!("document {i}"));
        let plan = SequencesIngest {
            validation_fraction: 0.5,
            overwrite: true,
            ..plan(&folder, "a.txt", TokenizerChoice::Byte)
        };
        matches!(
            ingest_sequences(&plan, &Silent),
            Err(IngestError::NothingToTrainOn { documents: 1 })
        )
    });
    assert!(held_out.is_some());
}

#[test]
fn values_that_cannot_work_are_refused_before_anything_is_read() {
    let folder = Folder::new();
    folder.write("a.txt", "text");
    let base = plan(&folder, "a.txt", TokenizerChoice::Byte);
    let cases = [
        (SequencesIngest { validation_fraction: f64::NAN, ..base.clone() }, "validation_fraction"),
        (SequencesIngest { validation_fraction: -0.1, ..base.clone() }, "validation_fraction"),
        (SequencesIngest { max_reject_fraction: 2.0, ..base.clone() }, "max_reject_fraction"),
        (SequencesIngest { inputs: vec![], ..base.clone() }, "inputs"),
        (SequencesIngest { threads: Some(0), ..base.clone() }, "threads"),
        (SequencesIngest { max_record_bytes: 100, ..base.clone() }, "max_record_bytes"),
        (
            SequencesIngest { tokenizer: TokenizerChoice::TrainBpe { vocab_size: 10 }, ..base },
            "257",
        ),
    ];
    for (plan, name) in cases {
        assert_names(&failure(&folder, &plan), &[name]);
    }
}

/// A file system of 256 KiB, unmounted when dropped.
struct SmallDisk(Folder);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = Folder::new();
        fs::create_dir(folder.path("disk")).unwrap();
        let mount = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=256k", "none"])
            .arg(folder.path("disk"))
            .output();
        mount.is_ok_and(|output| output.status.success()).then_some(Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.0.path("disk")).status();
    }
}

#[test]
fn a_full_disk_is_named_and_the_temporary_folder_removed() {
    let Some(disk) = SmallDisk::mount() else {
        println!("SKIPPED: this system does not let tests mount a small file system");
        return;
    };
    disk.0.write("a.txt", &lines(0..60_000, |i| format!("line {i}\n")));
    let plan = SequencesIngest {
        output: disk.0.path("disk/out"),
        max_shard_bytes: Some(1 << 16),
        ..plan(&disk.0, "a.txt", TokenizerChoice::Byte)
    };
    let message = ingest_sequences(&plan, &Silent).unwrap_err().to_string();
    assert_names(&message, &["disk/out.tmp", "disk is full", "fix: free space"]);
    assert_eq!(crate::support::folder_names(&disk.0.path("disk")), Vec::<String>::new());
}
