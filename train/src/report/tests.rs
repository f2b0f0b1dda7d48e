//! What is written is read back equal, and shown, whatever the family.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::log::EVENTS_FILE;
use super::*;

/// A family of the tests.
pub(super) static RATE: Figure = Figure {
    key: "cells_per_s",
    label: "cells",
    unit: "cells/s",
    role: Role::Rate,
    brief: Some(Brief { name: "", digits: Digits::Whole, unit: "cells/s" }),
};
pub(super) static COUNT: Figure =
    Figure { key: "cells", label: "cells", unit: "", role: Role::Seen, brief: None };
pub(super) static ERROR: Figure = Figure {
    key: "val_drift_mm",
    label: "drift",
    unit: "mm",
    role: Role::Quality(Better::Lower),
    brief: Some(Brief { name: "drift", digits: Digits::Decimals(1), unit: "mm" }),
};
static FIELDS: Declaration = Declaration {
    loss: Figure {
        key: "loss",
        label: "loss",
        unit: "J",
        role: Role::Quality(Better::Lower),
        brief: None,
    },
    figures: &[&RATE, &COUNT, &ERROR],
    counts: &[("fields", "fields")],
    sections: |_| {
        vec![Section::Table {
            title: "Drifts".to_owned(),
            columns: vec!["a<b".to_owned()],
            rows: vec![vec!["1.0".to_owned()]],
            note: "By hand.".to_owned(),
        }]
    },
};

fn step(step: u64, figures: Figures, evaluation_follows: bool) -> StepRecord {
    StepRecord {
        step,
        loss: 0.5,
        lr: 1e-3,
        grad_norm: 1.0,
        figures,
        wall_s: 1.0,
        data_wait_s: 0.0,
        evaluation_follows,
    }
}

fn figure(key: String) -> &'static Figure {
    Box::leak(Box::new(Figure { key: Box::leak(key.into_boxed_str()), ..ERROR }))
}

fn amount() -> impl Strategy<Value = Amount> {
    prop_oneof![any::<u64>().prop_map(Amount::Count), any::<f64>().prop_map(Amount::Real)]
}

/// Figures under any keys but those of the loop.
fn figures() -> impl Strategy<Value = Figures> {
    let key = "[a-z\"\\\\\u{e5}_]{1,8}".prop_map(|key| format!("x_{key}"));
    prop::collection::btree_map(key, amount(), 0..6).prop_map(|all| {
        all.into_iter()
            .fold(Figures::default(), |figures, (key, amount)| figures.with(figure(key), amount))
    })
}

/// Whether `event` has exactly `figures`; what was not finite reads as absent.
fn assert_reads(event: &Event, figures: &Figures) {
    assert_eq!(event.figures.len(), figures.iter().count());
    for (figure, amount) in figures.iter() {
        match amount {
            Amount::Count(count) => assert_eq!(event.figures[figure.key].as_u64(), Some(count)),
            Amount::Real(value) if value.is_finite() => {
                assert_eq!(event.figure(figure.key).map(f64::to_bits), Some(value.to_bits()));
            }
            Amount::Real(_) => assert_eq!(event.figure(figure.key), None),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_figures_are_written_are_read_back_equal(
        trained in figures(),
        measured in figures(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut log = RunLog::start(folder.path(), false, None).unwrap();
        log.step(&step(1, trained.clone(), false));
        let record = EvaluationRecord {
            step: 0,
            val_loss: 2.0,
            val_losses: BTreeMap::new(),
            figures: measured.clone(),
            val_s: 0.25,
        };
        log.evaluation(&record);
        log.finish().unwrap();
        let events = read_events(&folder.path().join(EVENTS_FILE)).unwrap();
        assert_reads(&events[0], &trained);
        assert_reads(&events[1], &measured);
        prop_assert_eq!((events[1].val_loss, events[1].val_s), (Some(2.0), Some(0.25)));
    }
}

#[test]
fn a_family_that_the_report_never_heard_of_is_shown_as_it_declares() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = RunLog::start(folder.path(), true, None).unwrap();
    let trained = Figures::default().with(&RATE, 1234.5).with(&COUNT, 99_000);
    log.step(&step(1, trained, true));
    let figures = Figures::default().with(&ERROR, 1.25);
    log.evaluation(&EvaluationRecord {
        step: 1,
        val_loss: 2.0,
        val_losses: BTreeMap::new(),
        figures,
        val_s: 0.5,
    });
    log.finish().unwrap();
    let run = RunSummary::read(folder.path(), &[&FIELDS]).unwrap();
    let facts = run.facts();
    for (name, value) in [
        ("Cells seen", "99,000"),
        ("Best validation loss", "2.0000 J at step 1"),
        ("Last drift, mm", "1.2500"),
        ("Median throughput", "1,235 cells/s"),
    ] {
        assert!(facts.contains(&(name.to_owned(), value.to_owned())), "{name}: {facts:?}");
    }
    let page = html::page(&run);
    for text in ["loss, J", "cells per second", "<h2>Drifts</h2>", "<th>a&lt;b</th>", "By hand."] {
        assert!(page.contains(text), "{text}");
    }
}

#[test]
fn figures_of_a_newer_program_are_kept_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    let lines = "{\"step\":1,\"loss\":1.0,\"cells\":8,\"spin\":0.5,\"phase\":\"melt\"}\n\
                 {\"step\":2,\"loss\":0.5,\"cells\":16,\"spin\":1234567,\"torn\":null}\n";
    std::fs::write(folder.path().join(EVENTS_FILE), lines).unwrap();
    for families in [&[&FIELDS][..], &[]] {
        let run = RunSummary::read(folder.path(), families).unwrap();
        let page = html::page(&run);
        for row in ["<th>Last spin</th><td>1,234,567</td>", "<th>Last phase</th><td>melt</td>"] {
            assert!(page.contains(row), "{row}");
        }
        assert!(!page.contains("torn") && page.contains("16"));
    }
}
