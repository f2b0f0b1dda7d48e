//! The datasets that a run file names: opened, or the only one made in the run folder on first use.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use genesis_data::dataset::card::CARD_FILE;
use genesis_data::ingest::{Counted, IngestError};

use super::{Face, sources};
use crate::console::{self, IngestMeter};
use crate::exit::{Code, Failure, OrExit};

/// Opens the datasets of `config` for a run in `run_dir`, making it first when the config names raw
/// files or a generator. A dataset that the run made before is used as it is: a run never changes
/// its data.
pub(super) fn prepare<F: Face>(
    config: &F::Config,
    run_dir: &Path,
    stop: &AtomicBool,
) -> anyhow::Result<Arc<F::Dataset>> {
    let folders = F::folders(config, run_dir);
    if let (Some(source), [(_, folder)]) = (F::source(config, run_dir), folders.as_slice()) {
        if folder.join(CARD_FILE).is_file() {
            refuse_other_options::<F>(&source, folder)?;
            sources::changed_since(folder).iter().for_each(console::note);
        } else {
            let made = ingest(stop, |meter| F::make(&source, meter))?;
            F::show_made(&made, folder);
        }
    }
    Ok(Arc::new(F::open(&folders).or_exit(Code::Data)?))
}

/// Makes a dataset with a meter that shows its progress, until `stop` is set.
pub(crate) fn ingest<T>(
    stop: &AtomicBool,
    make: impl FnOnce(&IngestMeter<'_>) -> Result<T, IngestError>,
) -> anyhow::Result<T> {
    let made = make(&IngestMeter::until(stop));
    let code = if stop.load(Ordering::Relaxed) { Code::Stopped } else { Code::Data };
    made.or_exit(code)
}

/// What became of the records of an ingest; the numbers add up, which it checked.
pub(crate) fn counted_line(counted: &Counted) -> String {
    let [read, kept, rejected, duplicates] =
        [counted.records, counted.kept, counted.rejected, counted.duplicates].map(console::count);
    format!("  {read} records read = {kept} kept + {rejected} rejected + {duplicates} duplicates")
}

/// Refuses a dataset in the run folder that was made from other files or with other options.
fn refuse_other_options<F: Face>(source: &F::Source, folder: &Path) -> anyhow::Result<()> {
    let found = F::options_of(folder).or_exit(Code::Data)?;
    let wanted = F::options(source).or_exit(Code::Usage)?;
    if found == wanted {
        return Ok(());
    }
    let message = format!(
        "{}: this dataset was made with the options {found}, but the config asks for {wanted}; \
         choose another run.dir, or remove the folder to make it anew",
        folder.display(),
    );
    Err(Failure::error(Code::Usage, message))
}
