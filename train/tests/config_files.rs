//! Every file under `configs/` is a valid run file and says how it is run.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::{Path, PathBuf};

use genesis_train::families::of;
use genesis_train::keys::RunFile;

/// The files; a new one belongs here.
const FILES: [&str; 7] = [
    "equivariant/acac.toml",
    "equivariant/mptrj.toml",
    "equivariant/quickstart.toml",
    "transformer/protein_mlm.toml",
    "transformer/quickstart.toml",
    "transformer/shakespeare.toml",
    "transformer/smiles_qm9.toml",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs")
}

fn environment(name: &str) -> Option<String> {
    (name == "GENESIS_SHARED").then(|| "/shared".to_owned())
}

fn read(file: &str) -> String {
    std::fs::read_to_string(folder().join(file)).unwrap()
}

#[test]
fn every_file_of_the_folder_is_listed_here() {
    let mut found = Vec::new();
    for family in ["equivariant", "transformer"] {
        for entry in std::fs::read_dir(folder().join(family)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            found.push(format!("{family}/{name}"));
        }
    }
    found.sort();
    assert_eq!(found, FILES);
}

#[test]
fn every_config_loads_and_its_written_form_reads_back_equal() {
    for file in FILES {
        let parsed = |text: &str| RunFile::parse(file, text, &[]).unwrap();
        let first = parsed(&read(file));
        let family = of(&first);
        let written = family.written(first, &environment).unwrap_or_else(|e| panic!("{e}"));
        let again = parsed(&written);
        assert_eq!(of(&again).name, family.name, "{file}");
        let again = family.written(again, &|_| None).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(again, written, "{file}");
        assert_eq!(family.name == "structures", file.starts_with("equivariant"), "{file}");
    }
}

#[test]
fn every_config_opens_with_the_command_that_runs_it() {
    for file in FILES {
        let text = read(file);
        let header: Vec<&str> = text.lines().take_while(|line| line.starts_with('#')).collect();
        assert!(header.iter().any(|line| line.contains("genesis train")), "{file}");
        assert!(header.iter().any(|line| line.contains("One step:")), "{file}");
    }
}
