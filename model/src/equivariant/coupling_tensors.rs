//! The coupling tensors `U` of products of messages, as mace-torch builds them.
//!
//! ```text
//! U_1[m, i, k]            rows of the identity
//! U_n[m, i1..in, k]       sqrt(2 l + 1) C(l, l', l'')[m, m', m''] U_(n-1)[m', i1..i(n-1), k'] 1[in, m'']
//! layout                  i counts the (max_ell + 1)^2 components, degree by degree
//! order of k              couplings of order n - 1 sorted by (degree, parity), odd parity first,
//!                         stable; for each, the degree l'' of the new factor; for each, l
//! source                  Batatia et al., arXiv:2206.07697, equations 10 and 11; the order is that
//!                         of mace-torch, found by its buffers
//! ```
//!
//! Nothing is symmetrised here, and intermediate couplings may have either parity; only the last
//! step keeps one degree of natural parity. Not here: what becomes of exchanging factors
//! (`product_basis`).

use std::collections::BTreeMap;

use genesis_kernels::wigner::{SignTable, coupling};

/// Entries below this are zero: coefficients are of order one and exact to 1e-15.
pub(super) const ZERO: f64 = 1e-12;

/// One element of a coupling tensor: component `output`, one index per factor.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// `m + l` of the output.
    pub output: u16,
    /// Components of the factors, the first `order` of them.
    pub indices: [u16; 3],
    /// Its value.
    pub value: f64,
}

/// All couplings of `order` factors to one degree.
#[derive(Debug, Clone, PartialEq)]
pub struct CouplingTensor {
    /// Degree of the output.
    pub degree: usize,
    /// Number of factors, 1 to 3.
    pub order: usize,
    /// Components of a factor, `(max_ell + 1)^2`.
    pub num_inputs: usize,
    /// `[k]` couplings, each the list of its elements that are not zero.
    pub paths: Vec<Vec<Entry>>,
}

/// A coupling on the way, with the degree and parity of its output.
struct Coupled {
    degree: usize,
    odd: bool,
    entries: Vec<Entry>,
}

impl CouplingTensor {
    /// The tensor of `order` factors of degrees up to `max_ell`, with output of `degree`.
    ///
    /// # Panics
    /// If `order` is not 1, 2 or 3: the configuration is checked before.
    pub fn new(max_ell: usize, order: usize, degree: usize, signs: SignTable) -> Self {
        assert!((1..=3).contains(&order), "CouplingTensor: order {order} is not 1, 2 or 3");
        let mut level = identity(max_ell);
        for step in 2..=order {
            let left = order - step;
            let keep =
                if left == 0 { Keep::Natural(degree) } else { Keep::UpTo(left * max_ell + degree) };
            level = extend(&level, max_ell, step, keep, signs);
            level.sort_by_key(|coupled| (coupled.degree, !coupled.odd));
        }
        let wanted = |c: &Coupled| Keep::Natural(degree).admits(c.degree, c.odd);
        let paths = level.into_iter().filter(wanted).map(|coupled| coupled.entries).collect();
        Self { degree, order, num_inputs: (max_ell + 1).pow(2), paths }
    }

    /// The dense tensor `[2 l + 1, d, .., d, k]`, in row-major order.
    pub fn dense(&self) -> Vec<f64> {
        let (d, k) = (self.num_inputs, self.paths.len());
        let size: usize = self.buffer_shape().iter().product();
        let mut dense = vec![0.0; size];
        for (path, entries) in self.paths.iter().enumerate() {
            for entry in entries {
                let indices = entry.indices[..self.order].iter();
                let at = indices.fold(entry.output as usize, |at, &i| at * d + i as usize);
                dense[at * k + path] = entry.value;
            }
        }
        dense
    }

    /// Shape of the buffer of mace-torch: without the first axis when the output is a scalar.
    pub fn buffer_shape(&self) -> Vec<usize> {
        let first = (self.degree > 0).then_some(2 * self.degree + 1);
        let factors = std::iter::repeat_n(self.num_inputs, self.order);
        first.into_iter().chain(factors).chain([self.paths.len()]).collect()
    }
}

fn identity(max_ell: usize) -> Vec<Coupled> {
    let row = |l: usize, m: usize| Entry {
        output: narrow(m),
        indices: [narrow(l * l + m), 0, 0],
        value: 1.0,
    };
    let block = |l: usize| Coupled {
        degree: l,
        odd: l % 2 == 1,
        entries: (0..=2 * l).map(|m| row(l, m)).collect(),
    };
    (0..=max_ell).map(block).collect()
}

