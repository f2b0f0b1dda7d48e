//! Folders of mace-torch: out and in, and against reference outputs.

use std::path::PathBuf;

use genesis_train::structures::StructuresModel;
use genesis_train::structures::mace_torch::{check, export, import};
use genesis_train::trainer::Resume;

use crate::fixture::{Memory, SILICON, plan, run};

#[test]
fn an_export_is_read_back_and_an_import_of_it_is_the_same_network() {
    let dir = tempfile::tempdir().unwrap();
    let run_dir = dir.path().join("run");
    run(&plan(SILICON, &run_dir), &mut Memory::default(), &Resume::No).unwrap();
    let out = dir.path().join("exported");
    let report = export(&run_dir, &out, false).unwrap();
    assert!(report.max_rel <= report.bound);
    for name in ["config.json", "model.safetensors", "load_mace.py", "export.json"] {
        assert!(out.join(name).is_file(), "{name}");
    }
    let error = export(&run_dir, &out, false).unwrap_err().to_string();
    assert!(error.contains("exists already"), "{error}");
    export(&run_dir, &out, true).unwrap();

    let checkpoint = dir.path().join("imported");
    import(&out, &checkpoint).unwrap();
    let imported = StructuresModel::open(&checkpoint).unwrap();
    let direct = StructuresModel::open(&out).unwrap();
    assert_eq!(imported.params.host_as::<f64>(), direct.params.host_as::<f64>());
    assert_eq!(imported.blueprint.config(), direct.blueprint.config());
    let again = dir.path().join("again");
    export(&checkpoint, &again, false).unwrap();
    let read = |folder: &PathBuf, name: &str| std::fs::read(folder.join(name)).unwrap();
    assert_eq!(read(&again, "model.safetensors"), read(&out, "model.safetensors"));
    assert_eq!(read(&again, "config.json"), read(&out, "config.json"));
}

#[test]
fn an_imported_network_is_the_start_of_a_training() {
    let dir = tempfile::tempdir().unwrap();
    let teacher = dir.path().join("teacher");
    let text = SILICON.replace("correlation = 2", "correlation = 2, product_basis = \"unreduced\"");
    run(&plan(&text, &teacher), &mut Memory::default(), &Resume::No).unwrap();
    let (out, checkpoint) = (dir.path().join("out"), dir.path().join("imported"));
    export(&teacher, &out, false).unwrap();
    import(&out, &checkpoint).unwrap();
    let student = plan(&text, &dir.path().join("student"));
    let mut memory = Memory::default();
    run(&student, &mut memory, &Resume::Path(checkpoint)).unwrap();
    assert_eq!(memory.steps[0].step, 1);
    let fresh = {
        let mut fresh = Memory::default();
        run(&plan(&text, &dir.path().join("fresh")), &mut fresh, &Resume::No).unwrap();
        fresh.steps[0].loss
    };
    assert!(memory.steps[0].loss < fresh, "{} {fresh}", memory.steps[0].loss);
}

#[test]
fn models_of_mace_torch_are_what_that_program_computes() {
    #[expect(clippy::disallowed_methods, reason = "where a test looks for oracles")]
    let shared = std::env::var("GENESIS_SHARED").unwrap_or_else(|_| "../../shared".to_owned());
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(shared).join("oracles/equivariant");
    if !folder.is_dir() {
        println!("SKIPPED: no {}; set GENESIS_SHARED", folder.display());
        return;
    }
    for case in ["molecule_l0", "molecule_l1", "crystal_l2"] {
        let folder = folder.join(case);
        let report = check(&folder, &folder.join("oracle.safetensors")).unwrap();
        let below = |figure: Option<f64>, bound: f64, what: &str| {
            assert!(figure.is_some_and(|it| it <= bound), "{case} {what}: {figure:?}");
        };
        below(report.energy_rel, 1e-10, "energy");
        below(report.forces_max_abs, 1e-9, "forces, eV/Å");
        if case.starts_with("crystal") {
            below(report.stress_max_abs, 1e-9, "stress, eV/Å^3");
        }
        assert_eq!(report.edges_equal, Some(true), "{case}");
        below(report.loss_rel, 1e-7, "loss");
        below(report.grad_rel_worst, 1e-7, "gradient");
        below(report.curve_rel_worst, 1e-6, "curve");
    }
}
