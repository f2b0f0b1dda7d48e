//! Energies of isolated atoms (E0): from structures of one atom, as given, or by least squares; where the
//! data has several heads, of each head its own.
//!
//! Least squares minimises `sum over structures w (E - sum over elements n_z E0_z)^2`, `w` the weight of
//! the energy in the loss, through the normal equations, scaled to a unit diagonal and solved by their
//! eigenvectors: combinations of elements that the data does not determine (a molecule that never
//! changes its formula) get the smallest values that explain it, and the rank says how many are
//! determined.

use std::collections::{BTreeMap, BTreeSet};

use genesis_schema::Frame;

use super::plan::AtomicEnergiesChoice;
use crate::error::{DataError, Result};
use genesis_schema::elements::{atomic_number, symbol};

/// Eigenvalues of the scaled equations below this are taken for zero: far above the rounding of
/// sums over any number of structures, far below what two different formulas give.
const LEAST_EIGENVALUE: f64 = 1e-9;
/// Structures of the same isolated atom must agree to this, eV: what convergence leaves. Their mean
/// counts.
const ISOLATED_TOLERANCE: f64 = 1e-3;

/// Energies of one isolated atom.
#[derive(Debug, Clone, Copy)]
struct Repeated {
    count: u32,
    sum: f64,
    least: f64,
    most: f64,
}

/// Sums for the normal equations of one head, and its elements.
#[derive(Debug, Default)]
struct HeadSums {
    /// By element of row and column.
    gram: BTreeMap<(u8, u8), f64>,
    moments: BTreeMap<u8, f64>,
    elements: BTreeSet<u8>,
}

/// What is known of the energies of every head.
#[derive(Debug, Default)]
pub(crate) struct EnergySums {
    heads: BTreeMap<String, HeadSums>,
    isolated: BTreeMap<(String, u8), Repeated>,
}

/// E0s of one head and where they come from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Solved {
    pub(crate) source: &'static str,
    /// eV.
    pub(crate) values: BTreeMap<u8, f64>,
    pub(crate) rank: Option<u64>,
}

/// E0s of all heads.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SolvedHeads {
    /// Of the only head, or of the first by name.
    pub(crate) first: Solved,
    /// By head, where there are several.
    pub(crate) heads: BTreeMap<String, Solved>,
    /// What a user should know.
    pub(crate) warnings: Vec<String>,
}

impl SolvedHeads {
    /// Of one head.
    pub(crate) fn of(&self, head: &str) -> &Solved {
        self.heads.get(head).unwrap_or(&self.first)
    }
}

impl EnergySums {
    /// Notes the elements of a structure of any split.
    pub(crate) fn note(&mut self, frame: &Frame) {
        let head = self.heads.entry(frame.head.clone()).or_default();
        head.elements.extend(&frame.atomic_numbers);
    }

    /// Adds a training structure with the weight that its energy has in the loss.
    pub(crate) fn add(&mut self, frame: &Frame) {
        let (Some(energy), weight) = (frame.labels.energy, frame.weights.of_energy()) else {
            return;
        };
        if weight <= 0.0 {
            return;
        }
        let head = self.heads.entry(frame.head.clone()).or_default();
        let mut counts: BTreeMap<u8, f64> = BTreeMap::new();
        for &z in &frame.atomic_numbers {
            *counts.entry(z).or_default() += 1.0;
        }
        for (&row, n) in &counts {
            *head.moments.entry(row).or_default() += weight * n * energy;
            for (&column, m) in &counts {
                *head.gram.entry((row, column)).or_default() += weight * n * m;
            }
        }
    }

    /// Adds the energy of an isolated atom.
    pub(crate) fn add_isolated(&mut self, head: &str, z: u8, energy: f64) {
        let none = Repeated { count: 0, sum: 0.0, least: energy, most: energy };
        let known = self.isolated.entry((head.to_owned(), z)).or_insert(none);
        known.count += 1;
        known.sum += energy;
        known.least = known.least.min(energy);
        known.most = known.most.max(energy);
    }

