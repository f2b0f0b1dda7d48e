//! npz files of other programs: units that they state, shapes, cells, orders of bytes.

use super::support::{Folder, failure, frames, run};
use genesis_data::dataset::Split;
use genesis_data::structures::ingest::StatedUnits;
use genesis_schema::Frame;
use std::io::Write as _;
use std::path::Path;

/// An array: name, type, shape as Python writes it, bytes.
type Array = (&'static str, &'static str, &'static str, Vec<u8>);

fn write(path: &Path, arrays: &[Array]) {
    let mut zip = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    for (name, kind, shape, data) in arrays {
        zip.start_file(format!("{name}.npy"), zip::write::SimpleFileOptions::default()).unwrap();
        let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n");
        let length = u16::try_from(header.len()).unwrap().to_le_bytes();
        zip.write_all(b"\x93NUMPY\x01\x00").unwrap();
        zip.write_all(&[&length[..], header.as_bytes(), data].concat()).unwrap();
    }
    zip.finish().unwrap();
}

fn real(numbers: &[f64]) -> Vec<u8> {
    numbers.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// Two geometries of carbon monoxide.
fn monoxide() -> Vec<Array> {
    let positions = [0.0, 0.0, 0.0, 0.0, 0.0, 1.1, 0.0, 0.0, 0.0, 0.0, 0.0, 1.2];
    let forces = [0.0, 0.0, 2.0, 0.0, 0.0, -2.0, 0.0, 0.0, 3.0, 0.0, 0.0, -3.0];
    vec![
        ("z", "|u1", "(2,)", vec![6, 8]),
        ("R", "<f8", "(2, 2, 3)", real(&positions)),
        ("E", "<f8", "(2,)", real(&[-10.0, -9.75])),
        ("F", "<f8", "(2, 2, 3)", real(&forces)),
    ]
}

fn read(arrays: &[Array], stated: StatedUnits) -> (Vec<Frame>, Vec<String>) {
    let folder = Folder::new();
    write(&folder.path("a.npz"), arrays);
    let mut plan = folder.plan(&["a.npz"]);
    plan.units.stated = stated;
    let warnings = run(&plan).card.part.warnings;
    (frames(&plan.output, Split::Train).into_iter().map(|it| it.frame).collect(), warnings)
}

fn text(word: &str) -> Vec<u8> {
    word.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect()
}

#[test]
fn units_that_the_file_states_are_used_and_told_or_ignored_when_asked() {
    let mut arrays = monoxide();
    arrays.push(("e_unit", "<U8", "()", text("kcal/mol")));
    arrays.push(("r_unit", "|S3", "()", b"Ang".to_vec()));
    let (found, warnings) = read(&arrays, StatedUnits::Believe);
    assert!((found[0].labels.energy.unwrap() + 10.0 / 23.060_548).abs() < 1e-6);
    assert!((found[1].labels.forces.as_ref().unwrap()[0][2] - 3.0 / 23.060_548).abs() < 1e-6);
    assert!(warnings.iter().any(|it| it.contains("kcal/mol (`e_unit`)")), "{warnings:?}");
    let (found, _) = read(&arrays, StatedUnits::Ignore);
    assert!((found[0].labels.energy.unwrap() + 10.0).abs() < 1e-12);
    let folder = Folder::new();
    arrays[4].3 = text("furlongs");
    write(&folder.path("a.npz"), &arrays);
    let error = failure(&folder.plan(&["a.npz"])).to_string();
    assert!(error.contains("`e_unit` says e in `furlongs`"), "{error}");
}

#[test]
fn cells_and_directions_are_those_of_the_file_shared_or_each() {
    let mut arrays = monoxide();
    arrays.push(("cell", "<f8", "(3, 3)", real(&[9.0, 0.0, 0.0, 0.0, 9.0, 0.0, 0.0, 0.0, 9.0])));
    arrays.push(("pbc", "|b1", "(2, 3)", vec![1, 1, 1, 1, 1, 0]));
    let (found, _) = read(&arrays, StatedUnits::Believe);
    assert_eq!((found[0].periodic, found[1].periodic), ([true; 3], [true, true, false]));
    assert!((found[1].cell[2][2] - 9.0).abs() < 1e-12);
}

#[test]
fn elements_of_each_structure_padding_and_other_types_are_read() {
    let mut arrays = monoxide();
    let (want, _) = read(&arrays, StatedUnits::Believe);
    let big: Vec<u8> = [6i16, 8, 6, 8].iter().flat_map(|z| z.to_be_bytes()).collect();
    arrays[0] = ("z", ">i2", "(2, 2)", big);
    assert_eq!(read(&arrays, StatedUnits::Believe).0, want);
    arrays[0] =
        ("z", "<i8", "(2, 2)", [6i64, 8, 6, 0].iter().flat_map(|z| z.to_le_bytes()).collect());
    // The second is a single atom then, and gives its energy alone.
    assert_eq!(read(&arrays, StatedUnits::Believe).0, want[..1]);
    let folder = Folder::new();
    arrays[3] = ("F", "|O", "(2, 2, 3)", vec![0; 8]);
    write(&folder.path("a.npz"), &arrays);
    let error = failure(&folder.plan(&["a.npz"])).to_string();
    assert!(error.contains("array `F`") && error.contains("|O"), "{error}");
}
