//! Checks of meaning: ranges, and values that must fit each other.

use genesis_data::ingest::{Generate, IngestPlan, TokenizerChoice};

use super::data::DataConfig;
use super::problem::ConfigProblem;
use super::run::{
    AverageConfig, BatchConfig, CheckpointConfig, DecayConfig, ObjectiveConfig, OptimizerConfig,
    RunConfig, RunTable, SampleConfig, ScheduleConfig,
};

/// Every problem of meaning in `config`.
pub(super) fn check(config: &RunConfig) -> Vec<ConfigProblem> {
    let mut found = Found(Vec::new());
    found.check_run(&config.run);
    found.check_data(&config.data);
    found.check_objective(&config.objective);
    found.check_batch(&config.batch);
    found.check_optimizer(&config.optimizer);
    found.check_schedule(&config.schedule);
    found.check_plateau(&config.schedule, config.evaluation.every);
    found.check_average(config.average);
    found.check_intervals(config);
    found.check_checkpoint(&config.checkpoint);
    if let Some(sample) = &config.report.sample {
        found.check_sample(sample);
    }
    found.0
}

/// Problems found so far; its methods check the tables that families share.
#[derive(Default)]
pub(super) struct Found(pub(super) Vec<ConfigProblem>);

impl Found {
    pub(super) fn require(&mut self, holds: bool, path: &str, message: impl FnOnce() -> String) {
        if !holds {
            self.0.push(ConfigProblem::at(path, message()));
        }
    }

    pub(super) fn at_least(&mut self, path: &str, value: u64, least: u64) {
        self.require(value >= least, path, || format!("is {value}, must be at least {least}"));
    }

    pub(super) fn positive(&mut self, path: &str, value: f64) {
        let holds = value.is_finite() && value > 0.0;
        self.require(holds, path, || format!("is {value}, must be a finite number above 0"));
    }

    pub(super) fn not_negative(&mut self, path: &str, value: f64) {
        let holds = value.is_finite() && value >= 0.0;
        self.require(holds, path, || format!("is {value}, must be a finite number, 0 or more"));
    }

    fn fraction_below_one(&mut self, path: &str, value: f64) {
        let holds = (0.0..1.0).contains(&value);
        self.require(holds, path, || format!("is {value}, must be at least 0 and below 1"));
    }

    /// Exactly one of the `keys` of a table is given.
    pub(super) fn exactly_one(&mut self, table: &str, keys: &[(&str, bool)]) {
        let named = |only_given: bool| {
            let named = keys.iter().filter(|key| key.1 || !only_given);
            named.map(|key| format!("`{}`", key.0)).collect::<Vec<_>>()
        };
        let given = named(true);
        self.require(given.len() == 1, table, || {
            let have = if given.is_empty() { "none".to_owned() } else { given.join(" and ") };
            format!("needs exactly one of {}; it has {have}", named(false).join(", "))
        });
    }

    pub(super) fn check_run(&mut self, run: &RunTable) {
        let named = !run.dir.as_os_str().is_empty();
        self.require(named, "run.dir", || "is empty, must name a folder".to_owned());
        if let Some(threads) = run.threads {
            self.at_least("run.threads", threads as u64, 1);
        }
    }

    fn check_data(&mut self, data: &DataConfig) {
        self.exactly_one(
            "data",
            &[
                ("dataset", data.dataset.is_some()),
                ("source", data.source.is_some()),
                ("generate", data.generate.is_some()),
            ],
        );
        if let Some(source) = &data.source {
            self.check_source(source);
        }
        if let Some(Generate::Molecules { count, .. }) = data.generate {
            self.at_least("data.generate.count", count, 2);
        }
    }

    /// What a run adds to the checks of the ingest itself.
    fn check_source(&mut self, source: &IngestPlan) {
        let given = !source.inputs.is_empty();
        self.require(given, "data.source.inputs", || "is empty, must name a file".to_owned());
        self.require(source.output.as_os_str().is_empty(), "data.source.output", || {
            "follows from `run.dir`; remove the key".to_owned()
        });
        self.require(source.generate.is_none(), "data.source.generate", || {
            "belongs one table higher: use `data.generate` instead of `data.source`".to_owned()
        });
        self.fraction_below_one("data.source.validation_fraction", source.validation_fraction);
        if let TokenizerChoice::TrainBpe { vocab_size } = source.tokenizer {
            // 256 bytes and at least one merge.
            let path = "data.source.tokenizer.train_bpe.vocab_size";
            self.at_least(path, u64::from(vocab_size), 257);
        }
    }

    fn check_objective(&mut self, objective: &ObjectiveConfig) {
        match *objective {
            ObjectiveConfig::Causal { context } => {
                self.at_least("objective.context", context as u64, 2);
            }
            ObjectiveConfig::Masked { context, mask_rate } => {
                self.at_least("objective.context", context as u64, 2);
                let holds = mask_rate > 0.0 && mask_rate < 1.0;
                self.require(holds, "objective.mask_rate", || {
                    format!("is {mask_rate}, must be above 0 and below 1")
                });
            }
        }
    }

