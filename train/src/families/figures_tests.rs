//! Event files of every family, as they were before figures were declared, read and written again.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::declarations;
use crate::report::log::{EVENTS_FILE, TENSORBOARD_FOLDER};
use crate::report::{
    Declaration, EvaluationRecord, Event, Figures, Observer, Role, RunLog, RunSummary, StepRecord,
    read_events,
};

/// Keys of the loop itself.
const OF_THE_LOOP: [&str; 8] =
    ["step", "loss", "lr", "grad_norm", "wall_s", "data_wait_s", "val_loss", "val_s"];

#[test]
fn no_key_means_two_figures() {
    let mut known: BTreeSet<&str> = OF_THE_LOOP.into();
    let figures = declarations().into_iter().flat_map(|family| family.figures);
    assert!(figures.map(|figure| figure.key).all(|key| known.insert(key)));
}

/// A run of each family as the program wrote it before figures were declared.
const RUNS: [&str; 2] = ["sequences", "structures"];

fn folder(family: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/families/golden").join(family)
}

/// The declared figures that `event` has, of the roles that are wanted.
fn figures(event: &Event, family: &Declaration, wanted: fn(Role) -> bool) -> Figures {
    let of_role = family.figures.iter().filter(|figure| wanted(figure.role));
    of_role.fold(Figures::default(), |figures, figure| match event.figures.get(figure.key) {
        Some(value) if value.is_u64() => figures.with_known(figure, value.as_u64()),
        value => figures.with_known(figure, value.and_then(Value::as_f64)),
    })
}

fn record(event: &Event, family: &Declaration, log: &mut RunLog) {
    let number = |value: Option<f64>| value.unwrap_or(f64::NAN);
    log.step(&StepRecord {
        step: event.step,
        loss: number(event.loss),
        lr: number(event.lr),
        grad_norm: number(event.grad_norm),
        figures: figures(event, family, |role| matches!(role, Role::Rate | Role::Seen)),
        wall_s: number(event.wall_s),
        data_wait_s: number(event.data_wait_s),
        evaluation_follows: event.val_loss.is_some(),
    });
    if let Some(val_loss) = event.val_loss {
        let wanted = |role| matches!(role, Role::Quality(_) | Role::MeasuredOn);
        let figures = figures(event, family, wanted);
        let val_s = number(event.val_s);
        log.evaluation(&EvaluationRecord {
            step: event.step,
            val_loss,
            val_losses: BTreeMap::new(),
            figures,
            val_s,
        });
    }
}

/// The events of a run written again, with TensorBoard files, into a folder of their own.
fn written_again(name: &str, family: &Declaration) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    let mut log = RunLog::start(copy.path(), true, None).unwrap();
    for event in read_events(&folder(name).join(EVENTS_FILE)).unwrap() {
        record(&event, family, &mut log);
    }
    log.finish().unwrap();
    copy
}

#[test]
fn a_run_of_before_is_read_and_written_again_byte_for_byte() {
    for (name, family) in RUNS.into_iter().zip(declarations()) {
        let before = std::fs::read_to_string(folder(name).join(EVENTS_FILE)).unwrap();
        let copy = written_again(name, family);
        let after = std::fs::read_to_string(copy.path().join(EVENTS_FILE)).unwrap();
        assert_eq!(after, before, "{name}");
    }
}

#[test]
fn tensorboard_has_the_tags_of_before() {
    let sequences = &[
        "throughput/tokens_per_s",
        "validation/loss",
        "validation/perplexity",
        "validation/bits_per_byte",
    ][..];
    let structures = &[
        "throughput/atoms_per_s",
        "throughput/edges_per_s",
        "validation/loss",
        "validation/energy_rmse_mev_per_atom",
        "validation/energy_mae_mev_per_atom",
        "validation/forces_rmse_mev_per_a",
        "validation/forces_mae_mev_per_a",
        "validation/stress_rmse_mev_per_a3",
    ];
    for ((name, family), tags) in RUNS.into_iter().zip(declarations()).zip([sequences, structures])
    {
        let copy = written_again(name, family);
        let mut files = std::fs::read_dir(copy.path().join(TENSORBOARD_FOLDER)).unwrap();
        let bytes = std::fs::read(files.next().unwrap().unwrap().path()).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let families_own = |prefix: &str| text.matches(prefix).count();
        let of_loop = 2; // throughput/data_wait_s, once a step
        let per_step = tags.iter().filter(|tag| tag.starts_with("throughput")).count();
        assert_eq!(families_own("throughput/"), of_loop + 2 * per_step, "{name}");
        assert_eq!(families_own("validation/"), tags.len() - per_step, "{name}");
        assert!(tags.iter().all(|tag| text.contains(tag)), "{name}: {text}");
    }
}

#[test]
fn a_run_of_before_is_shown_as_it_was() {
    let shown = |name: &str| RunSummary::read(&folder(name), &declarations()).unwrap().facts();
    let sequences = [
        ("Steps done", "2"),
        ("Tokens seen", "1,536"),
        ("Training loss, last 5 % of steps", "3.5104 nats"),
        ("Best validation loss", "3.4980 nats at step 2"),
        ("Last perplexity", "33.05"),
        ("Last bits per byte", "5.0465"),
        ("Wall time", "74 ms"),
        ("Median throughput", "21,034 tokens/s"),
        ("Time waiting for data", "0.6 %"),
    ];
    assert_eq!(shown("sequences"), sequences.map(|(a, b)| (a.to_owned(), b.to_owned())));
    let structures = [
        ("Steps done", "2"),
        ("Atoms seen", "80"),
        ("Training loss, last 5 % of steps", "9.7500"),
        ("Best validation loss", "8.8750 at step 2"),
        ("Last energy RMSE, meV/atom", "15.23"),
        ("Last force RMSE, meV/Å", "310.50"),
        ("Last stress RMSE, meV/Å^3", "4.1250"),
        ("Wall time", "44 ms"),
        ("Median throughput", "1,820 atoms/s"),
        ("Time waiting for data", "2.3 %"),
    ];
    assert_eq!(shown("structures"), structures.map(|(a, b)| (a.to_owned(), b.to_owned())));
}
