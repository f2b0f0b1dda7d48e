//! `genesis generate`: new sequences from a trained causal model.

use std::path::PathBuf;

use genesis_data::sequences::tokenize::{Tokenizer, TokenizerKind, smiles_is_balanced};
use genesis_train::sequences::inference::{Ended, GenerateOptions, Sample, SequencesModel};

use super::model::open;
use super::samples::Drawing;
use crate::console;
use crate::device::DeviceArgs;
use crate::exit::Code;

/// Sample sequences from a trained causal model.
///
/// MODEL is a run folder, a checkpoint, or a Hugging Face folder. Samples go to stdout, one a line
/// for SMILES models, separated by a rule otherwise. The same seed gives the same samples.
///
/// Example: genesis generate runs/quickstart --count 10 --temperature 0.8
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Run folder, checkpoint folder or Hugging Face folder
    pub(super) model: PathBuf,
    /// Text to continue; empty starts a new document
    #[arg(long, default_value = "")]
    prompt: String,
    /// Samples to draw
    #[arg(long, default_value_t = 1, value_name = "N")]
    count: u64,
    /// Most tokens to add to the prompt [default: what is left of the model's context]
    #[arg(long, value_name = "N")]
    max_tokens: Option<usize>,
    /// Divides the logits; 0 always takes the likeliest token
    #[arg(long, default_value_t = 1.0, value_name = "X")]
    temperature: f64,
    /// Keep only the K likeliest tokens
    #[arg(long, value_name = "K")]
    top_k: Option<usize>,
    /// Keep only the smallest set of tokens whose probabilities add up to P
    #[arg(long, value_name = "P")]
    top_p: Option<f64>,
    /// Seed of the sampling stream
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print one JSON object per sample: text, token ids, log-likelihood in nats, why it ended
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    let model = open(&args.model)?;
    let options = GenerateOptions {
        first: 0,
        count: args.count,
        max_tokens: args.max_tokens,
        temperature: args.temperature,
        top_k: args.top_k,
        top_p: args.top_p,
        seed: args.seed,
    };
    let molecules = Layout::of(&model) == Layout::Molecules;
    let layout = if args.json { Layout::Json } else { Layout::of(&model) };
    let mut balance = Balance::default();
    let mut printed: anyhow::Result<()> = Ok(());
    let mut take = |sample: Sample| {
        balance.count(&sample);
        if printed.is_ok() {
            printed = print(&sample, layout);
        }
    };
    let prompts = std::slice::from_ref(&args.prompt);
    args.device.run(Drawing { model, prompts, options: &options, take: &mut take })?;
    printed?;
    if molecules {
        console::note(balance.line());
    }
    Ok(Code::Done)
}

/// How samples are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    Json,
    /// One string a line.
    Molecules,
    /// Text of many lines, separated by a rule.
    Text,
}

impl Layout {
    fn of(model: &SequencesModel) -> Self {
        match model.tokenizer.as_ref().map(Tokenizer::kind) {
            Some(TokenizerKind::Smiles) => Self::Molecules,
            _ => Self::Text,
        }
    }
}

fn print(sample: &Sample, layout: Layout) -> anyhow::Result<()> {
    match layout {
        Layout::Json => console::result(serde_json::to_string(sample)?),
        Layout::Molecules => console::result(format!("{}{}", sample.prompt, sample.text)),
        Layout::Text => {
            if sample.index > 0 {
                console::result("-".repeat(40));
            }
            console::result(format!("{}{}", sample.prompt, sample.text));
        }
    }
    Ok(())
}

/// How many samples are SMILES whose brackets, branches and ring closures pair up.
#[derive(Debug, Default)]
struct Balance {
    balanced: u64,
    total: u64,
}

impl Balance {
    fn count(&mut self, sample: &Sample) {
        let complete = matches!(sample.ended, Ended::EndOfSequence);
        let text = format!("{}{}", sample.prompt, sample.text);
        self.total += 1;
        self.balanced += u64::from(complete && smiles_is_balanced(&text).is_ok());
    }

    fn line(&self) -> String {
        let percent = 100.0 * self.balanced as f64 / self.total.max(1) as f64;
        format!(
            "{} of {} samples ({percent:.1} %) end by themselves and are balanced SMILES \
             (brackets, branches, ring closures)",
            self.balanced, self.total
        )
    }
}
