//! Models of sequences and folders of transformers.

use std::path::Path;

use genesis_train::exchange::CONFIG;
use genesis_train::sequences::huggingface::{self, ExportOptions, StoredDtype};
use serde_json::Value;

use crate::console;
use crate::exit::{Code, OrExit};
use crate::family::Export;

/// Whether `folder` has what transformers writes.
pub(super) fn reads(folder: &Path) -> bool {
    folder.join(CONFIG).is_file()
}

pub(super) fn export(asked: &Export<'_>) -> anyhow::Result<()> {
    let dtype = asked.dtype.map(|dtype| match dtype {
        "f16" => StoredDtype::F16,
        "bf16" => StoredDtype::Bf16,
        _ => StoredDtype::F32,
    });
    let options = ExportOptions { dtype, overwrite: asked.overwrite };
    let report = huggingface::export(asked.model, asked.out, &options).or_exit(Code::Data)?;
    if asked.json {
        console::result(serde_json::to_string(&report)?);
        return Ok(());
    }
    console::note(format!(
        "{}: {} with {} parameters; read back, its logits differ from the trained model's by at most \
         {:.1e} (bound {:.1e}: {})",
        asked.out.display(),
        report.architecture.as_deref().unwrap_or("model"),
        console::count(report.num_parameters as u64),
        report.logits_max_abs,
        report.logits_bound,
        report.logits_bound_because,
    ));
    Ok(())
}

pub(super) fn check(folder: &Path, oracle: &Path) -> anyhow::Result<Value> {
    let report = huggingface::check(folder, oracle).or_exit(Code::Data)?;
    Ok(serde_json::to_value(report)?)
}

pub(super) fn import(folder: &Path, out: &Path) -> anyhow::Result<()> {
    let report = huggingface::import(folder, out).or_exit(Code::Data)?;
    console::note(format!(
        "{}: {} with {} parameters in {} tensors, tokenizer {}",
        report.checkpoint.display(),
        report.family,
        console::count(report.num_parameters as u64),
        report.num_tensors,
        report.tokenizer.as_deref().unwrap_or("none"),
    ));
    report.notes.iter().for_each(|note| console::note(format!("note: {note}")));
    Ok(())
}
