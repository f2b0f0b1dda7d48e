//! The card and the shards of a small dataset are byte for byte those that were written before.

use std::fs;

use super::support::{Folder, run, waters};
use genesis_data::dataset::card::FileCard;
use genesis_data::structures::StructuresIngest;
use genesis_data::structures::ingest::{Label, LabelKeys, ValidationChoice};

/// Where the card depends on the test's folder or on the program's version, the text says so; the
/// list of rejects holds paths.
fn card_text(folder: &Folder) -> String {
    let out = folder.path("out");
    let text = fs::read_to_string(out.join("dataset.json")).unwrap();
    let version = format!("\"code_version\": \"{}\"", env!("CARGO_PKG_VERSION"));
    assert!(text.contains(&version), "{text}");
    let rejects = FileCard::measure(&out, "rejects.jsonl").unwrap();
    let root = folder.path("").display().to_string();
    text.replace(&root, "FOLDER/")
        .replace(&version, "\"code_version\": \"VERSION\"")
        .replace(&rejects.sha256, "OF PATHS")
        .replace(&format!("\"bytes\": {},\n      \"sha256\": \"OF", rejects.bytes), "\"OF")
}

#[test]
fn the_dataset_of_a_few_molecules_is_what_it_always_was() {
    let folder = Folder::new();
    let atoms = ["H", "O"].map(|atom| format!("1\nProperties=species:S:1:pos:R:3:forces:R:3 energy=-0.5 config_type=IsolatedAtom\n{atom} 0 0 0 0 0 0\n"));
    let broken = "1\nProperties=species:S:1:pos:R:3 energy=-1\nQ 0 0 0\n";
    folder
        .write("a.xyz", &[waters(0..9), waters(3..5), broken.to_owned(), atoms.concat()].concat());
    folder.write("test.xyz", &waters(7..12));
    let plan = StructuresIngest {
        test: vec![folder.path("test.xyz")],
        keys: LabelKeys { energy: Some("energy".to_owned()), ..LabelKeys::default() },
        labels: vec![Label::Energy],
        validation: ValidationChoice::Count { frames: 2, seed: 3 },
        cutoff: 3.5,
        max_shard_bytes: Some(1),
        threads: Some(2),
        name: Some("a few".to_owned()),
        description: "Molecules of a test.".to_owned(),
        classification: Some("public".to_owned()),
        ..folder.plan(&["a.xyz"])
    };
    run(&plan);
    assert_eq!(card_text(&folder), include_str!("golden.json"));
}
