//! Models of structures and folders of mace-torch.

use std::path::Path;

use genesis_train::structures::mace_torch;
use serde_json::Value;

use crate::console;
use crate::exit::{Code, Failure, OrExit};
use crate::family::Export;

pub(super) fn export(asked: &Export<'_>) -> anyhow::Result<()> {
    if asked.dtype.is_some() {
        let message = "--dtype: folders of mace-torch hold f64; its loader takes a dtype";
        return Err(Failure::error(Code::Usage, message));
    }
    let report = mace_torch::export(asked.model, asked.out, asked.overwrite).or_exit(Code::Data)?;
    if asked.json {
        console::result(serde_json::to_string(&report)?);
        return Ok(());
    }
    console::note(format!(
        "{}: {} with {} parameters; read back, its predictions differ from the model's by at most \
         {:.1e} of their size (bound {:.1e}: {})",
        asked.out.display(),
        report.architecture,
        console::count(report.num_parameters as u64),
        report.max_rel,
        report.bound,
        report.bound_because,
    ));
    Ok(())
}

pub(super) fn check(folder: &Path, oracle: &Path) -> anyhow::Result<Value> {
    let report = mace_torch::check(folder, oracle).or_exit(Code::Data)?;
    Ok(serde_json::to_value(report)?)
}

pub(super) fn import(folder: &Path, out: &Path) -> anyhow::Result<()> {
    let report = mace_torch::import(folder, out).or_exit(Code::Data)?;
    console::note(format!(
        "{}: MACE with {} parameters for {} elements",
        report.checkpoint.display(),
        console::count(report.num_parameters as u64),
        report.num_elements,
    ));
    Ok(())
}