    fn check_batch(&mut self, batch: &BatchConfig) {
        self.at_least("batch.sequences", batch.sequences as u64, 1);
        self.at_least("batch.accumulation", batch.accumulation as u64, 1);
        let BatchConfig { sequences, accumulation } = *batch;
        let divides = accumulation == 0 || sequences.is_multiple_of(accumulation);
        self.require(divides, "batch.accumulation", || {
            format!("is {accumulation}, must divide `batch.sequences`, which is {sequences}")
        });
    }

    pub(super) fn check_optimizer(&mut self, optimizer: &OptimizerConfig) {
        let (OptimizerConfig::Adamw { beta1, beta2, epsilon, weight_decay, clip_norm }
        | OptimizerConfig::Amsgrad { beta1, beta2, epsilon, weight_decay, clip_norm }) = *optimizer;
        self.fraction_below_one("optimizer.beta1", beta1);
        self.fraction_below_one("optimizer.beta2", beta2);
        self.positive("optimizer.epsilon", epsilon);
        self.not_negative("optimizer.weight_decay", weight_decay);
        if let Some(clip_norm) = clip_norm {
            self.positive("optimizer.clip_norm", clip_norm);
        }
    }

    pub(super) fn check_average(&mut self, average: Option<AverageConfig>) {
        self.fraction_below_one("average.decay", average.map_or(0.0, |it| it.decay));
    }

    pub(super) fn check_schedule(&mut self, schedule: &ScheduleConfig) {
        let ScheduleConfig { steps, peak_rate, warmup_steps, decay } = *schedule;
        self.at_least("schedule.steps", steps, 1);
        self.positive("schedule.peak_rate", peak_rate);
        self.require(warmup_steps <= steps, "schedule.warmup_steps", || {
            format!("is {warmup_steps}, must not exceed `schedule.steps`, which is {steps}")
        });
        if let DecayConfig::Stairs { every, .. } = decay {
            self.at_least("schedule.decay.every", every, 1);
        }
        if let DecayConfig::Stairs { factor, .. } | DecayConfig::Plateau { factor, .. } = decay {
            self.require(factor > 0.0 && factor <= 1.0, "schedule.decay.factor", || {
                format!("is {factor}, must be above 0 and at most 1")
            });
        }
        let (DecayConfig::Cosine { steps: tail, floor_ratio }
        | DecayConfig::Linear { steps: tail, floor_ratio }
        | DecayConfig::OneMinusSqrt { steps: tail, floor_ratio }) = decay
        else {
            return;
        };
        self.require((0.0..=1.0).contains(&floor_ratio), "schedule.decay.floor_ratio", || {
            format!("is {floor_ratio}, must be between 0 and 1")
        });
        let room = steps.saturating_sub(warmup_steps);
        self.require(tail.unwrap_or(0) <= room, "schedule.decay.steps", || {
            let tail = tail.unwrap_or(0);
            format!("is {tail}, but only {room} steps are left after {warmup_steps} of warm-up")
        });
    }

    /// A plateau listens to the evaluations at their interval.
    pub(super) fn check_plateau(&mut self, schedule: &ScheduleConfig, every: Option<u64>) {
        let plateau = matches!(schedule.decay, DecayConfig::Plateau { .. });
        self.require(!plateau || every.is_some(), "evaluation.every", || {
            "is absent, but `schedule.decay` is a plateau, which listens to evaluations".to_owned()
        });
    }

    fn check_intervals(&mut self, config: &RunConfig) {
        let optional = [
            ("evaluation.every", config.evaluation.every),
            ("evaluation.max_sequences", config.evaluation.max_sequences.map(|n| n as u64)),
            ("evaluation.sequences_per_batch", {
                config.evaluation.sequences_per_batch.map(|n| n as u64)
            }),
        ];
        for (path, value) in optional {
            self.at_least(path, value.unwrap_or(1), 1);
        }
    }

    pub(super) fn check_checkpoint(&mut self, checkpoint: &CheckpointConfig) {
        self.at_least("checkpoint.every", checkpoint.every.unwrap_or(1), 1);
        self.at_least("checkpoint.keep_last", checkpoint.keep_last as u64, 1);
    }

    fn check_sample(&mut self, sample: &SampleConfig) {
        self.at_least("report.sample.count", sample.count as u64, 1);
        self.at_least("report.sample.max_tokens", sample.max_tokens as u64, 1);
        self.not_negative("report.sample.temperature", sample.temperature);
        self.at_least("report.sample.top_k", sample.top_k.unwrap_or(1) as u64, 1);
        let top_p = sample.top_p.unwrap_or(1.0);
        self.require(top_p > 0.0 && top_p <= 1.0, "report.sample.top_p", || {
            format!("is {top_p}, must be above 0 and at most 1")
        });
    }
}
