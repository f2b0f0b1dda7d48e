//! Two values for one label, labels that contradict each other, and what cannot be: stopped, or warned
//! of by name and count; what is right is not.

use super::support::{Folder, failure, frames, run};
use genesis_data::dataset::Split;
use genesis_data::structures::{GenerateStructures, StructuresIngest};
use genesis_schema::Frame;
use std::fmt::Write as _;

/// Crystals that the program makes, with exact labels.
fn crystals(count: u64) -> Vec<Frame> {
    let folder = Folder::new();
    let silicon = GenerateStructures::Silicon { frames: count, seed: 3 };
    let plan = StructuresIngest {
        validation: folder.plan(&[]).validation,
        ..StructuresIngest::of_generated(silicon, folder.path("made"))
    };
    run(&plan);
    frames(&plan.output, Split::Train).into_iter().map(|it| it.frame).collect()
}

/// As extended XYZ; `more` says more of each in the comment line.
fn text(frames: &[Frame], more: impl Fn(&Frame) -> String) -> String {
    let mut text = String::new();
    for frame in frames {
        let cell: Vec<String> = frame.cell.as_flattened().iter().map(ToString::to_string).collect();
        let _ = writeln!(
            text,
            "{}\nLattice=\"{}\" Properties=species:S:1:pos:R:3:forces:R:3 {}",
            frame.atomic_numbers.len(),
            cell.join(" "),
            more(frame)
        );
        let forces = frame.labels.forces.as_ref().unwrap();
        for ([x, y, z], [fx, fy, fz]) in frame.positions.iter().zip(forces) {
            let _ = writeln!(text, "Si {x} {y} {z} {fx} {fy} {fz}");
        }
    }
    text
}

fn energy(frame: &Frame) -> f64 {
    frame.labels.energy.unwrap()
}

fn tensor(frame: &Frame, factor: f64) -> String {
    let stress = frame.labels.stress.unwrap();
    let numbers: Vec<String> =
        stress.as_flattened().iter().map(|x| (x * factor).to_string()).collect();
    numbers.join(" ")
}

