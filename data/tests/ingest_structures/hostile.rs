//! Files that are wrong: refused with file, line and reason, and what is right around them stays.

use super::support::{Folder, failure, frames, run, waters, write_npz};
use genesis_data::dataset::Split;
use genesis_data::structures::StructuresIngest;
use genesis_data::structures::ingest::Label;

const HEAD: &str = "Properties=species:S:1:pos:R:3:forces:R:3 energy=-1";

/// The one reject among good structures: its reason, line and detail.
fn reject(bad: &str) -> (String, u64, String) {
    let folder = Folder::new();
    folder.write("a.xyz", &format!("{}{bad}{}", waters(0..10), waters(10..20)));
    let plan = StructuresIngest { max_reject_fraction: 0.2, ..folder.plan(&["a.xyz"]) };
    let summary = run(&plan);
    assert_eq!(frames(&plan.output, Split::Train).len(), 20, "{bad}: {:?}", summary.rejected);
    assert_eq!(summary.rejected.len(), 1, "{bad}: {:?}", summary.rejected);
    let reject = summary.rejected[0].clone();
    assert!(reject.file.ends_with("a.xyz") && reject.detail.contains("structure 11"), "{reject}");
    (reject.reason, reject.line, reject.detail)
}

#[test]
fn every_kind_of_bad_structure_is_named_by_line_and_its_neighbours_survive() {
    let two = |atoms: &str| format!("2\n{HEAD}\n{atoms}");
    let cases = [
        ("wrong_count", two("H 0 0 0 0 0 0\n")),
        ("wrong_count", two("H 0 0 0 0 0 0\nH 1 0 0 0 0 0\nH 2 0 0 0 0 0\n")),
        ("not_finite", two("H 0 0 0 0 NaN 0\nH 1 0 0 0 0 0\n")),
        ("not_finite", two("H 0 0 0 0 0 0\nH 1 0 0 inf 0 0\n")),
        ("not_finite", format!("1\n{HEAD} x=1 REF_energy=nan\nH 0 0 0 0 0 0\n")),
        ("no_neighbors", two("H 0 0 0 0 0 0\nH nan 0 0 0 0 0\n")),
        ("no_neighbors", format!("1\n{HEAD} pbc=T\nH 0 0 0 0 0 0\n")),
        ("no_neighbors", format!("1\n{HEAD} Lattice=\"1 0 0 0 1 0 1 1 0\"\nH 0 0 0 0 0 0\n")),
        ("overlap", two("H 0 0 0 0 0 0\nH 0 0 0.2 0 0 0\n")),
        ("overlap", two("H 1 1 1 0 0 0\nH 1 1 1 0 0 0\n")),
        ("unknown_element", two("H 0 0 0 0 0 0\nXx 1 0 0 0 0 0\n")),
        ("bad_value", two("H 0 0 0 0 0 0\nH 1 0 0 0 0 0,5\n")),
        ("wrong_columns", two("H 0 0 0 0 0 0\nH 1 0 0 0 0\n")),
        ("bad_label", format!("1\n{HEAD} stress=\"1 2 3\"\nH 0 0 0 0 0 0\n")),
        ("bad_label", format!("1\n{HEAD} stress=\"1 2 3 4 5 6 7 8 9\"\nH 0 0 0 0 0 0\n")),
        ("bad_label", format!("1\n{HEAD} config_weight=-1\nH 0 0 0 0 0 0\n")),
        ("bad_comment", format!("1\n{HEAD} note=\"open\nH 0 0 0 0 0 0\n")),
        ("bad_comment", format!("1\n{HEAD} energy=2\nH 0 0 0 0 0 0\n")),
        ("bad_properties", "1\nProperties=pos:R:3\nH 0 0 0\n".to_owned()),
        ("bad_lattice", format!("1\n{HEAD} Lattice=\"1 2\"\nH 0 0 0 0 0 0\n")),
        ("bad_pbc", format!("1\n{HEAD} pbc=\"T maybe F\"\nH 0 0 0 0 0 0\n")),
        (
            "bad_isolated_atom",
            format!("2\n{HEAD} config_type=isolated_atom\nH 0 0 0 0 0 0\nH 1 0 0 0 0 0\n"),
        ),
        ("no_count", "two\nH 0 0 0\n".to_owned()),
        ("no_atoms", format!("0\n{HEAD}\n")),
    ];
    for (reason, text) in cases {
        // Ten structures of five lines come before.
        let (found, line, detail) = reject(&text);
        assert_eq!((found.as_str(), line), (reason, 51), "{text}{detail}");
    }
}

#[test]
fn the_line_of_a_bad_atom_and_the_two_atoms_of_an_overlap_are_named() {
    let detail = reject(&format!("2\n{HEAD}\nH 0 0 0 0 0 0\nQ 1 0 0 0 0 0\n")).2;
    assert!(detail.contains("line 54") && detail.contains("`Q`"), "{detail}");
    let detail = reject(&format!("2\n{HEAD}\nO 0 0 0 0 0 0\nH 0.25 0 0 0 0 0\n")).2;
    assert!(
        detail.contains("0 (O)") && detail.contains("1 (H)") && detail.contains("0.250"),
        "{detail}"
    );
}

