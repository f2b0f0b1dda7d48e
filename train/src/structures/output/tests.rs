//! What goes in comes out, whatever the format, and is read again.

use genesis_data::formats::raw_frame::Value;
use genesis_data::structures::ingest::{Structure, UNITS};
use genesis_data::structures::{StructuresIngest, read_structures};

use super::*;

const TWO: &str = "2\nLattice=\"5 0 0 0 5 0 0 0 5\" \
    Properties=species:S:1:pos:R:3:dft_forces:R:3:tag:I:1:spin:R:2:fixed:L:1:label:S:1 \
    dft_energy=-1.5 pbc=\"T T F\" mp_id=mp-149 code=007 name=\"a \\\"b\\\" c\" list=[[1, 2], [3, 4]] \
    relaxed=T config_type=\"hot surface\"\n\
    Si 0.1 0.3333333333333333 -2.5e-17 1 2 3 4 0.5 1.5 T a1\n\
    Si 1.4 1.3 1.36 -1 -2 -3 5 -0.5 2.5 F b2\n\
    2\nProperties=species:S:1:pos:R:3 pbc=F\nSi 0 0 0\nSi 2 0 0\n";

/// Structures of a file that was written, as they are read again.
pub(in crate::structures) fn read(path: &Path) -> Vec<Structure> {
    let plan = StructuresIngest {
        labels: Vec::new(),
        allow_missing_labels: true,
        ..StructuresIngest::new(vec![path.to_path_buf()], "none".into())
    };
    let (structures, rejects) = read_structures(&plan).unwrap();
    assert!(rejects.is_empty(), "{rejects:?}");
    structures
}

/// The two structures with results, written as `name`.
fn written(folder: &Path, name: &str) -> Result<(Vec<Structure>, PathBuf), StructuresError> {
    std::fs::write(folder.join("in.xyz"), TWO).unwrap();
    let structures = read(&folder.join("in.xyz"));
    let results = |energy| {
        let forces = vec![[0.25, -1.0 / 3.0, 0.0]; 2];
        vec![
            Named::Number("predicted_energy".to_owned(), energy),
            Named::Vectors("predicted_forces".to_owned(), forces),
        ]
    };
    let all: Vec<Written<'_>> = structures
        .iter()
        .zip([-2.25, 1.0 / 3.0])
        .map(|(it, energy)| Written {
            frame: &it.frame,
            raw: &it.raw,
            outdated: &[],
            results: results(energy),
        })
        .collect();
    let path = folder.join(name);
    write_all(&path, &all)?;
    Ok((structures, path))
}

/// Labels, kind, cell, every value and column, whatever the types that a format has for them.
fn assert_same(before: &Structure, after: &Structure, name: &str) {
    assert_eq!(before.frame, after.frame, "{name}: labels, kind and cell");
    assert_eq!(before.raw.columns, after.raw.columns, "{name}: columns");
    for (key, rows) in &before.raw.vectors {
        assert_eq!(Some(rows), after.raw.vectors.get(key), "{name}: {key}");
    }
    let meant = |value: &Value| match value {
        Value::Text(text) if text == "T" => Value::Truths(vec![true]),
        Value::Text(_) => value.numbers().map_or_else(|| value.clone(), Value::Numbers),
        other => other.clone(),
    };
    for (key, value) in &before.raw.info {
        let found = after.raw.info.get(key).map(meant);
        let code = key == "code";
        assert_eq!(
            if code { Some(value.clone()) } else { Some(meant(value)) },
            if code { after.raw.info.get(key).cloned() } else { found },
            "{name}: {key}"
        );
    }
}

