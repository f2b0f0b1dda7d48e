//! Energies of isolated atoms (E0): from structures of one atom, as given, or by least squares.
//!
//! Least squares minimises `sum over structures (E - sum over elements n_z E0_z)^2` through the
//! normal equations, scaled to a unit diagonal and solved by their eigenvectors: combinations of
//! elements that the data does not determine (a molecule that never changes its formula) get the
//! smallest values that explain it, and the rank says how many are determined.

use std::collections::BTreeMap;

use genesis_schema::Frame;

use super::plan::AtomicEnergiesChoice;
use crate::error::{DataError, Result};
use genesis_schema::elements::{atomic_number, symbol};

/// Eigenvalues of the scaled equations below this are taken for zero: far above the rounding of
/// sums over any number of structures, far below what two different formulas give.
const LEAST_EIGENVALUE: f64 = 1e-9;
/// Two structures of the same isolated atom must agree to this, eV.
const ISOLATED_TOLERANCE: f64 = 1e-6;

/// Sums for the normal equations, and the isolated atoms met so far.
#[derive(Debug, Default)]
pub(crate) struct EnergySums {
    /// By element of row and column.
    gram: BTreeMap<(u8, u8), f64>,
    moments: BTreeMap<u8, f64>,
    isolated: BTreeMap<u8, f64>,
}

/// E0s and where they come from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Solved {
    pub(crate) source: &'static str,
    /// eV.
    pub(crate) values: BTreeMap<u8, f64>,
    pub(crate) rank: Option<u64>,
}

impl EnergySums {
    /// Adds a training structure.
    pub(crate) fn add(&mut self, frame: &Frame) {
        let Some(energy) = frame.labels.energy else { return };
        let mut counts: BTreeMap<u8, f64> = BTreeMap::new();
        for &z in &frame.atomic_numbers {
            *counts.entry(z).or_default() += 1.0;
        }
        for (&row, n) in &counts {
            *self.moments.entry(row).or_default() += n * energy;
            for (&column, m) in &counts {
                *self.gram.entry((row, column)).or_default() += n * m;
            }
        }
    }

    /// Adds the energy of an isolated atom.
    pub(crate) fn add_isolated(&mut self, z: u8, energy: f64) -> Result<()> {
        let known = *self.isolated.entry(z).or_insert(energy);
        if (known - energy).abs() <= ISOLATED_TOLERANCE {
            return Ok(());
        }
        let name = symbol(z);
        Err(DataError::invalid(
            format!("isolated atom {name}"),
            format!("one structure says {known} eV, another {energy} eV"),
            "keep one, or give atomic_energies in the plan",
        ))
    }

    /// E0s of `elements` as the plan asks.
    pub(crate) fn solve(&self, choice: &AtomicEnergiesChoice, elements: &[u8]) -> Result<Solved> {
        let pick = |from: &BTreeMap<u8, f64>| {
            elements.iter().map(|z| from.get(z).map(|&e| (*z, e))).collect::<Option<_>>()
        };
        match choice {
            AtomicEnergiesChoice::Zero {} => {
                let values = elements.iter().map(|&z| (z, 0.0)).collect();
                Ok(Solved { source: "zero", values, rank: None })
            }
            AtomicEnergiesChoice::Given { values_ev } => {
                let given = values_ev.iter().filter_map(|(s, &e)| Some((atomic_number(s)?, e)));
                let given = given.collect();
                let values =
                    pick(&given).ok_or_else(|| missing(&given, elements, "values_ev has none"))?;
                Ok(Solved { source: "given", values, rank: None })
            }
            AtomicEnergiesChoice::IsolatedAtoms {} => {
                let values = pick(&self.isolated).ok_or_else(|| {
                    missing(&self.isolated, elements, "no isolated atom is given")
                })?;
                Ok(Solved { source: "isolated_atoms", values, rank: None })
            }
            AtomicEnergiesChoice::Automatic {} => match pick(&self.isolated) {
                Some(values) => Ok(Solved { source: "isolated_atoms", values, rank: None }),
                None => Ok(self.least_squares(elements)),
            },
            AtomicEnergiesChoice::LeastSquares {} => Ok(self.least_squares(elements)),
        }
    }

    /// Says so when isolated atoms were given and not used, as some element has none.
    pub(crate) fn unused_atoms(&self, solved: &Solved, elements: &[u8]) -> Option<String> {
        if self.isolated.is_empty() || solved.source == "isolated_atoms" {
            return None;
        }
        let lacking = elements.iter().filter(|z| !self.isolated.contains_key(z));
        let lacking: Vec<&str> = lacking.map(|&z| symbol(z)).collect();
        let (count, source) = (self.isolated.len(), solved.source.replace('_', " "));
        Some(format!(
            "{count} isolated atoms are given but not used: E0s are by {source}{}",
            if lacking.is_empty() {
                String::new()
            } else {
                format!("; none for {}", lacking.join(", "))
            }
        ))
    }

