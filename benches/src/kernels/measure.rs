//! Times of cases, and what they could have been.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::case::KernelCase;
use super::notes::note;
use crate::ceiling::{Arithmetic, Ceilings};
use crate::statistics::median;

/// Samples are taken until there are as many and as long as this.
const LEAST_SAMPLES: usize = 7;
const LEAST_SECONDS: f64 = 0.2;
const MOST_SAMPLES: usize = 2000;
const WARM_UP: usize = 2;
/// On a device with a queue: seconds of work between two waits, and how often at most.
const SECONDS_AT_ONCE: f64 = 2e-3;
const MOST_AT_ONCE: f64 = 200.0;

/// What a time is bounded by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// Arithmetic.
    Compute,
    /// Traffic of memory or cache.
    Memory,
}

/// A case and its times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Folder of the kernel.
    pub family: String,
    /// Which of its operations.
    pub operation: String,
    /// Sizes.
    pub shape: String,
    /// What it multiplies with.
    pub arithmetic: Arithmetic,
    /// Operations it must do.
    pub flops: f64,
    /// Bytes it must move.
    pub bytes: f64,
    /// Seconds of every run after the warm-up.
    pub samples_s: Vec<f64>,
    /// Their median.
    pub median_s: f64,
    /// Of ten samples the second smallest and the second largest.
    pub percentiles_s: [f64; 2],
    /// Seconds that the measured ceilings allow.
    pub bound_s: f64,
    /// What makes the bound.
    pub limit: Limit,
    /// Why less than half of the bound is reached, where it is known.
    pub note: Option<String>,
}

/// A run of all cases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Version of this program.
    pub version: String,
    /// What the machine can do.
    pub ceilings: Ceilings,
    /// All cases.
    pub kernels: Vec<Measured>,
}

impl Measured {
    /// Of the bound that is reached.
    pub fn fraction(&self) -> f64 {
        self.bound_s / self.median_s
    }

    /// Whether it needs a reason.
    pub fn is_far(&self) -> bool {
        self.fraction() < 0.5
    }
}

/// The times of a case.
pub struct Timed {
    case: KernelCase,
    samples_s: Vec<f64>,
}

/// Runs a case; its inputs are made before the clock starts, outputs dropped while it runs, as in
/// training.
pub fn time(case: KernelCase) -> Timed {
    let samples_s = sample(&case);
    Timed { case, samples_s }
}

/// What the times could have been.
pub fn judge(Timed { case, samples_s }: Timed, ceilings: &Ceilings) -> Measured {
    let flops_per_s = ceilings.flops_per_s(case.arithmetic);
    let bytes_per_s = ceilings.bytes_per_s(case.work.bytes);
    let bound_s = case.work.lower_bound_s(flops_per_s, bytes_per_s);
    let compute = case.work.flops / flops_per_s >= case.work.bytes / bytes_per_s;
    let mut sorted = samples_s.clone();
    sorted.sort_by(f64::total_cmp);
    let mut measured = Measured {
        family: case.family.to_owned(),
        operation: case.operation.to_owned(),
        shape: case.shape.clone(),
        arithmetic: case.arithmetic,
        flops: case.work.flops,
        bytes: case.work.bytes,
        median_s: median(&samples_s).unwrap_or(f64::NAN),
        percentiles_s: [sorted[sorted.len() / 10], sorted[sorted.len() * 9 / 10]],
        samples_s,
        bound_s,
        limit: if compute { Limit::Compute } else { Limit::Memory },
        note: None,
    };
    measured.note = measured.is_far().then(|| note(&measured)).flatten().map(str::to_owned);
    measured
}

fn sample(case: &KernelCase) -> Vec<f64> {
    let mut work = case.prepare();
    let mut run = |times: usize| {
        let start = Instant::now();
        for _ in 0..times {
            work();
        }
        case.wait();
        start.elapsed().as_secs_f64() / times as f64
    };
    // Compiles what a device compiles at first use.
    run(WARM_UP);
    let times = if case.is_queued { at_once(run(WARM_UP)) } else { 1 };
    let (mut samples, mut total) = (Vec::new(), 0.0);
    while samples.len() < MOST_SAMPLES && (samples.len() < LEAST_SAMPLES || total < LEAST_SECONDS) {
        let seconds = run(times);
        total += seconds * times as f64;
        samples.push(seconds);
    }
    samples
}

/// How often work of so many seconds is queued before it is waited for: until it takes as long as
/// makes the wait itself, some ten microseconds, not matter.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between two bounds")]
fn at_once(seconds: f64) -> usize {
    (SECONDS_AT_ONCE / seconds).clamp(1.0, MOST_AT_ONCE) as usize
}

#[cfg(test)]
pub(super) mod tests {
    use burn::backend::flex::FlexDevice;
    use genesis_kernels::cases::{Case, Place};
    use genesis_kernels::{Cpu, Work};

    use super::super::{ShapeSet, cases};
    use super::*;
    use crate::ceiling::tests::example;

    pub(crate) fn measured() -> Measured {
        Measured {
            family: "linear".to_owned(),
            operation: "forward".to_owned(),
            shape: "8x4x2".to_owned(),
            arithmetic: Arithmetic::F32,
            flops: 1e9,
            bytes: 1e6,
            samples_s: vec![0.02, 0.01, 0.03],
            median_s: 0.02,
            percentiles_s: [0.01, 0.03],
            bound_s: 0.005,
            limit: Limit::Compute,
            note: None,
        }
    }

    #[test]
    fn the_bound_is_the_slower_of_arithmetic_and_traffic_at_the_measured_rates() {
        let case = |flops, bytes| {
            let of = Case {
                operation: "none",
                shape: String::new(),
                arithmetic: genesis_kernels::cases::Arithmetic::F32,
                work: Work { flops, bytes },
                prepare: Box::new(|_| Box::new(|| ())),
            };
            KernelCase::new(&Place::<Cpu> { device: FlexDevice }, "linear", of)
        };
        let found = judge(time(case(200e9, 10.0)), &example());
        assert!((found.bound_s - 1.0).abs() < 1e-12 && found.limit == Limit::Compute);
        let found = judge(time(case(1.0, 25e9)), &example());
        assert!((found.bound_s - 1.0).abs() < 1e-12 && found.limit == Limit::Memory);
        assert!(found.samples_s.len() >= LEAST_SAMPLES);
        assert!(found.percentiles_s[0] <= found.median_s);
    }

    #[test]
    fn short_work_is_queued_often_and_long_work_once() {
        assert_eq!([1e-5, 1e-3, 1.0].map(at_once), [200, 2, 1]);
        assert_eq!(at_once(0.0), 200);
    }

    #[test]
    fn every_small_case_runs_and_has_work_to_do() {
        for case in cases::<Cpu>(&FlexDevice, ShapeSet::Small, &[]) {
            assert!(case.work.bytes > 0.0, "{} {}", case.family, case.operation);
            case.prepare()();
        }
    }

    #[test]
    fn a_report_survives_json() {
        let report =
            Report { version: "1".to_owned(), ceilings: example(), kernels: vec![measured()] };
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
    }
}
