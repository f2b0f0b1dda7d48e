//! What weighs nothing shapes nothing; isolated atoms of heads, in boxes, repeated.

#![expect(clippy::float_cmp, reason = "what weighs nothing changes no bit")]

use super::support::{Folder, run, waters};
use genesis_data::structures::StructuresIngest;

/// A molecule of weight 0 in `weight` with labels that are nonsense.
fn nonsense(weight: &str) -> String {
    format!(
        "3\nProperties=species:S:1:pos:R:3:forces:R:3 energy=9e5 {weight}=0\n\
         O 0 0 0 7e4 0 0\nH 0.9 0.1 0 0 0 0\nH 0 0.99 0 0 0 0\n"
    )
}

#[test]
fn a_structure_or_label_of_weight_zero_shapes_nothing() {
    let folder = Folder::new();
    folder.write("a.xyz", &waters(0..20));
    let want = run(&folder.plan(&["a.xyz"])).card.part;
    folder.write("b.xyz", &(waters(0..20) + &nonsense("config_weight")));
    let found = run(&folder.plan(&["b.xyz"])).card.part;
    assert_eq!(found.atomic_energies, want.atomic_energies);
    assert_eq!(found.neighbors.mean, want.neighbors.mean);
    assert_eq!(found.splits.train.energy_per_atom, want.splits.train.energy_per_atom);
    assert_eq!(found.splits.train.forces, want.splits.train.forces);
    assert_eq!(found.warnings.len(), want.warnings.len());
    folder.write("c.xyz", &(waters(0..20) + &nonsense("config_energy_weight")));
    let found = run(&folder.plan(&["c.xyz"])).card.part;
    assert_eq!(found.atomic_energies, want.atomic_energies);
    assert!(found.splits.train.forces.max > 1e4, "its forces weigh");
}

#[test]
fn statistics_weigh_as_the_loss_and_a_repeat_of_another_weight_is_kept() {
    let folder = Folder::new();
    let one = |energy: f64, weight: f64| {
        format!("2\nenergy={energy} config_weight={weight}\nH 0 0 0\nH 0 0 0.74\n")
    };
    folder.write("a.xyz", &(one(-2.0, 1.0) + &one(-6.0, 3.0) + &one(-6.0, 0.0)));
    let plan = StructuresIngest {
        labels: vec![genesis_data::structures::ingest::Label::Energy],
        ..folder.plan(&["a.xyz"])
    };
    let card = run(&plan).card;
    assert_eq!(card.duplicates_dropped, 0);
    let range = card.part.splits.train.energy_per_atom;
    // Of -1 once and -3 three times.
    assert_eq!((range.count, range.mean), (2, -2.5));
}

fn atom(symbol: &str, energy: f64, more: &str) -> String {
    format!("1\nProperties=species:S:1:pos:R:3 energy={energy} {more}\n{symbol} 0 0 0\n")
}

#[test]
fn isolated_atoms_are_recognised_in_boxes_and_may_be_repeated() {
    let folder = Folder::new();
    let cube = |edge: f64| format!("Lattice=\"{edge} {edge} {edge}\"");
    let atoms = atom("H", -0.5, &cube(12.0)) + &atom("O", -3.0, &cube(9.0));
    folder.write("a.xyz", &(waters(0..6) + &atoms + &atom("H", -0.500_01, &cube(15.0))));
    let summary = run(&folder.plan(&["a.xyz"]));
    let energies = &summary.card.part.atomic_energies;
    assert_eq!(energies.source, "isolated_atoms");
    assert!((energies.values_ev["H"] + 0.500_005).abs() < 1e-12);
    assert!(
        summary.card.part.warnings.iter().any(|it| it.starts_with("3 single atoms in periodic"))
    );
    // Images at 6 Å are neighbours of some networks: not taken silently, nor passed over.
    folder.write("b.xyz", &(waters(0..6) + &atom("O", -3.0, &cube(6.0))));
    let plan = StructuresIngest { allow_missing_labels: true, ..folder.plan(&["b.xyz"]) };
    let warnings = run(&plan).card.part.warnings;
    assert!(warnings.iter().any(|it| it.contains("images at 6.00 Å")), "{warnings:?}");
}

#[test]
fn heads_have_their_own_isolated_atoms_and_equal_structures_are_kept_for_each() {
    let folder = Folder::new();
    let of = |head: &str| waters(0..6).replace("config_type=w", &format!("head={head}"));
    let atoms = |head: &str, shift: f64| {
        let more = format!("head={head}");
        atom("H", -0.5 + shift, &more) + &atom("O", -3.0 + shift, &more)
    };
    let text = of("pbe") + &of("hse") + &atoms("pbe", 0.0) + &atoms("hse", -0.25);
    folder.write("a.xyz", &text);
    let card = run(&folder.plan(&["a.xyz"])).card;
    assert_eq!(card.part.splits.train.heads["hse"], 6);
    let energies = card.part.atomic_energies;
    assert_eq!(energies.of_head("pbe")["O"], -3.0);
    assert_eq!(energies.of_head("hse")["O"], -3.25);
    assert_eq!(energies.heads["hse"].source, "isolated_atoms");
}
