//! Molecules drawn from a small grammar, correct in valence by construction.
//!
//! A molecule is a tree of atoms and rings written depth first. Every piece is told which bond
//! leads to it and adds no more bonds than its element has left, so C has four, N three, O and
//! S two, halogens one. Aromatic rings are those that can be written with alternating bonds.
//! Not here: realistic frequencies, stereo chemistry, fused rings.

use genesis_schema::{Seeds, Stream};

/// Bonds that an element can make, and how often it is drawn.
const ELEMENTS: [(&str, u32, u64); 7] = [
    ("C", 4, 60),
    ("N", 3, 12),
    ("O", 2, 16),
    ("S", 2, 3),
    ("F", 1, 5),
    ("Cl", 1, 3),
    ("Br", 1, 1),
];
/// Ends of a branch that stand as they are, joined by a single bond.
const GROUPS: [&str; 5] = ["C(=O)O", "C#N", "C(N)=O", "[N+](=O)[O-]", "C(F)(F)F"];
/// Aromatic rings: atoms in writing order; `c` may carry a branch, the first is joined to the
/// molecule. Six with one electron each, or five with one `o`, `s` or `[nH]` giving two.
const AROMATIC: [&[&str]; 8] = [
    &["c", "c", "c", "c", "c", "c"],
    &["c", "c", "c", "c", "c", "c"],
    &["c", "c", "c", "n", "c", "c"],
    &["c", "n", "c", "c", "n", "c"],
    &["c", "c", "c", "o", "c"],
    &["c", "c", "c", "s", "c"],
    &["c", "c", "c", "[nH]", "c"],
    &["c", "n", "c", "[nH]", "c"],
];
/// Atoms that a molecule has at least and at most; groups may add a few.
const MIN_ATOMS: u64 = 4;
const MAX_ATOMS: u64 = 18;
/// Branches deep inside branches make strings nobody writes.
const MAX_DEPTH: u32 = 3;

/// Molecule number `index` of `seed`, as SMILES.
pub fn molecule(seed: u64, index: u64) -> String {
    let stream = Seeds::new(seed).stream("generate/molecules");
    let mut writer =
        Writer { stream, index, draws: 0, atoms_left: 0, rings: 0, text: String::new() };
    writer.atoms_left = MIN_ATOMS + writer.below(MAX_ATOMS - MIN_ATOMS + 1);
    writer.piece(0, 0);
    writer.text
}

struct Writer {
    stream: Stream,
    index: u64,
    draws: u64,
    atoms_left: u64,
    /// Rings open at this place.
    rings: u32,
    text: String,
}

impl Writer {
    /// A number below `n`.
    fn below(&mut self, n: u64) -> u64 {
        self.draws += 1;
        self.stream.below(self.index, self.draws, n)
    }

    fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// One atom, group or ring and all that follows; a bond of order `bond` leads to it (0: it
    /// is the first).
    fn piece(&mut self, bond: u32, depth: u32) {
        let single = bond <= 1;
        if single && self.atoms_left >= 5 && self.percent(22) {
            return self.aromatic_ring(depth);
        }
        if single && self.atoms_left >= 3 && self.percent(12) {
            return self.saturated_ring(bond, depth);
        }
        if bond == 1 && depth > 0 && self.percent(12) {
            let group = GROUPS[self.pick(GROUPS.len())];
            self.atoms_left = self.atoms_left.saturating_sub(1);
            return self.text.push_str(group);
        }
        self.atom(bond, depth);
    }

    fn pick(&mut self, n: usize) -> usize {
        usize::try_from(self.below(n as u64)).expect("below n, which is a usize")
    }

    fn atom(&mut self, bond: u32, depth: u32) {
        // The first atom must not be a halogen, which could not go on.
        let (symbol, valence) = self.element(if bond == 0 { 2 } else { bond });
        self.text.push_str(match bond {
            2 => "=",
            3 => "#",
            _ => "",
        });
        self.text.push_str(symbol);
        self.atoms_left = self.atoms_left.saturating_sub(1);
        self.continue_from(valence - bond, depth);
    }

