//! Real files under `GENESIS_SHARED`: known counts, and the edges that mace-torch found.

#![expect(clippy::float_cmp, reason = "numbers that are stored and read back keep every bit")]

use std::path::{Path, PathBuf};

use super::support::{Folder, run};
use genesis_data::structures::ingest::{EnergyUnit, Label, ValidationChoice};
use genesis_data::structures::neighbor_list;
use genesis_data::structures::{StructuresIngest, read_structures};

/// A file of the shared data, or nothing and a line that says so.
fn shared(file: &str) -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "tests find their data by this variable")]
    let root = std::env::var("GENESIS_SHARED");
    let fallback = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared");
    let path = Path::new(root.as_deref().unwrap_or(fallback)).join(file);
    if path.exists() {
        return Some(path);
    }
    println!("SKIPPED: {} is absent", path.display());
    None
}

#[test]
fn acetylacetone_has_its_published_split_and_isolated_atoms() {
    let folder = Folder::new();
    let Some(train) = shared("data/atomistic/acac/train_300K.xyz") else { return };
    let at = |name: &str| train.with_file_name(name);
    let plan = StructuresIngest {
        validation: ValidationChoice::Count { frames: 50, seed: 1 },
        test: vec![at("test_MD_300K.xyz"), at("test_MD_600K.xyz")],
        ..StructuresIngest::new(vec![train.clone(), at("isolated_atoms.xyz")], folder.path("out"))
    };
    let card = run(&plan).card;
    let counts = [&card.part.splits.train, &card.part.splits.validation, &card.part.splits.test]
        .map(|s| s.frames);
    assert_eq!(counts, [450, 50, 1300], "{:?}", card.rejects);
    assert_eq!(
        card.part.splits.test.config_types.keys().collect::<Vec<_>>(),
        ["300K_MD", "600K_MD"]
    );
    assert_eq!(card.part.atomic_energies.source, "isolated_atoms");
    assert_eq!(card.part.atomic_energies.values_ev["H"], -13.568_422_178_253_735);
    assert!(card.part.warnings.is_empty(), "{:?}", card.part.warnings);
    assert_eq!(card.part.splits.train.largest, 15);
}

#[test]
fn molecules_of_3bpa_get_their_e0s_from_single_atoms_without_a_kind() {
    let folder = Folder::new();
    let Some(train) = shared("data/atomistic/3bpa/train_300K.xyz") else { return };
    let atoms = train.with_file_name("iso_atoms.xyz");
    let card = run(&StructuresIngest::new(vec![train, atoms], folder.path("out"))).card;
    assert_eq!(card.part.splits.train.frames + card.part.splits.validation.frames, 500);
    assert_eq!(card.part.atomic_energies.values_ev["C"], -1_029.488_999_985_506_3);
    assert!(card.part.warnings.is_empty(), "{:?}", card.part.warnings);
}

#[test]
fn crystals_of_mptrj_are_read_with_stress_and_get_e0s_by_least_squares() {
    let folder = Folder::new();
    let Some(file) = shared("data/atomistic/mptrj-random-1k.xyz") else { return };
    let plan = StructuresIngest {
        labels: vec![Label::Energy, Label::Forces, Label::Stress],
        ..StructuresIngest::new(vec![file], folder.path("out"))
    };
    let start = std::time::Instant::now();
    let card = run(&plan).card;
    println!(
        "mptrj: {:.0} atoms/s",
        (card.part.splits.train.atoms) as f64 / start.elapsed().as_secs_f64()
    );
    assert_eq!(
        card.part.splits.train.frames + card.part.splits.validation.frames,
        1000,
        "{:?}",
        card.rejects
    );
    assert_eq!(card.part.elements.len(), 85);
    assert_eq!(card.part.atomic_energies.source, "least_squares");
    assert!(
        card.part.atomic_energies.residual_per_atom.rms < 1.5,
        "{:?}",
        card.part.atomic_energies
    );
}

