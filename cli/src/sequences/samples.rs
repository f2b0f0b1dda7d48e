//! Samples of a trained model: those that `generate` prints, and those of a report.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use genesis_kernels::Kernels;
use genesis_train::device::{KernelChoice, OnDevice, on_device};
use genesis_train::report::log::SAMPLES_FILE;
use genesis_train::report::{Observer, SampleRecord, read_samples};
use genesis_train::sequences::SequencesPlan;
use genesis_train::sequences::inference::{GenerateOptions, Sample, SequencesModel, generate};
use genesis_train::sequences::settings::SampleConfig;

use super::model::open;
use crate::exit::{Code, OrExit};

/// The samples that the config asks for and that the run has not drawn yet, into the report and onto
/// the console, until `stop` is set: then the one that is being drawn is the last.
pub(super) fn draw(
    plan: &SequencesPlan,
    observer: &mut dyn Observer,
    stop: &AtomicBool,
) -> anyhow::Result<()> {
    let Some(wanted) = &plan.config.report.sample else { return Ok(()) };
    let missing = missing(&plan.config.run.dir, plan.steps, wanted);
    if missing.is_empty() {
        return Ok(());
    }
    let options = GenerateOptions {
        first: 0,
        count: wanted.count as u64,
        max_tokens: Some(wanted.max_tokens),
        temperature: wanted.temperature,
        top_k: wanted.top_k,
        top_p: wanted.top_p,
        seed: plan.config.run.seed,
    };
    let step = plan.steps;
    let model = open(&plan.config.run.dir)?;
    let drawing = Missing { model, samples: &missing, options, step, observer, stop };
    on_device(plan.config.run.device, KernelChoice::Own, drawing).or_exit(Code::Usage)?
}

/// Prompt and number of every sample of `step` that is not in the run folder.
fn missing<'w>(run_dir: &Path, step: u64, wanted: &'w SampleConfig) -> Vec<(&'w str, u64)> {
    let mut there: BTreeMap<String, u64> = BTreeMap::new();
    for sample in read_samples(&run_dir.join(SAMPLES_FILE)) {
        if sample.step == step {
            *there.entry(sample.prompt).or_default() += 1;
        }
    }
    let mut missing = Vec::new();
    for prompt in &wanted.prompts {
        let known = there.entry(prompt.clone()).or_default();
        let first = (*known).min(wanted.count as u64);
        *known -= first;
        missing.extend((first..wanted.count as u64).map(|index| (prompt.as_str(), index)));
    }
    missing
}

/// Samples of a run that are still to be drawn.
struct Missing<'a> {
    model: SequencesModel,
    samples: &'a [(&'a str, u64)],
    options: GenerateOptions,
    step: u64,
    observer: &'a mut dyn Observer,
    stop: &'a AtomicBool,
}

impl OnDevice for Missing<'_> {
    type Output = anyhow::Result<()>;

    fn run<B: Kernels>(self, device: &B::Device) -> anyhow::Result<()> {
        let Self { samples, step, observer, .. } = self;
        let model = self.model.on::<B>(device);
        for &(prompt, index) in samples {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let options =
                GenerateOptions { first: index, count: index + 1, ..self.options.clone() };
            let mut take = |sample: Sample| {
                let (prompt, text) = (sample.prompt, sample.text);
                observer.sample(&SampleRecord { step, prompt, text });
            };
            generate(&model, prompt, &options, &mut take).or_exit(Code::Data)?;
        }
        Ok(())
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_that_are_there_are_not_drawn_again() {
        let run = tempfile::tempdir().unwrap();
        let wanted = SampleConfig {
            prompts: vec!["C".to_owned(), "N".to_owned(), "C".to_owned()],
            count: 2,
            max_tokens: 4,
            temperature: 1.0,
            top_k: None,
            top_p: None,
        };
        let all = [("C", 0), ("C", 1), ("N", 0), ("N", 1), ("C", 0), ("C", 1)];
        assert_eq!(missing(run.path(), 9, &wanted), all);
        let line = |step: u64, prompt: &str| {
            format!("{{\"step\":{step},\"prompt\":\"{prompt}\",\"text\":\"\"}}\n")
        };
        let lines = [line(5, "N"), line(9, "C"), line(9, "C"), line(9, "C"), line(9, "N")].concat();
        std::fs::write(run.path().join(SAMPLES_FILE), lines).unwrap();
        assert_eq!(missing(run.path(), 9, &wanted), [("N", 1), ("C", 1)]);
    }
}
