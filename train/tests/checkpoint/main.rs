//! Checkpoints: damage is found and named, a kill at any write leaves the run resumable, and
//! nothing that is not provably ours is ever deleted.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod damage;
mod of_ranks;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use genesis_train::checkpoint::format::{COMMITTED_FILE, MODEL_FILE, OWNER_FILE, OWNER_TEXT};
use genesis_train::checkpoint::sweep::{set_aside_after, sweep};
use genesis_train::checkpoint::{
    CheckpointError, Contents, Description, Disk, HostTensor, Metrics, PINNED_FILE, RealDisk,
    Reason, Retention, best, kept, latest, open, replace, retain, save,
};

fn description(step: u64, validation_loss: Option<f64>) -> Description {
    Description {
        step,
        position: 12 * step,
        tokens_seen: 768 * step,
        wall_seconds: 0.1,
        world_size: 1,
        seed: 1,
        model: serde_json::json!({"width": 8}),
        config: serde_json::json!({"run": {"seed": 1}}),
        config_digest: "0".repeat(64),
        dataset_digest: "1".repeat(64),
        family: "sequences".to_owned(),
        tokenizer_kind: "byte".to_owned(),
        code_version: "0.1.0".to_owned(),
        metrics: Metrics { train_loss: Some(2.5), validation_loss, stage: 0 },
        best: None,
        mixture: None,
        plateau: None,
        left_out_steps: 0,
        went_on: 0,
        watched: None,
    }
}

fn tensor(name: &str, fill: f32) -> HostTensor {
    let values: Vec<f32> = (0..6).map(|i| fill + i as f32 * 0.1).collect();
    HostTensor { name: name.to_owned(), shape: vec![2, 3], values: values.into() }
}

fn write(
    disk: &mut dyn Disk,
    dir: &Path,
    step: u64,
    loss: Option<f64>,
) -> Result<PathBuf, CheckpointError> {
    write_by(save, disk, dir, (step, loss))
}

/// As [`write`], in the place of the checkpoint of the step.
fn write_again(
    disk: &mut dyn Disk,
    dir: &Path,
    step: u64,
    loss: Option<f64>,
) -> Result<PathBuf, CheckpointError> {
    write_by(replace, disk, dir, (step, loss))
}

/// [`save`] or [`replace`].
type Writer = fn(&mut dyn Disk, &Path, &Contents<'_>) -> Result<PathBuf, CheckpointError>;

fn write_by(
    writer: Writer,
    disk: &mut dyn Disk,
    dir: &Path,
    (step, loss): (u64, Option<f64>),
) -> Result<PathBuf, CheckpointError> {
    let contents = Contents {
        description: description(step, loss),
        model: &[tensor("w", step as f32)],
        optimizer: Some(&[tensor("first.w", 0.5), tensor("second.w", 0.25)]),
        attachments: &BTreeMap::from([("tokenizer.json".to_owned(), b"{}".to_vec())]),
    };
    writer(disk, dir, &contents)
}

fn steps(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir)
        .map(|entries| entries.flatten().map(|e| e.file_name().into_string().unwrap()).collect())
        .unwrap_or_default();
    names.sort();
    names
}

fn newest_step(dir: &Path) -> Option<u64> {
    latest(dir).unwrap().checkpoint.map(|checkpoint| checkpoint.manifest.description.step)
}

/// A disk whose operation number `fails_at` fails, half done when it is a write. `dead` after
/// that, as in a killed process; otherwise only that one fails, as on a full disk.
struct FaultyDisk {
    real: RealDisk,
    operations: usize,
    fails_at: usize,
    dead: bool,
    kind: io::ErrorKind,
}

impl FaultyDisk {
    fn killed_at(operation: usize) -> Self {
        let kind = io::ErrorKind::Interrupted;
        Self { real: RealDisk, operations: 0, fails_at: operation, dead: true, kind }
    }

    fn full_at(operation: usize) -> Self {
        let kind = io::ErrorKind::StorageFull;
        Self { real: RealDisk, operations: 0, fails_at: operation, dead: false, kind }
    }

    fn next(&mut self) -> io::Result<()> {
        self.operations += 1;
        let now = self.operations - 1;
        if now == self.fails_at || (self.dead && now > self.fails_at) {
            return Err(self.kind.into());
        }
        Ok(())
    }
}

