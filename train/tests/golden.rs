//! Checkpoints of format version 1, one of each family, still load, are of their family, and go on.
//!
//! `golden/README.md` says how they were made.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use burn::tensor::Device;
use genesis_kernels::Cpu;
use genesis_train::checkpoint;
use genesis_train::cluster::Cluster;
use genesis_train::exchange::family_of;
use genesis_train::family::Family;
use genesis_train::keys::RunFile;
use genesis_train::report::{CheckpointRecord, EvaluationRecord, Observer, StepRecord};
use genesis_train::sequences::{Sequences, SequencesModel};
use genesis_train::structures::{Structures, StructuresModel};
use genesis_train::trainer::{Outcome, Resume, Session, prepare};

/// Relative difference of losses: sums in another order on another processor, over four steps.
const TOLERANCE: f64 = 1e-4;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, target).unwrap();
        }
    }
}

/// Losses of every step.
#[derive(Default)]
struct Losses(Vec<f64>);

impl Observer for Losses {
    fn step(&mut self, record: &StepRecord) {
        self.0.push(record.loss);
    }
    fn evaluation(&mut self, _record: &EvaluationRecord) {}
    fn checkpoint(&mut self, _record: &CheckpointRecord) {}
    fn note(&mut self, _text: &str) {}
}

/// Goes on with the golden run of `F` from step 4 to step 8, and checks what the older program had.
fn go_on<F: Family>(open: impl Fn(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(F::NAME), &run);
    assert_eq!(family_of(&run).as_deref(), Some(F::NAME));
    let first = checkpoint::open(&run.join("checkpoints/step-00000004")).unwrap();
    assert_eq!((first.manifest.format_version, first.manifest.description.step), (1, 4));
    open(&run);

    let set = [format!("run.dir={}", run.display()), "schedule.steps=8".to_owned()];
    let file = RunFile::read(&run.join("config.toml"), &set).unwrap();
    let config: F::Config = file.check(&|_| None).unwrap();
    let dataset = F::open(&[("dataset".to_owned(), run.join("dataset"))]).unwrap();
    let plan = F::resolve(config, &dataset).unwrap();
    let start = prepare(&plan, &Resume::Auto).unwrap();
    assert_eq!(start.step(), 4);
    let mut losses = Losses::default();
    let (device, stop) = (Device::<Cpu>::default(), AtomicBool::new(false));
    let outcome = {
        let session =
            Session { observer: &mut losses, stop: &stop, start, cluster: &Cluster::alone() };
        F::train::<Cpu>(&plan, &dataset, &device, session).unwrap()
    };
    assert_eq!(outcome, Outcome::Finished { step: 8 });
    let text = fs::read_to_string(run.join("losses.json")).unwrap();
    let wanted: Vec<f64> = serde_json::from_str(&text).unwrap();
    assert_eq!(losses.0.len(), wanted.len());
    for (got, want) in losses.0.iter().zip(&wanted) {
        assert!((got - want).abs() <= TOLERANCE * want.abs(), "{got} and {want}");
    }
    let last = checkpoint::open(&run.join("checkpoints/step-00000008")).unwrap();
    assert_eq!(
        (last.manifest.format_version, last.manifest.description.family.as_str()),
        (2, F::NAME)
    );
    open(&run);
}

#[test]
fn a_checkpoint_of_sequences_of_version_one_loads_and_goes_on() {
    go_on::<Sequences>(|run| _ = SequencesModel::open(run).unwrap());
}

#[test]
fn a_checkpoint_of_structures_of_version_one_loads_and_goes_on() {
    go_on::<Structures>(|run| _ = StructuresModel::open(run).unwrap());
}

#[test]
fn a_checkpoint_of_the_other_family_is_refused_with_both_names() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let error = StructuresModel::open(&golden.join("sequences")).unwrap_err().to_string();
    assert!(error.contains("`sequences`") && error.contains("`structures`"), "{error}");
    let error = SequencesModel::open(&golden.join("structures")).unwrap_err().to_string();
    assert!(error.contains("`sequences`") && error.contains("`structures`"), "{error}");
}