    fn least_squares(&self, elements: &[u8]) -> Solved {
        let n = elements.len();
        let entry =
            |i: usize, j: usize| self.gram.get(&(elements[i], elements[j])).copied().unwrap_or(0.0);
        // Elements without a labelled structure keep a zero row, and an energy of zero.
        let scale: Vec<f64> =
            (0..n).map(|i| entry(i, i).max(f64::MIN_POSITIVE).sqrt().recip()).collect();
        let scale: Vec<f64> =
            (0..n).map(|i| if entry(i, i) > 0.0 { scale[i] } else { 0.0 }).collect();
        let mut matrix: Vec<f64> =
            (0..n * n).map(|at| entry(at / n, at % n) * scale[at / n] * scale[at % n]).collect();
        let moment = |i: usize| self.moments.get(&elements[i]).copied().unwrap_or(0.0) * scale[i];
        let vectors = diagonalise(&mut matrix, n);
        let (mut solution, mut rank) = (vec![0.0; n], 0);
        for k in (0..n).filter(|&k| matrix[k * n + k] > LEAST_EIGENVALUE) {
            rank += 1;
            let along: f64 = (0..n).map(|i| vectors[i * n + k] * moment(i)).sum();
            for i in 0..n {
                solution[i] += vectors[i * n + k] * along / matrix[k * n + k];
            }
        }
        let values = (0..n).map(|i| (elements[i], solution[i] * scale[i])).collect();
        Solved { source: "least_squares", values, rank: Some(rank) }
    }
}

fn missing(known: &BTreeMap<u8, f64>, elements: &[u8], problem: &str) -> DataError {
    let lacking: Vec<&str> =
        elements.iter().filter(|z| !known.contains_key(z)).map(|&z| symbol(z)).collect();
    DataError::invalid(
        "atomic_energies",
        format!("{problem} for {}", lacking.join(", ")),
        "add structures of one atom with config_type isolated_atom, give values_ev for every \
         element, or use least squares",
    )
}

/// Jacobi's method: makes the symmetric `matrix` diagonal in place, returns its eigenvectors as
/// columns. Source: Golub and Van Loan, Matrix Computations, 4th ed., section 8.5.
fn diagonalise(matrix: &mut [f64], n: usize) -> Vec<f64> {
    let mut vectors: Vec<f64> =
        (0..n * n).map(|at| f64::from(u8::from(at / n == at % n))).collect();
    for _sweep in 0..50 {
        let off: f64 = (0..n * n).filter(|at| at / n != at % n).map(|at| matrix[at].powi(2)).sum();
        if off < 1e-28 {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                rotate(matrix, &mut vectors, n, (p, q));
            }
        }
    }
    vectors
}

fn rotate(a: &mut [f64], vectors: &mut [f64], n: usize, (p, q): (usize, usize)) {
    let apq = a[p * n + q];
    if apq.abs() < 1e-300 {
        return;
    }
    let theta = (a[q * n + q] - a[p * n + p]) / (2.0 * apq);
    let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
    let c = (t * t + 1.0).sqrt().recip();
    let s = t * c;
    for k in 0..n {
        let (x, y) = (a[k * n + p], a[k * n + q]);
        (a[k * n + p], a[k * n + q]) = (c * x - s * y, s * x + c * y);
    }
    for k in 0..n {
        let (x, y) = (a[p * n + k], a[q * n + k]);
        (a[p * n + k], a[q * n + k]) = (c * x - s * y, s * x + c * y);
        let (x, y) = (vectors[k * n + p], vectors[k * n + q]);
        (vectors[k * n + p], vectors[k * n + q]) = (c * x - s * y, s * x + c * y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use genesis_schema::{FrameLabels, FrameWeights};

    fn frame(numbers: &[u8], energy: f64) -> Frame {
        Frame {
            atomic_numbers: numbers.to_vec(),
            positions: vec![[0.0; 3]; numbers.len()],
            cell: [[0.0; 3]; 3],
            periodic: [false; 3],
            labels: FrameLabels { energy: Some(energy), ..FrameLabels::default() },
            weights: FrameWeights::default(),
            config_type: String::new(),
            head: String::new(),
        }
    }

    fn solve(frames: &[Frame], elements: &[u8]) -> Solved {
        let mut sums = EnergySums::default();
        for frame in frames {
            sums.add(frame);
        }
        sums.solve(&AtomicEnergiesChoice::LeastSquares {}, elements).unwrap()
    }

    #[test]
    fn least_squares_finds_the_energies_that_made_the_totals() {
        let total = |numbers: &[u8]| {
            let e0 = |z: &u8| if *z == 1 { -13.5 } else { -1027.25 };
            frame(numbers, numbers.iter().map(e0).sum())
        };
        let solved =
            solve(&[total(&[1, 1]), total(&[6, 1, 1, 1, 1]), total(&[6, 6, 1, 1])], &[1, 6]);
        assert_eq!(solved.rank, Some(2));
        // Totals of order 1e3 and a condition number below 100.
        assert!((solved.values[&1] + 13.5).abs() < 1e-9, "{solved:?}");
        assert!((solved.values[&6] + 1027.25).abs() < 1e-9, "{solved:?}");
    }

    #[test]
    fn one_formula_alone_determines_one_combination_and_still_explains_its_energy() {
        let solved = solve(&[frame(&[8, 1, 1], -30.0), frame(&[8, 1, 1], -30.0)], &[1, 8, 9]);
        assert_eq!(solved.rank, Some(1));
        assert!((2.0 * solved.values[&1] + solved.values[&8] + 30.0).abs() < 1e-9, "{solved:?}");
        assert!(solved.values[&9].abs() < 1e-12);
    }

    #[test]
    fn a_missing_or_contradicting_isolated_atom_is_named() {
        let mut sums = EnergySums::default();
        sums.add_isolated(1, -13.6).unwrap();
        let error = sums.solve(&AtomicEnergiesChoice::IsolatedAtoms {}, &[1, 8]).unwrap_err();
        assert!(error.to_string().contains("for O"), "{error}");
        assert!(sums.add_isolated(1, -13.5).unwrap_err().to_string().contains("-13.5"));
    }
}
