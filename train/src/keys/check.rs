//! Checks of meaning: ranges, and values that must fit each other.

use super::faults::FaultsConfig;
use super::parallel::ParallelConfig;
use super::problem::ConfigProblem;
use super::tables::{
    AverageConfig, CheckpointConfig, DecayConfig, OptimizerConfig, RunTable, ScheduleConfig,
};

/// Tables that every family has; one that is added here is checked for all of them.
pub(crate) struct OfEveryRun<'a> {
    pub(crate) run: &'a RunTable,
    pub(crate) optimizer: &'a OptimizerConfig,
    pub(crate) schedule: &'a ScheduleConfig,
    pub(crate) average: Option<AverageConfig>,
    pub(crate) evaluation_every: Option<u64>,
    pub(crate) checkpoint: &'a CheckpointConfig,
    pub(crate) faults: &'a FaultsConfig,
}

/// Problems found so far; its methods check the tables that families share.
#[derive(Default)]
pub(crate) struct Found(pub(crate) Vec<ConfigProblem>);

impl Found {
    pub(crate) fn require(&mut self, holds: bool, path: &str, message: impl FnOnce() -> String) {
        if !holds {
            self.0.push(ConfigProblem::at(path, message()));
        }
    }

    pub(crate) fn at_least(&mut self, path: &str, value: u64, least: u64) {
        self.require(value >= least, path, || format!("is {value}, must be at least {least}"));
    }

    pub(crate) fn positive(&mut self, path: &str, value: f64) {
        let holds = value.is_finite() && value > 0.0;
        self.require(holds, path, || format!("is {value}, must be a finite number above 0"));
    }

    pub(crate) fn not_negative(&mut self, path: &str, value: f64) {
        let holds = value.is_finite() && value >= 0.0;
        self.require(holds, path, || format!("is {value}, must be a finite number, 0 or more"));
    }

    pub(crate) fn fraction_below_one(&mut self, path: &str, value: f64) {
        let holds = (0.0..1.0).contains(&value);
        self.require(holds, path, || format!("is {value}, must be at least 0 and below 1"));
    }

    /// Exactly one of the `keys` of a table is given.
    pub(crate) fn exactly_one(&mut self, table: &str, keys: &[(&str, bool)]) {
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

    pub(crate) fn check_every_run(&mut self, of: &OfEveryRun<'_>) {
        self.check_run(of.run);
        self.check_optimizer(of.optimizer);
        self.check_schedule(of.schedule);
        self.check_plateau(of.schedule, of.evaluation_every);
        self.check_average(of.average);
        self.check_checkpoint(of.checkpoint);
        self.check_faults(of.faults);
    }

    fn check_run(&mut self, run: &RunTable) {
        let named = !run.dir.as_os_str().is_empty();
        self.require(named, "run.dir", || "is empty, must name a folder".to_owned());
        if let Some(threads) = run.threads {
            self.at_least("run.threads", threads as u64, 1);
        }
        self.require(!run.weights_only || run.from.is_some(), "run.weights_only", || {
            "is true, but `run.from` names no checkpoint to take weights from".to_owned()
        });
    }

    fn check_optimizer(&mut self, optimizer: &OptimizerConfig) {
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

    fn check_average(&mut self, average: Option<AverageConfig>) {
        self.fraction_below_one("average.decay", average.map_or(0.0, |it| it.decay));
    }

    fn check_schedule(&mut self, schedule: &ScheduleConfig) {
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
    fn check_plateau(&mut self, schedule: &ScheduleConfig, every: Option<u64>) {
        let plateau = matches!(schedule.decay, DecayConfig::Plateau { .. });
        self.require(!plateau || every.is_some(), "evaluation.every", || {
            "is absent, but `schedule.decay` is a plateau, which listens to evaluations".to_owned()
        });
    }

    /// `slices` is the key of the slices of a step and their number, `samples` that of its samples.
    pub(crate) fn check_parallel(
        &mut self,
        parallel: &ParallelConfig,
        samples: (&str, usize),
        slices: Option<(&str, usize)>,
    ) {
        let ParallelConfig { deterministic, parts, zero, bucket_mib, join_limit_s, limits, .. } =
            *parallel;
        for (phase, minutes) in limits.all() {
            self.require((1.0..=43_200.0).contains(&minutes), phase.key(), || {
                format!("is {minutes}, must be from 1 to 43200, which is 30 days")
            });
        }
        self.require(zero <= 2, "parallel.zero", || {
            format!("is {zero}, must be 0, 1 or 2; parameters themselves are never divided")
        });
        self.require((1..=86_400).contains(&join_limit_s), "parallel.join_limit_s", || {
            format!("is {join_limit_s}, must be from 1 to 86400")
        });
        self.require(bucket_mib > 0.0 && bucket_mib <= 1024.0, "parallel.bucket_mib", || {
            format!("is {bucket_mib}, must be above 0 and at most 1024")
        });
        self.require(deterministic || parts.is_none(), "parallel.parts", || {
            "is only for `parallel.deterministic = true`; set that, or remove the key".to_owned()
        });
        if !deterministic {
            return;
        }
        let parts = parallel.parts();
        let ((key, samples), number) = (samples, format!("{parts}"));
        self.require(parts.is_power_of_two(), "parallel.parts", || {
            format!("is {number}, must be a power of two")
        });
        self.require(parts > 0 && samples.is_multiple_of(parts), "parallel.parts", || {
            format!("is {number}, must divide `{key}`, which is {samples}; change one of the two")
        });
        if let Some((key, slices)) = slices {
            let fits = parts > 0 && slices > 0 && parts.is_multiple_of(slices);
            self.require(fits, key, || {
                format!(
                    "is {slices}, but a step has {number} parts (`parallel.parts`); remove the key"
                )
            });
        }
    }

    fn check_checkpoint(&mut self, checkpoint: &CheckpointConfig) {
        self.at_least("checkpoint.every", checkpoint.every.unwrap_or(1), 1);
        if let Some(minutes) = checkpoint.every_minutes {
            self.positive("checkpoint.every_minutes", minutes);
        }
        self.at_least("checkpoint.keep_last", checkpoint.keep_last as u64, 1);
        self.check_kept_for_good(checkpoint);
        let has_room = checkpoint.background || checkpoint.snapshot_mib.is_none();
        self.require(has_room, "checkpoint.snapshot_mib", || {
            "is only for `checkpoint.background = true`; set that, or remove the key".to_owned()
        });
    }

    /// Steps that are to be kept for good have a checkpoint.
    fn check_kept_for_good(&mut self, checkpoint: &CheckpointConfig) {
        let Some(kept) = checkpoint.keep_every else { return };
        self.at_least("checkpoint.keep_every", kept, 1);
        let every = checkpoint.every;
        self.require(every.is_some(), "checkpoint.keep_every", || {
            "is only for checkpoints at steps: set `checkpoint.every`, or remove the key".to_owned()
        });
        let every = every.unwrap_or(1).max(1);
        self.require(kept.is_multiple_of(every), "checkpoint.keep_every", || {
            format!("is {kept}, must be a multiple of `checkpoint.every`, which is {every}")
        });
    }

    fn check_faults(&mut self, faults: &FaultsConfig) {
        self.positive("faults.spike_deviations", faults.spike_deviations);
        self.require(faults.goes_on() || faults.budget.is_none(), "faults.budget", || {
            "is only for a run that goes on: set `faults.non_finite` or `faults.spike` to `skip` or \
             `roll_back`, or remove the key"
                .to_owned()
        });
    }
}
