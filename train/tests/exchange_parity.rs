//! The import path against reference outputs of transformers: logits, loss, gradients, a curve.
//!
//! Needs `$GENESIS_SHARED/oracles/transformer` (default `../shared`); further folders of oracles
//! can be named by `GENESIS_ORACLES`, separated by `:`.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

use std::path::{Path, PathBuf};

use genesis_train::sequences::huggingface::{self, CheckReport, check};

/// Bounds: f32 arithmetic of two programs that sum in different orders.
const LOGITS: f64 = 2e-5;
const LOSS: f64 = 1e-6;
const GRADIENT: f64 = 1e-4;
const CURVE: f64 = 1e-4;

fn oracle_folders() -> Vec<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let shared = std::env::var_os("GENESIS_SHARED")
        .map_or_else(|| workspace.join("../shared"), PathBuf::from);
    let mut roots = vec![shared.join("oracles/transformer")];
    if let Some(more) = std::env::var_os("GENESIS_ORACLES") {
        roots.extend(std::env::split_paths(&more));
    }
    let mut folders = Vec::new();
    for root in roots {
        let Ok(entries) = std::fs::read_dir(&root) else {
            println!("SKIPPED: {} is not there", root.display());
            continue;
        };
        folders.extend(entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()));
    }
    folders.sort();
    folders
}

fn assert_within_bounds(folder: &Path, report: &CheckReport) {
    let line = serde_json::to_string(report).unwrap();
    println!("{}: {line}", folder.display());
    for (figure, bound) in [
        (report.logits_max_abs, LOGITS),
        (report.loss_rel, LOSS),
        (report.grad_rel_worst, GRADIENT),
        (report.curve_rel_worst, CURVE),
    ] {
        assert!(figure.is_none_or(|figure| figure <= bound), "{}: {line}", folder.display());
    }
    assert!(report.logits_max_abs.is_some() && report.loss_rel.is_some(), "{line}");
}

#[test]
fn imported_models_compute_what_transformers_computes() {
    for folder in oracle_folders() {
        let oracle = folder.join("oracle.safetensors");
        // Through the product's path: folder to checkpoint, checkpoint to model.
        let scratch = tempfile::tempdir().unwrap();
        let checkpoint = scratch.path().join("checkpoint");
        huggingface::import(&folder, &checkpoint).unwrap();
        let report = check(&checkpoint, &oracle).unwrap();
        assert_within_bounds(&folder, &report);
        assert_eq!(report, check(&folder, &oracle).unwrap(), "straight from the folder");
    }
}

#[test]
fn exporting_an_imported_folder_gives_it_back() {
    for folder in oracle_folders() {
        let scratch = tempfile::tempdir().unwrap();
        let (checkpoint, out) = (scratch.path().join("checkpoint"), scratch.path().join("out"));
        huggingface::import(&folder, &checkpoint).unwrap();
        let report =
            huggingface::export(&checkpoint, &out, &huggingface::ExportOptions::default()).unwrap();
        assert_eq!(report.logits_max_abs.to_bits(), 0.0f64.to_bits());
        for entry in std::fs::read_dir(&folder).unwrap() {
            let name = entry.unwrap().file_name();
            if name == "oracle.safetensors" {
                continue;
            }
            let (before, after) = (
                std::fs::read(folder.join(&name)).unwrap(),
                std::fs::read(out.join(&name)).unwrap(),
            );
            assert!(before == after, "{}: {} differs", folder.display(), name.display());
        }
        let own = check(&out, &out.join("reference.safetensors")).unwrap();
        assert_eq!(own.logits_max_abs, Some(0.0), "{}", folder.display());
    }
}
