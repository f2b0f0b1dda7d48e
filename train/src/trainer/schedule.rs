//! Learning rate as a pure function of the step: linear warm-up, plateau, decay.
//!
//! Nothing is remembered between calls, so resuming needs only the step. Not here: other things
//! that change over training (`optim` holds weight decay constant).

use crate::keys::{DecayConfig, ScheduleConfig};

/// Shape of the final decay.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Tail {
    Flat,
    Cosine,
    Linear,
    OneMinusSqrt,
    Stairs { every: u64, factor: f64 },
}

/// Learning rate over the steps of a run.
///
/// With peak rate `p`, floor `f = floor_ratio * p`, warm-up `W`, run length `S` and decay length
/// `D` (default `S - W`), the rate of step `s` (the first is 0) is
///
/// ```text
/// s < W        p * (s + 1) / W                    reaches p at s = W - 1
/// s < S - D    p
/// otherwise    f + (p - f) * shape(t),            t = min((s - (S - D)) / D, 1)
/// shape(t)     linear 1 - t | cosine (1 + cos(pi t)) / 2 | one_minus_sqrt 1 - sqrt(t)
/// ```
///
/// Stairs are `p * factor^floor((s - W) / every)`. A plateau is flat here; what it adds depends on
/// the validation loss ([`crate::trainer::plateau`]). Warm-up wins where it overlaps the decay. The floor is met at `s = S`, one past the last step,
/// so no step is spent at a rate of zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    peak_rate: f64,
    floor_rate: f64,
    warmup_steps: u64,
    decay_start: u64,
    decay_steps: u64,
    tail: Tail,
}

impl Schedule {
    /// The schedule of a checked `[schedule]` table.
    pub fn new(config: &ScheduleConfig) -> Self {
        let rest = config.steps.saturating_sub(config.warmup_steps);
        let (tail, steps, floor_ratio) = match config.decay {
            DecayConfig::None {} | DecayConfig::Plateau { .. } => (Tail::Flat, Some(0), 1.0),
            DecayConfig::Stairs { every, factor } => (Tail::Stairs { every, factor }, None, 0.0),
            DecayConfig::Cosine { steps, floor_ratio } => (Tail::Cosine, steps, floor_ratio),
            DecayConfig::Linear { steps, floor_ratio } => (Tail::Linear, steps, floor_ratio),
            DecayConfig::OneMinusSqrt { steps, floor_ratio } => {
                (Tail::OneMinusSqrt, steps, floor_ratio)
            }
        };
        let decay_steps = steps.unwrap_or(rest).min(config.steps);
        Self {
            peak_rate: config.peak_rate,
            floor_rate: config.peak_rate * floor_ratio,
            warmup_steps: config.warmup_steps,
            decay_start: config.steps - decay_steps,
            decay_steps,
            tail,
        }
    }

    /// Rate of step `step`, counted from 0. Beyond the run it stays at its final value.
    pub fn rate(&self, step: u64) -> f64 {
        if step < self.warmup_steps {
            return self.peak_rate * (step + 1) as f64 / self.warmup_steps as f64;
        }
        if let Tail::Stairs { every, factor } = self.tail {
            let stair = (step - self.warmup_steps) / every.max(1);
            return self.peak_rate * factor.powf(stair as f64);
        }
        if self.tail == Tail::Flat || step < self.decay_start {
            return self.peak_rate;
        }
        let progress = ((step - self.decay_start) as f64 / self.decay_steps.max(1) as f64).min(1.0);
        self.floor_rate + (self.peak_rate - self.floor_rate) * self.tail.shape(progress)
    }
}

