//! Named random streams: every random number of a run is a pure function of
//! `(seed, stream name, index, lane)`, so nothing has to be saved to resume exactly.
//!
//! Source: Philox4x32-10 of Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3",
//! SC 2011, doi:10.1145/2063384.2063405. The constants are those of the paper's table 2.

use sha2::{Digest, Sha256};

const MULTIPLIER: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
const ROUNDS: usize = 10;

/// The seed of a run; hands out named streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seeds {
    root: u64,
}

impl Seeds {
    /// Streams of the run whose configured seed is `root`.
    pub fn new(root: u64) -> Self {
        Self { root }
    }

    /// The stream called `name`. Streams of different names are independent; adding one
    /// never changes another.
    pub fn stream(&self, name: &str) -> Stream {
        let mut hash = Sha256::new();
        hash.update(self.root.to_le_bytes());
        hash.update(name.as_bytes());
        let digest = hash.finalize();
        let word = |at: usize| {
            u32::from_le_bytes([digest[at], digest[at + 1], digest[at + 2], digest[at + 3]])
        };
        Stream { key: [word(0), word(4)] }
    }

    /// Seeds of the part of the run called `name`: its streams are independent of those of the run and of other
    /// parts.
    #[must_use]
    pub fn part(&self, name: &str) -> Self {
        Self { root: self.stream(&format!("part/{name}")).word(0, 0) }
    }
}

/// One named stream. Stateless: the caller says which number it wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stream {
    key: [u32; 2],
}

impl Stream {
    /// Four independent 32-bit words at `(index, lane)`.
    ///
    /// By convention `index` is what advances with training (a step, a sample position) and
    /// `lane` what is inside it (a token, a tensor element).
    pub fn block(&self, index: u64, lane: u64) -> [u32; 4] {
        let split = |x: u64| [(x & 0xFFFF_FFFF) as u32, (x >> 32) as u32];
        let ([i0, i1], [l0, l1]) = (split(index), split(lane));
        let mut counter = [l0, l1, i0, i1];
        let mut key = self.key;
        for _ in 0..ROUNDS {
            counter = round(counter, key);
            key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
        }
        counter
    }

    /// 64 random bits at `(index, lane)`.
    pub fn word(&self, index: u64, lane: u64) -> u64 {
        let [a, b, _, _] = self.block(index, lane);
        u64::from(a) | (u64::from(b) << 32)
    }

    /// Uniform in `[0, 1)` with 53 random bits.
    pub fn uniform(&self, index: u64, lane: u64) -> f64 {
        unit(self.word(index, lane))
    }

    /// Uniform integer in `0..n`. The bias is below `n / 2^64`.
    ///
    /// # Panics
    /// If `n` is zero: there is nothing to choose from.
    pub fn below(&self, index: u64, lane: u64, n: u64) -> u64 {
        assert!(n > 0, "Stream::below: n must be positive");
        ((u128::from(self.word(index, lane)) * u128::from(n)) >> 64) as u64
    }

    /// Standard normal, by the Box-Muller transform of the block's two words.
    pub fn normal(&self, index: u64, lane: u64) -> f64 {
        let [a, b, c, d] = self.block(index, lane);
        let first = unit(u64::from(a) | (u64::from(b) << 32));
        let second = unit(u64::from(c) | (u64::from(d) << 32));
        // 1 - first lies in (0, 1], so the logarithm is finite.
        (-2.0 * (1.0 - first).ln()).sqrt() * (std::f64::consts::TAU * second).cos()
    }
}

fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

fn round(c: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let product = |m: u32, x: u32| {
        let p = u64::from(m) * u64::from(x);
        ((p >> 32) as u32, (p & 0xFFFF_FFFF) as u32)
    };
    let (hi0, lo0) = product(MULTIPLIER[0], c[0]);
    let (hi1, lo1) = product(MULTIPLIER[1], c[2]);
    [hi1 ^ c[1] ^ key[0], lo1, hi0 ^ c[3] ^ key[1], lo0]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known-answer vectors published with the authors' Random123 library.
    #[test]
    fn philox_matches_the_published_known_answers() {
        let philox = |counter: [u32; 4], key: [u32; 2]| {
            let index = u64::from(counter[2]) | (u64::from(counter[3]) << 32);
            let lane = u64::from(counter[0]) | (u64::from(counter[1]) << 32);
            Stream { key }.block(index, lane)
        };
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(
            philox([0xffff_ffff; 4], [0xffff_ffff; 2]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
        assert_eq!(
            philox(
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0]
            ),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn streams_of_different_names_or_seeds_differ() {
        let a = Seeds::new(1).stream("order").word(0, 0);
        assert_ne!(a, Seeds::new(1).stream("corrupt").word(0, 0));
        assert_ne!(a, Seeds::new(2).stream("order").word(0, 0));
        assert_eq!(a, Seeds::new(1).stream("order").word(0, 0));
    }

    #[test]
    fn normal_has_zero_mean_and_unit_variance() {
        let stream = Seeds::new(3).stream("init");
        let n = 20_000u64;
        let values: Vec<f64> = (0..n).map(|lane| stream.normal(0, lane)).collect();
        let mean = values.iter().sum::<f64>() / n as f64;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n as f64;
        // Four standard errors: 1/sqrt(n) for the mean, sqrt(2/n) for the variance.
        assert!(mean.abs() < 4.0 / (n as f64).sqrt(), "mean {mean}");
        assert!((variance - 1.0).abs() < 4.0 * (2.0 / n as f64).sqrt(), "variance {variance}");
    }

    #[test]
    fn below_stays_in_range_and_reaches_every_value() {
        let stream = Seeds::new(5).stream("pick");
        let mut seen = [false; 7];
        for lane in 0..200 {
            seen[usize::try_from(stream.below(9, lane, 7)).unwrap()] = true;
        }
        assert!(seen.iter().all(|&s| s));
    }
}
