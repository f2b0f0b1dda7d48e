//! Every format, label form, unit and split: what goes in comes out.

#![expect(clippy::float_cmp, reason = "numbers that are stored and read back keep every bit")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;

use super::support::{Folder, failure, folder_bytes, frames, run, waters};
use genesis_data::dataset::Split;
use genesis_data::kinds::kind_of;
use genesis_data::structures::GenerateStructures;
use genesis_data::structures::StructuresCard;
use genesis_data::structures::StructuresIngest;
use genesis_data::structures::ingest::{
    AtomicEnergiesChoice, EnergyUnit, Label, StressSign, StressUnit, ValidationChoice,
};
use genesis_data::verify::verify;

const CELL: &str = "Lattice=\"5 0 0 0.5 6 0 0.2 0.3 7\"";

#[test]
fn any_columns_and_every_form_of_the_comment_line_are_read() {
    let folder = Folder::new();
    folder.write(
        "a.xyz",
        &format!(
            "2\n{CELL} Properties=tag:S:1:pos:R:3:move_mask:L:1:species:S:1:magmom:R:1:REF_forces:R:3 \
             REF_energy=-3.5 pbc=\"T F T\" stress=[[1, 2, 3], [2, 4, 5], [3, 5, 6]] config_type=\"a b\" \
             config_weight=2 config_energy_weight=0.5 head=main note=\"say \\\"hi\\\"\"\n\
             x 0 0 0 T Na 0.1 1 2 3\ny 1 1.5 2 F Cl -0.1 -1 -2 -3\n\n"
        ),
    );
    let plan =
        StructuresIngest { labels: vec![Label::Energy, Label::Forces], ..folder.plan(&["a.xyz"]) };
    let card = run(&plan).card;
    let frame = frames(&plan.output, Split::Train).remove(0).frame;
    assert_eq!(frame.atomic_numbers, [11, 17]);
    assert_eq!(frame.positions[1], [1.0, 1.5, 2.0]);
    assert_eq!(frame.cell[1], [0.5, 6.0, 0.0]);
    assert_eq!(frame.periodic, [true, false, true]);
    assert_eq!(frame.labels.energy, Some(-3.5));
    assert_eq!(frame.labels.forces.unwrap(), [[1.0, 2.0, 3.0], [-1.0, -2.0, -3.0]]);
    assert_eq!(frame.labels.stress.unwrap()[1], [2.0, 4.0, 5.0]);
    assert_eq!((frame.config_type.as_str(), frame.head.as_str()), ("a b", "main"));
    assert_eq!((frame.weights.config, frame.weights.energy), (2.0, 0.5));
    assert_eq!(card.part.label_keys["energy: REF_energy"], 1);
    assert_eq!(kind_of(&plan.output).unwrap().name, "graphs");
}

#[test]
fn voigt_stress_and_virials_in_other_units_become_the_same_tensor() {
    let folder = Folder::new();
    let frame = |label: &str, x: f64| {
        format!(
            "1\n{CELL} pbc=T energy=-1 {label} Properties=species:S:1:pos:R:3:forces:R:3\nSi {x} 0 0 0 0 0\n"
        )
    };
    let read = |label: &str, edit: &dyn Fn(&mut StructuresIngest)| {
        folder.write("a.xyz", &frame(label, 0.0));
        let mut plan = StructuresIngest { labels: vec![Label::Stress], ..folder.plan(&["a.xyz"]) };
        edit(&mut plan);
        run(&plan);
        frames(&plan.output, Split::Train)[0].frame.labels.stress.unwrap()
    };
    let want = [[1.0, 6.0, 5.0], [6.0, 2.0, 4.0], [5.0, 4.0, 3.0]];
    assert_eq!(read("stress=\"1 2 3 4 5 6\"", &|_| ()), want);
    assert_eq!(read("stress=\"1 6 5 6 2 4 5 4 3\"", &|_| ()), want);
    // The volume is 5 * 6 * 7; virials have the opposite sign.
    let virials = want.map(|row| row.map(|x| (-210.0 * x).to_string()).join(" ")).join(" ");
    let of_virials = read(&format!("virials=\"{virials}\""), &|_| ());
    let kbar = read("stress=\"-10 -20 -30 -40 -50 -60\"", &|plan| {
        plan.units.stress = StressUnit::Kbar;
        plan.units.stress_sign = StressSign::PressurePositive;
    });
    for row in 0..3 {
        for column in 0..3 {
            // One rounding each of a product and a quotient.
            assert!((of_virials[row][column] - want[row][column]).abs() < 1e-14);
            let gpa = want[row][column] / 160.217_663_4;
            assert!((kbar[row][column] - gpa).abs() < 1e-15, "{kbar:?}");
        }
    }
}

