//! Memory of a rank: the states of Adam, whole or shared by ranks.
//!
//! With `P` parameters of `b` bytes on `n` ranks, `m` moments (2, or 3 of AMSGrad) and `a` = 1 where parameters are
//! averaged, else 0, and `p = ceil(P / n)`:
//!
//! ```text
//! ZeRO    parameters   gradients                moments   average
//! 0       P b          P b, 2 P b with slices   m P b     a P b
//! 1       P b          P b, 2 P b with slices   m p b     a p b
//! 2       P b          (P + p) b                m p b     a p b
//! ```
//!
//! The backward pass of a slice makes all its gradients; a step of several slices adds them up beside it. Source:
//! Rajbhandari et al., arXiv:1910.02054, section 5, where a gradient goes as soon as it is there. Of several ranks each
//! holds a bucket of the exchange thrice (packed, received, and what the engine makes of it), and all hold the program.
//! Activations come on top. With `bf16-mixed` the parameters are f32 and masters of themselves.

use serde::Serialize;

/// Copies of a bucket in an exchange.
const COPIES: u64 = 3;
/// A process that has joined others over Open MPI and opened its data, but has no model: measured on Linux.
const PROGRAM_BYTES: u64 = 100 << 20;

/// States of a model that is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct States {
    /// Trained parameters.
    pub num_parameters: u64,
    /// Bytes of a number.
    pub element_bytes: u64,
    /// Moments of each parameter.
    pub num_moments: u64,
    /// Whether a running average is kept.
    pub has_average: bool,
    /// Slices of a step, where one rank computes it alone.
    pub num_slices: u64,
    /// Largest bucket.
    pub bucket_bytes: u64,
}

/// Bytes of a rank, by what they hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RankBytes {
    /// Parameters.
    pub parameters: u64,
    /// Gradients.
    pub gradients: u64,
    /// Moments.
    pub moments: u64,
    /// Running average.
    pub average: u64,
    /// Buckets in exchange.
    pub buckets: u64,
    /// The process without a model.
    pub program: u64,
}

impl RankBytes {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.states() + self.buckets + self.program
    }

    /// What is kept for each parameter.
    pub fn states(&self) -> u64 {
        self.parameters + self.gradients + self.moments + self.average
    }
}

impl States {
    /// Of one rank of `ranks`, with this `stage` of `ZeRO`: 0, 1 or 2.
    pub fn of_rank(&self, stage: u8, ranks: u64) -> RankBytes {
        let whole = self.num_parameters * self.element_bytes;
        let part = self.num_parameters.div_ceil(ranks.max(1)) * self.element_bytes;
        let shared = if stage >= 1 { part } else { whole };
        let slices = self.num_slices.div_ceil(ranks.max(1));
        let added_up = match (stage, slices) {
            (2.., _) if ranks > 1 => part,
            (_, 0 | 1) => 0,
            _ => whole,
        };
        RankBytes {
            parameters: whole,
            gradients: whole + added_up,
            moments: self.num_moments * shared,
            average: u64::from(self.has_average) * shared,
            buckets: if ranks > 1 { COPIES * self.bucket_bytes.min(whole) } else { 0 },
            program: PROGRAM_BYTES,
        }
    }

    /// A checkpoint on disk: parameters, moments, average.
    pub fn checkpoint_bytes(&self) -> u64 {
        let kinds = 1 + self.num_moments + u64::from(self.has_average);
        kinds * self.num_parameters * self.element_bytes
    }

    /// Gradients that ranks sum each step.
    pub fn gradient_bytes(&self) -> u64 {
        self.num_parameters * self.element_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_share_moments_and_then_gradients_with_the_last_part_rounded_up() {
        let states = States {
            num_parameters: 10,
            element_bytes: 4,
            num_moments: 2,
            has_average: true,
            num_slices: 4,
            bucket_bytes: 8,
        };
        let bytes = |stage, ranks| {
            let it = states.of_rank(stage, ranks);
            [it.parameters, it.gradients, it.moments, it.average]
        };
        assert_eq!(bytes(0, 2), [40, 80, 80, 40], "two slices each: one is added to the other");
        assert_eq!(bytes(0, 4), [40, 40, 80, 40]);
        assert_eq!(bytes(1, 4), [40, 40, 24, 12]);
        assert_eq!(bytes(2, 4), [40, 52, 24, 12]);
        assert_eq!(bytes(2, 2), [40, 60, 40, 20]);
        assert_eq!(bytes(2, 1), bytes(0, 1), "one rank shares with no one");
        assert_eq!(states.checkpoint_bytes(), 160);
        let four = states.of_rank(1, 4);
        assert_eq!((four.states(), four.buckets, states.of_rank(1, 1).buckets), (116, 24, 0));
        assert_eq!(four.total(), 116 + 24 + four.program);
        let large = States { bucket_bytes: 1000, ..states };
        assert_eq!(large.of_rank(1, 4).buckets, 120, "a bucket holds no more than the model");
    }
}