fn volume(frame: &Frame) -> f64 {
    let [a, b, c] = frame.cell;
    let cross = [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
    cross.iter().zip(c).map(|(x, y)| x * y).sum::<f64>().abs()
}

fn warnings(text: &str) -> Vec<String> {
    let folder = Folder::new();
    folder.write("a.xyz", text);
    let mut warnings = run(&folder.plan(&["a.xyz"])).card.part.warnings;
    // One element, one formula at a time: not the subject here.
    warnings.retain(|it| !it.contains("combinations of"));
    warnings
}

#[test]
fn two_values_of_one_label_must_agree_or_a_key_must_choose() {
    let made = crystals(4);
    let folder = Folder::new();
    let plain = |frame: &Frame| format!("energy={}", energy(frame));
    let agree = |it: &Frame| format!("{} Dft_Energy={:.6}", plain(it), energy(it) + 4e-6);
    folder.write("a.xyz", &text(&made, agree));
    run(&folder.plan(&["a.xyz"]));
    folder.write(
        "a.xyz",
        &text(&made, |it| format!("{} REF_energy={}", plain(it), energy(it) - 1.0)),
    );
    let error = failure(&folder.plan(&["a.xyz"])).to_string();
    for part in ["a.xyz:1", "`energy`", "`REF_energy`", "keys.energy = \"energy\""] {
        assert!(error.contains(part), "{part} in {error}");
    }
    let mut plan = folder.plan(&["a.xyz"]);
    plan.keys.energy = Some("REF_energy".to_owned());
    run(&plan);
    let found = frames(&plan.output, Split::Train)[0].frame.labels.energy.unwrap();
    assert!((found - (energy(&made[0]) - 1.0)).abs() < 1e-12);
}

#[test]
fn stress_and_virials_must_agree_in_sign_size_and_presence() {
    let made = crystals(3);
    let with = |stress: f64| {
        text(&made, |it| {
            let virial = tensor(it, -volume(it));
            format!("energy={} stress=\"{}\" virial=\"{virial}\"", energy(it), tensor(it, stress))
        })
    };
    let folder = Folder::new();
    folder.write("a.xyz", &with(1.0));
    let right = run(&folder.plan(&["a.xyz"])).card.part.splits.train.stress;
    assert!(right.rms > 1e-3);
    // The other sign, a placeholder of zeros, GPa.
    for factor in [-1.0, 0.0, 160.217_663_4] {
        folder.write("a.xyz", &with(factor));
        let error = failure(&folder.plan(&["a.xyz"])).to_string();
        assert!(error.contains("keys.virials = \"virial\""), "{factor}: {error}");
        let mut plan = folder.plan(&["a.xyz"]);
        plan.keys.virials = Some("virial".to_owned());
        let found = run(&plan).card.part.splits.train.stress;
        assert!((found.rms - right.rms).abs() < 1e-9, "{factor}");
    }
}

#[test]
fn signs_and_units_of_forces_and_stress_show_against_energies() {
    let made = crystals(40);
    let whole =
        |it: &Frame, factor| format!("energy={} stress=\"{}\"", energy(it), tensor(it, factor));
    assert_eq!(warnings(&text(&made, |it| whole(it, 1.0))), Vec::<String>::new());
    let mut gradients = made.clone();
    for frame in &mut gradients {
        let forces = frame.labels.forces.as_mut().unwrap();
        forces.as_flattened_mut().iter_mut().for_each(|x| *x = -*x);
    }
    let found = warnings(&text(&gradients, |it| whole(it, 1.0)));
    assert!(found.iter().any(|it| it.contains("gradients")), "{found:?}");
    let kbar = warnings(&text(&made, |it| whole(it, 1_602.176_634)));
    assert!(kbar.iter().any(|it| it.contains("it would fit kbar")), "{kbar:?}");
}

#[test]
fn placeholders_fractions_and_repeats_are_warned_of_with_their_number() {
    let made = crystals(12);
    let plain = |frame: &Frame| format!("energy={}", energy(frame));
    let mut zeros = made.clone();
    for frame in &mut zeros[..5] {
        frame.labels.forces.as_mut().unwrap().iter_mut().for_each(|force| *force = [0.0; 3]);
    }
    let found = warnings(&text(&zeros, plain));
    assert!(found.iter().any(|it| it.starts_with("5 structures have forces that are all exactly")));
    let mut fractions = made.clone();
    for frame in &mut fractions {
        let edges = [0, 1, 2].map(|k| frame.cell[k][k]);
        for position in &mut frame.positions {
            for k in 0..3 {
                position[k] /= edges[k];
            }
        }
    }
    let folder = Folder::new();
    folder.write("a.xyz", &text(&fractions, plain));
    let plan = StructuresIngest { max_reject_fraction: 0.9, ..folder.plan(&["a.xyz"]) };
    let found = run(&plan).card.part.warnings;
    assert!(found.iter().any(|it| it.contains("half a bond") && it.contains("Si-Si")), "{found:?}");
    let twice = text(&made, plain) + &text(&made[..3], |it| format!("energy={}", energy(it) + 5.0));
    let found = warnings(&twice);
    let repeats = found.iter().find(|it| it.contains("equal an earlier one")).unwrap();
    assert!(repeats.starts_with("3 structures") && repeats.contains("a.xyz:1 and"), "{repeats}");
    // The same once more, to the digits that convergence leaves.
    let near = text(&made, plain) + &text(&made[..3], |it| format!("energy={:.4}", energy(it)));
    assert_eq!(warnings(&near), Vec::<String>::new());
}

#[test]
fn a_key_that_no_structure_has_is_an_error_with_the_keys_there_are() {
    let folder = Folder::new();
    folder.write("a.xyz", &text(&crystals(2), |it| format!("E_tot={} my_stress=1", energy(it))));
    let error = failure(&folder.plan(&["a.xyz"])).to_string();
    assert!(error.contains("energy present in 0 of 2") && error.contains("E_tot (2)"), "{error}");
    let mut plan = folder.plan(&["a.xyz"]);
    plan.keys.energy = Some("E_tot".to_owned());
    plan.keys.stress = Some("my_stres".to_owned());
    let error = failure(&plan).to_string();
    assert!(error.contains("`my_stres`") && error.contains("my_stress (2)"), "{error}");
}
