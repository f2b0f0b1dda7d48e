//! The dataset that a run config names: opened, or made in the run folder on first use.

use std::path::Path;
use std::sync::Arc;

use genesis_data::dataset::card::CARD_FILE;
use genesis_data::sequences::SequencesCard;
use genesis_data::sequences::SequencesDataset;
use genesis_data::sequences::{SequencesIngest, ingest};
use genesis_train::sequences::SequencesConfig;

use super::ingest::show;
use crate::console::{self, IngestMeter};
use crate::exit::{Code, Failure, OrExit};

/// Opens the dataset of `config` for a run in `run_dir`, making it first when the config names raw
/// files or a generator. A dataset that the run made before is used as it is: a run never changes
/// its data.
pub(super) fn prepare(
    config: &SequencesConfig,
    run_dir: &Path,
) -> anyhow::Result<Arc<SequencesDataset>> {
    let folder = config.data.folder(run_dir);
    if let Some(plan) = config.data.ingest_plan(run_dir) {
        if folder.join(CARD_FILE).is_file() {
            refuse_other_options(&plan, &folder)?;
        } else {
            make(&plan)?;
        }
    }
    Ok(Arc::new(SequencesDataset::open(&folder).or_exit(Code::Data)?))
}

fn make(plan: &SequencesIngest) -> anyhow::Result<()> {
    let summary = ingest(plan, &IngestMeter::default()).or_exit(Code::Data)?;
    summary.notes.iter().for_each(|note| console::note(format!("note: {note}")));
    show(&summary, &plan.output.display().to_string());
    Ok(())
}

/// Refuses a dataset in the run folder that was made from other files or with other options.
fn refuse_other_options(plan: &SequencesIngest, folder: &Path) -> anyhow::Result<()> {
    let (card, _) = SequencesCard::load(folder).or_exit(Code::Data)?;
    let wanted = plan.recorded_options().or_exit(Code::Usage)?;
    if card.options == wanted {
        return Ok(());
    }
    let message = format!(
        "{}: this dataset was made with the options {}, but the config asks for {}; choose another \
         run.dir, or remove the folder to make it anew",
        folder.display(),
        card.options,
        wanted
    );
    Err(Failure::error(Code::Usage, message))
}