#[test]
fn isolated_atoms_become_e0s_and_are_not_learned_from() {
    let folder = Folder::new();
    let atoms = "1\nconfig_type=IsolatedAtom energy=-0.5 pbc=F\nH 0 0 0\n1\nenergy=-3\nO 0 0 0\n";
    folder.write("a.xyz", &format!("{}{atoms}", waters(0..20)));
    let plan = folder.plan(&["a.xyz"]);
    let card = run(&plan).card;
    assert_eq!(card.part.splits.train.frames, 20);
    assert_eq!(card.part.atomic_energies.source, "isolated_atoms");
    assert_eq!(card.part.atomic_energies.values_ev["H"], -0.5);
    assert_eq!(card.part.atomic_energies.values_ev["O"], -3.0);
    // -14 and -0.5, -0.5, -3 over three atoms.
    assert!((card.part.atomic_energies.residual_per_atom.max - (-10.0 / 3.0)).abs() < 1e-12);
    assert_eq!(card.part.splits.train.sizes[&3], 20);
    assert_eq!(card.part.splits.train.config_types["w"], 20);
    let given = AtomicEnergiesChoice::Given {
        values_ev: [("H".to_owned(), -1.0)].into(),
        heads: BTreeMap::new(),
    };
    let plan = StructuresIngest { atomic_energies: given, ..plan };
    assert!(failure(&plan).to_string().contains("for O"));
    folder.write("a.xyz", &format!("{}1\nenergy=-0.5\nH 0 0 0\n", waters(0..20)));
    let card = run(&folder.plan(&["a.xyz"])).card;
    assert_eq!(card.part.atomic_energies.source, "least_squares");
    assert!(
        card.part.warnings.iter().any(|w| w.contains("none for O")),
        "{:?}",
        card.part.warnings
    );
}

#[test]
fn splits_by_count_hash_and_files_hold_out_what_they_say() {
    let folder = Folder::new();
    folder.write("train.xyz", &waters(0..50));
    folder.write("valid.xyz", &waters(50..60));
    folder.write("test.xyz", &waters(45..65));
    let with = |validation: ValidationChoice| {
        let plan = StructuresIngest {
            validation,
            test: vec![folder.path("test.xyz")],
            ..folder.plan(&["train.xyz"])
        };
        let card = run(&plan).card;
        let ids = |split| frames(&plan.output, split).iter().map(|f| f.id).collect::<Vec<_>>();
        (card, ids(Split::Train), ids(Split::Validation))
    };
    let (card, train, held) = with(ValidationChoice::Count { frames: 7, seed: 3 });
    assert_eq!((train.len(), held.len(), card.part.splits.test.frames), (43, 7, 20));
    assert!(train.iter().all(|id| !held.contains(id)));
    assert_ne!(held, with(ValidationChoice::Count { frames: 7, seed: 4 }).2);
    let (_, train, held) = with(ValidationChoice::Fraction { fraction: 0.3 });
    assert_eq!(train.len() + held.len(), 50);
    assert!((5..30).contains(&held.len()), "{}", held.len());
    let paths = vec![folder.path("valid.xyz")];
    let (card, train, held) = with(ValidationChoice::Files { paths });
    assert_eq!((train.len(), held.len()), (50, 10));
    // Structures 45 to 49 are in training and in test.
    assert_eq!(card.held_out_seen_in_training, Some(5));
    assert!(
        card.part.warnings.iter().any(|w| w.contains("5 held-out structures")),
        "{:?}",
        card.part.warnings
    );
}

