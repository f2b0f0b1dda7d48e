//! A keyed bijection of `0..n`, computed forwards and backwards without storing anything.
//!
//! `x` is written as `(left, right)` with `left < a`, `right < b` and `a * b >= n` as tight as a
//! near-square allows. A round adds a keyed function of one half to the other, modulo its size.
//! Results outside `0..n` are permuted again until they fall inside (cycle walking). Since
//! `a * b - n < a`, that is rare for every `n`; a Feistel network over bits would need up to four
//! tries beside each power of two.
//!
//! The order of training data hangs on these functions: the vectors in `tests/loader_order.rs`
//! are pinned and must never change.

/// Each half is changed four times; six changes already pass the statistics in the tests.
const ROUNDS: u64 = 8;
/// 2^64 divided by the golden ratio, made odd: the increment of `SplitMix64`.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
/// Largest domain: keeps `a * b` inside 64 bits.
const LIMIT: u64 = 1 << 62;

/// A bijection of `0..n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feistel {
    n: u64,
    a: u64,
    b: u64,
    key: u64,
}

impl Feistel {
    /// The bijection of `0..n` that `key` selects.
    ///
    /// # Panics
    /// If `n` is 0 or above 2^62: there is nothing to permute, or no such data.
    pub fn new(n: u64, key: u64) -> Self {
        assert!((1..=LIMIT).contains(&n), "Feistel: n = {n} is not in 1..=2^62");
        let root = n.isqrt();
        let a = if root * root < n { root + 1 } else { root };
        Self { n, a, b: n.div_ceil(a), key }
    }

    /// The image of `x`.
    ///
    /// # Panics
    /// If `x >= n`.
    pub fn forward(&self, x: u64) -> u64 {
        self.walk(x, Self::rounds)
    }

    /// The `x` whose image is `y`.
    ///
    /// # Panics
    /// If `y >= n`.
    pub fn inverse(&self, y: u64) -> u64 {
        self.walk(y, Self::rounds_back)
    }

    fn walk(&self, from: u64, step: impl Fn(&Self, u64) -> u64) -> u64 {
        assert!(from < self.n, "Feistel: {from} is not below {}", self.n);
        let mut at = step(self, from);
        while at >= self.n {
            at = step(self, at);
        }
        at
    }

    fn rounds(&self, x: u64) -> u64 {
        let (mut left, mut right) = (x / self.b, x % self.b);
        for round in (0..ROUNDS / 2).map(|pair| 2 * pair) {
            left = add(left, self.noise(round, right, self.a), self.a);
            right = add(right, self.noise(round + 1, left, self.b), self.b);
        }
        left * self.b + right
    }

    fn rounds_back(&self, y: u64) -> u64 {
        let (mut left, mut right) = (y / self.b, y % self.b);
        for round in (0..ROUNDS / 2).rev().map(|pair| 2 * pair) {
            right = add(right, self.b - self.noise(round + 1, left, self.b), self.b);
            left = add(left, self.a - self.noise(round, right, self.a), self.a);
        }
        left * self.b + right
    }

    /// A number in `0..size` that depends on round, half and key.
    fn noise(&self, round: u64, half: u64, size: u64) -> u64 {
        let round_key = self.key.wrapping_add((round + 1).wrapping_mul(GOLDEN));
        scale(mix(round_key ^ half), size)
    }
}

/// `x + y` modulo `size`, for `x < size` and `y <= size`.
fn add(x: u64, y: u64, size: u64) -> u64 {
    let sum = x + y;
    if sum >= size { sum - size } else { sum }
}

/// Maps 64 random bits to `0..size` by a multiplication; the bias is below `size / 2^64`.
fn scale(bits: u64, size: u64) -> u64 {
    let product = u128::from(bits) * u128::from(size);
    u64::try_from(product >> 64).expect("the upper half of a product has 64 bits")
}

/// Finaliser of `SplitMix64`: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number
/// Generators", OOPSLA 2014, doi:10.1145/2660193.2660195.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
