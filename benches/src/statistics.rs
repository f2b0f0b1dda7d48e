//! Medians, and how far samples lie apart. Nothing is averaged: one slow sample on a busy machine
//! must not move a figure.

/// The middle of `samples`, of an even number the mean of the two in the middle; `None` of none.
pub fn median(samples: &[f64]) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    Some(if sorted.len() % 2 == 1 { upper } else { f64::midpoint(sorted[middle - 1], upper) })
}

/// Largest minus smallest over the median; `None` of fewer than two samples.
pub fn spread(samples: &[f64]) -> Option<f64> {
    if samples.len() < 2 {
        return None;
    }
    let largest = samples.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let smallest = samples.iter().copied().fold(f64::INFINITY, f64::min);
    median(samples).map(|middle| (largest - smallest) / middle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_two_in_the_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 100.0, 2.0]), Some(3.0));
    }

    #[test]
    fn spread_is_relative_to_the_median_and_needs_two_samples() {
        assert_eq!(spread(&[5.0]), None);
        assert_eq!(spread(&[4.0, 5.0, 6.0]), Some(0.4));
    }
}
