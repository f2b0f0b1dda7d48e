//! Cost of attention: products over the (query, key) pairs that see each other.

use super::AttentionProblem;
use crate::Work;

impl AttentionProblem {
    /// Number of (query, key) pairs with a score, over all segments, per head.
    pub fn num_pairs(&self) -> f64 {
        let pairs = |(n, m): (usize, usize)| {
            let (n, m) = (n as f64, m as f64);
            if self.causal { n * (m - n) + n * (n + 1.0) / 2.0 } else { n * m }
        };
        self.lengths().map(pairs).sum()
    }

    fn rows(&self) -> (f64, f64) {
        self.lengths().fold((0.0, 0.0), |(n, m), (a, b)| (n + a as f64, m + b as f64))
    }
}

/// Two products of D and a softmax of 5 a score; reads q, k, v, writes o and lse.
pub fn forward(
    problem: &AttentionProblem,
    [query_heads, key_heads, width]: [usize; 3],
    element_bytes: usize,
) -> Work {
    let ((n, m), pairs) = (problem.rows(), problem.num_pairs());
    let [h, g, d] = [query_heads, key_heads, width].map(|x| x as f64);
    let elements = 2.0 * n * h * d + 2.0 * m * g * d + n * h;
    Work::new(pairs * h * (4.0 * d + 5.0), elements, element_bytes)
}

/// Five products of D and 6 a score; reads q, k, v, o, g, lse, writes dq, dk, dv.
pub fn backward(
    problem: &AttentionProblem,
    [query_heads, key_heads, width]: [usize; 3],
    element_bytes: usize,
) -> Work {
    let ((n, m), pairs) = (problem.rows(), problem.num_pairs());
    let [h, g, d] = [query_heads, key_heads, width].map(|x| x as f64);
    let elements = 4.0 * n * h * d + 4.0 * m * g * d + n * h;
    Work::new(pairs * h * (10.0 * d + 6.0), elements, element_bytes)
}

#[cfg(test)]
mod tests {
    use crate::{AttentionProblem, Precision};

    #[test]
    fn causal_pairs_are_a_triangle_per_segment() {
        let causal = AttentionProblem::packed(&[0, 3, 5], true, 1.0, Precision::Full);
        assert!((causal.num_pairs() - 9.0).abs() < 1e-12);
        let cached = AttentionProblem { key_starts: [0, 5, 7].into(), ..causal };
        // 2 earlier keys for each of 3 queries.
        assert!((cached.num_pairs() - 15.0).abs() < 1e-12);
        let full = AttentionProblem { causal: false, ..cached };
        assert!((full.num_pairs() - 19.0).abs() < 1e-12);
    }
}