#[test]
fn everything_that_came_in_is_read_again_from_every_format_of_structures() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["out.xyz", "out.extxyz.gz", "out.jsonl", "out.jsonl.gz", "out.parquet"];
    for name in names {
        let (before, path) = written(folder.path(), name).unwrap();
        let after = read(&path);
        for (before, after) in before.iter().zip(&after) {
            assert_same(before, after, name);
        }
        let first = &after[0].raw;
        assert_eq!(first.info["predicted_energy"].numbers(), Some(vec![-2.25]), "{name}");
        let forces = first.of_atoms(&["predicted_forces"], 3).unwrap().1;
        assert_eq!(forces[1].to_bits(), (-1.0f64 / 3.0).to_bits(), "{name}: every digit");
        let units = &first.info["units"];
        assert_eq!(*units, genesis_data::formats::raw_frame::Value::Text(UNITS.to_owned()));
    }
}

#[test]
fn text_is_kept_as_it_was_spelled_and_names_are_no_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let (_, path) = written(folder.path(), "out.xyz").unwrap();
    let text = std::fs::read_to_string(path).unwrap();
    for part in
        ["code=007", "name=\"a \\\"b\\\" c\"", "list=[[1, 2], [3, 4]]", "relaxed=T", "mp_id=mp-149"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    let (_, path) = written(folder.path(), "out.jsonl").unwrap();
    let line = std::fs::read_to_string(path).unwrap().lines().next().unwrap().to_owned();
    let json: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&json["code"], &json["dft_energy"]), (&"007".into(), &(-1.5).into()));
    assert_eq!((&json["relaxed"], &json["tag"]), (&true.into(), &vec![4, 5].into()));
}

#[test]
fn csv_has_a_row_each_and_quotes_what_needs_it() {
    let folder = tempfile::tempdir().unwrap();
    let (_, path) = written(folder.path(), "out.csv").unwrap();
    let text = std::fs::read_to_string(path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[0].starts_with("atomic_numbers,positions,cell,pbc,"), "{text}");
    assert!(lines[1].contains("\"a \"\"b\"\" c\""), "{text}");
    assert!(lines[2].contains("0.3333333333333333"), "{text}");
}

#[test]
fn npz_holds_one_set_of_atoms_and_refuses_others_by_their_number() {
    let folder = tempfile::tempdir().unwrap();
    let one: String = TWO.split_inclusive('\n').take(4).collect();
    // As many values as there are atoms, and they are not of atoms.
    let one = one.replace("relaxed=T", "relaxed=T pair=\"0.5 1.5\"");
    std::fs::write(folder.path().join("in.xyz"), one.repeat(2)).unwrap();
    let before = read(&folder.path().join("in.xyz"));
    let all: Vec<Written<'_>> = before
        .iter()
        .map(|it| Written { frame: &it.frame, raw: &it.raw, outdated: &[], results: Vec::new() })
        .collect();
    let path = folder.path().join("out.npz");
    write_all(&path, &all).unwrap();
    let again = read(&path);
    assert_eq!(again.len(), 2);
    assert_eq!(again[1].frame.positions, before[1].frame.positions);
    for (before, after) in before.iter().zip(&again) {
        assert_same(before, after, "npz");
    }
    let error = written(folder.path(), "b.npz").unwrap_err().to_string();
    assert!(error.contains("`fixed` is absent in structure 1"), "{error}");
    std::fs::write(folder.path().join("in.xyz"), TWO.replace("Si 2 0 0", "O 2 0 0")).unwrap();
    let structures = read(&folder.path().join("in.xyz"));
    let all: Vec<Written<'_>> = structures
        .iter()
        .map(|it| Written { frame: &it.frame, raw: &it.raw, outdated: &[], results: Vec::new() })
        .collect();
    let error = write_all(&folder.path().join("b.npz"), &all).unwrap_err().to_string();
    assert!(error.contains("structure 1") && error.contains(".jsonl"), "{error}");
    assert!(!folder.path().join("b.npz").exists());
}

#[test]
fn an_extension_of_no_format_is_refused_with_those_there_are() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["out.db", "out.json", "out", "out.parquet.gz", "out.xyz.zst", "out.traj"] {
        let error = written(folder.path(), name).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains(".parquet"), "{error}");
        assert!(!folder.path().join(name).exists());
    }
    let growing = Growing::create(&folder.path().join("a.npz")).unwrap_err().to_string();
    assert!(growing.contains("frame by frame"), "{growing}");
}