    /// E0s of `elements` as the plan asks, of each head.
    pub(crate) fn solve(
        &self,
        choice: &AtomicEnergiesChoice,
        elements: &[u8],
    ) -> Result<SolvedHeads> {
        let mut warnings = Vec::new();
        let mut heads = BTreeMap::new();
        let several = self.heads.len() > 1;
        for (name, sums) in &self.heads {
            let wanted: Vec<u8> =
                if several { sums.elements.iter().copied().collect() } else { elements.to_vec() };
            let own = if several { Some(name.as_str()) } else { None };
            let mut solved = self.solve_one(choice, sums, &wanted, own)?;
            warnings.extend(self.unused_atoms(&solved, &wanted, own));
            let lacking: Vec<u8> =
                elements.iter().copied().filter(|z| !solved.values.contains_key(z)).collect();
            if !lacking.is_empty() {
                let names: Vec<&str> = lacking.iter().map(|&z| symbol(z)).collect();
                warnings.push(format!(
                    "no structure of head `{name}` has {}: its E0 is 0 there",
                    names.join(", ")
                ));
                solved.values.extend(lacking.into_iter().map(|z| (z, 0.0)));
            }
            heads.insert(name.clone(), solved);
        }
        let first = heads.values().next().cloned();
        let none = || self.solve_one(choice, &HeadSums::default(), elements, None);
        let first = first.map_or_else(none, Ok)?;
        if !several {
            heads.clear();
        }
        Ok(SolvedHeads { first, heads, warnings })
    }

    fn solve_one(
        &self,
        choice: &AtomicEnergiesChoice,
        sums: &HeadSums,
        elements: &[u8],
        head: Option<&str>,
    ) -> Result<Solved> {
        let pick = |from: &BTreeMap<u8, f64>| {
            elements.iter().map(|z| from.get(z).map(|&e| (*z, e))).collect::<Option<_>>()
        };
        let of_atoms = |values| Solved { source: "isolated_atoms", values, rank: None };
        match choice {
            AtomicEnergiesChoice::Zero {} => {
                let values = elements.iter().map(|&z| (z, 0.0)).collect();
                Ok(Solved { source: "zero", values, rank: None })
            }
            AtomicEnergiesChoice::Given { values_ev, heads } => {
                let own = head.and_then(|head| heads.get(head)).into_iter().flatten();
                let all = values_ev.iter().chain(own);
                let given = all.filter_map(|(s, &e)| Some((atomic_number(s)?, e))).collect();
                let values =
                    pick(&given).ok_or_else(|| missing(&given, elements, "values_ev has none"))?;
                Ok(Solved { source: "given", values, rank: None })
            }
            AtomicEnergiesChoice::IsolatedAtoms {} => {
                let known = self.isolated(head)?;
                let problem = "no isolated atom is given";
                let values = pick(&known).ok_or_else(|| missing(&known, elements, problem))?;
                Ok(of_atoms(values))
            }
            AtomicEnergiesChoice::Automatic {} => match pick(&self.isolated(head)?) {
                Some(values) => Ok(of_atoms(values)),
                None => Ok(sums.least_squares(elements)),
            },
            AtomicEnergiesChoice::LeastSquares {} => Ok(sums.least_squares(elements)),
        }
    }

    /// Isolated atoms of a head, and those without one that it has not itself; of the only head, all.
    fn isolated(&self, head: Option<&str>) -> Result<BTreeMap<u8, f64>> {
        let mut found: BTreeMap<u8, Repeated> = BTreeMap::new();
        for ((name, z), atom) in &self.isolated {
            let counts = match head {
                None => true,
                Some(head) if name == head => true,
                Some(head) => {
                    name.is_empty() && !self.isolated.contains_key(&(head.to_owned(), *z))
                }
            };
            if !counts {
                continue;
            }
            let known = found.entry(*z).or_insert(*atom);
            if known.least.min(atom.least) + ISOLATED_TOLERANCE < known.most.max(atom.most) {
                let (name, least, most) =
                    (symbol(*z), known.least.min(atom.least), known.most.max(atom.most));
                return Err(DataError::invalid(
                    format!("isolated atom {name}"),
                    format!("one structure says {least} eV, another {most} eV"),
                    "keep one, name the heads of two theories (head=...), or give atomic_energies in \
                     the plan",
                ));
            }
        }
        Ok(found.into_iter().map(|(z, it)| (z, it.sum / f64::from(it.count))).collect())
    }