#[test]
fn revised_md17_is_read_in_its_units_and_warned_of_in_others() {
    let folder = Folder::new();
    let Some(file) = shared("data/atomistic/rmd17/ethanol_train_01.npz") else { return };
    let mut plan = StructuresIngest::new(vec![file], folder.path("out"));
    plan.overwrite = true;
    let warnings = run(&plan).card.part.warnings;
    assert!(warnings.iter().any(|w| w.contains("kcal/mol")), "{warnings:?}");
    plan.units.energy = EnergyUnit::KcalPerMol;
    let card = run(&plan).card;
    assert_eq!(card.part.splits.train.frames + card.part.splits.validation.frames, 1000);
    let unit = |w: &&String| w.contains("units");
    assert!(!card.part.warnings.iter().any(|w| unit(&w)), "{:?}", card.part.warnings);
    // -97,080 kcal/mol of nine atoms.
    assert!((card.part.splits.train.energy_per_atom.mean + 467.7).abs() < 0.5);
}

/// Name, shape and numbers of a tensor of a safetensors file, by its header.
fn tensor(bytes: &[u8], name: &str) -> Option<(usize, Vec<f64>)> {
    let length = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let entry = header.get(name)?;
    let place = |i: usize| usize::try_from(entry["data_offsets"][i].as_u64().unwrap()).unwrap();
    let data = &bytes[8 + length + place(0)..8 + length + place(1)];
    let number = |chunk: &[u8; 8]| match entry["dtype"].as_str().unwrap() {
        "I64" => i64::from_le_bytes(*chunk) as f64,
        _ => f64::from_le_bytes(*chunk),
    };
    let rows = usize::try_from(entry["shape"][0].as_u64().unwrap()).unwrap();
    Some((rows, data.as_chunks::<8>().0.iter().map(number).collect()))
}

#[test]
#[expect(clippy::cast_possible_truncation, reason = "indices, and lengths in units of 1e-6 Å")]
fn edges_are_those_of_the_reference_as_sets() {
    for case in ["molecule_l0", "molecule_l1", "crystal_l2"] {
        let Some(path) = shared(&format!("oracles/equivariant/{case}/oracle.safetensors")) else {
            continue;
        };
        let bytes = std::fs::read(&path).unwrap();
        let config = std::fs::read(path.with_file_name("config.json")).unwrap();
        let config: serde_json::Value = serde_json::from_slice(&config).unwrap();
        let plan =
            StructuresIngest::new(vec![path.with_file_name("frames.extxyz")], PathBuf::new());
        let (structures, rejects) = read_structures(&plan).unwrap();
        assert!(rejects.is_empty() && structures.len() == 3, "{rejects:?}");
        for (i, structure) in structures.iter().enumerate() {
            let frame = &structure.frame;
            let cutoff = config["r_max"].as_f64().unwrap();
            let edges =
                neighbor_list(&frame.positions, &frame.cell, frame.periodic, cutoff).unwrap();
            let round = |x: f64| (x * 1e6).round() as i64;
            let mut found: Vec<(i64, i64, [i64; 3])> = (0..edges.len())
                .map(|e| {
                    let n = edges.shifts[e].map(f64::from);
                    let shift = [0, 1, 2].map(|k| {
                        round(
                            n[0] * frame.cell[0][k]
                                + n[1] * frame.cell[1][k]
                                + n[2] * frame.cell[2][k],
                        )
                    });
                    (i64::from(edges.senders[e]), i64::from(edges.receivers[e]), shift)
                })
                .collect();
            let name = ["edge_index", "shifts"].map(|what| format!("{i}.{what}"));
            let (_, ends) = tensor(&bytes, &name[0]).unwrap();
            let (count, shifts) = tensor(&bytes, &name[1]).unwrap();
            let mut wanted: Vec<(i64, i64, [i64; 3])> = (0..count)
                .map(|e| {
                    let shift = [0, 1, 2].map(|k| round(shifts[3 * e + k]));
                    (ends[e] as i64, ends[count + e] as i64, shift)
                })
                .collect();
            found.sort_unstable();
            wanted.sort_unstable();
            assert_eq!(found, wanted, "{case} structure {i}");
        }
    }
}