impl Disk for FaultyDisk {
    fn create_dir(&mut self, path: &Path) -> io::Result<()> {
        self.next()?;
        self.real.create_dir(path)
    }
    fn write_pieces(
        &mut self,
        path: &Path,
        pieces: &mut dyn Iterator<Item = Cow<'_, [u8]>>,
    ) -> io::Result<()> {
        let first_failure = self.operations == self.fails_at;
        if let Err(error) = self.next() {
            if first_failure {
                let bytes: Vec<u8> = pieces.flat_map(Cow::into_owned).collect();
                fs::write(path, &bytes[..bytes.len() / 2])?;
            }
            return Err(error);
        }
        self.real.write_pieces(path, pieces)
    }
    fn sync_dir(&mut self, path: &Path) -> io::Result<()> {
        self.next()?;
        self.real.sync_dir(path)
    }
    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.next()?;
        self.real.rename(from, to)
    }
    fn remove_file(&mut self, path: &Path) -> io::Result<()> {
        self.next()?;
        self.real.remove_file(path)
    }
    fn remove_dir(&mut self, path: &Path) -> io::Result<()> {
        self.next()?;
        self.real.remove_dir(path)
    }
}

/// Operations of one undisturbed save.
fn operations_of_a_save() -> usize {
    let dir = tempfile::tempdir().unwrap();
    let mut disk = FaultyDisk::killed_at(usize::MAX);
    write(&mut disk, &dir.path().join("checkpoints"), 1, None).unwrap();
    disk.operations
}

#[test]
fn a_saved_checkpoint_reads_back_bit_for_bit() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(&mut RealDisk, dir.path(), 500, Some(2.0)).unwrap();
    let checkpoint = open(&path).unwrap();
    assert_eq!(checkpoint.manifest.description, description(500, Some(2.0)));
    assert_eq!(checkpoint.model().unwrap(), [tensor("w", 500.0)]);
    assert_eq!(checkpoint.optimizer().unwrap().len(), 2);
    assert_eq!(checkpoint.attachments().unwrap()["tokenizer.json"], b"{}");
    assert_eq!(
        steps(&path),
        [
            "COMMITTED",
            "manifest.json",
            "model.safetensors",
            "optimizer.safetensors",
            "tokenizer.json"
        ]
    );
}

#[test]
fn a_kill_at_any_operation_leaves_the_older_or_the_newer_checkpoint_and_the_next_save_works() {
    for operation in 0..operations_of_a_save() {
        let dir = tempfile::tempdir().unwrap();
        write(&mut RealDisk, dir.path(), 10, None).unwrap();
        let killed = write(&mut FaultyDisk::killed_at(operation), dir.path(), 20, None);
        assert!(killed.is_err(), "operation {operation}");
        let step = newest_step(dir.path()).unwrap();
        assert!(step == 10 || step == 20, "operation {operation}");

        sweep(&mut RealDisk, dir.path()).unwrap();
        assert_eq!(newest_step(dir.path()), Some(step), "sweeping keeps checkpoints");
        let expected: &[&str] =
            if step == 20 { &["step-00000010", "step-00000020"] } else { &["step-00000010"] };
        assert_eq!(steps(dir.path()), expected, "operation {operation}");
        if step == 10 {
            write(&mut RealDisk, dir.path(), 20, None).unwrap();
        }
        assert_eq!(newest_step(dir.path()), Some(20));
        assert!(latest(dir.path()).unwrap().rejections.is_empty());
    }
}

#[test]
fn a_full_disk_leaves_no_half_checkpoint_and_says_what_to_do() {
    for operation in 0..operations_of_a_save() {
        let dir = tempfile::tempdir().unwrap();
        write(&mut RealDisk, dir.path(), 10, None).unwrap();
        let error = write(&mut FaultyDisk::full_at(operation), dir.path(), 20, None).unwrap_err();
        assert!(error.to_string().starts_with("disk full: the checkpoint of step 20 needs"));
        assert!(error.to_string().contains("--resume"));
        if newest_step(dir.path()) == Some(10) {
            assert_eq!(steps(dir.path()), ["step-00000010"], "operation {operation}");
        }
    }
}

#[test]
fn a_kill_while_removing_leaves_the_others_and_is_swept() {
    let policy = Retention { keep_last: 1, keep_best: 0, keep_every: None };
    for operation in 0..12 {
        let dir = tempfile::tempdir().unwrap();
        for step in [10, 20] {
            write(&mut RealDisk, dir.path(), step, None).unwrap();
        }
        let _ = retain(&mut FaultyDisk::killed_at(operation), dir.path(), policy);
        assert_eq!(newest_step(dir.path()), Some(20), "operation {operation}");
        sweep(&mut RealDisk, dir.path()).unwrap();
        retain(&mut RealDisk, dir.path(), policy).unwrap();
        assert_eq!(steps(dir.path()), ["step-00000020"], "operation {operation}");
    }
}

