//! Runs on packed documents: killed and resumed on any ranks, alone and in a mixture, and not with other rows.

use std::path::Path;
use std::sync::Arc;

use genesis_data::sequences::SequencesCorpus;
use genesis_train::report::audit::{Compared, compare_audits};
use genesis_train::sequences::{
    Sequences, SequencesConfig, SequencesPlan, estimate, resolve, training_split,
};
use genesis_train::trainer::{Plan, Resume, prepare};

use crate::fixture::{CAUSAL, MASKED, Memory, dataset, three_datasets};
use crate::ranks::train_on;

type Planned = (SequencesPlan, Arc<SequencesCorpus>);

/// `text` with packed documents, `data` in place of its dataset, and sums that any number of ranks makes alike.
fn packed(text: &str, data: &str) -> String {
    let batch = "batch = { sequences = 8, packing = { kind = \"best_fit\", window = 16 } }\n\
                 parallel = { deterministic = true, parts = 4, bucket_mib = 0.001 }\n\
                 report = { audit = true }\n";
    let kept = text.lines().filter(|line| !line.starts_with("batch") && !line.starts_with("data"));
    kept.collect::<Vec<_>>().join("\n") + "\n" + data + batch
}

fn planned(text: &str, run: &Path) -> Planned {
    let text = text.replace("DIR", &run.display().to_string());
    let config: SequencesConfig = toml::from_str(&text).unwrap();
    let corpus = Arc::new(SequencesCorpus::open(&config.data.folders(run)).unwrap());
    (resolve(config, &corpus).unwrap(), corpus)
}

fn train(world: usize, (plan, corpus): &Planned, stop: Option<u64>, resume: &Resume) -> Memory {
    let mut memory = Memory::default();
    for outcome in train_on::<Sequences>(world, (plan, corpus), &mut memory, stop, resume) {
        outcome.unwrap();
    }
    memory
}

fn one(root: &Path) -> String {
    dataset(&root.join("data"));
    format!("data.dataset = \"{}\"\n", root.join("data").display())
}

fn several(root: &Path) -> String {
    let source = |((name, folder), weight): (&(String, std::path::PathBuf), u64)| {
        let folder = folder.display();
        format!("data.mixture.{name} = {{ dataset = \"{folder}\", weight = {weight} }}\n")
    };
    let change = "data.change = [{ from_step = 5, weights = { middle = 1, small = 3 } }]\n";
    three_datasets(root).iter().zip([5, 2, 1]).map(source).collect::<String>() + change
}

#[test]
fn a_run_on_packed_documents_that_is_killed_and_resumed_on_any_ranks_keeps_its_bits() {
    let dir = tempfile::tempdir().unwrap();
    for (number, (text, data)) in [
        (CAUSAL, one(dir.path())),
        (MASKED, one(&dir.path().join("b"))),
        (MASKED, several(dir.path())),
    ]
    .into_iter()
    .enumerate()
    {
        let text = packed(text, &data);
        let [straight, killed] =
            ["straight", "killed"].map(|name| dir.path().join(format!("{name}-{number}")));
        let want = train(1, &planned(&text, &straight), None, &Resume::No);
        assert_eq!(want.steps.len(), 8);
        let mut bits = Vec::new();
        for (world, stop, resume) in [
            (4, Some(1), Resume::No),
            (2, Some(4), Resume::Auto),
            (1, Some(5), Resume::Auto),
            (2, None, Resume::Auto),
        ] {
            bits.extend(train(world, &planned(&text, &killed), stop, &resume).bits());
        }
        assert_eq!(bits, want.bits());
        let found = compare_audits(&straight, &killed).unwrap();
        assert_eq!(found, Compared::Equal { steps: 8, samples: 64 });
    }
}

#[test]
fn a_checkpoint_of_other_rows_is_refused_with_both() {
    let dir = tempfile::tempdir().unwrap();
    let data = one(dir.path());
    let text = packed(MASKED, &data);
    let folder = dir.path().join("run");
    train(1, &planned(&text, &folder), Some(4), &Resume::No);
    let refused =
        |text: &str| prepare(&planned(text, &folder).0, &Resume::Auto).unwrap_err().to_string();
    let error = refused(&text.replace("window = 16", "window = 17"));
    assert!(error.contains("batch.packing.window was 16 and is now 17"), "{error}");
    assert!(error.contains("from windows of 16 documents"), "{error}");
    let error = refused(&text.replace(", packing = { kind = \"best_fit\", window = 16 }", ""));
    assert!(error.contains("batch.packing.kind was \"best_fit\" and is now absent"), "{error}");
    // The same keys and other rows, as of a program that packs in another way.
    let (mut plan, _corpus) = planned(&text, &folder);
    let digest = plan.blend.digest();
    let packing = plan.blend.mixture.sources[0].packing.as_mut().unwrap();
    assert_eq!(packing.rows, plan.rows[0].num_rows());
    packing.digest = "f".repeat(64);
    let error = prepare(&plan, &Resume::Auto).unwrap_err().to_string();
    assert!(error.contains("digest ffffffffffff"), "{error}");
    let manifest = folder.join("checkpoints/step-00000004/manifest.json");
    let manifest = std::fs::read_to_string(manifest).unwrap();
    assert!(manifest.contains(&digest) && manifest.contains("\"packing\""), "{manifest}");
    let (plan, _corpus) = planned(&text, &folder);
    assert!(prepare(&plan, &Resume::Auto).unwrap().declared.is_empty());
}

#[test]
fn a_plan_says_how_documents_are_packed_and_what_that_costs() {
    let dir = tempfile::tempdir().unwrap();
    let text = packed(MASKED, &one(dir.path())).replace("context = 40", "context = 80");
    let (plan, corpus) = planned(&text, &dir.path().join("run"));
    let rows = &plan.rows[0];
    let split = training_split(&corpus, &plan.blend);
    assert_eq!(rows.num_tokens(), split.tokens);
    let estimate = estimate(&plan, &split, None);
    let padding = 1.0 - split.tokens as f64 / (rows.num_rows() * 80) as f64;
    assert!((estimate.padding.unwrap() - padding).abs() < 1e-12);
    assert!((estimate.epochs - 64.0 / rows.num_rows() as f64).abs() < 1e-12);
    assert_eq!(plan.tokens_per_step, 8 * split.tokens.div_ceil(rows.num_rows()));
    let facts: Vec<String> =
        plan.facts().iter().map(|(name, said)| format!("{name}: {said}")).collect();
    let facts = facts.join("\n");
    assert!(facts.contains("rows of at most 80 tokens, 16 documents at a time"), "{facts}");
    let said = format!("{} an epoch, {:.2} % padding, 0 longer", rows.num_rows(), 100.0 * padding);
    assert!(facts.contains(&said), "{facts}");
    let (plan, _) = planned(&packed(CAUSAL, &several(dir.path())), &dir.path().join("other"));
    let facts = plan.facts().into_iter().map(|(_, said)| said).collect::<Vec<_>>().join("\n");
    assert!(["big: ", "middle: ", "small: "].iter().all(|it| facts.contains(it)), "{facts}");
}
