//! A factor of the learning rate that falls when the validation loss stops falling.
//!
//! ```text
//! loss < best (1 - 1e-4)    best <- loss, waited <- 0
//! otherwise                 waited <- waited + 1; when waited > patience:
//!                           scale <- factor scale, waited <- 0
//! ```
//!
//! Source: `torch.optim.lr_scheduler.ReduceLROnPlateau` with its defaults (relative threshold 1e-4,
//! no cool-down, no lower bound). What it remembers is in every checkpoint. Not here: schedules
//! that are functions of the step ([`crate::trainer::schedule`]).

use crate::checkpoint::PlateauState;
use crate::keys::{DecayConfig, ScheduleConfig};

/// Relative improvement that counts; torch's default.
const THRESHOLD: f64 = 1e-4;

/// The rule and its memory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plateau {
    factor: f64,
    patience: u64,
    state: PlateauState,
}

impl Plateau {
    /// The rule of a schedule that has one, continuing from `state`.
    pub fn of(config: &ScheduleConfig, state: Option<PlateauState>) -> Option<Self> {
        let DecayConfig::Plateau { factor, patience } = config.decay else { return None };
        let fresh = PlateauState { scale: 1.0, best: None, waited: 0 };
        Some(Self { factor, patience, state: state.unwrap_or(fresh) })
    }

    /// Present factor of the rate.
    pub fn scale(&self) -> f64 {
        self.state.scale
    }

    /// What a checkpoint keeps.
    pub fn state(&self) -> PlateauState {
        self.state
    }

    /// Takes in a validation loss; says whether the rate falls now.
    pub fn observe(&mut self, loss: f64) -> bool {
        let state = &mut self.state;
        if state.best.is_none_or(|best| loss < best * (1.0 - THRESHOLD)) {
            (state.best, state.waited) = (Some(loss), 0);
            return false;
        }
        state.waited += 1;
        let falls = state.waited > self.patience;
        if falls {
            state.scale *= self.factor;
            state.waited = 0;
        }
        falls
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plateau(state: Option<PlateauState>) -> Plateau {
        let decay = DecayConfig::Plateau { factor: 0.5, patience: 2 };
        let config = ScheduleConfig { steps: 9, peak_rate: 1.0, warmup_steps: 0, decay };
        Plateau::of(&config, state).unwrap()
    }

    /// Scales after each loss as `ReduceLROnPlateau(factor=0.5, patience=2)` of torch gives them.
    const LOSSES: [f64; 9] = [1.0, 0.9, 0.9, 0.95, 0.899_99, 0.8, 0.9, 0.9, 0.9];
    const SCALES: [f64; 9] = [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.25];

    #[test]
    fn the_rate_falls_where_that_of_torch_falls() {
        let mut plateau = plateau(None);
        for (loss, scale) in LOSSES.into_iter().zip(SCALES) {
            plateau.observe(loss);
            assert_eq!(plateau.scale().to_bits(), scale.to_bits(), "{loss}");
        }
    }

    #[test]
    fn a_saved_plateau_goes_on_where_it_was() {
        for cut in 0..LOSSES.len() {
            let mut first = plateau(None);
            LOSSES[..cut].iter().for_each(|&loss| _ = first.observe(loss));
            let mut second = plateau(Some(first.state()));
            LOSSES[cut..].iter().for_each(|&loss| _ = second.observe(loss));
            assert_eq!(second.scale().to_bits(), 0.25f64.to_bits(), "cut at {cut}");
        }
    }
}
