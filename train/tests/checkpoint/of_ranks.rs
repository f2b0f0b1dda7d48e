//! Checkpoints of which every rank writes a part.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::Path;

use genesis_train::checkpoint::sweep::sweep;
use genesis_train::checkpoint::{
    Begun, Checkpoint, CheckpointError, Contents, Disk, HostStretch, RealDisk, Saving, Stretch,
    Values, latest, open, write_slice,
};

use super::{FaultyDisk, description, steps, tensor};

/// Moments of one parameter of three rows of four.
fn moment(name: &str, range: Range<usize>) -> HostStretch {
    let fill = if name == "first.w" { 0.5 } else { 0.25 };
    let values: Vec<f32> = range.clone().map(|i| fill + i as f32).collect();
    let of = Stretch { tensor: name.to_owned(), shape: vec![3, 4], range };
    of.with(values.into())
}

fn stretches(range: &Range<usize>) -> Vec<HostStretch> {
    ["first.w", "second.w"].map(|name| moment(name, range.clone())).into()
}

/// Saves step 10 on as many ranks as there are `ranges`; `disks` are those of the first and of the others.
pub(super) fn write(
    dir: &Path,
    ranges: &[Range<usize>],
    (first, others): (&mut dyn Disk, &mut dyn Disk),
) -> Result<Checkpoint, CheckpointError> {
    let contents = Contents {
        description: description(10, Some(2.0)),
        model: &[tensor("w", 1.0)],
        optimizer: None,
        attachments: &BTreeMap::from([("tokenizer.json".to_owned(), b"{}".to_vec())]),
    };
    let mut begun = Begun::open(first, dir, 10, Saving::New)?;
    begun.fill(&contents)?;
    let mut parts = Vec::new();
    for (rank, range) in ranges.iter().enumerate() {
        let who = (rank, ranges.len());
        parts.push(write_slice(others, (dir, 10), who, &stretches(range))?);
    }
    open(&begun.finish(parts)?)
}

#[test]
fn any_number_of_ranks_reads_what_any_other_wrote() {
    for ranges in [std::slice::from_ref(&(0..12)), &[0..5, 5..12], &[0..3, 3..3, 3..9, 9..12]] {
        let dir = tempfile::tempdir().unwrap();
        let found = write(dir.path(), ranges, (&mut RealDisk, &mut RealDisk)).unwrap();
        assert_eq!(found.manifest.description.world_size as usize, ranges.len());
        assert_eq!((found.manifest.format_version, found.attachments().unwrap().len()), (3, 1));
        let whole: Vec<Values> =
            found.optimizer().unwrap().into_iter().map(|it| it.values).collect();
        let want: Vec<Values> = stretches(&(0..12)).into_iter().map(|it| it.values).collect();
        assert_eq!(whole, want);
        for range in [0..4, 4..8, 2..11, 12..12, 0..12] {
            let wanted = stretches(&range);
            let of: Vec<Stretch> = wanted.iter().map(|it| it.of.clone()).collect();
            let values: Vec<Values> = wanted.into_iter().map(|it| it.values).collect();
            assert_eq!(found.stretches(&of).unwrap(), values, "{range:?} of {ranges:?}");
        }
    }
}

#[test]
fn a_byte_that_flips_in_any_part_names_its_file_and_so_its_rank() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[0..5, 5..12], (&mut RealDisk, &mut RealDisk)).unwrap();
    for rank in 0..2 {
        let path = dir.path().join(format!("step-00000010/optimizer-rank-{rank}-of-2.safetensors"));
        let whole = fs::read(&path).unwrap();
        for at in [0, whole.len() / 2, whole.len() - 1] {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            fs::write(&path, flipped).unwrap();
            let error = latest(dir.path()).unwrap().rejections.remove(0).reason.to_string();
            assert!(error.contains(&format!("rank-{rank}-of-2")), "{error}");
        }
        fs::remove_file(&path).unwrap();
        let error = open(&dir.path().join("step-00000010")).unwrap_err().to_string();
        assert!(error.contains(&format!("rank-{rank}-of-2")), "{error}");
        fs::write(&path, whole).unwrap();
    }
    open(&dir.path().join("step-00000010")).unwrap();
}

#[test]
fn state_of_another_model_is_refused_by_name_with_both_shapes() {
    let dir = tempfile::tempdir().unwrap();
    let found = write(dir.path(), &[0..5, 5..12], (&mut RealDisk, &mut RealDisk)).unwrap();
    let ask = |name: &str, shape: &[usize]| {
        found.stretches(&[Stretch::whole(name, shape.to_vec())]).unwrap_err().to_string()
    };
    assert!(ask("first.w", &[2, 6]).contains("`first.w` is [3, 4] but its parameter is [2, 6]"));
    assert!(ask("largest.w", &[3, 4]).contains("`largest.w` of shape [3, 4] is missing"));
}

#[test]
fn a_rank_that_dies_or_fails_at_any_operation_leaves_nothing_or_all() {
    for of_first in [true, false] {
        let mut finished = 0;
        for operation in 0..40 {
            for full in [false, true] {
                let dir = tempfile::tempdir().unwrap();
                let faulty = if full { FaultyDisk::full_at } else { FaultyDisk::killed_at };
                let (mut faulty, mut real) = (faulty(operation), RealDisk);
                let disks: (&mut dyn Disk, &mut dyn Disk) =
                    if of_first { (&mut faulty, &mut real) } else { (&mut real, &mut faulty) };
                let written = write(dir.path(), &[0..5, 5..12], disks);
                if full && written.is_err() && !dir.path().join("step-00000010").exists() {
                    assert!(steps(dir.path()).is_empty(), "a rank that goes on cleans up");
                }
                sweep(&mut RealDisk, dir.path()).unwrap();
                let found = latest(dir.path()).unwrap();
                assert!(found.rejections.is_empty(), "{:?}", found.rejections);
                match found.checkpoint {
                    Some(checkpoint) => assert_eq!(checkpoint.optimizer().unwrap().len(), 2),
                    None => assert!(written.is_err() && steps(dir.path()).is_empty()),
                }
                finished += usize::from(written.is_ok());
            }
        }
        assert!(finished > 0, "the last operations are beyond the save");
    }
}

#[test]
fn a_part_that_another_folder_got_is_missed_before_the_commit() {
    let dir = tempfile::tempdir().unwrap();
    let contents = Contents {
        description: description(10, None),
        model: &[tensor("w", 1.0)],
        optimizer: None,
        attachments: &BTreeMap::new(),
    };
    let mut disk = RealDisk;
    let mut begun = Begun::open(&mut disk, dir.path(), 10, Saving::New).unwrap();
    begun.fill(&contents).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::create_dir(elsewhere.path().join("step-00000010.tmp")).unwrap();
    let at = (elsewhere.path(), 10);
    let part = write_slice(&mut RealDisk, at, (0, 1), &stretches(&(0..12))).unwrap();
    let error = begun.finish(vec![part]).unwrap_err().to_string();
    assert!(error.contains("optimizer-rank-0-of-1.safetensors"), "{error}");
    assert!(steps(dir.path()).is_empty());
}
