//! The card and the shards of a small dataset are byte for byte those that were written before.

use std::fs;

use super::support::Folder;
use genesis_data::formats::DocumentRule;
use genesis_data::ingest::Silent;
use genesis_data::sequences::{SequencesIngest, TokenizerChoice, ingest_sequences};

/// Where the card depends on the test's folder or on the program's version, the text says so.
fn card_text(folder: &Folder) -> String {
    let text = fs::read_to_string(folder.path("out/dataset.json")).unwrap();
    let version = format!("\"code_version\": \"{}\"", env!("CARGO_PKG_VERSION"));
    assert!(text.contains(&version), "{text}");
    let root = folder.path("").display().to_string();
    text.replace(&root, "FOLDER/").replace(&version, "\"code_version\": \"VERSION\"")
}

#[test]
fn the_dataset_of_a_few_proteins_is_what_it_always_was() {
    let folder = Folder::new();
    let proteins = ["MKTAYIAK", "GAVLIMFW", "QISFVKSHFSRQ", "MKTAYIAK", "PSTCYNQ", "MK TA"];
    let lines = proteins.map(|text| serde_json::json!({"protein": text}).to_string());
    folder.write("a.jsonl", &lines.join("\n"));
    folder.write("b.txt", "DEKRH\nWYYAL\nGGSGGS\n");
    let plan = SequencesIngest {
        documents: DocumentRule::Line,
        column: Some("protein".to_owned()),
        validation_fraction: 0.3,
        max_shard_bytes: Some(16),
        max_reject_fraction: 0.5,
        threads: Some(2),
        name: Some("a few".to_owned()),
        description: "Proteins of a test.".to_owned(),
        licence: Some("CC0-1.0".to_owned()),
        ..SequencesIngest::new(
            vec![folder.path("a.jsonl"), folder.path("b.txt")],
            TokenizerChoice::AminoAcid,
            folder.path("out"),
        )
    };
    ingest_sequences(&plan, &Silent).unwrap();
    assert_eq!(card_text(&folder), include_str!("golden.json"));
}