#[test]
fn the_same_files_give_the_same_bytes_for_any_number_of_threads_and_through_gzip() {
    let folder = Folder::new();
    let path = folder.write("a.xyz", &waters(0..3000));
    let bytes = |threads| {
        let plan = StructuresIngest { threads: Some(threads), ..folder.plan(&["a.xyz"]) };
        run(&plan);
        folder_bytes(&plan.output)
    };
    let one = bytes(1);
    assert!(one == bytes(2) && one == bytes(5));
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&std::fs::read(&path).unwrap()).unwrap();
    std::fs::write(folder.path("a.xyz.gz"), packed.finish().unwrap()).unwrap();
    run(&folder.plan(&["a.xyz.gz"]));
    assert_eq!(folder_bytes(&folder.path("out"))["train-00000.arrow"], one["train-00000.arrow"]);
}

#[test]
fn an_ingest_repeated_is_left_alone_and_duplicates_are_counted() {
    let folder = Folder::new();
    folder.write("a.xyz", &format!("{}{}", waters(0..10), waters(0..4)));
    let plan = StructuresIngest { overwrite: false, ..folder.plan(&["a.xyz"]) };
    let first = run(&plan);
    assert_eq!((first.card.part.splits.train.frames, first.card.duplicates_dropped), (10, 4));
    assert!(run(&plan).unchanged);
    let other = StructuresIngest { cutoff: 4.0, ..plan.clone() };
    assert!(failure(&other).to_string().contains("other options"));
    let kept = StructuresIngest { keep_duplicates: true, overwrite: true, ..plan };
    assert_eq!(run(&kept).card.part.splits.train.frames, 14);
}

#[test]
fn a_dataset_is_verified_and_a_flipped_byte_is_found_in_its_shard() {
    let folder = Folder::new();
    folder.write("a.xyz", &waters(0..40));
    let plan = folder.plan(&["a.xyz"]);
    let card = run(&plan).card;
    let report = verify(&plan.output, &mut |_| ()).unwrap();
    assert!(report.is_whole(), "{:?}", report.problems);
    assert_eq!(report.samples, 40);
    let shard = plan.output.join("train-00000.arrow");
    let whole = std::fs::read(&shard).unwrap();
    let batch = usize::try_from(card.shards[0].batches[0].offset).unwrap();
    for at in [batch + 400, batch + 900, whole.len() - 20] {
        let mut damaged = whole.clone();
        damaged[at] ^= 4;
        std::fs::write(&shard, damaged).unwrap();
        let report = verify(&plan.output, &mut |_| ()).unwrap();
        assert!(report.problems.iter().any(|p| p.contains("train-00000.arrow")), "byte {at}");
    }
    assert!(
        genesis_data::sequences::SequencesDataset::open(&plan.output)
            .unwrap_err()
            .to_string()
            .contains("graphs")
    );
}

#[test]
fn generated_silicon_is_a_dataset_without_any_file() {
    let folder = Folder::new();
    let generate = GenerateStructures::Silicon { frames: 24, seed: 1 };
    let plan = StructuresIngest::of_generated(generate, folder.path("out"));
    let summary = run(&plan);
    let card = &summary.card;
    assert_eq!(card.part.splits.train.frames + card.part.splits.validation.frames, 24);
    assert_eq!(card.part.elements.keys().collect::<Vec<_>>(), ["Si"]);
    assert!(card.part.warnings.is_empty(), "{:?}", card.part.warnings);
    // The potential binds with 4.3 eV an atom; motion and strain cost a few tenths.
    assert!((-4.4..-3.6).contains(&card.part.atomic_energies.residual_per_atom.mean));
    assert!(run(&plan).unchanged);
}

/// Forty stretched molecules of two equal atoms: `bound` eV apart from `2 * atom` eV at 1.1 Å, a
/// bond of 140 eV/Å^2, energies written in one unit and forces in another.
fn molecules(
    (symbol, atom, bound): (&str, f64, f64),
    energy: EnergyUnit,
    forces: EnergyUnit,
) -> String {
    let atom_energy = atom / energy.in_ev();
    let mut text = format!("1\nenergy={atom_energy}\n{symbol} 0 0 0\n");
    for i in 0..40u32 {
        let x = f64::from(i) * 0.002 - 0.04;
        let total = (2.0 * atom - bound + 70.0 * x * x) / energy.in_ev();
        let force = 140.0 * x / forces.in_ev();
        let _ = writeln!(
            text,
            "2\nenergy={total} Properties=species:S:1:pos:R:3:forces:R:3\n\
             {symbol} 0 0 0 {force} 0 0\n{symbol} {} 0 0 {} 0 0",
            1.1 + x,
            -force
        );
    }
    text
}

