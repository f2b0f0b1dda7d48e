//! Every file under `configs/` is a valid run file and says how it is run.

use std::path::{Path, PathBuf};

use genesis_train::config::{load_text, to_text};

/// The files; a new one belongs here.
const FILES: [&str; 4] =
    ["quickstart.toml", "shakespeare.toml", "protein_mlm.toml", "smiles_qm9.toml"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/transformer")
}

fn environment(name: &str) -> Option<String> {
    (name == "GENESIS_SHARED").then(|| "/shared".to_owned())
}

#[test]
fn every_file_of_the_folder_is_listed_here() {
    let mut found: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    let mut listed = FILES.map(str::to_owned).to_vec();
    listed.sort();
    assert_eq!(found, listed);
}

#[test]
fn every_config_loads_and_its_written_form_reads_back_equal() {
    for file in FILES {
        let text = std::fs::read_to_string(folder().join(file)).unwrap();
        let config = load_text(file, &text, &[], &environment).unwrap_or_else(|e| panic!("{e}"));
        let written = to_text(&config).unwrap();
        let again = load_text(file, &written, &[], &|_| None).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(again, config, "{file}");
    }
}

#[test]
fn every_config_opens_with_the_command_that_runs_it() {
    for file in FILES {
        let text = std::fs::read_to_string(folder().join(file)).unwrap();
        let header: Vec<&str> = text.lines().take_while(|line| line.starts_with('#')).collect();
        assert!(header.iter().any(|line| line.contains("genesis train")), "{file}");
        assert!(header.iter().any(|line| line.contains("One step:")), "{file}");
    }
}
