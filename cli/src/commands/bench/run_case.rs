//! `genesis bench run-case`: one measured piece of work, the child process of `compare`; and
//! `genesis bench step`, the same for one of our large networks, by name.

use std::path::PathBuf;

use anyhow::Context;
use genesis_benches::case::{Case, CaseError, Fields, Float, MaceCase, Repeats, TransformerCase};
use genesis_kernels::Kernels;
use genesis_train::device::{OnDevice, on_device};
use genesis_train::trainer::gate::kernels_of;

use super::kernels::Whose;
use crate::console;
use crate::device::DeviceArgs;
use crate::exit::{Code, Failure, OrExit};
use crate::threads;

/// Measure one case and print one JSON object.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The case as JSON, as `compare` writes it
    case: String,
    #[command(flatten)]
    place: Place,
}

/// Where, and with whose kernels.
#[derive(Debug, Clone, Copy, clap::Args)]
struct Place {
    #[command(flatten)]
    device: DeviceArgs,
    /// Whose kernels: those of the device, or the references composed of Burn operations (cuda)
    #[arg(long, value_enum, default_value_t = Whose::Own)]
    kernels: Whose,
}

/// Time training steps of a network of published size, ours alone.
///
/// GPT-2 of 124 million parameters in bf16-mixed on random tokens, contexts of 1024; or a MACE in f32
/// on structures of H, C and O, batches of 10. Prints one JSON object with the names that `compare`
/// reads. --kernels reference computes with Burn operations alone, so that two calls say what our
/// kernels gain.
///
/// Examples:
///   genesis bench step gpt2-124m --device cuda:0
///   genesis bench step gpt2-124m --device cuda:0 --kernels reference
///   genesis bench step mace-128x1 --data train_300K.xyz --device cuda:0
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct StepArgs {
    /// The network
    #[arg(value_enum)]
    network: Published,
    #[command(flatten)]
    place: Place,
    /// Sequences of a step of GPT-2
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    batch: u16,
    /// Tokens of a sequence of GPT-2
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u16).range(2..=1024))]
    context: u16,
    /// Steps that count
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    steps: u16,
    /// Extended XYZ with energies and forces of H, C and O, for MACE
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
}

/// Networks of published sizes.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Published {
    /// GPT-2, 124 million parameters
    #[value(name = "gpt2-124m")]
    Gpt2,
    /// MACE, 32x0e+32x1o
    #[value(name = "mace-32x1")]
    Mace32,
    /// MACE, 128x0e+128x1o
    #[value(name = "mace-128x1")]
    Mace128,
}

/// Steps before the clock counts.
const WARM_UP: usize = 3;

impl StepArgs {
    fn case(&self) -> anyhow::Result<Case> {
        let repeats = Repeats { warmup: WARM_UP, steps: self.steps.into() };
        let channels = match self.network {
            Published::Gpt2 => {
                let case = TransformerCase::gpt2_124m(self.batch.into(), repeats);
                return Ok(Case::Transformer(TransformerCase {
                    context: self.context.into(),
                    ..case
                }));
            }
            Published::Mace32 => 32,
            Published::Mace128 => 128,
        };
        let Some(file) = self.data.clone() else {
            let message = "MACE needs structures to learn from: name a file with --data";
            return Err(Failure::error(Code::Usage, message));
        };
        let (degree, batch, float) = (1, 10, Float::F32);
        Ok(Case::Mace(MaceCase { file, channels, degree, batch, float, repeats }))
    }
}

pub(crate) fn step(args: &StepArgs) -> anyhow::Result<Code> {
    measure(args.case()?, args.place)
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Code> {
    measure(serde_json::from_str(&args.case).context("the case is not one")?, args.place)
}

fn measure(case: Case, place: Place) -> anyhow::Result<Code> {
    let work =
        || on_device(place.device.device, place.kernels.into(), Running(case)).or_exit(Code::Usage);
    let mut fields = threads::inside(work)?.or_exit(Code::Data)?;
    fields.insert("device".to_owned(), place.device.name().into());
    console::result(serde_json::to_string(&fields)?);
    Ok(Code::Done)
}

/// A case that is about to run.
struct Running(Case);

impl OnDevice for Running {
    type Output = Result<Fields, CaseError>;

    fn run<B: Kernels>(self, device: &B::Device) -> Self::Output {
        let mut fields = self.0.measure::<B>(device)?;
        fields.insert("kernels".to_owned(), kernels_of::<B>(device).into());
        Ok(fields)
    }
}
