//! Samples of a trained model: those that `generate` prints, and those of a report.

use genesis_kernels::Kernels;
use genesis_train::device::{KernelChoice, OnDevice, on_device};
use genesis_train::report::{Observer, SampleRecord};
use genesis_train::sequences::SequencesPlan;
use genesis_train::sequences::inference::{GenerateOptions, Sample, SequencesModel, generate};

use super::model::open;
use crate::exit::{Code, OrExit};

/// The samples that the config asks for, into the report and onto the console.
pub(super) fn draw(plan: &SequencesPlan, observer: &mut dyn Observer) -> anyhow::Result<()> {
    let Some(wanted) = &plan.config.report.sample else { return Ok(()) };
    let model = open(&plan.config.run.dir)?;
    let options = GenerateOptions {
        count: wanted.count as u64,
        max_tokens: Some(wanted.max_tokens),
        temperature: wanted.temperature,
        top_k: wanted.top_k,
        top_p: wanted.top_p,
        seed: plan.config.run.seed,
    };
    let step = plan.steps;
    let mut take = |sample: Sample| {
        let (prompt, text) = (sample.prompt, sample.text);
        observer.sample(&SampleRecord { step, prompt, text });
    };
    let drawing = Drawing { model, prompts: &wanted.prompts, options: &options, take: &mut take };
    on_device(plan.config.run.device, KernelChoice::Own, drawing).or_exit(Code::Usage)?
}

/// Samples that are about to be drawn.
pub(super) struct Drawing<'a> {
    pub(super) model: SequencesModel,
    pub(super) prompts: &'a [String],
    pub(super) options: &'a GenerateOptions,
    pub(super) take: &'a mut dyn FnMut(Sample),
}

impl OnDevice for Drawing<'_> {
    type Output = anyhow::Result<()>;

    fn run<B: Kernels>(self, device: &B::Device) -> anyhow::Result<()> {
        let model = self.model.on::<B>(device);
        let mut prompts = self.prompts.iter();
        prompts.try_for_each(|prompt| {
            generate(&model, prompt, self.options, self.take).or_exit(Code::Data)
        })
    }
}
