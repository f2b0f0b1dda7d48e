//! How far apart atoms are, measured in bonds of their elements.
//!
//! A bond of two elements is about as long as the sum of their covalent radii. Atoms at less than half of
//! that are fractions of a cell, another unit, or one atom twice; a set whose atoms all keep twice that
//! distance is in bohr. Source of the radii: Cordero et al., Dalton Trans. 2832 (2008), table 2, of
//! single bonds and low spin; 1.6 Å for elements beyond curium.

use genesis_schema::elements::symbol;

/// By atomic number, from 1, Å.
const RADII: [f64; 96] = [
    0.31, 0.28, 1.28, 0.96, 0.84, 0.76, 0.71, 0.66, 0.57, 0.58, 1.66, 1.41, 1.21, 1.11, 1.07, 1.05,
    1.02, 1.06, 2.03, 1.76, 1.70, 1.60, 1.53, 1.39, 1.39, 1.32, 1.26, 1.24, 1.32, 1.22, 1.22, 1.20,
    1.19, 1.20, 1.20, 1.16, 2.20, 1.95, 1.90, 1.75, 1.64, 1.54, 1.47, 1.46, 1.42, 1.39, 1.45, 1.44,
    1.42, 1.39, 1.39, 1.38, 1.39, 1.40, 2.44, 2.15, 2.07, 2.04, 2.03, 2.01, 1.99, 1.98, 1.98, 1.96,
    1.94, 1.92, 1.92, 1.89, 1.90, 1.87, 1.87, 1.75, 1.70, 1.62, 1.51, 1.44, 1.41, 1.36, 1.36, 1.32,
    1.45, 1.46, 1.48, 1.40, 1.50, 1.50, 2.60, 2.21, 2.15, 2.06, 2.00, 1.96, 1.90, 1.87, 1.80, 1.69,
];
const BEYOND: f64 = 1.6;
/// Noble gases, which have no bonds.
const UNBOUND: [u8; 6] = [2, 10, 18, 36, 54, 86];
/// Less than this share of a bond is impossible: molecular hydrogen keeps 0.9 under any pressure.
const LEAST: f64 = 0.5;
/// Nearest neighbours of matter whose lengths are bohr read as Å: 1.89 times a bond, with room; and the
/// share of atoms that must be so.
const IN_BOHR: (f64, f64) = (1.6, 2.4);
const SHARE_IN_BOHR: f64 = 0.9;

/// Length of a bond, Å.
fn bond(one: u8, other: u8) -> f64 {
    let radius = |z: u8| RADII.get(usize::from(z) - 1).copied().unwrap_or(BEYOND);
    radius(one) + radius(other)
}

/// Two atoms that are close.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pair {
    elements: (u8, u8),
    /// Å.
    distance: f64,
}

impl Pair {
    fn share(&self) -> f64 {
        self.distance / bond(self.elements.0, self.elements.1)
    }
}

/// Distances of one structure.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Distances {
    /// The pair that is nearest for its elements.
    nearest: Option<Pair>,
    /// Of each atom that may have bonds and has a neighbour: its shortest distance in bonds.
    shortest: Vec<f64>,
}

impl Distances {
    /// Takes in the edges of `numbers`: receiver, sender and length, receivers in order.
    pub(super) fn of(numbers: &[u8], edges: impl Iterator<Item = (usize, usize, f64)>) -> Self {
        let mut found = Self::default();
        let mut last = None;
        for (to, from, distance) in edges {
            let pair = Pair { elements: (numbers[to], numbers[from]), distance };
            if found.nearest.is_none_or(|nearest| pair.share() < nearest.share()) {
                found.nearest = Some(pair);
            }
            if UNBOUND.contains(&numbers[to]) || UNBOUND.contains(&numbers[from]) {
                continue;
            }
            match found.shortest.last_mut().filter(|_| last == Some(to)) {
                Some(shortest) => *shortest = shortest.min(pair.share()),
                None => found.shortest.push(pair.share()),
            }
            last = Some(to);
        }
        found
    }
}