#[test]
fn missing_labels_stop_the_ingest_with_counts_unless_allowed() {
    let folder = Folder::new();
    let bare = "2\nProperties=species:S:1:pos:R:3\nH 0 0 0\nH 0 0 0.8\n";
    folder.write("a.xyz", &format!("{}{bare}", waters(0..24)));
    let plan = folder.plan(&["a.xyz"]);
    let message = failure(&plan).to_string();
    assert!(message.contains("energy present in 24 of 25 structures"), "{message}");
    assert!(message.contains("forces present in 24 of 25 structures"), "{message}");
    let allowed = StructuresIngest { allow_missing_labels: true, ..plan.clone() };
    assert_eq!(run(&allowed).card.part.splits.train.frames, 25);
    assert_eq!(frames(&plan.output, Split::Train)[24].frame.labels.energy, None);
    let mut renamed = allowed.clone();
    renamed.keys.energy = Some("Energy".to_owned());
    assert!(failure(&renamed).to_string().contains("no structure has a `Energy`"), "never zeros");
    let stress = StructuresIngest { labels: vec![Label::Stress], ..plan };
    assert!(failure(&stress).to_string().contains("stress present in 0 of 0"));
}

#[test]
fn files_of_rejects_empty_files_and_wrong_plans_are_refused() {
    let folder = Folder::new();
    folder.write("empty.xyz", "");
    assert!(failure(&folder.plan(&["empty.xyz"])).to_string().contains("no structures"));
    folder.write("binary.xyz", "\u{1}\u{2}\u{3} binary \0\n");
    assert!(
        failure(&folder.plan(&["binary.xyz"])).to_string().contains("every record was rejected")
    );
    folder.write("a.foo", "1\n\nH 0 0 0\n");
    assert!(failure(&folder.plan(&["a.foo"])).to_string().contains("extension `foo`"));
    assert!(failure(&folder.plan(&["absent.xyz"])).to_string().contains("no such file"));
    folder.write("broken.npz", "PK");
    assert!(failure(&folder.plan(&["broken.npz"])).to_string().contains("not an npz file"));
    folder.write("broken.parquet", "PAR1");
    assert!(failure(&folder.plan(&["broken.parquet"])).to_string().contains("Parquet"));
    folder.write("a.xyz", &waters(0..5));
    let plan = StructuresIngest { cutoff: f64::NAN, ..folder.plan(&["a.xyz"]) };
    assert!(failure(&plan).to_string().contains("cutoff"));
    assert!(!folder.path("out.tmp").exists());
}

#[test]
fn json_that_is_no_structure_is_refused_line_by_line() {
    let folder = Folder::new();
    let good = |x: f64| {
        format!(
            "{{\"symbols\": [\"He\", \"He\"], \"positions\": [[0,0,0],[{x},0,0]], \"energy\": 0.5, \"forces\": [[0,0,0],[0,0,0]]}}\n"
        )
    };
    let bad = [
        ("not_json", "{"),
        ("no_elements", "{\"positions\": [[0,0,0]]}"),
        ("wrong_count", "{\"symbols\": [\"He\", \"He\"], \"positions\": [[0,0,0]]}"),
        ("unknown_element", "{\"atomic_numbers\": [0], \"positions\": [[0,0,0]]}"),
        (
            "wrong_count",
            "{\"atomic_numbers\": [2], \"positions\": [[0,0,0]], \"forces\": [[0,0,0],[0,0,0]]}",
        ),
        (
            "bad_label",
            "{\"atomic_numbers\": [2], \"positions\": [[0,0,0]], \"energy\": {\"a\": 1}}",
        ),
    ];
    let text: String = (1..40).map(|i| good(3.0 + f64::from(i))).collect();
    let bad_lines = bad.iter().fold(String::new(), |all, (_, line)| all + line + "\n");
    folder.write("a.jsonl", &(text + &bad_lines));
    let plan = StructuresIngest { max_reject_fraction: 0.3, ..folder.plan(&["a.jsonl"]) };
    let rejected = run(&plan).rejected;
    let reasons: Vec<&str> = rejected.iter().map(|reject| reject.reason.as_str()).collect();
    assert_eq!(reasons, bad.map(|(reason, _)| reason));
    assert_eq!(rejected[0].line, 40);
}

#[test]
fn the_longest_record_is_bounded_in_binary_formats_too_and_other_formats_are_refused_by_name() {
    let folder = Folder::new();
    folder.write("a.xyz", &waters(0..4));
    run(&folder.plan(&["a.xyz"]));
    let stored = frames(&folder.path("out"), genesis_data::Split::Train);
    let stored: Vec<_> = stored.into_iter().map(|stored| stored.frame).collect();
    write_npz(&folder.path("a.npz"), &stored);
    let small = StructuresIngest { max_record_bytes: 100, ..folder.plan(&["a.npz"]) };
    let message = failure(&small).to_string();
    assert!(message.contains("147 bytes") && message.contains("max_record_bytes"), "{message}");
    let format = genesis_data::formats::FormatChoice::named("fasta").unwrap();
    let message = failure(&StructuresIngest { format, ..folder.plan(&["a.xyz"]) }).to_string();
    assert!(message.contains("fasta files hold no structures"), "{message}");
    assert!(message.contains("jsonl, parquet, extxyz or npz"), "{message}");
}
