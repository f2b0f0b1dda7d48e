//! Runs on a mixture of three datasets: killed and resumed on any ranks, changed at declared steps.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use genesis_data::sequences::SequencesCorpus;
use genesis_train::report::audit::{Compared, compare_audits};
use genesis_train::sequences::{Sequences, SequencesConfig, SequencesPlan, resolve};
use genesis_train::trainer::{Outcome, Resume, prepare};

use crate::fixture::{CAUSAL, MASKED, Memory, dataset, plan, run, three_datasets};
use crate::ranks::train_on;

/// A run file with `data` in place of its dataset, and sums that any number of ranks makes alike.
fn mixed(text: &str, data: &str) -> String {
    let more = "parallel = { deterministic = true, parts = 4, bucket_mib = 0.001 }\n\
                report = { audit = true }\n";
    let text =
        text.replace("sequences = 4", "sequences = 8").replace("sequences = 6", "sequences = 8");
    text.replace("data.dataset = \"DATA\"\n", data) + more
}

/// Weights of `big`, `middle` and `small`, and what else `[data]` says.
fn data(folders: &[(String, PathBuf)], weights: [u64; 3], more: &str) -> String {
    let source = |((name, folder), weight): (&(String, PathBuf), u64)| {
        let folder = folder.display();
        format!("data.mixture.{name} = {{ dataset = \"{folder}\", weight = {weight} }}\n")
    };
    folders.iter().zip(weights).map(source).collect::<String>() + more
}

fn config(text: &str, run: &Path) -> SequencesConfig {
    toml::from_str(&text.replace("DIR", &run.display().to_string())).unwrap()
}

fn planned(text: &str, run: &Path) -> (SequencesPlan, Arc<SequencesCorpus>) {
    let config = config(text, run);
    let corpus = Arc::new(SequencesCorpus::open(&config.data.folders(run)).unwrap());
    (resolve(config, &corpus).unwrap(), corpus)
}

fn train(
    world: usize,
    (plan, corpus): &(SequencesPlan, Arc<SequencesCorpus>),
    stop_after: Option<u64>,
    resume: &Resume,
) -> (Memory, Outcome) {
    let mut memory = Memory::default();
    let outcomes = train_on::<Sequences>(world, (plan, corpus), &mut memory, stop_after, resume);
    let outcomes: Vec<Outcome> = outcomes.into_iter().map(Result::unwrap).collect();
    assert!(outcomes.iter().all(|it| *it == outcomes[0]), "{outcomes:?}");
    (memory, outcomes[0])
}

fn weights(run: &Path) -> Vec<u8> {
    std::fs::read(run.join("checkpoints/step-00000008/model.safetensors")).unwrap()
}

const CHANGE: &str = "data.change = [{ from_step = 5, weights = { middle = 1, small = 3 } }]\n";

#[test]
fn a_mixture_that_is_killed_and_resumed_on_any_ranks_keeps_its_bits() {
    for text in [CAUSAL, MASKED] {
        let dir = tempfile::tempdir().unwrap();
        let text = mixed(text, &data(&three_datasets(dir.path()), [5, 2, 1], CHANGE));
        let straight = planned(&text, &dir.path().join("straight"));
        let (want, _) = train(1, &straight, None, &Resume::No);
        assert_eq!(want.steps.len(), 8);
        let folder = dir.path().join("killed");
        let mut bits = Vec::new();
        for (world, stop, resume) in [
            (4, Some(1), Resume::No),
            (2, Some(3), Resume::Auto),
            (1, Some(4), Resume::Auto),
            (4, Some(6), Resume::Auto),
            (2, Some(7), Resume::Auto),
            (1, None, Resume::Auto),
        ] {
            let (memory, _) = train(world, &planned(&text, &folder), stop, &resume);
            bits.extend(memory.bits());
        }
        assert_eq!(bits, want.bits());
        assert_eq!(weights(&folder), weights(&dir.path().join("straight")));
        let found = compare_audits(&dir.path().join("straight"), &folder).unwrap();
        assert_eq!(found, Compared::Equal { steps: 8, samples: 64 });
        let other = text.replace("small = 3", "small = 2");
        train(2, &planned(&other, &dir.path().join("other")), None, &Resume::No);
        let found = compare_audits(&folder, &dir.path().join("other")).unwrap();
        assert!(matches!(found, Compared::Differ { step: 6, .. }), "{found:?}");
    }
}

#[test]
fn one_dataset_in_a_mixture_is_the_run_of_before_to_the_bit() {
    let dir = tempfile::tempdir().unwrap();
    let sole = dataset(&dir.path().join("data"));
    let before = plan(CAUSAL, &dir.path().join("before"), &sole);
    let mut want = Memory::default();
    run(&before, &sole, &mut want, &Resume::No).unwrap();
    let entry = format!(
        "data.mixture.dataset = {{ dataset = \"{}\", weight = 3 }}\n",
        dir.path().join("data").display()
    );
    let text = CAUSAL.replace("data.dataset = \"DATA\"\n", &entry);
    let (now, corpus) = planned(&text, &dir.path().join("now"));
    let mut found = Memory::default();
    run(&now, &corpus, &mut found, &Resume::No).unwrap();
    assert_eq!((found.bits(), found.evaluation_bits()), (want.bits(), want.evaluation_bits()));
    assert_eq!(before.blend.digest(), now.blend.digest());
    let manifest = dir.path().join("before/checkpoints/step-00000008/manifest.json");
    let manifest = std::fs::read_to_string(manifest).unwrap();
    assert!(!manifest.contains("\"mixture\""), "the manifest of one dataset is as it was");
}

