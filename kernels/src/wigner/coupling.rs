//! Coupling coefficients of three degrees in the real basis, and the two conventions of sign.
//!
//! SU(2) Clebsch-Gordan coefficients by Racah's sum, carried into the real basis by the unitary
//! matrix of each degree, then scaled to norm 1. Not here: which triples a network uses.

use std::f64::consts::FRAC_1_SQRT_2;

/// Numbers below this are rounding of an exact zero.
const ZERO: f64 = 1e-14;

/// Highest degree for which the signs of e3nn 0.4.4 are recorded.
const RECORDED_DEGREE: usize = 6;

/// Triples (ascending) whose sign in e3nn 0.4.4 is opposite to the construction, besides
/// `(1, l, l)`. Source: the constants shipped with e3nn 0.4.4 compared with the construction of
/// 0.5.0 for all degrees to 6.
const FLIPPED: [[usize; 3]; 5] = [[3, 4, 6], [4, 4, 5], [4, 5, 6], [5, 5, 5], [5, 6, 6]];

/// Which sign the coupling coefficients carry. Weights of a network belong to one of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignTable {
    /// The stored constants of e3nn 0.4.4, which mace-torch uses.
    E3nn04,
    /// The construction of e3nn 0.5 and later.
    E3nn05,
}

impl SignTable {
    /// The highest degree this convention is known for; nothing when there is no limit.
    pub fn max_degree(self) -> Option<usize> {
        match self {
            Self::E3nn04 => Some(RECORDED_DEGREE),
            Self::E3nn05 => None,
        }
    }

    /// The factor of the constructed coefficients, 1 or -1.
    fn sign(self, mut degrees: [usize; 3]) -> f64 {
        degrees.sort_unstable();
        let [low, middle, high] = degrees;
        let pair = low == 1 && middle == high && middle >= 2;
        match self {
            Self::E3nn04 if pair || FLIPPED.contains(&degrees) => -1.0,
            Self::E3nn04 | Self::E3nn05 => 1.0,
        }
    }
}

/// One coefficient that is not zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CouplingTerm {
    /// Components `[m1, m2, m3]`, each counted from 0.
    pub components: [usize; 3],
    /// The coefficient.
    pub value: f64,
}

/// `C(l1, l2, l3)`, dense, `[2 l1 + 1, 2 l2 + 1, 2 l3 + 1]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Coupling {
    degrees: [usize; 3],
    values: Vec<f64>,
}

impl Coupling {
    /// `[2 l1 + 1, 2 l2 + 1, 2 l3 + 1]`.
    pub fn sizes(&self) -> [usize; 3] {
        self.degrees.map(|degree| 2 * degree + 1)
    }

    /// All coefficients, the third component running fastest.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The coefficient of components counted from 0.
    pub fn at(&self, components: [usize; 3]) -> f64 {
        self.values[flat(self.sizes(), components)]
    }

    /// The coefficients that are not zero, the third component running fastest.
    pub fn terms(&self) -> impl Iterator<Item = CouplingTerm> {
        let [_, second, third] = self.sizes();
        let place = move |at: usize| [at / (second * third), at / third % second, at % third];
        let nonzero = self.values.iter().enumerate().filter(|(_, value)| **value != 0.0);
        nonzero.map(move |(at, &value)| CouplingTerm { components: place(at), value })
    }
}

/// The coupling coefficients of three degrees, Frobenius norm 1.
///
/// # Panics
/// When `|l1 - l2| <= l3 <= l1 + l2` does not hold, or a degree is above
/// [`SignTable::max_degree`].
pub fn coupling(l1: usize, l2: usize, l3: usize, signs: SignTable) -> Coupling {
    let degrees = [l1, l2, l3];
    assert!(
        l1.abs_diff(l2) <= l3 && l3 <= l1 + l2,
        "coupling: degrees {degrees:?} break the triangle rule |l1 - l2| <= l3 <= l1 + l2"
    );
    let highest = l1.max(l2).max(l3);
    assert!(
        signs.max_degree().is_none_or(|limit| highest <= limit),
        "coupling: degree {highest} of {degrees:?} is above {RECORDED_DEGREE}, the highest whose \
         {signs:?} sign is recorded: use E3nn05 for it"
    );
    let mut values = constructed(degrees);
    let norm = values.iter().map(|x| x * x).sum::<f64>().sqrt();
    let scale = signs.sign(degrees) / norm;
    for value in &mut values {
        *value *= scale;
        if value.abs() < ZERO {
            *value = 0.0;
        }
    }
    Coupling { degrees, values }
}

