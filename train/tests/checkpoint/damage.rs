//! A thousand flipped bits and every truncation of small checkpoints, of one rank and of two that share the state:
//! each is found, names its file, and leaves the checkpoint before it to go on from.

use std::fs;
use std::path::{Path, PathBuf};

use genesis_schema::Seeds;
use genesis_train::checkpoint::{RealDisk, latest, open};

use super::{of_ranks, steps, write};

/// Flips of one checkpoint.
const FLIPS: usize = 1000;

/// A folder with step 5 of one rank, and step 10, of one rank or of two: its path.
fn checkpoints(dir: &Path, ranks: usize) -> PathBuf {
    write(&mut RealDisk, dir, 5, None).unwrap();
    if ranks == 1 {
        return write(&mut RealDisk, dir, 10, None).unwrap();
    }
    of_ranks::write(dir, &[0..5, 5..12], (&mut RealDisk, &mut RealDisk)).unwrap().path
}

/// Asks what is found after `how` came over `file`.
fn is_found(checkpoint: &Path, file: &str, how: &str) {
    let error = open(checkpoint).unwrap_err().to_string();
    assert!(error.contains(file), "{file}, {how}: {error}");
}

/// With `checkpoint` damaged, a run goes on from the one before.
fn the_one_before_is_found(checkpoint: &Path) {
    let found = latest(checkpoint.parent().unwrap()).unwrap();
    assert_eq!(found.checkpoint.unwrap().manifest.description.step, 5);
    assert_eq!(found.rejections.len(), 1);
}

#[test]
fn a_thousand_flips_of_a_checkpoint_are_found_and_named() {
    for ranks in [1, 2] {
        let dir = tempfile::tempdir().unwrap();
        let checkpoint = checkpoints(dir.path(), ranks);
        let (stream, files) = (Seeds::new(ranks as u64).stream("damage"), steps(&checkpoint));
        assert_eq!(files.iter().filter(|it| it.starts_with("optimizer")).count(), ranks);
        for number in 0..FLIPS {
            let pick = |lane, n: usize| {
                usize::try_from(stream.below(number as u64, lane, n as u64)).unwrap()
            };
            let file = &files[pick(0, files.len())];
            let good = fs::read(checkpoint.join(file)).unwrap();
            let (at, bit) = (pick(1, good.len()), pick(2, 8));
            let mut bytes = good.clone();
            bytes[at] ^= 1 << bit;
            fs::write(checkpoint.join(file), bytes).unwrap();
            is_found(&checkpoint, file, &format!("bit {bit} of byte {at}"));
            the_one_before_is_found(&checkpoint);
            fs::write(checkpoint.join(file), good).unwrap();
        }
        open(&checkpoint).unwrap();
    }
}

#[test]
fn every_truncation_of_a_checkpoint_is_found_and_named() {
    for ranks in [1, 2] {
        let dir = tempfile::tempdir().unwrap();
        let checkpoint = checkpoints(dir.path(), ranks);
        for file in steps(&checkpoint) {
            let whole = fs::read(checkpoint.join(&file)).unwrap();
            let cut = fs::File::options().write(true).open(checkpoint.join(&file)).unwrap();
            for length in (0..whole.len() as u64).rev() {
                cut.set_len(length).unwrap();
                is_found(&checkpoint, &file, &format!("cut to {length} bytes"));
            }
            the_one_before_is_found(&checkpoint);
            fs::write(checkpoint.join(file), whole).unwrap();
        }
        open(&checkpoint).unwrap();
    }
}
