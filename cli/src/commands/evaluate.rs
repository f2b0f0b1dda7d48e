//! `genesis evaluate`: the loss of a trained model on a dataset.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use genesis_data::dataset::Split;
use genesis_data::sequences::SequencesDataset;
use genesis_data::sequences::{Objective, SequencesLoader, SequencesLoaderPlan};
use genesis_kernels::{Kernels, Precision};
use genesis_train::device::OnDevice;
use genesis_train::keys::{ConfigProblems, RunFile, environment};
use genesis_train::sequences::SequencesConfig;
use genesis_train::sequences::evaluation::{Evaluation, evaluate};
use genesis_train::sequences::inference::SequencesModel;
use genesis_train::sequences::settings::ObjectiveConfig;

use super::atoms;
use super::model::open;
use crate::console::{self, Meter, Unit};
use crate::device::DeviceArgs;
use crate::exit::{Code, Failure, OrExit};
use crate::signals::stop_flag;
use crate::threads;

/// Evaluate a trained model on a dataset folder.
///
/// Prints mean loss in nats per token, perplexity, bits per byte where the dataset knows its bytes,
/// and the unigram entropy of the same tokens: the loss of a model that knows only frequencies.
/// Of a run on atoms, the errors of energies, forces and stress on validation and test structures.
///
/// Example: genesis evaluate runs/shakespeare --data runs/shakespeare/dataset
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Run folder, checkpoint folder or Hugging Face folder
    model: PathBuf,
    /// Dataset folder [default: the one that the run was trained on]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// At most this many sequences [default: all]
    #[arg(long, value_name = "N")]
    max_sequences: Option<usize>,
    /// Print one JSON line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

/// A model that is about to be evaluated.
struct Evaluating<'a> {
    model: SequencesModel,
    loader: &'a SequencesLoader,
    max_sequences: Option<usize>,
}

impl OnDevice for Evaluating<'_> {
    type Output = anyhow::Result<Option<Evaluation>>;

    fn run<B: Kernels>(self, device: &B::Device) -> Self::Output {
        let (config, params) = (&self.model.config, self.model.params.on::<B>(device));
        let validation = self.loader.validation(self.max_sequences, SEQUENCES_PER_BATCH);
        let meter = Meter::start("evaluate", validation.num_sequences(), Unit::Items("sequences"));
        let counted = validation.inspect(|batch| {
            meter.advance(batch.as_ref().map_or(0, |batch| batch.num_segments() as u64));
        });
        let stop = stop_flag()?;
        let found = evaluate(config, &params, counted, Precision::Full, device, &stop);
        meter.finish();
        found.or_exit(Code::Data)
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    threads::inside(|| run_inside(args))
}

fn run_inside(args: &Args) -> anyhow::Result<Code> {
    if let Some(config) = atoms::config_of_run(&args.model)? {
        return atoms::evaluate(config, args.data.as_deref(), args.device, args.json);
    }
    let model = open(&args.model)?;
    let setting = Setting::of(args, &model)?;
    let dataset = Arc::new(SequencesDataset::open(&setting.data).or_exit(Code::Data)?);
    refuse_other_tokenizer(&model, &dataset)?;
    let loader = SequencesLoader::new(Arc::clone(&dataset), setting.loader).or_exit(Code::Data)?;
    let (causal, max_sequences) = (model.config.causal(), args.max_sequences);
    let found = args.device.run(Evaluating { model, loader: &loader, max_sequences })?;
    let Some(found) = found else {
        return Err(Failure::error(Code::Data, "nothing was evaluated: no labels, or interrupted"));
    };
    let split = dataset.card().splits.get(Split::Validation);
    let bits = found.bits_per_byte(split).filter(|_| causal);
    print(&found, bits, args.json)?;
    Ok(Code::Done)
}

/// Sequences in one forward pass; changes speed and memory only.
const SEQUENCES_PER_BATCH: usize = 16;
/// Fraction of hidden tokens of masked models that were not trained here: that of ESM-2.
const MASK_RATE: f64 = 0.15;

/// What is evaluated on and how: as in training, for a run of ours.
struct Setting {
    data: PathBuf,
    loader: SequencesLoaderPlan,
}

impl Setting {
    fn of(args: &Args, model: &SequencesModel) -> anyhow::Result<Self> {
        let plan_file = args.model.join("plan.toml");
        let run =
            if plan_file.is_file() { Some(read(&plan_file).or_exit(Code::Usage)?) } else { None };
        let trained_on = run.as_ref().map(|run| run.data.folder(&args.model));
        let Some(data) = args.data.clone().or(trained_on) else {
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
        let seed = run.map_or(0, |run| run.run.seed);
        let loader = SequencesLoaderPlan {
            objective,
            sequences_per_step: 1,
            accumulation: 1,
            rank: 0,
            world: 1,
            seed,
        };
        Ok(Self { data, loader })
    }
}

/// Refuses a dataset whose token ids mean something else than the model's.
fn refuse_other_tokenizer(
    model: &SequencesModel,
    dataset: &SequencesDataset,
) -> anyhow::Result<()> {
    let Some(tokenizer) = &model.tokenizer else { return Ok(()) };
    let (ours, theirs) = (tokenizer.card(), &dataset.card().tokenizer);
    if (&ours.kind, ours.vocab_size) == (&theirs.kind, theirs.vocab_size) {
        return Ok(());
    }
    let message = format!(
        "{}: tokenizer {} with {} tokens, but the model's is {} with {}: ingest the data with the \
         model's tokenizer (--tokenizer {})",
        dataset.root().display(),
        theirs.kind,
        theirs.vocab_size,
        ours.kind,
        ours.vocab_size,
        model.source.path.join("tokenizer.json").display()
    );
    Err(Failure::error(Code::Data, message))
}

fn print(found: &Evaluation, bits_per_byte: Option<f64>, json: bool) -> anyhow::Result<()> {
    if json {
        let mut object = serde_json::to_value(found)?;
        object["perplexity"] = found.perplexity().into();
        object["bits_per_byte"] = bits_per_byte.into();
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
    Ok(())
}

fn read(plan: &Path) -> Result<SequencesConfig, ConfigProblems> {
    RunFile::read(plan, &[])?.check(&environment)
}
