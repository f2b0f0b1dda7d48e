//! `[faults]`: what becomes of a step that cannot be trusted.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[faults]`: a step whose loss or gradients are not finite, or jump, is computed once more; what came by accident is
/// gone then. This says what becomes of one that comes to the same again.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-may-change-on-resume" = "from the next such step on"))]
pub struct FaultsConfig {
    /// What the run does where loss or gradients are not finite.
    pub non_finite: OnNonFinite,
    /// What the run does where the loss or the gradient norm jumps. Jumps that are noted only are not computed again.
    pub spike: OnSpike,
    /// Standard deviations above the running mean, over about fifty steps, that count as a jump.
    pub spike_deviations: f64,
    /// How often a run may go on by `skip` or `roll_back`; then it stops. Absent means 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<u64>,
    /// Steps of which everything is kept that `genesis replay` needs to compute them again: the first of a run. Each
    /// takes the disk space of the parameters.
    pub capsules: u64,
}

/// `faults.non_finite`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnNonFinite {
    /// It stops with exit code 4 and names samples, ranks and gradients.
    #[default]
    Stop,
    /// It goes on without the update of that step, and says so.
    Skip,
    /// It goes on after that step with the parameters of its newest valid checkpoint: updates of the steps between are
    /// lost, and their samples are not seen again.
    RollBack,
}

/// `faults.spike`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnSpike {
    /// It says so.
    #[default]
    Note,
    /// As for `non_finite`.
    Stop,
    /// As for `non_finite`.
    Skip,
    /// As for `non_finite`.
    RollBack,
}

impl OnSpike {
    /// What is done beyond noting it.
    pub(crate) fn policy(self) -> Option<OnNonFinite> {
        match self {
            Self::Note => None,
            Self::Stop => Some(OnNonFinite::Stop),
            Self::Skip => Some(OnNonFinite::Skip),
            Self::RollBack => Some(OnNonFinite::RollBack),
        }
    }
}

impl FaultsConfig {
    /// Times that a run may go on all the same.
    pub(crate) fn budget(&self) -> u64 {
        self.budget.unwrap_or(10)
    }

    /// Whether the run ever goes on where a step cannot be trusted.
    pub(crate) fn goes_on(&self) -> bool {
        let both = [Some(self.non_finite), self.spike.policy()];
        both.into_iter().flatten().any(|it| it != OnNonFinite::Stop)
    }
}

impl Default for FaultsConfig {
    fn default() -> Self {
        Self {
            non_finite: OnNonFinite::Stop,
            spike: OnSpike::Note,
            spike_deviations: 6.0,
            budget: None,
            capsules: 4,
        }
    }
}