    /// An element that can make at least `bonds` bonds.
    fn element(&mut self, bonds: u32) -> (&'static str, u32) {
        let fits = |&&(_, valence, _): &&(&str, u32, u64)| valence >= bonds;
        let total = ELEMENTS.iter().filter(fits).map(|&(_, _, weight)| weight).sum();
        let mut left = self.below(total);
        for &(symbol, valence, weight) in ELEMENTS.iter().filter(fits) {
            if left < weight {
                return (symbol, valence);
            }
            left -= weight;
        }
        unreachable!("a number below the sum of the weights falls on one of them")
    }

    /// Branches and the rest of the chain, from an atom with `free` bonds left.
    fn continue_from(&mut self, mut free: u32, depth: u32) {
        while free > 1 && depth < MAX_DEPTH && self.atoms_left > 2 && self.percent(25) {
            free -= self.branch(free - 1, depth);
        }
        if free > 0 && self.atoms_left > 0 {
            let bond = self.bond(free);
            self.piece(bond, depth);
        }
    }

    /// A branch of at most `free` bonds and a few atoms; returns the order of its bond.
    fn branch(&mut self, free: u32, depth: u32) -> u32 {
        let bond = self.bond(free);
        let size = 1 + self.below(3.min(self.atoms_left - 1));
        let rest = self.atoms_left - size;
        self.atoms_left = size;
        self.text.push('(');
        self.piece(bond, depth + 1);
        self.text.push(')');
        self.atoms_left = rest;
        bond
    }

    fn bond(&mut self, free: u32) -> u32 {
        match self.below(100) {
            0..3 if free >= 3 => 3,
            3..18 if free >= 2 => 2,
            _ => 1,
        }
    }

    /// A ring of single bonds; the chain goes on from its last atom.
    fn saturated_ring(&mut self, bond: u32, depth: u32) {
        let size = (3 + self.below(4)).min(self.atoms_left.max(3));
        self.rings += 1;
        let number = self.rings;
        self.atoms_left = self.atoms_left.saturating_sub(size);
        for i in 0..size {
            let (symbol, free) = match self.below(100) {
                0..12 if i > 0 => ("O", 0),
                // The first atom may carry the bond that leads here: nitrogen has room for it.
                12..26 => ("N", if i == 0 { 1 - bond } else { 1 }),
                _ => ("C", if i == 0 { 2 - bond } else { 2 }),
            };
            self.text.push_str(symbol);
            if i == 0 || i + 1 == size {
                self.text.push_str(&number.to_string());
            }
            if i + 1 == size {
                self.rings -= 1;
                self.continue_from(free, depth);
            } else if free > 0 && depth < MAX_DEPTH && self.atoms_left > 1 && self.percent(15) {
                self.branch(free, depth);
            }
        }
    }

    /// An aromatic ring; the chain goes on from its last atom.
    fn aromatic_ring(&mut self, depth: u32) {
        let atoms = AROMATIC[self.pick(AROMATIC.len())];
        self.rings += 1;
        let number = self.rings;
        self.atoms_left = self.atoms_left.saturating_sub(atoms.len() as u64);
        for (i, symbol) in atoms.iter().enumerate() {
            self.text.push_str(symbol);
            let last = i + 1 == atoms.len();
            if i == 0 || last {
                self.text.push_str(&number.to_string());
            }
            if last {
                self.rings -= 1;
                self.continue_from(1, depth);
            } else if i > 0
                && *symbol == "c"
                && depth < MAX_DEPTH
                && self.atoms_left > 1
                && self.percent(15)
            {
                self.branch(1, depth);
            }
        }
    }
}

#[cfg(test)]
#[path = "molecules_tests.rs"]
mod tests;
