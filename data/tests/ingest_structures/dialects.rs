//! How programs spell the comment line and the cell: read as meant, or refused by name.

use super::support::{Folder, failure, frames, run};
use genesis_data::dataset::Split;
use genesis_data::structures::StructuresIngest;
use genesis_schema::Frame;

const ATOMS: &str = "Si 0 0 0\nSi 1.4 1.3 1.36\n";

/// The one structure of a file with this comment line.
fn read(comment: &str, atoms: &str) -> Result<Frame, String> {
    let folder = Folder::new();
    folder.write("a.xyz", &format!("2\n{comment}\n{atoms}"));
    let plan = StructuresIngest { labels: Vec::new(), ..folder.plan(&["a.xyz"]) };
    match genesis_data::structures::ingest_structures(&plan, &genesis_data::ingest::Silent) {
        Ok(_) => Ok(frames(&plan.output, Split::Train).remove(0).frame),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn every_spelling_of_the_cell_and_its_periodicity_is_the_same_crystal() {
    let props = "Properties=species:S:1:pos:R:3";
    let nine = "5 0 0 0 6 0 0 0.3 7";
    let want = read(&format!("Lattice=\"{nine}\" {props} pbc=\"T T F\""), ATOMS).unwrap();
    assert_eq!((want.cell[2], want.periodic), ([0.0, 0.3, 7.0], [true, true, false]));
    for comment in [
        format!("Lattice={nine} {props} pbc=T T F"),
        format!("lattice='{nine}' properties=species:S:1:pos:R:3 PBC='T T F'"),
        format!("LATTICE=[[5, 0, 0], [0, 6, 0], [0, 0.3, 7]] {props} Pbc=[True, True, False]"),
        format!(
            "{props} Lattice=\"_JSON [[5,0,0],[0,6,0],[0,0.3,7]]\" pbc=\"_JSON [true,true,false]\""
        ),
        format!("cell=\"{nine}\" {props} pbc={{T T F}}"),
        format!("Lattice=\"{nine}\" Origin=\"0 0 0\" pbc=\"1 1 0\" {props}"),
        format!("Lattice=\"5.0D0 0 0 0 6d0 0 0 3.0D-1 7\" {props} pbc=TTF"),
        format!("Lattice=\"{nine}\" cell=\"{nine}\" {props} pbc=\"T T F\" periodic=\"T T F\""),
    ] {
        assert_eq!(read(&comment, ATOMS), Ok(want.clone()), "{comment}");
    }
    let vectors = "VEC1 5 0 0\nVEC2 0 6 0\nVEC3 0 0.3 7\n";
    let found = read("words", &format!("{ATOMS}{vectors}")).unwrap();
    assert_eq!((found.cell, found.periodic), (want.cell, [true; 3]), "as ASE writes vec_cell");
    let diagonal = read(&format!("Lattice=\"5 6 7\" {props}"), ATOMS).unwrap();
    assert_eq!(diagonal.cell, [[5.0, 0.0, 0.0], [0.0, 6.0, 0.0], [0.0, 0.0, 7.0]]);
}

#[test]
fn a_vector_of_length_zero_repeats_nothing() {
    let props = "Properties=species:S:1:pos:R:3";
    let zero = read(&format!("Lattice=\"0 0 0 0 0 0 0 0 0\" {props}"), ATOMS).unwrap();
    assert_eq!(zero.periodic, [false; 3]);
    let slab = read(&format!("Lattice=\"5 0 0 0 5 0 0 0 0\" {props}"), ATOMS).unwrap();
    assert_eq!(slab.periodic, [true, true, false]);
    let error = read(&format!("Lattice=\"0 0 0 0 0 0 0 0 0\" {props} pbc=T"), ATOMS).unwrap_err();
    assert!(error.contains("zero"), "{error}");
}

#[test]
fn what_may_be_a_cell_and_is_not_read_is_refused_by_its_name() {
    for (comment, part) in [
        (
            "Lattice=\"5 5 5 90 90 90\" Properties=species:S:1:pos:R:3",
            "Lattice is `5 5 5 90 90 90`",
        ),
        ("cell=\"5 5 5 90 90 90\" Properties=species:S:1:pos:R:3", "cell is `5 5 5 90 90 90`"),
        ("Properties=species:S:1:pos:R:3 box=\"10 10 10\"", "`box` may be a cell"),
        ("# CELL(abcABC): 5 5 5 90 90 90 Step: 0 cell{angstrom}", "CELL(..)"),
        (
            "Lattice=\"5 5 5\" cell=\"5 0 0 0 5 0 0 0 6\" Properties=species:S:1:pos:R:3",
            "cell says",
        ),
        ("Lattice=\"5 5 5\" pbc=T T Properties=species:S:1:pos:R:3", "pbc is `T T`"),
        ("Lattice=\"5 5 5\" pbc=\"p p f\" Properties=species:S:1:pos:R:3", "pbc is `p p f`"),
        ("lattice=\"5 5 5 Properties=species:S:1:pos:R:3", "never closed"),
        ("Lattice=\"5 5 5\" lattice=\"6 6 6\"", "given twice"),
    ] {
        let error = read(comment, ATOMS).unwrap_err();
        assert!(error.contains(part), "{comment}: {error}");
    }
}

#[test]
fn a_line_of_words_is_a_comment_and_columns_after_the_position_are_not_read() {
    for comment in [
        "step 3 of 3 of run 3",
        "it's 5\" wide [approx",
        "E = -3 = total",
        "gdb 1 2.5 2.5 -0.1",
        "\tgenerated\tby hand",
        "",
    ] {
        let found = read(comment, "O 0 0 0 -0.4 x\nH 0.9\t0 0 0.4 y\n").unwrap();
        assert_eq!((found.atomic_numbers, found.periodic), (vec![8, 1], [false; 3]), "{comment}");
    }
}

#[test]
fn elements_are_what_is_written_in_any_case_and_never_another_one() {
    let of = |row: &str| read("water", &format!("{row} 0 0 0\nH 0 0 0.9\n"));
    assert_eq!(of("SI").unwrap().atomic_numbers, [14, 1]);
    assert_eq!(of("8").unwrap().atomic_numbers, [8, 1]);
    assert_eq!(of("D").unwrap().atomic_numbers, [1, 1]);
    for row in ["X", "Si1", "119", "0"] {
        assert!(of(row).unwrap_err().contains("not an element"), "{row}");
    }
    let types = read("LAMMPS", "1 0 0 0\n2 0 0 0.9\n").unwrap_err();
    assert!(types.contains("types of atoms"), "{types}");
    let ovito = read("Properties=species:I:1:pos:R:3", "1 0 0 0\n1 0 0 0.9\n").unwrap_err();
    assert!(ovito.contains("types of atoms"), "{ovito}");
    let z = "Properties=Z:I:1:pos:R:3:species:S:1";
    assert_eq!(read(z, "14 0 0 0 Si\n1 0 0 1.4 H\n").unwrap().atomic_numbers, [14, 1]);
    let error = read(z, "14 0 0 0 Si\n2 0 0 1.4 H\n").unwrap_err();
    assert!(error.contains("the symbol is H, the atomic number 2"), "{error}");
}

#[test]
fn a_tensor_is_read_as_json_and_rounding_is_no_asymmetry() {
    let folder = Folder::new();
    let head = "Lattice=\"5 5 5\" Properties=species:S:1:pos:R:3:forces:R:3 energy=-9";
    let rows = "Si 0 0 0 0.1 0 0\nSi 1.4 1.3 1.36 -0.1 0 0\n";
    let json = "REF_virials=\"_JSON [[-1.25, 0, 1e-13], [0, -2.5, 0], [2e-13, 0, 0]]\"";
    let noise = "stress=\"1e-9 2e-11 0 -2e-11 0 0 0 0 0\"";
    folder.write("a.xyz", &format!("2\n{head} {json}\n{rows}2\n{head} {noise}\n{rows}"));
    let plan = folder.plan(&["a.xyz"]);
    assert_eq!(run(&plan).card.part.splits.train.frames, 2);
    let found = frames(&plan.output, Split::Train);
    let stress = found[0].frame.labels.stress.unwrap();
    assert_eq!((stress[0][0], stress[1][1]), (0.01, 0.02));
    let wrong = "stress=\"1 0.2 0 -0.2 1 0 0 0 1\"";
    folder.write("b.xyz", &format!("2\n{head} {wrong}\n{rows}"));
    assert!(failure(&folder.plan(&["b.xyz"])).to_string().contains("not symmetric"));
}