#[test]
fn every_source_that_the_run_begins_with_is_measured_and_a_later_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let folders = three_datasets(dir.path());
    let change = CHANGE.replace("middle = 1, ", "");
    let text = mixed(MASKED, &data(&folders, [5, 2, 0], &change));
    let (memory, _) = train(2, &planned(&text, &dir.path().join("run")), None, &Resume::No);
    for evaluation in &memory.evaluations {
        let names: Vec<&str> = evaluation.val_losses.keys().map(String::as_str).collect();
        assert_eq!(names, ["big", "middle"]);
        let losses: Vec<f64> = evaluation.val_losses.values().copied().collect();
        let (low, high) = (losses[0].min(losses[1]), losses[0].max(losses[1]));
        assert!(low <= evaluation.val_loss && evaluation.val_loss <= high, "{evaluation:?}");
    }
    let named = format!("{change}data.validation = [\"small\"]\n");
    let text = mixed(MASKED, &data(&folders, [5, 2, 0], &named));
    let (memory, _) = train(1, &planned(&text, &dir.path().join("other")), None, &Resume::No);
    assert!(memory.evaluations.iter().all(|it| it.val_losses.is_empty() && it.val_loss > 0.0));
}

#[test]
fn data_may_be_declared_for_steps_that_are_not_done_and_not_changed_in_those_that_are() {
    let dir = tempfile::tempdir().unwrap();
    let folders = three_datasets(dir.path());
    let folder = dir.path().join("run");
    let one = &folders[..1];
    let before = mixed(CAUSAL, &data(one, [1, 0, 0], ""));
    train(1, &planned(&before, &folder), Some(4), &Resume::No);
    let grown = "data.change = [{ from_step = 6, weights = { big = 1, small = 1 } }]\n";
    let after = mixed(CAUSAL, &data(&folders, [1, 0, 0], grown));

    let (plan, corpus) = planned(&after.replace("from_step = 6", "from_step = 3"), &folder);
    let refused = prepare(&plan, &Resume::Auto).unwrap_err().to_string();
    assert!(refused.contains("4 steps that are done were nothing else"), "{refused}");
    assert!(refused.contains("small 1") && refused.contains("from step 4 on"), "{refused}");
    drop(corpus);
    let other = mixed(CAUSAL, &data(&folders[1..], [1, 0, 0], ""));
    let refused = prepare(&planned(&other, &folder).0, &Resume::Auto).unwrap_err().to_string();
    assert!(refused.contains("big 1") && refused.contains("are now middle 1"), "{refused}");

    let grown = planned(&after, &folder);
    let start = prepare(&grown.0, &Resume::Auto).unwrap();
    let declared = start.declared.join("; ");
    assert!(declared.contains("source small") && declared.contains("from step 7 on"), "{declared}");
    let (memory, _) = train(2, &grown, None, &Resume::Auto);
    assert_eq!(memory.steps.last().map(|step| step.step), Some(8));
    assert!(memory.notes.iter().any(|note| note.contains("data declared after 4 steps")));
    let again = prepare(&grown.0, &Resume::Auto).unwrap();
    assert!(again.declared.is_empty(), "it is in the checkpoint now");
    let kept = std::fs::read_dir(folder.join("checkpoints")).unwrap().count();
    assert!(kept <= 3, "older checkpoints of the run are still of the run: {kept}");

    let at_once = planned(&after, &dir.path().join("at-once"));
    let (want, _) = train(1, &at_once, None, &Resume::No);
    assert_eq!(memory.bits(), want.bits()[4..], "declared early or late, the data are the same");
}

#[test]
fn a_run_that_began_with_one_dataset_goes_on_with_others_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let (folders, folder) = (three_datasets(dir.path()), dir.path().join("run"));
    let sole = dataset(&dir.path().join("data"));
    let text = mixed(CAUSAL, "data.dataset = \"DATA\"\n");
    let before = plan(&text, &folder, &sole);
    train(1, &(before, sole), Some(3), &Resume::No);
    let more = format!(
        "data.mixture.dataset = {{ dataset = \"{}\", weight = 1 }}\n\
         data.mixture.small = {{ dataset = \"{}\", weight = 0 }}\n\
         data.change = [{{ from_step = 4, weights = {{ dataset = 3, small = 1 }} }}]\n",
        dir.path().join("data").display(),
        folders[2].1.display()
    );
    let (memory, _) = train(1, &planned(&mixed(CAUSAL, &more), &folder), None, &Resume::Auto);
    assert_eq!(memory.steps.len(), 5);
    assert!(memory.notes.iter().any(|note| note.contains("source small")), "{:?}", memory.notes);
}

#[test]
fn datasets_that_do_not_fit_together_are_refused_with_both_and_the_way_out() {
    let dir = tempfile::tempdir().unwrap();
    let folders = three_datasets(dir.path());
    let bytes = genesis_data::sequences::tokenize::Tokenizer::byte();
    let smiles = genesis_data::sequences::tokenize::Tokenizer::smiles(["C".to_owned()]);
    bytes.save(&folders[0].1).unwrap();
    bytes.save(&folders[1].1).unwrap();
    smiles.save(&folders[2].1).unwrap();
    let text = mixed(CAUSAL, &data(&folders, [5, 2, 1], ""));
    let config = config(&text, &dir.path().join("run"));
    let corpus = SequencesCorpus::open(&config.data.folders(dir.path())).unwrap();
    let error = resolve(config, &corpus).unwrap_err().to_string();
    for part in ["source big", "source small", "byte", "smiles", "--tokenizer"] {
        assert!(error.contains(part), "{part} in {error}");
    }
}
