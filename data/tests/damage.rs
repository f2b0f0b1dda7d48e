//! A thousand flipped bits and every truncation of small datasets of both kinds: each is found by `verify`, which names
//! the file, and no reader takes damage for data or panics.

#![expect(clippy::unwrap_used, reason = "a set-up that fails is a test that fails")]

mod fixture;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use fixture::{proteins, tiny_limits, write};
use genesis_data::dataset::Split;
use genesis_data::error::Result;
use genesis_data::ingest::Silent;
use genesis_data::sequences::SequencesDataset;
use genesis_data::structures::ingest::ValidationChoice;
use genesis_data::structures::{StructuresDataset, StructuresIngest, ingest_structures};
use genesis_data::verify::verify;
use genesis_schema::Seeds;
use rayon::prelude::*;
use tempfile::TempDir;

/// Flips of one kind of dataset.
const FLIPS: u64 = 1000;
/// Copies of the dataset that are damaged side by side.
const COPIES: u64 = 4;

/// All samples of a dataset, in words.
type Read = fn(&Path) -> Result<Vec<String>>;

fn sequences() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let mut documents = proteins(Split::Train, 9, 5, 40);
    documents.extend(proteins(Split::Validation, 2, 5, 40));
    write(root.path(), &documents, 33, tiny_limits());
    root
}

fn read_sequences(root: &Path) -> Result<Vec<String>> {
    let dataset = SequencesDataset::open(root)?;
    let mut found = Vec::new();
    for split in Split::ALL {
        for index in 0..dataset.num_documents(split) {
            let document = dataset.document(split, index)?;
            let (id, source) = (document.id, document.source);
            found.push(format!("{id} {source} {:?}", document.tokens.to_vec()));
        }
    }
    Ok(found)
}

fn structures() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let text = (0..8).fold(String::new(), |mut text, i| {
        let x = f64::from(i) * 1e-3;
        let head = "3\nProperties=species:S:1:pos:R:3:forces:R:3";
        writeln!(text, "{head} energy={}\nO 0 0 0 {x} 0 0", -14.0 - x).unwrap();
        writeln!(text, "H {} 0 0 0 0 0\nH 0 {} 0 {} 0 0", 0.95 + x, 0.96 + x, -x).unwrap();
        text
    });
    let file = root.path().join("waters.xyz");
    fs::write(&file, text).unwrap();
    let plan = StructuresIngest {
        validation: ValidationChoice::Fraction { fraction: 0.3 },
        ..StructuresIngest::new(vec![file.clone()], root.path().join("out"))
    };
    ingest_structures(&plan, &Silent).unwrap();
    let made = tempfile::tempdir().unwrap();
    copy(&root.path().join("out"), made.path());
    made
}

fn read_structures(root: &Path) -> Result<Vec<String>> {
    let dataset = StructuresDataset::open(root)?;
    let mut found = Vec::new();
    for split in Split::ALL {
        for index in 0..dataset.num_frames(split) {
            found.push(format!("{:?}", dataset.frame(split, index)?));
        }
    }
    Ok(found)
}

fn files_of(root: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string();
    let mut files: Vec<String> = fs::read_dir(root).unwrap().map(|it| name(it).unwrap()).collect();
    files.sort();
    files
}

fn copy(from: &Path, to: &Path) {
    for name in files_of(from) {
        fs::copy(from.join(&name), to.join(&name)).unwrap();
    }
}

/// Asks `read` and, where `is_proved` or nothing was found, `verify` what they find after `how` came over `file`.
fn is_found(root: &Path, file: &str, how: &str, is_proved: bool, (whole, read): (&[String], Read)) {
    // The file with the digest of the card is about the card.
    let name = file.trim_end_matches(".sha256");
    match read(root) {
        Ok(found) => assert_eq!(found, whole, "{file}, {how}: taken for data"),
        Err(error) => {
            assert!(error.to_string().contains(name), "{file}, {how}: {error}");
            if !is_proved {
                return;
            }
        }
    }
    let problems = verify(root, &mut |_| ()).unwrap().problems;
    assert!(problems.iter().any(|it| it.contains(name)), "{file}, {how}: {problems:?}");
}

/// Flips bits of copies of the dataset in `root`, one at a time.
fn every_flip_is_found(root: &Path, read: Read) {
    let (whole, files) = (read(root).unwrap(), files_of(root));
    let stream = Seeds::new(11).stream("damage");
    (0..COPIES).into_par_iter().for_each(|first| {
        let scratch = tempfile::tempdir().unwrap();
        copy(root, scratch.path());
        for number in (first..FLIPS).step_by(usize::try_from(COPIES).unwrap()) {
            let pick =
                |lane, n: usize| usize::try_from(stream.below(number, lane, n as u64)).unwrap();
            let file = &files[pick(0, files.len())];
            let path = scratch.path().join(file);
            let good = fs::read(&path).unwrap();
            let (at, bit) = (pick(1, good.len()), pick(2, 8));
            let mut bytes = good.clone();
            bytes[at] ^= 1 << bit;
            fs::write(&path, bytes).unwrap();
            let how = format!("bit {bit} of byte {at}");
            is_found(scratch.path(), file, &how, true, (&whole, read));
            fs::write(&path, good).unwrap();
        }
        assert!(verify(scratch.path(), &mut |_| ()).unwrap().is_whole());
    });
}

/// Cuts the files of copies of the dataset in `root` to every length. Proving all of them takes longer than a test may.
fn every_truncation_is_found(root: &Path, read: Read) {
    let whole = read(root).unwrap();
    files_of(root).par_iter().for_each(|file| {
        let scratch = tempfile::tempdir().unwrap();
        copy(root, scratch.path());
        let cut = fs::File::options().write(true).open(scratch.path().join(file)).unwrap();
        for length in (0..cut.metadata().unwrap().len()).rev() {
            cut.set_len(length).unwrap();
            let (how, is_proved) = (format!("cut to {length} bytes"), length % 64 == 0);
            is_found(scratch.path(), file, &how, is_proved, (&whole, read));
        }
    });
}

#[test]
fn a_thousand_flips_of_a_dataset_of_sequences_are_found_and_named() {
    let root = sequences();
    every_flip_is_found(root.path(), read_sequences);
}

#[test]
fn every_truncation_of_a_dataset_of_sequences_is_found_and_named() {
    let root = sequences();
    every_truncation_is_found(root.path(), read_sequences);
}

#[test]
fn a_thousand_flips_of_a_dataset_of_structures_are_found_and_named() {
    let root = structures();
    every_flip_is_found(root.path(), read_structures);
}

#[test]
fn every_truncation_of_a_dataset_of_structures_is_found_and_named() {
    let root = structures();
    every_truncation_is_found(root.path(), read_structures);
}
