//! What a trained network of atoms is for: the table at the end, predictions, dynamics.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use burn::tensor::Device;
use genesis_data::structures::ingest::Structure;
use genesis_data::structures::{StructuresIngest, read_structures};
use genesis_kernels::Cpu;
use genesis_train::structures::md::{Drift, Ensemble, MdOptions, Start, run as simulate};
use genesis_train::structures::predict::PREFIX;
use genesis_train::structures::{
    EVALUATION_FILE, PredictOptions, PredictReport, Reading, StructuresError, StructuresModel,
    evaluate_run, measure_files, parse_units, predict_file,
};
use genesis_train::trainer::Resume;

use crate::fixture::{Memory, SILICON, plan, run};

/// A trained run in `dir`, and a file of two structures.
fn trained(dir: &Path) -> StructuresModel {
    run(&plan(SILICON, &dir.join("run")), &mut Memory::default(), &Resume::No).unwrap();
    std::fs::write(dir.join("two.xyz"), TWO).unwrap();
    StructuresModel::open(&dir.join("run")).unwrap()
}

const TWO: &str = "2\nLattice=\"5.4 0 0 0 5.4 0 0 0 5.4\" Properties=species:S:1:pos:R:3 \
    config_type=pair pbc=\"T T T\"\nSi 0 0 0\nSi 1.4 1.3 1.36\n\
    3\nProperties=species:S:1:pos:R:3:forces:R:3 energy=-9.5 pbc=\"F F F\"\n\
    Si 0 0 0 0.1 0 0\nSi 2.3 0.1 0 0 0 0\nSi 0.2 2.2 0.3 0 0.1 0\n";

fn options(dir: &Path, output: &str) -> PredictOptions {
    PredictOptions {
        inputs: vec![dir.join("two.xyz")],
        output: dir.join(output),
        reading: Reading::default(),
        prefix: PREFIX.to_owned(),
        max_atoms: 1000,
        head: None,
    }
}

fn predict(dir: &Path, model: &StructuresModel, output: &str) -> PredictReport {
    predict_file(model, &options(dir, output)).unwrap()
}

#[test]
fn the_table_at_the_end_is_written_and_counts_every_held_out_structure() {
    let dir = tempfile::tempdir().unwrap();
    let (plan, dataset) = plan(SILICON, dir.path());
    run(&(plan.clone(), dataset.clone()), &mut Memory::default(), &Resume::No).unwrap();
    let stop = AtomicBool::new(false);
    let report =
        evaluate_run::<Cpu>(&plan, &dataset, &Device::<Cpu>::default(), &stop).unwrap().unwrap();
    assert_eq!(report.rows[0].set, "validation");
    assert_eq!(report.rows[0].frames, dataset.first().card().part.splits.validation.frames);
    assert!(report.plots.iter().any(|plot| plot.quantity == "stress"));
    let text = std::fs::read_to_string(dir.path().join(EVALUATION_FILE)).unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap()["step"], report.step);
}

#[test]
fn predictions_come_back_in_order_and_do_not_depend_on_the_batch() {
    let dir = tempfile::tempdir().unwrap();
    let model = trained(dir.path());
    let report = predict(dir.path(), &model, "together.xyz");
    assert_eq!((report.structures, report.atoms), (2, 5));
    assert!(report.errors[0].forces_rmse_mev_per_a.is_some(), "the second has labels");
    let alone = PredictOptions { max_atoms: 1, ..options(dir.path(), "alone.xyz") };
    predict_file(&model, &alone).unwrap();
    let energies = |name: &str| -> Vec<f64> {
        let inputs = vec![dir.path().join(name)];
        let plan =
            StructuresIngest { labels: Vec::new(), ..StructuresIngest::new(inputs, "none".into()) };
        let (structures, rejects) = read_structures(&plan).unwrap();
        assert!(rejects.is_empty(), "{rejects:?}");
        assert_eq!(structures[0].frame.config_type, "pair");
        assert!(structures[0].raw.has("predicted_stress"), "periodic structures have stress");
        assert!(!structures[1].raw.has("predicted_stress"));
        assert_eq!(structures[1].frame.labels.energy, Some(-9.5), "the label that came in");
        let energy = |it: &Structure| it.raw.info["predicted_energy"].numbers().unwrap()[0];
        structures.iter().map(energy).collect()
    };
    for (a, b) in energies("together.xyz").iter().zip(energies("alone.xyz")) {
        // Sums of f32 in another order.
        assert!((a - b).abs() < 1e-5 * a.abs().max(1.0), "{a} {b}");
    }
}