#[test]
fn a_byte_flip_in_any_file_is_found_and_the_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(&mut RealDisk, dir.path(), 500, None).unwrap();
    for name in steps(&path) {
        let file = path.join(&name);
        let good = fs::read(&file).unwrap();
        let stride = (good.len() / 40).max(1);
        for at in (0..good.len()).step_by(stride) {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            fs::write(&file, &bad).unwrap();
            let error = open(&path).unwrap_err().to_string();
            // A changed digest in COMMITTED shows as a manifest that does not match it.
            assert!(error.contains(&name), "{name} byte {at}: {error}");
        }
        fs::write(&file, &good).unwrap();
    }
    open(&path).unwrap();
}

#[test]
fn a_wrong_digest_is_reported_with_both_digests() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(&mut RealDisk, dir.path(), 500, None).unwrap();
    let recorded = open(&path).unwrap().manifest.file(MODEL_FILE).unwrap().sha256.clone();
    let file = path.join(MODEL_FILE);
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&file, &bytes).unwrap();
    let error = open(&path).unwrap_err().to_string();
    let actual = genesis_data::dataset::card::sha256_of_bytes(&bytes);
    assert!(error.contains(&recorded) && error.contains(&actual), "{error}");
}

#[test]
fn truncated_and_missing_files_are_named_with_both_sizes() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(&mut RealDisk, dir.path(), 500, None).unwrap();
    let file = path.join(MODEL_FILE);
    let good = fs::read(&file).unwrap();
    fs::write(&file, &good[..good.len() - 3]).unwrap();
    let error = open(&path).unwrap_err().to_string();
    assert!(error.contains(MODEL_FILE), "{error}");
    assert!(error.contains(&format!("{} bytes", good.len() - 3)), "{error}");
    assert!(error.contains(&format!("says {}", good.len())), "{error}");
    fs::remove_file(&file).unwrap();
    let error = open(&path).unwrap_err().to_string();
    assert!(error.contains(MODEL_FILE) && error.contains("missing"), "{error}");
}

#[test]
fn a_damaged_newest_checkpoint_falls_back_to_the_one_before_and_says_why() {
    let dir = tempfile::tempdir().unwrap();
    for step in [10, 20, 30] {
        write(&mut RealDisk, dir.path(), step, None).unwrap();
    }
    fs::remove_file(dir.path().join("step-00000030").join(COMMITTED_FILE)).unwrap();
    fs::write(dir.path().join("step-00000020").join("tokenizer.json"), "[]").unwrap();
    let found = latest(dir.path()).unwrap();
    assert_eq!(found.checkpoint.unwrap().manifest.description.step, 10);
    let reasons: Vec<String> = found.rejections.iter().map(|r| r.reason.to_string()).collect();
    assert!(reasons[0].contains("step-00000030") && reasons[0].contains("COMMITTED"));
    assert!(reasons[1].contains("step-00000020") && reasons[1].contains("tokenizer.json"));
}

#[test]
fn hostile_committed_files_are_errors_and_never_panics() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(&mut RealDisk, dir.path(), 500, None).unwrap();
    let not_utf8 = [0xFFu8; 65];
    for bytes in [&b""[..], b"x", &not_utf8, &vec![b'a'; 4096]] {
        fs::write(path.join(COMMITTED_FILE), bytes).unwrap();
        assert!(open(&path).is_err());
    }
}

#[test]
fn retention_keeps_the_newest_and_the_best() {
    let dir = tempfile::tempdir().unwrap();
    let losses = [(10, Some(3.0)), (20, Some(1.0)), (30, Some(2.0)), (40, None), (50, Some(1.5))];
    for (step, loss) in losses {
        write(&mut RealDisk, dir.path(), step, loss).unwrap();
    }
    retain(&mut RealDisk, dir.path(), Retention { keep_last: 2, keep_best: 1, keep_every: None })
        .unwrap();
    assert_eq!(steps(dir.path()), ["step-00000020", "step-00000040", "step-00000050"]);
    let best = best(dir.path()).unwrap().checkpoint.unwrap();
    assert_eq!(best.manifest.description.step, 20);
    retain(&mut RealDisk, dir.path(), Retention { keep_last: 0, keep_best: 0, keep_every: None })
        .unwrap();
    assert_eq!(steps(dir.path()), ["step-00000050"], "the last one always stays");
}

