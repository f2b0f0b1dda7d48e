//! Run files of atoms: what is refused, and how.

use genesis_model::equivariant::Penalty;

use super::StructuresConfig;
use crate::keys::{RunFile, to_text};

const FILE: &str = r#"
[run]
dir = "runs/atoms"

[data.source]
inputs = ["train.xyz"]

[model]
kind = "mace"
channels = 16

[objective]
energy_weight = 1.0
forces_weight = 100.0

[batch]
frames = 5

[schedule]
steps = 100
peak_rate = 0.01
decay = { kind = "plateau", factor = 0.8, patience = 5 }

[evaluation]
every = 10

[stage_two]
start_step = 80
rate = 1e-3
energy_weight = 1000.0
forces_weight = 100.0
"#;

fn load(text: &str) -> Result<StructuresConfig, String> {
    let file = RunFile::parse("run.toml", text, &[]);
    file.and_then(|file| file.check(&|_| None)).map_err(|problems| problems.to_string())
}

#[test]
fn a_file_of_atoms_reads_back_equal_with_every_default_written_out() {
    let config = load(FILE).unwrap();
    assert_eq!(config.objective.loss, Penalty::Weighted {});
    let written = to_text(&config).unwrap();
    assert!(written.contains("max_ell = 3") && written.contains("max_edges"), "{written}");
    assert_eq!(load(&written).unwrap(), config);
}

#[test]
fn all_problems_are_reported_at_once_with_their_lines() {
    let text = FILE
        .replace("channels = 16", "chanels = 16")
        .replace("frames = 5", "frames = 0")
        .replace("forces_weight = 100.0\n\n[batch]", "forces_weight = -1.0\n\n[batch]")
        .replace("start_step = 80", "start_step = 100");
    let error = load(&text).unwrap_err();
    for part in [
        "unknown key; did you mean `channels`?",
        "`model.channels`: required, but missing",
        "`batch.frames`: is 0, must be at least 1",
        "`objective.forces_weight`: is -1",
        "`stage_two.start_step`: is 100, must be above 0 and below `schedule.steps`",
    ] {
        assert!(error.contains(part), "{part} is not in\n{error}");
    }
}

#[test]
fn a_plateau_needs_evaluations_to_listen_to() {
    let error = load(&FILE.replace("every = 10", "")).unwrap_err();
    assert!(error.contains("`evaluation.every`: is absent"), "{error}");
}

#[test]
fn an_objective_without_any_weight_is_refused() {
    let text = FILE.replace(
        "energy_weight = 1.0\nforces_weight = 100.0\n\n[batch]",
        "energy_weight = 0.0\nforces_weight = 0.0\n\n[batch]",
    );
    let error = load(&text).unwrap_err();
    assert!(error.contains("nothing to learn"), "{error}");
}

#[test]
fn a_huber_loss_needs_its_delta() {
    let text = FILE.replace("[batch]", "loss = { kind = \"huber\" }\n[batch]");
    let error = load(&text).unwrap_err();
    assert!(error.contains("`objective.loss.delta`: required, but missing"), "{error}");
    let text = FILE.replace("[batch]", "loss = { kind = \"huber\", delta = 0.01 }\n[batch]");
    assert_eq!(load(&text).unwrap().objective.loss, Penalty::Huber { delta: 0.01 });
}

#[test]
fn sixty_four_bits_are_refused_where_the_device_has_thirty_two() {
    let on = |device: &str| {
        load(&format!("{FILE}\n[precision]\ndtype = \"f64\"\n").replace(
            "dir = \"runs/atoms\"",
            &format!("dir = \"runs/atoms\"\ndevice = \"{device}\""),
        ))
    };
    let error = on("wgpu").unwrap_err();
    assert!(error.contains("`precision.dtype`") && error.contains("\"wgpu\""), "{error}");
    assert!(on("cpu").is_ok() && on("cuda:0").is_ok());
}