/// Distances of many structures.
#[derive(Debug, Default)]
pub(crate) struct DistanceTally {
    structures: u64,
    /// Structures with an impossible distance; the worst pair and its place.
    impossible: u64,
    worst: Option<(Pair, String)>,
    atoms: u64,
    in_bohr: u64,
}

impl DistanceTally {
    pub(super) fn add(&mut self, distances: &Distances, place: impl Fn() -> String) {
        self.structures += 1;
        if let Some(pair) = distances.nearest.filter(|pair| pair.share() < LEAST) {
            self.impossible += 1;
            if self.worst.as_ref().is_none_or(|(worst, _)| pair.share() < worst.share()) {
                self.worst = Some((pair, place()));
            }
        }
        self.atoms += distances.shortest.len() as u64;
        let in_bohr = |share: &&f64| (IN_BOHR.0..=IN_BOHR.1).contains(*share);
        self.in_bohr += distances.shortest.iter().filter(in_bohr).count() as u64;
    }

    /// Whether most structures cannot be, so that nothing follows from their positions.
    pub(super) fn are_impossible(&self) -> bool {
        2 * self.impossible > self.structures
    }

    /// What cannot be.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some((pair, place)) = &self.worst {
            let (one, other) = pair.elements;
            warnings.push(format!(
                "{} of {} structures have atoms closer than half a bond of their elements; the \
                 nearest are {}-{} at {:.3} Å, where a bond has about {:.2} Å ({place}); are positions \
                 fractions of the cell, or in another unit? see units.length",
                self.impossible,
                self.structures,
                symbol(one),
                symbol(other),
                pair.distance,
                bond(one, other),
            ));
        }
        if self.atoms > 0 && self.in_bohr as f64 >= SHARE_IN_BOHR * self.atoms as f64 {
            warnings.push(format!(
                "lengths look like bohr: {} of {} atoms have their nearest neighbour at {} to {} \
                 bonds of their elements, as bohr read as Å would give; check units.length, and \
                 units.energy: programs that write bohr write hartree too",
                self.in_bohr, self.atoms, IN_BOHR.0, IN_BOHR.1
            ));
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Given<'a> = (&'a [u8], &'a [(usize, usize, f64)]);

    fn warnings(structures: &[Given<'_>]) -> Vec<String> {
        let mut tally = DistanceTally::default();
        for (at, (numbers, edges)) in structures.iter().enumerate() {
            let distances = Distances::of(numbers, edges.iter().copied());
            tally.add(&distances, || format!("a.xyz:{at}"));
        }
        tally.warnings()
    }

    #[test]
    fn what_is_impossible_for_its_elements_is_named_with_its_place() {
        let h2: (&[u8], &[_]) = (&[1, 1], &[(0, 1, 0.45), (1, 0, 0.45)]);
        assert_eq!(warnings(&[h2]), Vec::<String>::new(), "two thirds of a bond of hydrogen");
        let found = warnings(&[h2, (&[79, 8], &[(0, 1, 0.9), (1, 0, 0.9)])]);
        assert!(found[0].contains("1 of 2") && found[0].contains("Au-O at 0.900"), "{found:?}");
        assert!(found[0].contains("a.xyz:1"), "{found:?}");
    }

    #[test]
    fn matter_in_bohr_is_told_from_gases_and_from_bonds_that_break() {
        let copper: (&[u8], &[_]) = (&[29, 29], &[(0, 1, 4.83), (1, 0, 4.83)]);
        assert!(warnings(&[copper])[0].contains("bohr"));
        let argon: (&[u8], &[_]) = (&[18, 18], &[(0, 1, 3.8), (1, 0, 3.8)]);
        assert_eq!(warnings(&[argon]), Vec::<String>::new());
        let near: (&[u8], &[_]) = (&[29, 29], &[(0, 1, 2.2), (1, 0, 2.2)]);
        assert_eq!(warnings(&[copper, near]), Vec::<String>::new());
    }
}
