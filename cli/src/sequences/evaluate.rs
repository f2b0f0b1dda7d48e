//! The loss of a trained model of sequences on a dataset.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use genesis_data::dataset::Split;
use genesis_data::sequences::SequencesDataset;
use genesis_data::sequences::{HeldOut, Objective, Seen};
use genesis_kernels::{Kernels, Precision};
use genesis_train::device::OnDevice;
use genesis_train::keys::environment;
use genesis_train::sequences::SequencesConfig;
use genesis_train::sequences::evaluation::{Evaluation as Measured, evaluate};
use genesis_train::sequences::identity::{Owned, difference};
use genesis_train::sequences::inference::SequencesModel;
use genesis_train::sequences::settings::ObjectiveConfig;

use super::model::open;
use super::overlap;
use crate::console::{self, Meter, Unit};
use crate::exit::{Code, Failure, OrExit};
use crate::family::{Evaluation, plan_of_run};

/// A model that is about to be evaluated.
struct Evaluating<'a> {
    model: &'a SequencesModel,
    held_out: &'a HeldOut,
    asked: &'a Evaluation<'a>,
}

impl OnDevice for Evaluating<'_> {
    type Output = anyhow::Result<Option<Measured>>;

    fn run<B: Kernels>(self, device: &B::Device) -> Self::Output {
        let (config, params) = (&self.model.config, self.model.params.on::<B>(device));
        let validation = self.held_out.batches(self.asked.max_sequences, SEQUENCES_PER_BATCH);
        let meter = Meter::start("evaluate", validation.num_sequences(), Unit::Items("sequences"));
        let counted = validation.inspect(|batch| {
            meter.advance(batch.as_ref().map_or(0, |batch| batch.num_segments() as u64));
        });
        let found = evaluate(config, &params, counted, Precision::Full, device, self.asked.stop);
        meter.finish();
        found.or_exit(Code::Data)
    }
}

/// Measures the loss and prints it.
pub(super) fn run(asked: &Evaluation<'_>) -> anyhow::Result<()> {
    let model = open(asked.model)?;
    let setting = Setting::of(asked, &model)?;
    let dataset = Arc::new(SequencesDataset::open(&setting.data).or_exit(Code::Data)?);
    refuse_other_tokenizer(&model, &dataset)?;
    let held_out = HeldOut::new(Arc::clone(&dataset), setting.objective, 0).or_exit(Code::Data)?;
    let causal = model.config.causal();
    let found = asked.device.run(Evaluating { model: &model, held_out: &held_out, asked })?;
    let found = asked.found(
        found,
        "the validation split has no labels; `genesis ingest --validation 1` \
                                     makes a set that is only measured",
    )?;
    let part = &dataset.card().part;
    let (split, unlabelled) = (part.splits.get(Split::Validation), &part.tokenizer.unlabelled);
    let bits_per_byte = found.bits_per_byte(split.learned(unlabelled)).filter(|_| causal);
    let seen = overlap::with_training(asked, setting.trained_on.as_deref(), &model, &dataset)?;
    print(&found, bits_per_byte, seen, asked.json)
}

/// A run of several datasets is measured on one of them, or another, at a time.
pub(crate) fn several_datasets(folders: &[(String, PathBuf)]) -> anyhow::Error {
    let named = |(name, folder): &(String, PathBuf)| format!("{name} in {}", folder.display());
    let all = folders.iter().map(named).collect::<Vec<_>>().join(", ");
    let message = format!("this run learned from several datasets: name one with --data ({all})");
    Failure::error(Code::Usage, message)
}

/// Sequences in one forward pass; changes speed and memory only.
const SEQUENCES_PER_BATCH: usize = 16;
/// Fraction of hidden tokens of masked models that were not trained here: that of ESM-2.
const MASK_RATE: f64 = 0.15;

/// What is evaluated on and how: as in training, for a run of ours.
struct Setting {
    data: PathBuf,
    /// The dataset that the run was trained on, where it is a run.
    trained_on: Option<PathBuf>,
    objective: Objective,
}

impl Setting {
    fn of(asked: &Evaluation<'_>, model: &SequencesModel) -> anyhow::Result<Self> {
        let run: Option<SequencesConfig> = match plan_of_run(asked.model)? {
            Some(file) => Some(file.check(&environment).or_exit(Code::Usage)?),
            None => None,
        };
        let folders = run.as_ref().map_or_else(Vec::new, |run| run.data.folders(asked.model));
        let trained_on = match folders.as_slice() {
            [(_, only)] => Some(only.clone()),
            [] => None,
            several if asked.data.is_none() => return Err(several_datasets(several)),
            _ => None,
        };
        let Some(data) = asked.data.map(Path::to_path_buf).or_else(|| trained_on.clone()) else {
            let message = "this model is not a run with a dataset of its own: name one with --data";
            return Err(Failure::error(Code::Usage, message));
        };
        let objective = match run.as_ref().map(|run| run.objective) {
            Some(ObjectiveConfig::Causal { context }) => Objective::Causal { context },
            Some(ObjectiveConfig::Masked { context, mask_rate }) => {
                Objective::Masked { context, rate: mask_rate }
            }
            None if model.config.causal() => Objective::Causal { context: model.config.context },
            None => Objective::Masked { context: model.config.context, rate: MASK_RATE },
        };
        Ok(Self { data, trained_on, objective })
    }
}

/// Refuses a dataset whose token ids mean something else than the model's.
fn refuse_other_tokenizer(
    model: &SequencesModel,
    dataset: &SequencesDataset,
) -> anyhow::Result<()> {
    let Some(tokenizer) = &model.tokenizer else { return Ok(()) };
    let theirs = dataset.tokenizer().or_exit(Code::Data)?;
    let whose = format!("the dataset {}", dataset.root().display());
    let data = Owned { whose: &whose, folder: dataset.root(), tokenizer: &theirs };
    let whose = format!("the model {}", model.source.path.display());
    let model = Owned { whose: &whose, folder: &model.source.path, tokenizer };
    match difference(model, data).or_exit(Code::Data)? {
        None => Ok(()),
        Some(problem) => Err(Failure::error(Code::Data, problem)),
    }
}

fn print(
    found: &Measured,
    bits_per_byte: Option<f64>,
    seen: Option<Seen>,
    json: bool,
) -> anyhow::Result<()> {
    if json {
        let mut object = serde_json::to_value(found)?;
        object["perplexity"] = found.perplexity().into();
        object["bits_per_byte"] = bits_per_byte.into();
        object["documents_seen_in_training"] = seen.map(|it| it.seen).into();
        console::result(object.to_string());
        return Ok(());
    }
    console::result(format!("loss             {:.4} nats", found.loss));
    console::result(format!("perplexity       {:.3}", found.perplexity()));
    if let Some(bits) = bits_per_byte {
        console::result(format!("bits per byte    {bits:.4}"));
    }
    console::result(format!(
        "unigram entropy  {:.4} nats (a model that knows only frequencies)",
        found.unigram_entropy
    ));
    console::result(format!(
        "labels           {} in {} sequences",
        console::count(found.num_labels),
        console::count(found.num_sequences)
    ));
    if let Some(Seen { documents, seen }) = seen {
        console::result(format!(
            "in training      {} of {} documents are in the training data too",
            console::count(seen),
            console::count(documents)
        ));
    }
    Ok(())
}
