//! What this machine can do at most, measured: arithmetic in registers, and memory bandwidth.
//!
//! A fraction of these is a fraction of something reachable, not of a data sheet. The best of
//! several tries counts, because a ceiling is what was reached once. All threads of the pool run.

mod bandwidth;
mod device;
mod registers;

use serde::{Deserialize, Serialize};

pub use bandwidth::Bandwidth;

/// Rates nothing on this machine exceeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ceilings {
    /// What was measured, such as `cpu` or `cuda:0, NVIDIA H100`.
    pub device: String,
    /// Threads that ran.
    pub threads: usize,
    /// Instruction set of the register tiles; of a device, what Burn calls it.
    pub instructions: String,
    /// Fused multiply-adds in f32, flops a second.
    pub f32_flops_per_s: f64,
    /// The same in f64; absent on a device without.
    pub f64_flops_per_s: Option<f64>,
    /// Products of bf16 pairs summed in f32; absent where the processor has no such instruction.
    pub bf16_flops_per_s: Option<f64>,
    /// Of memory and caches, ascending in size.
    pub bandwidths: Vec<Bandwidth>,
}

/// What an operation multiplies with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arithmetic {
    /// f32
    F32,
    /// f64
    F64,
    /// bf16 operands, f32 sums
    Bf16,
}

impl From<genesis_kernels::cases::Arithmetic> for Arithmetic {
    fn from(of: genesis_kernels::cases::Arithmetic) -> Self {
        match of {
            genesis_kernels::cases::Arithmetic::F32 => Self::F32,
            genesis_kernels::cases::Arithmetic::F64 => Self::F64,
            genesis_kernels::cases::Arithmetic::Bf16 => Self::Bf16,
        }
    }
}

impl Arithmetic {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::Bf16 => "bf16",
        }
    }
}

impl Ceilings {
    /// Measures the processor for about three seconds.
    pub fn measure() -> Self {
        let tiles = registers::measure();
        Self {
            device: "cpu".to_owned(),
            threads: rayon::current_num_threads(),
            instructions: tiles.instructions.to_owned(),
            f32_flops_per_s: tiles.f32,
            f64_flops_per_s: Some(tiles.f64),
            bf16_flops_per_s: tiles.bf16,
            bandwidths: bandwidth::measure(),
        }
    }

    /// The larger of each rate: a ceiling is what was reached once, and other work on the machine can
    /// halve all rates for a while.
    #[must_use]
    pub fn or_higher(self, other: &Self) -> Self {
        let most = |a: Option<f64>, b: Option<f64>| a.map(|a| b.map_or(a, |b| a.max(b)));
        let pairs = self.bandwidths.iter().zip(&other.bandwidths);
        let bandwidths = pairs.map(|(a, b)| {
            let bytes_per_s = a.bytes_per_s.max(b.bytes_per_s);
            Bandwidth { bytes: a.bytes, bytes_per_s }
        });
        Self {
            f32_flops_per_s: self.f32_flops_per_s.max(other.f32_flops_per_s),
            f64_flops_per_s: most(self.f64_flops_per_s, other.f64_flops_per_s),
            bf16_flops_per_s: most(self.bf16_flops_per_s, other.bf16_flops_per_s),
            bandwidths: bandwidths.collect(),
            ..self
        }
    }

    /// Flops a second of `arithmetic`; bf16 without an instruction runs as f32.
    pub fn flops_per_s(&self, arithmetic: Arithmetic) -> f64 {
        match arithmetic {
            Arithmetic::F32 => self.f32_flops_per_s,
            Arithmetic::F64 => self.f64_flops_per_s.unwrap_or(self.f32_flops_per_s),
            Arithmetic::Bf16 => self.bf16_flops_per_s.unwrap_or(self.f32_flops_per_s),
        }
    }

    /// What no operation on so many bytes exceeds: the rate of the largest arrays that are not
    /// larger, or of the smallest.
    pub fn bytes_per_s(&self, working_set: f64) -> f64 {
        let fits = self.bandwidths.iter().rev().find(|it| it.bytes as f64 <= working_set);
        fits.or(self.bandwidths.first()).map_or(f64::INFINITY, |it| it.bytes_per_s)
    }

    /// The rate of memory itself.
    pub fn memory_bytes_per_s(&self) -> f64 {
        self.bandwidths.last().map_or(f64::INFINITY, |it| it.bytes_per_s)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn example() -> Ceilings {
        let bandwidth = |(bytes, bytes_per_s)| Bandwidth { bytes, bytes_per_s };
        Ceilings {
            device: "cpu".to_owned(),
            threads: 2,
            instructions: "AVX-512".to_owned(),
            f32_flops_per_s: 200e9,
            f64_flops_per_s: Some(100e9),
            bf16_flops_per_s: None,
            bandwidths: [(1_000, 100e9), (1_000_000, 25e9)].map(bandwidth).to_vec(),
        }
    }

    #[test]
    fn every_measured_ceiling_is_a_positive_rate() {
        let found = Ceilings::measure();
        let rates = [Some(found.f32_flops_per_s), found.f64_flops_per_s, found.bf16_flops_per_s];
        let bandwidths = found.bandwidths.iter().map(|it| Some(it.bytes_per_s));
        let rates: Vec<_> = rates.into_iter().chain(bandwidths).collect();
        assert!(rates.iter().flatten().all(|rate| rate.is_finite() && *rate > 0.0), "{found:?}");
    }

    #[test]
    fn of_two_measurements_the_larger_of_each_rate_counts() {
        let mut other = example();
        (other.f32_flops_per_s, other.f64_flops_per_s) = (300e9, Some(50e9));
        other.bandwidths[1].bytes_per_s = 26e9;
        let both = example().or_higher(&other);
        let rates = (both.f32_flops_per_s, both.f64_flops_per_s, both.bf16_flops_per_s);
        assert_eq!(rates, (300e9, Some(100e9), None));
        let bandwidths: Vec<f64> = both.bandwidths.iter().map(|it| it.bytes_per_s).collect();
        assert_eq!(bandwidths, [100e9, 26e9]);
    }

    #[test]
    fn bf16_without_an_instruction_has_the_ceiling_of_f32() {
        assert!((example().flops_per_s(Arithmetic::Bf16) - 200e9).abs() < 1.0);
    }

    #[test]
    fn a_working_set_has_the_bandwidth_of_what_it_fits() {
        for (bytes, rate) in [(10.0, 100e9), (5e5, 100e9), (2e6, 25e9)] {
            assert!((example().bytes_per_s(bytes) - rate).abs() < 1.0, "{bytes}");
        }
    }
}