#[test]
fn retention_keeps_several_best_ones_those_of_every_so_many_steps_and_what_is_pinned() {
    let dir = tempfile::tempdir().unwrap();
    let losses = [(10, 3.0), (20, 1.0), (30, 2.0), (40, 1.5), (50, 9.0), (60, 8.0)];
    for (step, loss) in losses {
        write(&mut RealDisk, dir.path(), step, Some(loss)).unwrap();
    }
    let policy = Retention { keep_last: 1, keep_best: 2, keep_every: Some(30) };
    fs::write(dir.path().join("step-00000010").join(PINNED_FILE), "").unwrap();
    let why = kept(dir.path(), policy).unwrap();
    let wanted = [
        (10, vec![Reason::Pinned]),
        (20, vec![Reason::Best]),
        (30, vec![Reason::Every]),
        (40, vec![Reason::Best]),
        (60, vec![Reason::Newest, Reason::Every]),
    ];
    assert_eq!(why, wanted.into());
    retain(&mut RealDisk, dir.path(), policy).unwrap();
    let stay: Vec<String> = why.keys().map(|step| format!("step-{step:08}")).collect();
    assert_eq!(steps(dir.path()), stay);
    assert!(open(&dir.path().join("step-00000010")).is_ok(), "a pin damages nothing");
}

#[test]
fn retention_removes_nothing_while_what_it_keeps_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    for step in [10, 20] {
        write(&mut RealDisk, dir.path(), step, None).unwrap();
    }
    fs::write(dir.path().join("step-00000020").join(MODEL_FILE), "damaged").unwrap();
    retain(&mut RealDisk, dir.path(), Retention { keep_last: 1, keep_best: 0, keep_every: None })
        .unwrap();
    assert_eq!(newest_step(dir.path()), Some(10));
}

#[test]
fn sweeping_touches_only_what_is_provably_ours() {
    let dir = tempfile::tempdir().unwrap();
    let foreign = ["step-00000010.tmp", "step-00000020", "step-7.tmp", "notes.tmp"];
    for name in foreign {
        fs::create_dir(dir.path().join(name)).unwrap();
        fs::write(dir.path().join(name).join("thesis.txt"), "mine").unwrap();
    }
    let ours = dir.path().join("step-00000030.tmp");
    fs::create_dir(&ours).unwrap();
    fs::write(ours.join(OWNER_FILE), OWNER_TEXT).unwrap();
    fs::write(ours.join(MODEL_FILE), "half").unwrap();
    assert_eq!(sweep(&mut RealDisk, dir.path()).unwrap(), [ours]);
    assert_eq!(
        steps(dir.path()),
        ["notes.tmp", "step-00000010.tmp", "step-00000020", "step-7.tmp"]
    );
}

#[test]
fn a_step_that_has_a_folder_is_never_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(&mut RealDisk, dir.path(), 10, None).unwrap();
    let error = write(&mut RealDisk, dir.path(), 10, None).unwrap_err();
    assert!(matches!(error, CheckpointError::Exists { .. }), "{error}");
    open(&path).unwrap();
}

#[test]
fn steps_after_the_one_resumed_from_are_renamed_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    for step in [10, 20] {
        write(&mut RealDisk, dir.path(), step, None).unwrap();
    }
    set_aside_after(&mut RealDisk, dir.path(), 10).unwrap();
    write(&mut RealDisk, dir.path(), 20, None).unwrap();
    set_aside_after(&mut RealDisk, dir.path(), 10).unwrap();
    assert_eq!(
        steps(dir.path()),
        ["step-00000010", "step-00000020.superseded", "step-00000020.superseded-2"]
    );
    open(&dir.path().join("step-00000020.superseded")).unwrap();
}

