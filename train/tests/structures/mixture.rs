//! Structures of three datasets in one run.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use genesis_data::structures::StructuresCorpus;
use genesis_train::report::audit::{Compared, compare_audits};
use genesis_train::structures::{Structures, StructuresPlan, evaluate_run, resolve_structures};
use genesis_train::trainer::Resume;

use crate::fixture::{Memory, SILICON, config, plan};
use crate::ranks::train_on;

/// Folders of three datasets of silicon, of different size and seed.
fn datasets(root: &Path) -> Vec<PathBuf> {
    let made = |(frames, seed)| {
        let text =
            SILICON.replace("frames = 24, seed = 1", &format!("frames = {frames}, seed = {seed}"));
        let folder = root.join(format!("of-{seed}"));
        plan(&text, &folder);
        folder.join("dataset")
    };
    [(24, 1), (10, 2), (4, 3)].map(made).into()
}

fn mixed(folders: &[PathBuf], more: &str) -> String {
    let source = |(name, folder): (&str, &PathBuf)| {
        let folder = folder.display();
        format!("data.mixture.{name} = {{ dataset = \"{folder}\", weight = 2 }}\n")
    };
    let data: String = ["a", "b", "c"].into_iter().zip(folders).map(source).collect();
    let more = format!(
        "{data}{more}parallel = {{ deterministic = true, parts = 4 }}\nreport = {{ audit = true }}\n"
    );
    let generate = "data.generate = { kind = \"silicon\", frames = 24, seed = 1 }\n";
    SILICON.replace("batch = { frames = 3 }", "batch = { frames = 8 }").replace(generate, &more)
}

fn planned(text: &str, run: &Path) -> (StructuresPlan, Arc<StructuresCorpus>) {
    let config = config(&text.replace("DIR", &run.display().to_string()));
    let corpus = Arc::new(StructuresCorpus::open(&config.data.folders(run)).unwrap());
    (resolve_structures(config, &corpus).unwrap(), corpus)
}

#[test]
fn a_mixture_of_structures_goes_on_on_any_ranks_with_the_same_samples_and_bits() {
    let dir = tempfile::tempdir().unwrap();
    let change = "data.change = [{ from_step = 5, weights = { b = 1, c = 3 } }]\n";
    let text = mixed(&datasets(dir.path()), change);
    let (straight, killed) = (dir.path().join("straight"), dir.path().join("killed"));
    let train = |world, run: &Path, stop, resume: &Resume| {
        let (plan, corpus) = planned(&text, run);
        let mut memory = Memory::default();
        let outcomes = train_on::<Structures>(world, (&plan, &corpus), &mut memory, stop, resume);
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        memory
    };
    let want = train(1, &straight, None, &Resume::No);
    let mut bits = train(4, &killed, Some(3), &Resume::No).bits();
    bits.extend(train(1, &killed, Some(6), &Resume::Auto).bits());
    bits.extend(train(2, &killed, None, &Resume::Auto).bits());
    assert_eq!(bits, want.bits());
    let found = compare_audits(&straight, &killed).unwrap();
    assert_eq!(found, Compared::Equal { steps: 8, samples: 64 });
    let losses = &want.evaluations[0].val_losses;
    assert_eq!(losses.keys().collect::<Vec<_>>(), ["a", "b", "c"]);

    let (plan, corpus) = planned(&text, &straight);
    let (device, stop) = (burn::tensor::Device::<genesis_kernels::Cpu>::default(), false.into());
    let report = evaluate_run::<genesis_kernels::Cpu>(&plan, &corpus, &device, &stop);
    let rows = report.unwrap().unwrap().rows;
    assert!(rows.iter().any(|row| row.set == "c: validation"), "{rows:?}");
}

#[test]
fn one_dataset_of_structures_in_a_mixture_has_the_bits_and_the_network_of_before() {
    let dir = tempfile::tempdir().unwrap();
    let before = plan(SILICON, &dir.path().join("before"));
    let mut want = Memory::default();
    crate::fixture::run(&before, &mut want, &Resume::No).unwrap();
    let entry = format!(
        "data.mixture.dataset = {{ dataset = \"{}\", weight = 1 }}\n",
        dir.path().join("before/dataset").display()
    );
    let generate = "data.generate = { kind = \"silicon\", frames = 24, seed = 1 }\n";
    let now = planned(&SILICON.replace(generate, &entry), &dir.path().join("now"));
    let mut found = Memory::default();
    crate::fixture::run(&now, &mut found, &Resume::No).unwrap();
    assert_eq!(found.bits(), want.bits());
    assert_eq!(before.0.blend.digest(), now.0.blend.digest());
}

#[test]
fn atoms_that_have_two_energies_alone_are_refused_with_both() {
    let dir = tempfile::tempdir().unwrap();
    let folders = datasets(dir.path());
    let card = folders[1].join("dataset.json");
    let text = std::fs::read_to_string(&card).unwrap();
    let mut card: genesis_data::structures::StructuresCard = serde_json::from_str(&text).unwrap();
    card.part.atomic_energies.values_ev.insert("Si".to_owned(), -7.25);
    card.save(&folders[1]).unwrap();
    let text = mixed(&folders, "");
    let config = config(&text.replace("DIR", "run"));
    let corpus = StructuresCorpus::open(&config.data.folders(Path::new("run"))).unwrap();
    let error = resolve_structures(config, &corpus).unwrap_err().to_string();
    for part in ["Si", "-7.25 eV in b", "eV in a", "atomic_energies"] {
        assert!(error.contains(part), "{part} in {error}");
    }
}
