//! Spearman's rank correlation, with average ranks for ties.

/// Spearman's rho: Pearson's correlation of the ranks, ties getting the mean of their ranks.
///
/// None if fewer than two pairs are given or one side is constant: no correlation is defined.
///
/// # Panics
/// If the lengths differ: a bug of the caller.
///
/// # Source
/// Kendall and Gibbons, "Rank Correlation Methods", 5th edition, chapter 3 (ties).
pub fn spearman(x: &[f64], y: &[f64]) -> Option<f64> {
    assert_eq!(x.len(), y.len(), "spearman: pairs");
    if x.len() < 2 {
        return None;
    }
    pearson(&ranks(x), &ranks(y))
}

/// Ranks from 1; equal values share the mean of the ranks they cover.
pub fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    for group in order.chunk_by(|&a, &b| values[a].total_cmp(&values[b]).is_eq()) {
        // Ranks start + 1 ..= start + len.
        let mean = f64::midpoint((start + 1) as f64, (start + group.len()) as f64);
        for &index in group {
            ranks[index] = mean;
        }
        start += group.len();
    }
    ranks
}

fn pearson(x: &[f64], y: &[f64]) -> Option<f64> {
    let n = x.len() as f64;
    let (mean_x, mean_y) = (x.iter().sum::<f64>() / n, y.iter().sum::<f64>() / n);
    let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
    for (a, b) in x.iter().zip(y) {
        let (a, b) = (a - mean_x, b - mean_y);
        (xy, xx, yy) = (xy + a * b, xx + a * a, yy + b * b);
    }
    (xx > 0.0 && yy > 0.0).then(|| xy / (xx * yy).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_near(got: Option<f64>, want: f64) {
        assert!((got.unwrap() - want).abs() < 1e-12, "{got:?}, expected {want}");
    }

    #[test]
    fn a_monotone_relation_has_rho_one_whatever_its_shape() {
        assert_near(spearman(&[1.0, 2.0, 3.0, 4.0], &[1.0, 8.0, 27.0, 640.0]), 1.0);
        assert_near(spearman(&[1.0, 2.0, 3.0, 4.0], &[9.0, 3.0, 0.5, -7.0]), -1.0);
    }

    #[test]
    fn rho_matches_the_sum_of_squared_rank_differences_without_ties() {
        // Ranks 3 1 4 2 5 against 1 2 3 4 5: differences 2 1 1 2 0, squares sum to 10;
        // 1 - 6 * 10 / (5 * 24) = 0.5.
        assert_near(spearman(&[30.0, 10.0, 40.0, 20.0, 50.0], &[1.0, 2.0, 3.0, 4.0, 5.0]), 0.5);
    }

    #[test]
    fn tied_values_share_the_mean_rank() {
        assert_eq!(ranks(&[2.0, 1.0, 2.0, 2.0, 0.0]), [4.0, 2.0, 4.0, 4.0, 1.0]);
        // Ranks 1.5 1.5 3 4 against 1 2 3 4: covariance 4.5, variances 4.5 and 5;
        // 4.5 / sqrt(22.5) = 0.948683…
        assert_near(spearman(&[0.0, 0.0, 1.0, 2.0], &[1.0, 2.0, 3.0, 4.0]), 4.5 / 22.5f64.sqrt());
    }

    #[test]
    fn a_constant_side_or_a_single_pair_has_no_rho() {
        assert_eq!(spearman(&[1.0, 1.0], &[1.0, 2.0]), None);
        assert_eq!(spearman(&[1.0], &[1.0]), None);
    }
}