/// The couplings that a level keeps.
#[derive(Clone, Copy)]
enum Keep {
    /// Every parity, degrees up to this one: those above cannot come back down to the output.
    UpTo(usize),
    /// This degree with its natural parity.
    Natural(usize),
}

impl Keep {
    fn admits(self, degree: usize, odd: bool) -> bool {
        match self {
            Self::UpTo(most) => degree <= most,
            Self::Natural(wanted) => degree == wanted && odd == (wanted % 2 == 1),
        }
    }
}

/// Every coupling of `level` with factor number `step`, in order.
fn extend(
    level: &[Coupled],
    max_ell: usize,
    step: usize,
    keep: Keep,
    signs: SignTable,
) -> Vec<Coupled> {
    let mut next = Vec::new();
    for left in level {
        for right in 0..=max_ell {
            for degree in left.degree.abs_diff(right)..=left.degree + right {
                let odd = left.odd != (right % 2 == 1);
                if keep.admits(degree, odd) {
                    let entries = couple(left, right, degree, step, signs);
                    next.push(Coupled { degree, odd, entries });
                }
            }
        }
    }
    next
}

/// Elements of one coupling, summed over the components of `left`.
fn couple(
    left: &Coupled,
    right: usize,
    degree: usize,
    step: usize,
    signs: SignTable,
) -> Vec<Entry> {
    let norm = ((2 * degree + 1) as f64).sqrt();
    let mut sums = BTreeMap::<(u16, [u16; 3]), f64>::new();
    for term in coupling(degree, left.degree, right, signs).terms() {
        let [output, middle, m] = term.components;
        for entry in left.entries.iter().filter(|entry| usize::from(entry.output) == middle) {
            let mut indices = entry.indices;
            indices[step - 1] = narrow(right * right + m);
            *sums.entry((narrow(output), indices)).or_default() += norm * term.value * entry.value;
        }
    }
    let entry = |((output, indices), value)| Entry { output, indices, value };
    sums.into_iter().filter(|(_, value): &(_, f64)| value.abs() > ZERO).map(entry).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "at most (6 + 1)^2 components")]
fn narrow(component: usize) -> u16 {
    component as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(max_ell: usize, degree: usize) -> Vec<usize> {
        let tensor = |order| CouplingTensor::new(max_ell, order, degree, SignTable::E3nn04);
        (1..=3).map(|order| tensor(order).paths.len()).collect()
    }

    /// Numbers of mace-torch's buffers.
    #[test]
    fn there_are_as_many_couplings_as_mace_torch_has() {
        assert_eq!(
            [counts(3, 0), counts(3, 1), counts(3, 2)],
            [[1, 4, 23], [1, 6, 51], [1, 7, 65]]
        );
        assert_eq!(
            [counts(2, 0), counts(2, 1), counts(2, 2)],
            [[1, 3, 11], [1, 4, 21], [1, 4, 23]]
        );
    }

    #[test]
    fn elements_of_order_three_are_as_many_as_in_mace_torch() {
        let num_elements = |degree| {
            let tensor = CouplingTensor::new(3, 3, degree, SignTable::E3nn04);
            tensor.paths.iter().map(Vec::len).sum::<usize>()
        };
        assert_eq!([0, 1, 2].map(num_elements), [353, 2838, 5782]);
    }

    /// Coefficients of unit norm are isometries up to sqrt(2 l + 1), whatever was coupled before.
    #[test]
    fn a_coupling_has_the_squared_norm_of_its_output() {
        for (order, degree) in [(1, 1), (2, 0), (2, 2), (3, 1), (3, 2)] {
            let tensor = CouplingTensor::new(2, order, degree, SignTable::E3nn04);
            for path in &tensor.paths {
                let squares: f64 = path.iter().map(|entry| entry.value.powi(2)).sum();
                assert!((squares - (2 * degree + 1) as f64).abs() < 1e-12, "{squares}");
            }
        }
    }

    /// Section 1.3 of the specification counts them by comparing both versions of e3nn.
    #[test]
    fn the_versions_of_e3nn_differ_in_the_signs_of_a_few_couplings() {
        let differ = |degree| {
            let tensor = |signs| CouplingTensor::new(3, 3, degree, signs).paths;
            let (old, new) = (tensor(SignTable::E3nn04), tensor(SignTable::E3nn05));
            let opposite = |a: &[Entry], b: &[Entry]| {
                a.iter().zip(b).all(|(a, b)| (a.value + b.value).abs() < 1e-12)
            };
            let changed = old.iter().zip(&new).filter(|(a, b)| a != b);
            changed.inspect(|(a, b)| assert!(opposite(a, b))).count()
        };
        assert_eq!([0, 1, 2].map(differ), [0, 6, 7]);
    }
}