impl Tail {
    /// Remaining fraction of the way down: 1 at `progress` 0, 0 at 1.
    fn shape(self, progress: f64) -> f64 {
        match self {
            Self::Flat | Self::Stairs { .. } => 1.0,
            Self::Cosine => f64::midpoint(1.0, (std::f64::consts::PI * progress).cos()),
            Self::Linear => 1.0 - progress,
            Self::OneMinusSqrt => 1.0 - progress.sqrt(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn schedule(steps: u64, warmup_steps: u64, decay: DecayConfig) -> Schedule {
        Schedule::new(&ScheduleConfig { steps, peak_rate: 1e-3, warmup_steps, decay })
    }

    fn assert_close(got: f64, want: f64) {
        // Four roundings of numbers not above the peak.
        assert!((got - want).abs() <= 4.0 * f64::EPSILON * 1e-3, "got {got}, want {want}");
    }

    #[test]
    fn stairs_fall_by_their_factor_at_every_stair() {
        let s = schedule(100, 10, DecayConfig::Stairs { every: 20, factor: 0.5 });
        assert_close(s.rate(9), 1e-3);
        assert_close(s.rate(29), 1e-3);
        assert_close(s.rate(30), 5e-4);
        assert_close(s.rate(70), 1.25e-4);
    }

    #[test]
    fn warm_up_rises_linearly_and_reaches_the_peak_at_its_last_step() {
        let s = schedule(2000, 100, DecayConfig::None {});
        assert_close(s.rate(0), 1e-5);
        assert_close(s.rate(49), 5e-4);
        assert_close(s.rate(99), 1e-3);
        assert_close(s.rate(100), 1e-3);
    }

    #[test]
    fn cosine_matches_its_closed_form_at_quarter_points() {
        let s = schedule(2100, 100, DecayConfig::Cosine { steps: None, floor_ratio: 0.1 });
        assert_close(s.rate(100), 1e-3);
        assert_close(s.rate(600), 1e-4 + 9e-4 * (0.5 + 0.5 * std::f64::consts::FRAC_1_SQRT_2));
        assert_close(s.rate(1100), 1e-4 + 9e-4 * 0.5);
        assert_close(s.rate(2100), 1e-4);
    }

    #[test]
    fn stable_phase_keeps_the_peak_until_the_linear_tail() {
        let s = schedule(1000, 10, DecayConfig::Linear { steps: Some(200), floor_ratio: 0.0 });
        assert_close(s.rate(10), 1e-3);
        assert_close(s.rate(799), 1e-3);
        assert_close(s.rate(800), 1e-3);
        assert_close(s.rate(900), 5e-4);
        assert_close(s.rate(999), 5e-6);
        assert_close(s.rate(1000), 0.0);
    }

    #[test]
    fn one_minus_sqrt_tail_matches_its_closed_form() {
        let tail = DecayConfig::OneMinusSqrt { steps: Some(100), floor_ratio: 0.0 };
        let s = schedule(1000, 0, tail);
        assert_close(s.rate(925), 5e-4);
        assert_close(s.rate(981), 1e-3 * (1.0 - 0.9));
    }

    #[test]
    fn a_run_of_one_step_has_a_usable_rate() {
        let s = schedule(1, 0, DecayConfig::Cosine { steps: None, floor_ratio: 0.0 });
        assert_close(s.rate(0), 1e-3);
    }

    fn any_decay() -> impl Strategy<Value = DecayConfig> {
        let tail = (proptest::option::of(0u64..400), 0.0..1.0f64);
        prop_oneof![
            Just(DecayConfig::None {}),
            tail.clone()
                .prop_map(|(steps, floor_ratio)| DecayConfig::Cosine { steps, floor_ratio }),
            tail.clone()
                .prop_map(|(steps, floor_ratio)| DecayConfig::Linear { steps, floor_ratio }),
            tail.prop_map(|(steps, floor_ratio)| DecayConfig::OneMinusSqrt { steps, floor_ratio }),
        ]
    }

    proptest! {
        #[test]
        fn rate_stays_between_zero_and_the_peak(
            steps in 1u64..500, warmup in 0u64..500, decay in any_decay(), at in 0u64..1000,
        ) {
            let rate = schedule(steps, warmup.min(steps), decay).rate(at);
            prop_assert!((0.0..=1e-3).contains(&rate), "{rate}");
        }

        #[test]
        fn rate_rises_through_warm_up_and_never_after(
            steps in 2u64..500, warmup in 0u64..500, decay in any_decay(),
        ) {
            let warmup = warmup.min(steps);
            let s = schedule(steps, warmup, decay);
            for at in 1..steps {
                let (before, now) = (s.rate(at - 1), s.rate(at));
                if at < warmup {
                    prop_assert!(now > before);
                } else {
                    prop_assert!(now <= before * (1.0 + f64::EPSILON));
                }
            }
        }
    }
}