#[test]
fn a_parquet_table_of_predictions_reads_back_as_structures() {
    let dir = tempfile::tempdir().unwrap();
    let model = trained(dir.path());
    predict(dir.path(), &model, "out.parquet");
    let file = std::fs::File::open(dir.path().join("out.parquet")).unwrap();
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(file, 10).unwrap();
    let batches: Vec<_> = reader.collect::<Result<_, _>>().unwrap();
    assert_eq!(batches[0].num_rows(), 2);
    let names: Vec<String> =
        batches[0].schema().fields().iter().map(|field| field.name().clone()).collect();
    let wanted = [
        "index",
        "atomic_numbers",
        "positions",
        "cell",
        "pbc",
        "atom_columns",
        "config_type",
        "predicted_energy",
        "predicted_forces",
        "predicted_stress",
        "units",
        "energy",
        "forces",
    ];
    assert_eq!(names, wanted);
}

#[test]
fn labels_are_read_in_the_units_that_are_said_and_written_in_electron_volts() {
    let dir = tempfile::tempdir().unwrap();
    let model = trained(dir.path());
    let reading = |units: &str| {
        let mut reading = Reading::default();
        reading.options.units = parse_units(units).unwrap();
        reading
    };
    let kcal = PredictOptions { reading: reading("kcal/mol"), ..options(dir.path(), "kcal.xyz") };
    let (in_ev, in_kcal) =
        (measure_files(&model, &options(dir.path(), "")).unwrap(), predict_file(&model, &kcal));
    let error = |report: &PredictReport| report.errors[0].energy_rmse_mev.unwrap();
    assert!((error(&in_ev) - error(&in_kcal.unwrap())).abs() > 1000.0, "other labels");
    let text = std::fs::read_to_string(dir.path().join("kcal.xyz")).unwrap();
    assert!(text.contains("energy=-0.4119"), "-9.5 kcal/mol in eV: {text}");
    // What states its units is read in them: the same errors whatever is said.
    let again = |units: &str| PredictOptions {
        inputs: vec![dir.path().join("kcal.xyz")],
        reading: reading(units),
        ..options(dir.path(), "")
    };
    let errors = |units: &str| measure_files(&model, &again(units)).unwrap().errors;
    assert_eq!(errors("eV"), errors("hartree"));
    // A second prediction would take the place of the first.
    let refused =
        predict_file(&model, &PredictOptions { output: dir.path().join("c.xyz"), ..again("eV") });
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("predicted_energy") && refused.contains("--prefix"), "{refused}");
}

#[test]
fn an_unknown_element_is_named_with_file_and_line() {
    let dir = tempfile::tempdir().unwrap();
    let model = trained(dir.path());
    std::fs::write(dir.path().join("two.xyz"), TWO.replace("Si 2.3", "Ge 2.3")).unwrap();
    let error = predict_file(&model, &options(dir.path(), "out.xyz")).unwrap_err();
    assert!(matches!(error, StructuresError::Structure { .. }), "{error}");
    let message = error.to_string();
    assert!(message.contains("two.xyz:5") && message.contains("element 32"), "{message}");
    assert!(!dir.path().join("out.xyz").exists());
}

#[test]
fn dynamics_of_a_network_conserves_energy_and_writes_every_tenth_frame() {
    let dir = tempfile::tempdir().unwrap();
    let model = trained(dir.path());
    let inputs = vec![dir.path().join("two.xyz")];
    let plan =
        StructuresIngest { labels: Vec::new(), ..StructuresIngest::new(inputs, "none".into()) };
    let (structures, _) = read_structures(&plan).unwrap();
    let options = MdOptions {
        ensemble: Ensemble::Nve,
        timestep_fs: 0.5,
        steps: 100,
        temperature_k: 100.0,
        drift: Drift::Start,
        every: 10,
        seed: 1,
    };
    let path = dir.path().join("trajectory.xyz");
    let stop = AtomicBool::new(false);
    let start = Start::of(&structures[1]).unwrap();
    let report = simulate(&model, &start, &options, &path, &stop, &mut |_| {}).unwrap();
    assert_eq!((report.steps, report.frames), (100, 11));
    // Kinetic energy starts at 13 meV per atom; errors of f32 and of the step stay far below it.
    let conservation = report.conservation.unwrap();
    assert!(conservation.largest_deviation_mev_per_atom < 0.5, "{report:?}");
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().filter(|line| line.contains("time_fs=")).count(), 11);
}