    /// Says so when isolated atoms were given and not used, as some element has none.
    fn unused_atoms(&self, solved: &Solved, elements: &[u8], head: Option<&str>) -> Option<String> {
        let own = |name: &str| head.is_none_or(|head| name == head || name.is_empty());
        let given: BTreeSet<u8> =
            self.isolated.keys().filter(|(name, _)| own(name)).map(|&(_, z)| z).collect();
        if given.is_empty() || solved.source == "isolated_atoms" {
            return None;
        }
        let lacking = elements.iter().filter(|z| !given.contains(z));
        let lacking: Vec<&str> = lacking.map(|&z| symbol(z)).collect();
        let (count, source) = (given.len(), solved.source.replace('_', " "));
        let whose = head.map_or_else(String::new, |head| format!(" of head `{head}`"));
        Some(format!(
            "{count} isolated atoms are given but not used: E0s{whose} are by {source}{}",
            if lacking.is_empty() {
                String::new()
            } else {
                format!("; none for {}", lacking.join(", "))
            }
        ))
    }
}

impl HeadSums {
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
        sums.solve(&AtomicEnergiesChoice::LeastSquares {}, elements).unwrap().first
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
    fn an_energy_of_weight_zero_shapes_nothing_and_others_weigh_as_in_the_loss() {
        let mut wrong = frame(&[1, 1], 500.0);
        wrong.weights.energy = 0.0;
        let solved = solve(&[frame(&[1, 1], -27.0), wrong.clone()], &[1]);
        assert!((solved.values[&1] + 13.5).abs() < 1e-9, "{solved:?}");
        (wrong.weights.energy, wrong.weights.config) = (3.0, 1.0);
        wrong.labels.energy = Some(-31.0);
        // The mean of -27 and three times -31, over two atoms.
        let solved = solve(&[frame(&[1, 1], -27.0), wrong], &[1]);
        assert!((solved.values[&1] + 15.0).abs() < 1e-9, "{solved:?}");
    }

    #[test]
    fn a_missing_or_contradicting_isolated_atom_is_named_where_it_is_needed() {
        let mut sums = EnergySums::default();
        sums.add_isolated("", 1, -13.6);
        let error = sums.solve(&AtomicEnergiesChoice::IsolatedAtoms {}, &[1, 8]).unwrap_err();
        assert!(error.to_string().contains("for O"), "{error}");
        sums.add_isolated("", 1, -13.6001);
        let near = sums.solve(&AtomicEnergiesChoice::IsolatedAtoms {}, &[1]).unwrap();
        assert!((near.first.values[&1] + 13.60005).abs() < 1e-9, "the mean of what agrees");
        sums.add_isolated("", 1, -13.5);
        let error = sums.solve(&AtomicEnergiesChoice::Automatic {}, &[1]).unwrap_err().to_string();
        assert!(error.contains("-13.5 eV") && error.contains("-13.6001"), "{error}");
        assert!(sums.solve(&AtomicEnergiesChoice::Zero {}, &[1]).is_ok(), "it does not matter");
    }

    #[test]
    fn every_head_has_its_own_energies_by_atoms_or_by_least_squares() {
        let of = |head: &str, numbers: &[u8], energy| Frame {
            head: head.to_owned(),
            ..frame(numbers, energy)
        };
        let mut sums = EnergySums::default();
        for frame in
            [of("pbe", &[1, 1], -27.0), of("hse", &[1, 1], -21.0), of("hse", &[1, 1, 8], -90.0)]
        {
            sums.note(&frame);
            sums.add(&frame);
        }
        sums.add_isolated("pbe", 1, -13.6);
        let solved = sums.solve(&AtomicEnergiesChoice::Automatic {}, &[1, 8]).unwrap();
        assert_eq!(solved.of("pbe").source, "isolated_atoms");
        assert_eq!(solved.of("pbe").values, [(1, -13.6), (8, 0.0)].into());
        assert!(solved.warnings[0].contains("`pbe` has O"), "{:?}", solved.warnings);
        let hse = solved.of("hse");
        assert!((hse.values[&1] + 10.5).abs() < 1e-9 && (hse.values[&8] + 69.0).abs() < 1e-9);
    }
}