fn flat([_, second, third]: [usize; 3], [m1, m2, m3]: [usize; 3]) -> usize {
    (m1 * second + m2) * third + m3
}

/// The invariant tensor in the real basis, not yet scaled.
fn constructed(degrees: [usize; 3]) -> Vec<f64> {
    let [l1, l2, l3] = degrees.map(usize::cast_signed);
    let mut values = vec![0.0; degrees.map(|l| 2 * l + 1).iter().product()];
    let sizes = degrees.map(|l| 2 * l + 1);
    // (-i)^(l1 + l2 - l3), from the phases of the three bases.
    let phase = (l1 + l2 - l3).rem_euclid(4);
    for m1 in -l1..=l1 {
        for m2 in -l2..=l2 {
            let m3 = m1 + m2;
            if m3.abs() > l3 {
                continue;
            }
            let complex = clebsch_gordan([l1, l2, l3], [m1, m2, m3]);
            for (r1, a) in real_components(m1) {
                for (r2, b) in real_components(m2) {
                    for (r3, c) in real_components(m3) {
                        let product = times(times(a, b), (c.0, -c.1));
                        let at = [r1 + l1, r2 + l2, r3 + l3].map(isize::cast_unsigned);
                        values[flat(sizes, at)] += complex * real_part(product, phase);
                    }
                }
            }
        }
    }
    values
}

type Complex = (f64, f64);

fn times(a: Complex, b: Complex) -> Complex {
    (a.0 * b.0 - a.1 * b.1, a.0 * b.1 + a.1 * b.0)
}

/// Real part of `(-i)^phase z`; the imaginary parts cancel in the sum over components.
fn real_part(z: Complex, phase: isize) -> f64 {
    match phase {
        0 => z.0,
        1 => z.1,
        2 => -z.0,
        _ => -z.1,
    }
}

/// The real components in the complex component `m`, without the phase `(-i)^l`.
fn real_components(m: isize) -> Vec<(isize, Complex)> {
    let s = FRAC_1_SQRT_2;
    let sign = if m % 2 == 0 { s } else { -s };
    match m {
        0 => vec![(0, (1.0, 0.0))],
        ..0 => vec![(-m, (s, 0.0)), (m, (0.0, -s))],
        1.. => vec![(m, (sign, 0.0)), (-m, (0.0, sign))],
    }
}

/// `<l1 m1 l2 m2 | l3 m3>` for `m1 + m2 = m3`, by Racah's sum.
fn clebsch_gordan([l1, l2, l3]: [isize; 3], [m1, m2, m3]: [isize; 3]) -> f64 {
    let f = factorial;
    let triangle = f(l3 + l1 - l2) * f(l3 - l1 + l2) * f(l1 + l2 - l3) / f(l1 + l2 + l3 + 1);
    let sizes = f(l3 + m3) * f(l3 - m3) * f(l1 - m1) * f(l1 + m1) * f(l2 - m2) * f(l2 + m2);
    let term = |k: isize| {
        let rest = [l1 + l2 - l3 - k, l1 - m1 - k, l2 + m2 - k, l3 - l2 + m1 + k, l3 - l1 - m2 + k];
        if rest.iter().any(|&n| n < 0) {
            return 0.0;
        }
        let sign = if k % 2 == 0 { 1.0 } else { -1.0 };
        sign / rest.iter().map(|&n| f(n)).product::<f64>() / f(k)
    };
    let sum: f64 = (0..=l1 + l2 - l3).map(term).sum();
    ((2 * l3 + 1) as f64 * triangle).sqrt() * sizes.sqrt() * sum
}

/// `n!`, exact in f64 to 22.
fn factorial(n: isize) -> f64 {
    (2..=n).map(|k| k as f64).product()
}
