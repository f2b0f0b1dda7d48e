//! Weights by what samples are made of (tokens, atoms) as weights by samples.
//!
//! A source of weight `w` whose samples hold `u` units on average is to give `w / u` samples for every
//! `w'/u'` of another. These are divided into [`MOST_PARTS`] parts by largest remainder (Hamilton), at
//! least one each, and reduced by their common factor: whole numbers that the plan of the run states,
//! each within one part in [`MOST_PARTS`] of the exact share.

use super::turns::MOST_PARTS;

/// A mean: so many units in so many samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mean {
    /// Tokens or atoms.
    pub units: u64,
    /// Samples that hold them.
    pub samples: u64,
}

/// Weights by samples that give units in the ratio of `weights`. A source of weight 0 has 0; one whose
/// samples hold nothing counts as one of one unit each.
pub fn by_units(weights: &[u64], means: &[Mean]) -> Vec<u64> {
    let wanted: Vec<f64> = weights.iter().zip(means).map(|(&w, mean)| samples(w, *mean)).collect();
    let used = wanted.iter().filter(|&&it| it > 0.0).count() as u64;
    let total: f64 = wanted.iter().sum();
    if used == 0 || used > MOST_PARTS {
        return weights.to_vec();
    }
    let all_equal = means.iter().all(|it| equal(*it, means[0]));
    if all_equal {
        return weights.to_vec();
    }
    apportion(&wanted, total, used)
}

fn samples(weight: u64, mean: Mean) -> f64 {
    if mean.units == 0 || mean.samples == 0 {
        return weight as f64;
    }
    weight as f64 * mean.samples as f64 / mean.units as f64
}

fn equal(a: Mean, b: Mean) -> bool {
    u128::from(a.units) * u128::from(b.samples) == u128::from(b.units) * u128::from(a.samples)
}

/// [`MOST_PARTS`] in the ratio of `wanted`: one to each of `used` sources first, the rest by largest
/// remainder, of two equal ones to the lower index.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most MOST_PARTS")]
fn apportion(wanted: &[f64], total: f64, used: u64) -> Vec<u64> {
    let quota = |it: &f64| it / total * MOST_PARTS as f64;
    let floor = |it: &f64| if *it > 0.0 { (quota(it).floor() as u64).max(1) } else { 0 };
    let mut parts: Vec<u64> = wanted.iter().map(floor).collect();
    let given: u64 = parts.iter().sum();
    if given >= MOST_PARTS {
        // Sources of less than a part took what the largest one has to spare.
        let largest = (0..parts.len()).max_by_key(|&j| (parts[j], std::cmp::Reverse(j)));
        if let Some(largest) = largest {
            parts[largest] -= (given - MOST_PARTS).min(parts[largest] - 1);
        }
        return parts;
    }
    let mut order: Vec<usize> = (0..wanted.len()).filter(|&j| wanted[j] > 0.0).collect();
    let remainder = |j: usize| quota(&wanted[j]).fract();
    order.sort_by(|&a, &b| remainder(b).total_cmp(&remainder(a)).then(a.cmp(&b)));
    let left = usize::try_from((MOST_PARTS - given).min(used)).unwrap_or(order.len());
    order.iter().take(left).for_each(|&j| parts[j] += 1);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn mean(units: u64, samples: u64) -> Mean {
        Mean { units, samples }
    }

    #[test]
    fn shorter_samples_come_more_often_and_units_are_in_the_ratio_asked_for() {
        let means = [mean(1000, 10), mean(50, 5), mean(7, 7)];
        let weights = [3, 2, 1];
        let parts = by_units(&weights, &means);
        assert_eq!(parts.iter().sum::<u64>(), MOST_PARTS);
        let units: Vec<f64> = (0..3)
            .map(|j| parts[j] as f64 * means[j].units as f64 / means[j].samples as f64)
            .collect();
        let all: f64 = units.iter().sum();
        for j in 0..3 {
            // One part of 2^20, in which the longest sample holds 100 of about 2 units.
            assert!((units[j] / all - weights[j] as f64 / 6.0).abs() < 1e-4, "{units:?}");
        }
    }

    #[test]
    fn equal_means_leave_weights_as_they_are_and_none_is_lost() {
        assert_eq!(by_units(&[3, 0, 2], &[mean(20, 10), mean(2, 1), mean(40, 20)]), [3, 0, 2]);
        let parts = by_units(&[1_000_000, 1, 0], &[mean(1, 1), mean(1_000_000, 1), mean(5, 1)]);
        assert_eq!((parts[0], parts[1], parts[2]), (MOST_PARTS - 1, 1, 0));
    }
}