#[test]
fn a_kill_at_any_operation_of_a_replacement_leaves_the_old_or_the_new_one() {
    let newest_loss = |dir: &Path| {
        let found = latest(dir).unwrap().checkpoint.expect("one of both");
        assert_eq!(found.manifest.description.step, 10);
        found.manifest.description.metrics.validation_loss
    };
    let mut losses = Vec::new();
    for operation in 0..60 {
        let dir = tempfile::tempdir().unwrap();
        write(&mut RealDisk, dir.path(), 10, None).unwrap();
        let killed =
            write_again(&mut FaultyDisk::killed_at(operation), dir.path(), 10, Some(2.0)).is_err();
        sweep(&mut RealDisk, dir.path()).unwrap();
        losses.push(newest_loss(dir.path()));
        assert_eq!(steps(dir.path()), ["step-00000010"], "operation {operation}");
        write_again(&mut RealDisk, dir.path(), 10, Some(1.0)).unwrap();
        assert_eq!(newest_loss(dir.path()), Some(1.0));
        if !killed {
            break;
        }
    }
    assert!(losses.contains(&None) && losses.last() == Some(&Some(2.0)), "{losses:?}");
}

#[test]
fn a_full_disk_while_replacing_leaves_the_old_one_in_its_place() {
    let dir = tempfile::tempdir().unwrap();
    write(&mut RealDisk, dir.path(), 10, Some(3.0)).unwrap();
    let error = write_again(&mut FaultyDisk::full_at(5), dir.path(), 10, Some(2.0)).unwrap_err();
    assert!(error.to_string().starts_with("disk full"), "{error}");
    let found = latest(dir.path()).unwrap().checkpoint.unwrap();
    assert_eq!(found.manifest.description.metrics.validation_loss, Some(3.0));
    assert_eq!(steps(dir.path()), ["step-00000010"]);
}

#[cfg(unix)]
#[test]
fn no_link_is_followed_and_what_another_made_stays() {
    let dir = tempfile::tempdir().unwrap();
    let (archive, run) = (dir.path().join("archive"), dir.path().join("run"));
    for step in [10, 20, 30, 40, 50] {
        write(&mut RealDisk, &run, step, None).unwrap();
    }
    // Moved away, a link in its place.
    fs::create_dir(&archive).unwrap();
    fs::rename(run.join("step-00000010"), archive.join("ten")).unwrap();
    std::os::unix::fs::symlink("../archive/ten", run.join("step-00000010")).unwrap();
    // A link to what looks like the rest of a save.
    fs::create_dir(archive.join("rest")).unwrap();
    fs::write(archive.join("rest").join(OWNER_FILE), OWNER_TEXT).unwrap();
    std::os::unix::fs::symlink("../archive/rest", run.join("step-00000060.tmp")).unwrap();
    // Somebody wrote into one, and one is of a run with another seed.
    fs::write(run.join("step-00000020").join("notes.txt"), "the good one").unwrap();
    let alien = Contents {
        description: Description { seed: 2, ..description(25, None) },
        model: &[tensor("w", 1.0)],
        optimizer: None,
        attachments: &BTreeMap::new(),
    };
    save(&mut RealDisk, &run, &alien).unwrap();

    let before = steps(&archive.join("ten"));
    assert!(sweep(&mut RealDisk, &run).unwrap().is_empty());
    let removed =
        retain(&mut RealDisk, &run, Retention { keep_last: 1, keep_best: 0, keep_every: None })
            .unwrap();
    assert_eq!(removed, [run.join("step-00000030"), run.join("step-00000040")]);
    assert_eq!(steps(&archive.join("ten")), before, "what a link leads to is whole");
    assert_eq!(steps(&archive.join("rest")), [OWNER_FILE]);
    assert!(run.join("step-00000020").join("notes.txt").is_file());
    open(&run.join("step-00000025")).unwrap();
    open(&run.join("step-00000010")).unwrap();
}

#[test]
fn losses_that_are_no_numbers_leave_a_checkpoint_that_can_be_read() {
    let dir = tempfile::tempdir().unwrap();
    for (step, loss) in [(10, f64::NAN), (20, 2.0), (30, f64::INFINITY)] {
        let mut description = description(step, Some(loss));
        description.metrics.train_loss = Some(f64::NAN);
        description.best =
            Some(genesis_train::checkpoint::Best { step, validation_loss: f64::NAN });
        let contents = Contents {
            description,
            model: &[tensor("w", 1.0)],
            optimizer: None,
            attachments: &BTreeMap::new(),
        };
        save(&mut RealDisk, dir.path(), &contents).unwrap();
    }
    let newest = latest(dir.path()).unwrap();
    assert!(newest.rejections.is_empty(), "{:?}", newest.rejections);
    let description = newest.checkpoint.unwrap().manifest.description;
    assert_eq!((description.step, description.best), (30, None));
    let best = best(dir.path()).unwrap().checkpoint.unwrap();
    assert_eq!(best.manifest.description.step, 20);
}
