//! Predicted against reference values, and how errors are distributed: what the report draws.
//!
//! Points are thinned to a few thousand by taking every 2^k-th; histograms count every error.

use super::errors::{Compared, FrameErrors};
use crate::report::parity::{Histogram, ParityPlot};

/// Points of one drawing at most; twice as many as a screen tells apart.
const MOST_POINTS: usize = 3000;
/// Bins of a histogram; odd, so that one is centred on zero.
const BINS: usize = 41;
/// A histogram reaches this many root mean squares to both sides; the rest counts in its ends.
const REACH: f64 = 4.0;

/// Values of one quantity.
#[derive(Debug, Clone, PartialEq)]
struct Cloud {
    points: Vec<[f64; 2]>,
    stride: u64,
    seen: u64,
    errors: Vec<f64>,
}

impl Default for Cloud {
    fn default() -> Self {
        Self { points: Vec::new(), stride: 1, seen: 0, errors: Vec::new() }
    }
}

impl Cloud {
    fn add(&mut self, [reference, predicted]: [f64; 2]) {
        self.errors.push(predicted - reference);
        if self.seen.is_multiple_of(self.stride) {
            if self.points.len() == MOST_POINTS {
                self.points = self.points.iter().step_by(2).copied().collect();
                self.stride *= 2;
            }
            if self.seen.is_multiple_of(self.stride) {
                self.points.push([reference, predicted]);
            }
        }
        self.seen += 1;
    }

    fn histogram(&self) -> Histogram {
        let count = self.errors.len().max(1) as f64;
        let rms = (self.errors.iter().map(|e| e * e).sum::<f64>() / count).sqrt();
        let reach = REACH * if rms > 0.0 { rms } else { 1.0 };
        let width = 2.0 * reach / BINS as f64;
        let mut counts = vec![0; BINS];
        for error in &self.errors {
            let place = ((error + reach) / width).clamp(0.0, BINS as f64 - 1.0);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
            let bin = place as usize;
            counts[bin] += 1;
        }
        Histogram { low: -reach, width, counts }
    }
}

/// Everything of one set of structures.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parity {
    energy: Cloud,
    forces: Cloud,
    stress: Cloud,
}

impl Parity {
    /// Takes in a structure. `alone` is the energy of its isolated atoms, eV: energies are drawn
    /// without it, per atom, because it would hide everything else.
    pub fn add(&mut self, compared: &Compared<'_>, alone: f64) {
        let errors = FrameErrors::of(compared);
        let atoms = compared.frame.atomic_numbers.len() as f64;
        if let Some(error) = errors.energy {
            let predicted = compared.energy - alone;
            self.energy.add([(predicted - error) / atoms, predicted / atoms]);
        }
        errors.forces.into_iter().for_each(|pair| self.forces.add(pair));
        errors.stress.into_iter().for_each(|pair| self.stress.add(pair));
    }

    /// A drawing for every quantity that has values.
    pub fn plots(&self, set: &str) -> Vec<ParityPlot> {
        let all = [
            ("energy", "eV/atom", &self.energy),
            ("forces", "eV/Å", &self.forces),
            ("stress", "eV/Å^3", &self.stress),
        ];
        let plot = |(quantity, unit, cloud): (&str, &str, &Cloud)| ParityPlot {
            set: set.to_owned(),
            quantity: quantity.to_owned(),
            unit: unit.to_owned(),
            count: cloud.seen,
            points: cloud.points.clone(),
            errors: cloud.histogram(),
        };
        all.into_iter().filter(|(_, _, cloud)| cloud.seen > 0).map(plot).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_every_so_manieth_point_and_counts_every_error() {
        let mut cloud = Cloud::default();
        (0..10_000).for_each(|at| cloud.add([f64::from(at), f64::from(at) + 1.0]));
        assert!(cloud.points.len() <= MOST_POINTS && cloud.points.len() > MOST_POINTS / 2);
        assert_eq!(cloud.stride, 4);
        let steps: Vec<f64> = cloud.points.windows(2).map(|pair| pair[1][0] - pair[0][0]).collect();
        assert!(steps.iter().all(|step| (step - 4.0).abs() < 1e-12));
        assert_eq!(cloud.histogram().counts.iter().sum::<u64>(), 10_000);
    }

    #[test]
    fn a_histogram_has_zero_in_the_middle_of_its_middle_bin() {
        let mut cloud = Cloud::default();
        for error in [-1.0, 0.0, 0.0, 1.0, 100.0] {
            cloud.add([0.0, error]);
        }
        let Histogram { low, width, counts } = cloud.histogram();
        let middle = low + width * (BINS as f64 / 2.0);
        assert!(middle.abs() < 1e-9);
        assert_eq!(counts[BINS / 2], 4);
    }
}
