//! Verification finds every damaged byte and never panics.

#![expect(clippy::unwrap_used, reason = "a set-up that fails is a test that fails")]

mod fixture;

use std::fs;
use std::path::{Path, PathBuf};

use fixture::{proteins, tiny_limits, write};
use genesis_data::dataset::Split;
use genesis_data::sequences::SequencesCard;
use genesis_data::verify::{VerifyReport, verify};
use genesis_schema::Seeds;

fn dataset() -> (tempfile::TempDir, SequencesCard) {
    let root = tempfile::tempdir().unwrap();
    let mut documents = proteins(Split::Train, 12, 5, 60);
    documents.extend(proteins(Split::Validation, 4, 5, 60));
    let card = write(root.path(), &documents, 33, tiny_limits());
    (root, card)
}

fn check(root: &Path) -> VerifyReport {
    verify(root, &mut |_| ()).unwrap()
}

fn files_of(root: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(root).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn a_whole_dataset_passes_and_every_listed_byte_was_read() {
    let (root, card) = dataset();
    let mut heard = 0;
    let report = verify(root.path(), &mut |bytes| heard += bytes).unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    assert_eq!(report.digest, card.digest().unwrap());
    assert_eq!((report.samples, report.bytes), (16, heard));
    assert_eq!(heard, genesis_data::verify::bytes_to_verify(root.path()));
    assert_eq!(report.files, files_of(root.path()).len() as u64 - 2, "all but card and digest");
    assert!(report.unlisted.is_empty());
}

#[test]
fn a_thousand_random_byte_flips_are_all_detected() {
    let (root, _) = dataset();
    let stream = Seeds::new(11).stream("flips");
    let files = files_of(root.path());
    let originals: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    for flip in 0..1000u64 {
        let pick = |lane, n: usize| usize::try_from(stream.below(flip, lane, n as u64)).unwrap();
        let which = pick(0, files.len());
        let mut bytes = originals[which].clone();
        let at = pick(1, bytes.len());
        bytes[at] ^= 1 << pick(2, 8);
        fs::write(&files[which], &bytes).unwrap();
        let report = check(root.path());
        assert!(!report.is_whole(), "byte {at} of {} went unnoticed", files[which].display());
        let name = files[which].file_name().unwrap().to_str().unwrap();
        let named = report.problems.iter().any(|p| p.contains(name.trim_end_matches(".sha256")));
        assert!(named, "{name} is not named in {:?}", report.problems);
        fs::write(&files[which], &originals[which]).unwrap();
    }
    assert!(check(root.path()).is_whole());
}

#[test]
fn truncated_lengthened_and_missing_files_are_detected() {
    let (root, _) = dataset();
    for file in files_of(root.path()) {
        let original = fs::read(&file).unwrap();
        let mut cuts: Vec<usize> = (0..original.len()).step_by(1 + original.len() / 25).collect();
        cuts.push(original.len() - 1);
        for cut in cuts {
            fs::write(&file, &original[..cut]).unwrap();
            assert!(!check(root.path()).is_whole(), "{} cut to {cut}", file.display());
        }
        fs::write(&file, [&original[..], &[0]].concat()).unwrap();
        assert!(!check(root.path()).is_whole(), "{} lengthened", file.display());
        fs::remove_file(&file).unwrap();
        let outcome = verify(root.path(), &mut |_| ());
        assert!(outcome.is_err() || !outcome.unwrap().is_whole(), "{} missing", file.display());
        fs::write(&file, &original).unwrap();
    }
    assert!(check(root.path()).is_whole());
}

#[test]
fn a_damaged_shard_is_named_with_its_batch_and_other_shards_are_still_judged() {
    let (root, card) = dataset();
    for shard in [&card.shards[0], &card.shards[1]] {
        let path = root.path().join(&shard.file);
        let mut bytes = fs::read(&path).unwrap();
        let at = usize::try_from(shard.batches[0].offset + shard.batches[0].bytes - 1).unwrap();
        bytes[at] ^= 0x80;
        fs::write(&path, bytes).unwrap();
    }
    let problems = check(root.path()).problems;
    for shard in [&card.shards[0], &card.shards[1]] {
        let of_shard = || problems.iter().filter(|p| p.contains(&shard.file));
        assert!(of_shard().any(|p| p.contains("SHA-256")), "{problems:?}");
        assert!(of_shard().any(|p| p.contains("batch 0 at byte")), "{problems:?}");
    }
}

#[test]
fn tokens_outside_the_vocabulary_are_found_though_every_digest_matches() {
    let root = tempfile::tempdir().unwrap();
    let mut card = write(root.path(), &proteins(Split::Train, 3, 5, 9), 33, tiny_limits());
    card.part.tokenizer.vocab_size = 20;
    card.part.splits.train.token_counts.truncate(20);
    card.part.splits.validation.token_counts.truncate(20);
    card.save(root.path()).unwrap();
    let problems = check(root.path()).problems;
    assert!(problems.iter().any(|p| p.contains("outside the vocabulary of 20")), "{problems:?}");
}

#[test]
fn counts_that_the_shards_do_not_bear_out_are_found() {
    let (root, mut card) = dataset();
    card.part.splits.train.token_counts[5] += 1;
    card.save(root.path()).unwrap();
    let problems = check(root.path()).problems;
    assert!(problems.iter().any(|p| p.contains("train counts")), "{problems:?}");
}

#[test]
fn files_that_the_card_does_not_list_are_reported_without_failing() {
    let (root, _) = dataset();
    fs::write(root.path().join("notes.txt"), "mine").unwrap();
    let report = check(root.path());
    assert!(report.is_whole());
    assert_eq!(report.unlisted, ["notes.txt"]);
}