#[test]
fn energies_in_another_unit_are_warned_of_by_its_name() {
    // N2 of an all-electron calculation, 54.589 hartree an atom; and one with pseudopotentials,
    // whose totals say nothing and whose binding of 4.9 eV/atom does.
    for atom in [-1485.4, -270.0] {
        for unit in EnergyUnit::ALL {
            let folder = Folder::new();
            folder.write("a.xyz", &molecules(("N", atom, 9.8), unit, unit));
            let mut plan = folder.plan(&["a.xyz"]);
            let warnings = run(&plan).card.part.warnings;
            if unit == EnergyUnit::Ev {
                assert!(warnings.is_empty(), "{warnings:?}");
                continue;
            }
            // 4.9 eV are 0.36 rydberg: as 0.36 eV they would be a weak bond, so only totals tell.
            if atom < -1000.0 || unit != EnergyUnit::Rydberg {
                assert!(warnings.iter().any(|w| w.contains(unit.name())), "{unit:?}: {warnings:?}");
            }
            plan.units.energy = unit;
            let right = run(&plan).card.part.warnings;
            assert!(right.is_empty(), "{unit:?}: {right:?}");
        }
    }
}

#[test]
fn forces_in_another_unit_than_energies_are_warned_of() {
    for (energy, named) in [(EnergyUnit::Hartree, "hartree"), (EnergyUnit::KjPerMol, "kJ/mol")] {
        let folder = Folder::new();
        folder.write("a.xyz", &molecules(("N", -270.0, 9.8), energy, EnergyUnit::Ev));
        let mut plan = folder.plan(&["a.xyz"]);
        plan.atomic_energies = AtomicEnergiesChoice::LeastSquares {};
        let warnings = run(&plan).card.part.warnings;
        let motion = |w: &&String| w.contains("matching units") && w.contains(named);
        assert!(warnings.iter().any(|w| motion(&w)), "{energy:?}: {warnings:?}");
    }
}

#[test]
fn jsonl_parquet_and_npz_give_the_frames_of_extxyz() {
    let folder = Folder::new();
    folder.write("a.xyz", &waters(0..8));
    run(&folder.plan(&["a.xyz"]));
    let want: Vec<_> =
        frames(&folder.path("out"), Split::Train).into_iter().map(|f| f.frame).collect();
    let lines = want.iter().fold(String::new(), |text, frame| {
        let line = serde_json::json!({
            "symbols": ["O", "H", "H"], "positions": frame.positions, "energy": frame.labels.energy,
            "forces": frame.labels.forces, "config_type": "w", "cell": null,
        });
        text + &line.to_string() + "\n"
    });
    folder.write("a.jsonl", &lines);
    super::support::write_parquet(&folder.path("a.parquet"), &want);
    super::support::write_npz(&folder.path("a.npz"), &want);
    for file in ["a.jsonl", "a.parquet", "a.npz"] {
        let plan = folder.plan(&[file]);
        run(&plan);
        let mut found: Vec<_> =
            frames(&plan.output, Split::Train).into_iter().map(|f| f.frame).collect();
        // An npz of this layout has no kinds.
        for frame in &mut found {
            frame.config_type = "w".to_owned();
        }
        assert_eq!(found, want, "{file}");
    }
}

#[test]
fn a_card_read_back_is_the_card_that_was_written() {
    let folder = Folder::new();
    folder.write("a.xyz", &waters(0..12));
    let plan = StructuresIngest { labels: vec![Label::Energy], ..folder.plan(&["a.xyz"]) };
    let summary = run(&plan);
    let (card, digest) = StructuresCard::load(&plan.output).unwrap();
    assert_eq!((card, digest), (summary.card, summary.digest));
}
